"""Warm kernels: each kernel is forked from a process that has the imports done already.

Start-up is nearly all the time a small report takes. A *nursery* process imports once what studies need and then
forks a kernel for each report: a process of its own, with memory of its own, ready at once. Jupyter's extension
point for this is a kernel provisioner, so papermill, nbclient and JupyterLab can all use it (kernel ``kam``). On
systems without fork an ordinary kernel is started, with one line of warning.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import gc
import importlib
import io
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from pathlib import Path

PROVISIONER = "kam-warm"
PRELOADED = (
    "numpy", "pandas", "pyarrow.parquet", "scipy.optimize", "scipy.stats", "statsmodels.api",
    "sklearn.linear_model", "matplotlib.pyplot", "seaborn", "duckdb", "ibis", "ibis.backends.duckdb", "pyfixest",
    "jinja2", "yaml", "IPython", "IPython.core.oinspect", "ipykernel.ipkernel", "ipykernel.kernelapp",
    "matplotlib_inline.backend_inline", "tornado.platform.asyncio", "pandas.core.reshape.reshape",
    "pandas.io.formats.csvs", "kamlib.book.store", "kamlib.reports.publish", "kamlib.reports.figures",
    "kamlib.reports.findings", "kamlib.studies.dossier",
)  # fmt: skip
_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG of prctl(2)


def can_fork() -> bool:
    """Whether this system can fork a process that goes on as another."""
    return hasattr(os, "fork") and sys.platform != "darwin"


class Nursery:
    """The process that has the imports done; one for each process that starts kernels.

    It ends when the process that started it ends, however that comes about: it holds the other end of a pipe.
    """

    _started: Nursery | None = None
    _lock = threading.Lock()

    def __init__(self) -> None:
        self.folder = tempfile.mkdtemp(prefix="kam-nursery-")
        self.address = str(Path(self.folder) / "s")
        self.owner = os.getpid()
        command = [sys.executable, "-m", "kamlib.reports.kernels", self.address]
        environment = {**os.environ, "MPLBACKEND": "agg", "PYTHONHASHSEED": "0"}
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, env=environment)
        self._await_ready()
        atexit.register(self.close)

    @classmethod
    def get(cls) -> Nursery:
        """The nursery of this process, started where there is none or where it has died."""
        with cls._lock:
            here = cls._started
            if here is None or here.owner != os.getpid() or here.process.poll() is not None:
                cls._started = cls()
            return cls._started

    @classmethod
    def running(cls) -> int | None:
        """The process id of the nursery of this process, where one runs."""
        here = cls._started
        return here.process.pid if here and here.owner == os.getpid() and here.process.poll() is None else None

    def _await_ready(self, seconds: float = 120) -> None:
        until = time.monotonic() + seconds
        while not Path(self.address).exists():
            if self.process.poll() is not None or time.monotonic() > until:
                raise RuntimeError("the process that warm kernels are forked from did not start")
            time.sleep(0.02)

    def ask(self, **question) -> dict:
        """Ask the nursery and wait for its answer."""
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(60)
            line.connect(self.address)
            line.sendall(json.dumps(question).encode() + b"\n")
            with line.makefile() as answer:
                return json.loads(answer.readline())

    def close(self) -> None:
        """End the nursery; kernels that still run end with it."""
        if self.owner != os.getpid():
            return
        if self.process.stdin:
            self.process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(5)
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


class ForkedKernel:
    """A kernel process in the nursery, with the part of ``subprocess.Popen`` that a provisioner needs."""

    stdin = stdout = stderr = None

    def __init__(self, nursery: Nursery, arguments: list[str], env: dict, cwd: str | None) -> None:
        self.nursery = nursery
        self.returncode: int | None = None
        self.pid = nursery.ask(do="fork", arguments=arguments, env=env, cwd=cwd or str(Path.cwd()))["pid"]

    def poll(self) -> int | None:
        """The exit code, or ``None`` while the kernel runs."""
        if self.returncode is None:
            try:
                self.returncode = self.nursery.ask(do="poll", pid=self.pid)["code"]
            except (OSError, ValueError):  # the nursery is gone, and its kernels with it
                self.returncode = -signal.SIGKILL
        return self.returncode

    def wait(self) -> int:
        """Wait for the kernel to end."""
        while self.poll() is None:
            time.sleep(0.02)
        return self.returncode

    def send_signal(self, signum: int) -> None:
        """Send a signal to the kernel."""
        os.kill(self.pid, signum)

    def kill(self) -> None:
        """Kill the kernel."""
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        """Ask the kernel to end."""
        self.send_signal(signal.SIGTERM)


def __getattr__(name: str):
    """Import Jupyter's classes only in the process that starts kernels, not in the nursery."""
    if name == "WarmProvisioner":
        return _provisioner()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _provisioner():
    from jupyter_client.provisioning import LocalProvisioner

    class WarmProvisioner(LocalProvisioner):
        """Provides kernels forked from the nursery; ordinary ones where a system cannot fork."""

        async def launch_kernel(self, cmd: list[str], **kwargs):
            if not can_fork():
                warnings.warn("this system cannot fork; kernels start cold", RuntimeWarning, stacklevel=2)
                return await super().launch_kernel(cmd, **kwargs)
            try:
                nursery = Nursery.get()
            except (OSError, RuntimeError) as reason:
                warnings.warn(f"kernels start cold: {reason}", RuntimeWarning, stacklevel=2)
                return await super().launch_kernel(cmd, **kwargs)
            self.process = ForkedKernel(nursery, cmd[cmd.index("-f") :], dict(kwargs["env"]), kwargs.get("cwd"))
            self.pid = self.pgid = self.process.pid
            return self.connection_info

    globals()["WarmProvisioner"] = WarmProvisioner
    return WarmProvisioner


