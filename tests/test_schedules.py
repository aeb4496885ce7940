"""The examples of schedules are commands that `kam` takes and files that their programs can read."""

import ast
import configparser
import importlib.util
import re
import shlex
from pathlib import Path

import nbformat
import pytest
import yaml
from nbconvert.preprocessors import ExecutePreprocessor

from kamlib.cli import main
from kamlib.reports.publish import FINDING
from kamlib.reports.spec import read_reports

from books import small_book

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "schedules"
_SCHEDULER = importlib.util.find_spec("jupyter_scheduler")
README = FOLDER.parents[1] / "README.md"


def _commands() -> list[str]:
    texts = [path.read_text(encoding="utf-8") for path in (*sorted(FOLDER.iterdir()), README)]
    found = [
        match
        for text in texts
        for match in re.findall(r"(?:^|[ /`\"])kam ((?:render|ingest|check|sample) [^`\n\">–&;)]*)", text)
    ]
    return sorted({command.split(" >> ")[0].strip() for command in found if "…" not in command})


def test_there_are_commands_to_try():
    assert len(_commands()) >= 6


@pytest.mark.parametrize("command", _commands())
def test_every_command_in_the_documents_is_one_that_kam_takes(command):
    words = shlex.split(command)
    subcommand = main.commands[words[0]]
    taken = subcommand.make_context(words[0], words[1:]).params
    if words[0] == "render":
        assert read_reports(list(taken["reports"])), command


@pytest.mark.parametrize(
    "name", ["README.md", "crontab", "kam-reports.service", "airflow_dag.py", "github-actions.yml"]
)
def test_every_schedule_ingests_before_it_renders_and_says_where_the_key_goes(name):
    text = (FOLDER / name).read_text(encoding="utf-8")
    assert 0 < text.index("kam ingest ") < text.index("kam render ")
    assert "KAM_REDACT_KEY" in text


def test_no_line_of_the_crontab_renders_what_could_not_be_ingested():
    lines = [line for line in (FOLDER / "crontab").read_text().splitlines() if "kam render" in line]
    assert lines
    assert all(re.search(r"kam ingest [^;|&]+ && \S*kam render", line) for line in lines)


def test_the_units_of_systemd_can_be_read_and_belong_together():
    units = {}
    for name in ("kam-reports.service", "kam-reports.timer"):
        units[name] = configparser.ConfigParser(interpolation=None)
        units[name].optionxform = str
        units[name].read(FOLDER / name)
    assert units["kam-reports.service"]["Service"]["Type"] == "oneshot"
    assert units["kam-reports.timer"]["Timer"]["Persistent"] == "true"


def test_the_github_workflow_runs_make_setup_and_keeps_the_url_in_a_secret():
    workflow = yaml.safe_load((FOLDER / "github-actions.yml").read_text())
    steps = workflow["jobs"]["render"]["steps"]
    assert any(step.get("run") == "make setup" for step in steps)
    assert "secrets." in str(next(step["env"] for step in steps if "env" in step))


def test_the_dag_names_a_notebook_and_parameters_that_exist():
    """Read as Python, since Airflow itself is too large to be a requirement of the tests."""
    from kamlib.reports.parameters import read_contract

    tree = ast.parse((FOLDER / "airflow_dag.py").read_text())
    call = next(
        n for n in ast.walk(tree) if isinstance(n, ast.Call) and getattr(n.func, "id", "") == "PapermillOperator"
    )
    given = {k.value for keyword in call.keywords if keyword.arg == "parameters" for k in keyword.value.keys}
    assert given <= set(read_contract(FOLDER.parents[1] / "notebooks" / "studies" / "churn.ipynb"))


def test_airflow_takes_the_dag():
    absent = "is not installed here, so Airflow's own parser was not asked whether it takes the DAG"
    models = pytest.importorskip("airflow.models", reason=f"apache-airflow {absent}")
    pytest.importorskip("airflow.providers.papermill", reason=f"apache-airflow-providers-papermill {absent}")
    bag = models.DagBag(str(FOLDER / "airflow_dag.py"))
    assert not {path: error for path, error in bag.import_errors.items() if path.endswith("airflow_dag.py")}
    following = {task.task_id: task.downstream_task_ids for task in bag.dags["key_account_reports"].tasks}
    assert following == {"book": {"reports"}, "reports": {"churn_notebook"}, "churn_notebook": set()}


def _as_a_notebook_job(staging: Path, parameters: dict[str, str]) -> nbformat.NotebookNode:
    """What jupyter-scheduler makes of a study: a copy, our cell of parameters, and nbconvert's own execution."""
    study = FOLDER.parents[1] / "notebooks" / "studies" / "due_list.ipynb"
    notebook = nbformat.read(study, as_version=4)
    add_parameters = importlib.import_module("jupyter_scheduler.parameterize").add_parameters if _SCHEDULER else _added
    notebook = add_parameters(notebook, parameters)
    kernel = notebook.metadata.kernelspec["name"]
    runner = ExecutePreprocessor(kernel_name=kernel, store_widget_state=True)
    runner.preprocess(notebook, {"metadata": {"path": str(staging)}})
    return notebook


def _added(notebook: nbformat.NotebookNode, parameters: dict[str, str]) -> nbformat.NotebookNode:
    """As jupyter-scheduler 2.12 adds them: lines of Python after the cell tagged ``parameters``."""
    source = "\n".join(f"{name} = {value}" for name, value in parameters.items())
    place = next(i for i, cell in enumerate(notebook.cells) if "parameters" in cell.metadata.get("tags", []))
    notebook.cells.insert(place + 1, nbformat.v4.new_code_cell(source))
    return notebook


def test_a_study_runs_as_a_notebook_job_with_its_text_in_quotes(tmp_path):
    place = small_book(tmp_path / "book")
    done = _as_a_notebook_job(tmp_path, {"place": f'"{place}"', "as_of": '"2026-09-30"'})
    shown = [output for cell in done.cells for output in cell.get("outputs", [])]
    assert any(FINDING in output.get("data", {}) for output in shown)
    assert not [output for output in shown if output.output_type == "error"]
