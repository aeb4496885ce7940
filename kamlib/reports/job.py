"""One report: a notebook executed with its parameters in a kernel of its own, and made into a folder."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import ClassVar

import nbformat
import papermill
from jupyter_client.manager import AsyncKernelManager
from jupyter_core.utils import ensure_event_loop
from papermill.engines import NBClientEngine, papermill_engines

from kamlib import __version__
from kamlib.reports import failures, folder
from kamlib.reports.kernels import PROVISIONER, can_fork
from kamlib.reports.publish import FINDING

PACKAGES = ("pandas", "numpy", "statsmodels", "ibis-framework", "duckdb", "pyfixest", "scikit-learn", "papermill")


@dataclass(frozen=True)
class Job:
    """One report to make: everything a worker needs, in plain values."""

    notebook: Path
    name: str
    key: str
    parameters: Mapping
    target: Path
    context: Mapping
    inputs: str
    timeout_seconds: int
    threads: int
    formats: tuple[str, ...] = ("html",)
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """What the operator reads: ``churn`` or ``dossier 0007``."""
        return f"{self.name} {self.key}".strip()


@dataclass(frozen=True)
class Outcome:
    """How a job ended: published, kept (nothing had changed) or failed, with the reason and the number of findings."""

    name: str
    key: str
    status: str
    seconds: float
    why: str = ""
    findings: int = 0

    @property
    def label(self) -> str:
        """What the operator reads."""
        return f"{self.name} {self.key}".strip()


class ReportKernelManager(AsyncKernelManager):
    """A warm kernel that listens on a socket file of its own folder, in an environment of its own."""

    environment: ClassVar[dict[str, str]] = {}

    def __init__(self, **traits) -> None:
        super().__init__(**traits)
        self.transport = "ipc"
        self.sockets = tempfile.mkdtemp(prefix="kam-")
        self.ip = str(Path(self.sockets) / "k")
        if can_fork():
            self.kernel_spec.metadata["kernel_provisioner"] = {"provisioner_name": PROVISIONER}

    async def _async_pre_start_kernel(self, **given):
        """Start with the variables of this report on top of those of the process."""
        return await super()._async_pre_start_kernel(**{**given, "env": {**os.environ, **self.environment}})

    async def _async_cleanup_resources(self, restart: bool = False) -> None:
        await super()._async_cleanup_resources(restart=restart)
        if not restart:
            shutil.rmtree(self.sockets, ignore_errors=True)


class ReportEngine(NBClientEngine):
    """Papermill's engine, which writes a notebook only where it was broken off: papermill writes a whole one."""

    @classmethod
    def execute_managed_notebook(cls, nb_man, kernel_name, **given):
        """Execute the cells."""
        try:
            super().execute_managed_notebook(nb_man, kernel_name, **given)
        except BaseException:
            nb_man.output_path = nb_man.nb.metadata.papermill["output_path"]
            _end_what_waits()
            raise


def _end_what_waits() -> None:
    """End what the client of a broken-off notebook waits for in this thread, else it complains when it is freed."""
    loop = ensure_event_loop()
    waiting = [task for task in asyncio.all_tasks(loop) if "NotebookClient" in task.get_coro().__qualname__]
    for task in waiting:
        task.cancel()
    if waiting and not loop.is_running():
        loop.run_until_complete(asyncio.wait(waiting))


papermill_engines.register("kam-report", ReportEngine)


def is_unchanged(job: Job) -> bool:
    """Whether the report is published, whole, and made from the same inputs."""
    manifest = folder.read_manifest(job.target)
    return bool(manifest) and manifest.get("inputs") == job.inputs and folder.is_whole(job.target)


def run(job: Job) -> Outcome:
    """Make one report. Whatever goes wrong inside it is an outcome, not an exception."""
    logging.getLogger("papermill").setLevel(logging.CRITICAL)  # what goes wrong is told below, once
    started = time.monotonic()
    building = None
    try:
        building = folder.new_building(job.target)
        executed = _execute(job, building)
        found = collect_findings(executed)
        _write(job, building, executed, found)
        seconds = time.monotonic() - started
        folder.publish(building, job.target, _manifest(job, seconds))
        failures.forget(_failure_folder(job))
        return Outcome(job.name, job.key, "published", seconds, findings=len(found))
    except Exception as error:  # a report must not take the others with it; the reason is reported and kept
        why = failures.reason(error, job.target.parent, job.timeout_seconds)
        failures.keep(_failure_folder(job), {"name": job.name, "key": job.key}, why, error, building)
        if building:
            shutil.rmtree(building, ignore_errors=True)
        return Outcome(job.name, job.key, "failed", time.monotonic() - started, why)