def serve(address: str) -> None:
    """Be a nursery: import, listen, fork a kernel for each that is asked for, end when the starter ends."""
    os.environ["JPY_PARENT_PID"] = str(os.getpid())  # read once, when ipykernel is imported
    for name in PRELOADED:
        _ahead(name, importlib.import_module, name)
    _ahead("the sentences", _read_sentences)
    _ahead("a first report", _rehearse)
    gc.collect()
    gc.freeze()  # a collector that walked all this in every kernel would copy every page of memory they share
    children: dict[int, int | None] = {}
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{address}-")
        listener.listen(64)
        Path(f"{address}-").rename(address)
        while True:
            ready, _, _ = select.select([listener, sys.stdin], [], [])
            if sys.stdin in ready:
                break
            line, _ = listener.accept()
            with line:
                _answer(line, listener, children)
    for pid, code in children.items():
        if code is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    gc.unfreeze()  # else libraries complain at the end of what was not collected


def _ahead(what: str, do, *given) -> None:
    try:
        do(*given)
    except Exception as error:  # the report that needs it will fail and say so; the others must not
        print(f"kam: {what} could not be read ahead: {error}", file=sys.stderr)


def _read_sentences() -> None:
    """Read our sentences, columns and page fragments once for all kernels."""
    from kamlib.reports import publish, sentences

    sentences.keys()
    publish.column_catalogue(sentences.DEFAULT_LANGUAGE)
    for fragment in publish.FRAGMENTS:
        publish.templates().get_template(fragment)


def _rehearse() -> None:
    """Draw, write and ask once, of nothing: what libraries look up the first time, fonts above all, kernels then know.

    No engine runs here and no thread is started: neither outlives a fork.
    """
    import ibis
    import pandas as pd
    from matplotlib import pyplot

    from kamlib.reports import figures, publish

    rows = pd.DataFrame({"account_id": ["0007"], "order_date": pd.to_datetime(["2026-01-31"]), "revenue": [1.5]})
    drawn = figures.style.axes("A title", "days", "revenue", height=3.0)
    drawn.bar([0.0, 1.0], [1.0, 2.0], label="what was bought")
    drawn.plot([0.0, 1.0], [0.0, 0.0], "|", label="contacts")
    drawn.set_xticks([0, 1], ["Jan\n2026", "Feb"])
    drawn.yaxis.set_major_formatter("{x:,.0f}")
    drawn.legend(loc="upper left", fontsize=8, frameon=False, ncols=3)
    figures.style.footnote(drawn, "n = 1")
    publish.svg_of(drawn.figure)
    pyplot.close(drawn.figure)
    rows.to_parquet(io.BytesIO(), index=False)
    publish.harmless(rows).to_csv(io.StringIO(), index=False)
    asked = ibis.table({"account_id": "string", "order_date": "date", "revenue": "float64"}, name="orders")
    asked = asked.filter(asked.order_date <= ibis.literal(pd.Timestamp("2026-01-31").date()))
    ibis.to_sql(asked.group_by("account_id").aggregate(revenue=asked.revenue.sum()), dialect="duckdb")


def _answer(line: socket.socket, listener: socket.socket, children: dict) -> None:
    with line.makefile() as stream:
        question = json.loads(stream.readline())
    if question["do"] == "fork":
        pid = os.fork()
        if pid == 0:
            listener.close()
            line.close()
            _become_kernel(question)
        children[pid] = None
        answer = {"pid": pid}
    else:
        answer = {"code": _code(question["pid"], children)}
    with contextlib.suppress(BrokenPipeError):
        line.sendall(json.dumps(answer).encode() + b"\n")


def _code(pid: int, children: dict) -> int | None:
    if children.get(pid) is None:
        done, status = os.waitpid(pid, os.WNOHANG)
        children[pid] = os.waitstatus_to_exitcode(status) if done else None
    return children[pid]


def _become_kernel(question: dict) -> None:
    """Go on as the kernel; never returns."""
    code = 1
    try:
        os.setsid()
        _die_with_parent()
        os.environ.clear()
        os.environ.update(question["env"])
        os.chdir(question["cwd"])
        if "KAM_OUTPUT" in os.environ:
            sys.modules["debugpy"] = None  # nobody steps through a report, and its import takes long
        with open(os.devnull, "rb") as nothing:  # noqa: PTH123 (a descriptor for the new process)
            os.dup2(nothing.fileno(), 0)
        from ipykernel.kernelapp import IPKernelApp

        IPKernelApp.launch_instance([*question["arguments"], "--HistoryManager.enabled=False"])
        code = 0
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else 0
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _die_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)


if __name__ == "__main__":
    serve(sys.argv[1])
