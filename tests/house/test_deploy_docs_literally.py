"""The commands of docs/deploy.md and docs/server.md, one after the other, in a folder with nothing but the project.

AWS is the local AWS. What it has no service for (buckets' settings, SES, containers) is checked and does nothing.
"""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import requests

from emulator.client import process, seeding
from emulator.client.process import Emulator
from portal.environment import BASE
from tests.demo.conftest import environment
from tests.world.aws_program import aws_program
from tests.world.doc_commands import blocks
from tests.world.portal_process import free_port

DEPLOY, SERVER = BASE / "docs" / "deploy.md", BASE / "docs" / "server.md"
# Of a checkout, all that git has.
_NOT_COPIED = shutil.ignore_patterns(
    ".git", ".venv*", ".env", "var", "__pycache__", ".*_cache", ".hypothesis", "assets.d"
)
_SERVES, _WATCHES = "-m portal.server", "provision --watch"
# What check --deploy says of the local AWS: its address, and that its sign-in pages are served by http.
LOCAL_AWS = {"portal.E003", "portal.E005"}
_INSTALLS = ".venv/bin/python -m pip install --require-hashes -r requirements.txt"


@dataclass
class Machine:
    """A folder, a terminal's environment, and how to run a page's block in it."""

    folder: Path
    environment: Mapping[str, str]
    changes: dict[str, str] = field(default_factory=dict)

    def text(self, block: str) -> str:
        for old, new in self.changes.items():
            block = block.replace(old, new)
        return block

    def run(self, block: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-eu", "-o", "pipefail", "-c", self.text(block)],
            cwd=self.folder, env={**self.environment, **more}, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=300, check=False,
        )  # fmt: skip

    @contextmanager
    def running(self, block: str, **more: str) -> Iterator[subprocess.Popen[bytes]]:
        command = ["bash", "-c", f"exec {self.text(block).strip()}"]
        popen = subprocess.Popen(
            command,
            cwd=self.folder,
            env={**self.environment, **more},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            yield popen
        finally:
            popen.terminate()
            popen.wait()


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with process.start() as emulator:
        yield emulator


@pytest.fixture
def machine(emulator: Emulator, tmp_path: Path) -> Iterator[Machine]:
    """The deployer's: `aws` reaches the local AWS."""
    folder, programs = tmp_path / "project", tmp_path / "bin"
    shutil.copytree(BASE, folder, ignore=_NOT_COPIED)
    programs.mkdir()
    (programs / "python3").symlink_to(sys.executable)
    # Images are not built here.
    (programs / "docker").write_text("#!/bin/sh\ncat > /dev/null\n")
    (programs / "docker").chmod(0o755)
    variables = {
        **environment(),
        "PATH": f"{programs}:{os.environ['PATH']}",
        "AWS_ENDPOINT_URL": emulator.endpoint_url,
        "AWS_ACCESS_KEY_ID": emulator.root.access_key_id,
        "AWS_SECRET_ACCESS_KEY": emulator.root.secret_access_key,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    # pip takes half a minute to do what uv does in a second, with the same file and the same hashes.
    uv = Path(sys.executable).with_name("uv")
    changes = {
        _INSTALLS: f"{uv} pip install -q --python .venv/bin/python --require-hashes -r requirements.txt || {_INSTALLS}",
        # As the page says for one machine.
        "DATABASE_URL=": "# ",
        "CACHE_URL=": "# ",
        "127.0.0.1:8000": f"127.0.0.1:{free_port()}",
    }
    with aws_program(programs, emulator):
        yield Machine(folder, variables, changes)


def credentials(emulator: Emulator, role: str) -> dict[str, str]:
    """Of a role of the stack that root may assume."""
    keys = seeding.assume_role(seeding.clients(emulator.endpoint_url, emulator.root)("sts"), role, seconds=3600)
    return {
        "AWS_ACCESS_KEY_ID": keys.access_key_id,
        "AWS_SECRET_ACCESS_KEY": keys.secret_access_key,
        "AWS_SESSION_TOKEN": keys.session_token,
    }


def test_the_pages_can_be_followed_word_by_word(machine: Machine, emulator: Emulator) -> None:
    # The emulated account has no ECS, so its root takes the roles on.
    machine.changes["--parameter-overrides"] = (
        f"--parameter-overrides PortalPrincipal={seeding.ROOT_ARN} ClosingPrincipal={seeding.ROOT_ARN}"
    )
    later = [block for block in blocks(DEPLOY) if "manage.py member add" in block]
    # One terminal, as its reader has.
    done = machine.run("\n".join(block for block in blocks(DEPLOY) if block not in later))
    assert done.returncode == 0, done.stdout + done.stderr
    outputs = stack_outputs(emulator)
    settings = (machine.folder / ".env").read_text()
    assert f"RECORDS_TABLE={outputs['TableName']}\n" in settings
    assert (machine.folder / ".env").stat().st_mode & 0o777 == 0o600
    keys = {role: credentials(emulator, outputs[f"{role}Arn"]) for role in ("PortalRole", "ClosingJobRole")}
    worker = [block for block in blocks(SERVER) if _WATCHES in block]
    for block in blocks(SERVER):
        if block not in worker:
            follow(machine, keys["ClosingJobRole"], block)
    for block in later:
        assert machine.run(block).returncode == 0
    # Other pages read the file in a shell.
    sourced = machine.run('set -a; . ./.env; printf "%s" "$MAIL_FROM"')
    assert (sourced.stdout, sourced.stderr) == ("Acme Portal <no-reply@example.com>", "")
    with machine.running(worker[0], **keys["PortalRole"]):
        wait_until(lambda: settled(machine) == {"you@example.com", "ada@example.com"})


def follow(machine: Machine, job: Mapping[str, str], block: str) -> None:
    if _SERVES in block:
        address = re.search(r"127\.0\.0\.1:\d+", machine.text(block))
        assert address
        with machine.running(block):
            wait_until(lambda: answers(f"http://{address[0]}/livez"))
        return
    *before, last = block.strip().splitlines()
    if "check --deploy" in last:
        refused = machine.run(last)
        found = set(re.findall(r"\(([a-z_]+\.[EW]\d+)\)", refused.stdout + refused.stderr))
        assert "portal.E003" in found <= LOCAL_AWS
        block = "\n".join(before)
    done = machine.run(block, **(job if "manage.py closing" in block else {}))
    assert done.returncode == 0, f"{block}\n{done.stdout}{done.stderr}"


def stack_outputs(emulator: Emulator) -> dict[str, str]:
    stacks = seeding.clients(emulator.endpoint_url, emulator.root)("cloudformation")
    described = stacks.describe_stacks(StackName="portal")["Stacks"][0]
    return {output["OutputKey"]: output["OutputValue"] for output in described["Outputs"]}


def settled(machine: Machine) -> set[str]:
    """The addresses of members whose user is in Cognito."""
    query = (
        "SELECT email FROM tenants_person JOIN tenants_member ON person_id = tenants_person.id "
        "WHERE provisioning = 'settled'"
    )
    with closing(sqlite3.connect(machine.folder / "var" / "portal.sqlite3")) as database:
        return {email for (email,) in database.execute(query)}


def answers(address: str) -> bool:
    try:
        return requests.get(address, timeout=2).ok
    except (requests.ConnectionError, requests.Timeout):
        return False


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline:
        if is_so():
            return
        time.sleep(0.1)
    raise AssertionError("It did not come about.")