def collect_findings(executed: nbformat.NotebookNode) -> list[dict]:
    """The findings a notebook published, in order; the last one counts where an identifier comes twice."""
    found = {}
    for cell in executed.cells:
        for output in cell.get("outputs", []):
            if FINDING in output.get("data", {}):
                finding = output["data"][FINDING]
                found[finding["id"]] = dict(finding)
    return list(found.values())


def _execute(job: Job, building: Path) -> nbformat.NotebookNode:
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
    until = time.monotonic() + job.timeout_seconds
    report = {"KAM_OUTPUT": str(building), "KAM_REPORT": job.name}
    environment = {**report, **dict.fromkeys(names, str(job.threads)), **job.environment}
    return papermill.execute_notebook(
        str(job.notebook),
        str(building / "notebook.ipynb"),
        parameters=dict(job.parameters),
        engine_name="kam-report",
        request_save_on_cell_execute=False,  # all of it is written once, when it has run
        kernel_name="python3",
        language="python",
        progress_bar=False,
        log_output=False,
        timeout_func=lambda cell: max(1, round(until - time.monotonic())),  # for the report, not for each cell
        start_timeout=120,
        shutdown_kernel="immediate",  # all it had to write is written when its last cell ends
        kernel_manager_class=type("Manager", (ReportKernelManager,), {"environment": environment}),
    )


def _write(job: Job, building: Path, executed: nbformat.NotebookNode, found: list[dict]) -> None:
    from kamlib.reports.page import build_page

    made_on = f"{datetime.now():%Y-%m-%d %H:%M}"
    page = build_page(executed, {**job.context, "findings": found, "made_on": made_on})
    (building / "report.html").write_text(page, encoding="utf-8")
    folder.write_json(building / "findings.json", found)
    nbformat.write(_without_traces(executed), building / "notebook.ipynb")
    if "xlsx" in job.formats:
        from kamlib.reports.workbook import write_workbook

        write_workbook(building, _about(job, made_on))
    if "pdf" in job.formats:
        from kamlib.reports.pdf import write_pdf

        write_pdf(building)


def _about(job: Job, made_on: str) -> dict[str, str]:
    """What a page says of itself above its findings, for a file that is handed on without it."""
    context = job.context
    said = {name: context[name] for name in ("book", "period", "as_of", "scope", "currency")}
    marks = {"names": "replaced by pseudonyms"} if context["is_redacted"] else {}
    marks |= {"personal_data": "shown; not to be handed on"} if context["is_personal"] else {}
    all_of_it = {"report": context["title"], "about": context["about"], **said, **marks, "made_on": made_on}
    return {name: text for name, text in all_of_it.items() if text}


def _without_traces(executed: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """The notebook without paths of this machine and without clock times, so that equal runs are equal."""
    notebook = nbformat.from_dict(executed)
    notebook.metadata.pop("papermill", None)
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{number}"
        for name in ("papermill", "execution"):
            cell.metadata.pop(name, None)
    return notebook


def _manifest(job: Job, seconds: float) -> dict:
    return {
        "report": job.name,
        "key": job.key,
        "title": job.context["title"],
        "about": job.context["about"],
        "parameters": dict(job.parameters),
        "book": job.context["book"],
        "book_fingerprint": job.context["fingerprint"],
        "period": job.context["period"],
        "as_of": job.context["as_of"],
        "code_version": __version__,
        "code_digest": folder.code_digest(),
        "packages": {name: version(name) for name in PACKAGES},
        "python": sys.version.split()[0],
        "seed": job.parameters.get("seed"),
        "inputs": job.inputs,
        "said": job.context.get("said", ""),
        "made_on": datetime.now().isoformat(timespec="seconds"),
        "seconds": round(seconds, 2),
    }


def _failure_folder(job: Job) -> Path:
    return Path(job.context["period_folder"]) / folder.FAILED / job.name / job.key
