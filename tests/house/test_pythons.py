"""The Pythons that the suite runs on in CI: the newest of each version that starts, and a result for each."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from portal.environment import BASE

TOOLS = ("bash", "dirname", "env", "sort", "tail", "timeout")
MAKE = """#!/usr/bin/env bash
echo "$@"
[[ "$*" != test*"$FAILS"* ]]
"""


@dataclass(frozen=True)
class Machine:
    """A machine with a PATH and pyenv of its own, and a `make` that only says what it was asked for."""

    folder: Path

    def has(self, place: str, *, says: str = "", code: int = 0) -> str:
        """A Python there, which answers like this when it is started."""
        python = self.folder / place
        python.parent.mkdir(parents=True, exist_ok=True)
        python.write_text(f"#!/usr/bin/env bash\necho {says}\nexit {code}\n")
        python.chmod(0o755)
        return str(python)

    def run(self, name: str, *arguments: str, fails: str = "none") -> subprocess.CompletedProcess[str]:
        environment = {"PATH": f"{self.folder}/bin", "PYENV_ROOT": f"{self.folder}/pyenv", "FAILS": fails}
        return subprocess.run(
            [self.folder / ".ci" / name, *arguments],
            env=environment, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    def pythons(self, *versions: str) -> list[str]:
        found = self.run("pythons", *versions)
        assert found.returncode == 0, found.stderr
        return found.stdout.splitlines()


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    (tmp_path / "bin").mkdir()
    for tool in TOOLS:
        (tmp_path / "bin" / tool).symlink_to(str(shutil.which(tool)))
    shutil.copytree(BASE / ".ci", tmp_path / ".ci")
    machine = Machine(tmp_path)
    machine.has("bin/chromium")
    Path(machine.has("bin/make")).write_text(MAKE)
    return machine


def test_each_version_is_found_on_the_path_and_in_pyenv(machine: Machine) -> None:
    on_path = machine.has("bin/python3.12", says="3.12.4")
    of_pyenv = machine.has("pyenv/versions/3.13.0/bin/python3.13", says="3.13.0")
    assert machine.pythons("3.11", "3.12", "3.13") == [f"3.12.4 {on_path}", f"3.13.0 {of_pyenv}"]


def test_the_newest_patch_of_a_version_is_taken_once(machine: Machine) -> None:
    machine.has("pyenv/versions/3.12.9/bin/python3.12", says="3.12.9")
    newest = machine.has("pyenv/versions/3.12.10/bin/python3.12", says="3.12.10")
    machine.has("bin/python3.12", says="3.12.3")
    assert machine.pythons("3.12") == [f"3.12.10 {newest}"]


@pytest.mark.parametrize(("says", "code"), [("", 127), ("3.12.4", 127), ("", 0), ("3.9.2", 0), ("'not a version'", 0)])
def test_a_command_that_starts_no_such_python_is_none(machine: Machine, says: str, code: int) -> None:
    machine.has("bin/python3.12", says=says, code=code)
    assert machine.pythons("3.12") == []


def test_a_python_that_starts_is_found_behind_a_shim(machine: Machine) -> None:
    machine.has("bin/python3.12", code=127)
    real = machine.has("pyenv/versions/3.12.1/bin/python3.12", says="3.12.1")
    assert machine.pythons("3.12") == [f"3.12.1 {real}"]


def test_a_plain_python3_is_asked_for_its_version(machine: Machine) -> None:
    plain = machine.has("bin/python3", says="3.12.4")
    assert machine.pythons("3.11", "3.12", "3.13") == [f"3.12.4 {plain}"]


def test_ci_runs_each_python_in_its_own_environment(machine: Machine) -> None:
    first = machine.has("bin/python3.11", says="3.11.7")
    second = machine.has("bin/python3.13", says="3.13.0")
    done = machine.run("run")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        f"== Python 3.11.7, {first}",
        f"test PYTHON={first} VENV=.venv-3.11.7",
        f"== Python 3.13.0, {second}",
        f'test PYTHON={second} VENV=.venv-3.13.0 ARGS=-m "not postgres"',
        f"check PYTHON={first} VENV=.venv-3.11.7",
        "== Results",
        "Python 3.11.7: passed",
        "Python 3.12: not found",
        "Python 3.13.0 without PostgreSQL: passed",
        "make check: passed",
    ]


def test_ci_repeats_the_databases_tests_with_the_first_python_it_finds(machine: Machine) -> None:
    for version in ("3.12", "3.13"):
        machine.has(f"bin/python{version}", says=f"{version}.1")
    assert machine.run("run").stdout.splitlines()[-4:] == [
        "Python 3.11: not found",
        "Python 3.12.1: passed",
        "Python 3.13.1 without PostgreSQL: passed",
        "make check: passed",
    ]


def test_ci_fails_after_running_the_other_pythons(machine: Machine) -> None:
    for version in ("3.11", "3.12", "3.13"):
        machine.has(f"bin/python{version}", says=f"{version}.1")
    done = machine.run("run", fails="3.12")
    assert done.returncode == 1
    assert done.stdout.splitlines()[-4:] == [
        "Python 3.11.1: passed",
        "Python 3.12.1 without PostgreSQL: FAILED",
        "Python 3.13.1 without PostgreSQL: passed",
        "make check: passed",
    ]


def test_ci_fails_where_no_python_starts(machine: Machine) -> None:
    machine.has("bin/python3.12", code=127)
    done = machine.run("run")
    assert done.returncode == 1
    assert done.stderr == "None of Python 3.11 3.12 3.13 starts here.\n"
    assert "check" not in done.stdout


def test_the_readme_names_the_pythons_that_ci_tests() -> None:
    script = (BASE / ".ci" / "run").read_text()
    versions = next(line for line in script.splitlines() if line.startswith("wanted=("))[8:-1].split()
    assert f"tested on {', '.join(versions[:-1])} and {versions[-1]}" in (BASE / "README.md").read_text()
