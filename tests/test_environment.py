"""The files that say what the project needs agree with each other."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LOCK = (ROOT / "requirements.lock").read_text().splitlines()


def _plain(text: str) -> tuple:
    requirement = Requirement(text)
    return requirement.name, frozenset(requirement.extras), str(requirement.specifier)


def _locked() -> dict[str, str]:
    pins = [Requirement(line) for line in LOCK if line and not line.startswith("#")]
    return {pin.name.lower().replace("_", "-"): next(iter(pin.specifier)).version for pin in pins}


def test_environment_yml_asks_for_what_pyproject_asks_for():
    entries = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    through_pip = next(entry["pip"] for entry in entries if isinstance(entry, dict))
    asked = [entry for entry in entries if isinstance(entry, str)] + through_pip
    wanted = [*PROJECT["dependencies"], f"python{PROJECT['requires-python']}", "pip"]
    assert sorted(map(_plain, asked)) == sorted(map(_plain, wanted))


@pytest.mark.parametrize("extra", ["", *PROJECT["optional-dependencies"]])
def test_the_lock_satisfies_every_requirement(extra):
    asked = PROJECT["optional-dependencies"][extra] if extra else PROJECT["dependencies"]
    pins = _locked()
    for text in asked:
        requirement = Requirement(text)
        name = requirement.name.lower().replace("_", "-")
        assert name in pins, f"{name} is required and not in requirements.lock"
        assert requirement.specifier.contains(pins[name]), f"{text} does not allow the locked {pins[name]}"


def test_the_lock_pins_exact_versions_and_names_no_index_and_no_host():
    for line in LOCK:
        assert re.fullmatch(r"[A-Za-z0-9_.\-]+(\[[a-z,]+\])?==[A-Za-z0-9_.+!\-]+", line), line


def test_the_installed_packages_are_those_of_the_lock():
    from importlib.metadata import version

    for name in ("pandas", "duckdb", "ibis-framework", "papermill", "statsmodels", "pyfixest"):
        assert version(name) == _locked()[name], f"run 'make setup': {name} is not at its locked version"
