"""The commands of docs/first-hour.md give the answers that the page shows, at the local AWS."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from emulator.client import process, seeding
from emulator.client.deploy import deploy
from emulator.client.sign_in import fill_in
from portal.demo.cast import ACME_OWNER, GLOBEX_OWNER, OPERATOR, CastMember
from portal.demo.world import STACK_NAME, TEMPLATE, World, build, portal_credentials
from portal.environment import BASE
from tests.world.aws_program import aws_program
from tests.world.doc_commands import deployment_settings
from tests.world.portal_process import placeholders

_NOT_COPIED = shutil.ignore_patterns(".git", ".venv*", ".env", "var", "__pycache__", ".*_cache", ".hypothesis")
PAGE = BASE / "docs" / "first-hour.md"
_PAIR = re.compile(r"^```sh\n(.*?)^```$(?:\n\n```text\n(.*?)^```$)?", re.MULTILINE | re.DOTALL)
_FACT = re.compile(r"^\| ([A-F][\w.]+) \|.*\| inferred \|", re.MULTILINE)
PORTAL_URL = "http://localhost:8000"
END = "== end of a block =="

pytestmark = pytest.mark.skipif(not shutil.which("curl"), reason="there is no curl")


def test_every_inferred_fact_has_a_command_on_the_page() -> None:
    inferred = set(_FACT.findall((BASE / "docs" / "aws-facts.md").read_text()))
    assert len(inferred) > 10
    assert {fact for fact in inferred if not re.search(rf"\b{re.escape(fact)}\b", PAGE.read_text())} == set()


def answered_blocks() -> list[tuple[str, str]]:
    """The commands that come first, then each block that shows its answer."""
    first, *others = _PAIR.finditer(PAGE.read_text())
    return [(first[1], ""), *((found[1], found[2]) for found in others if found[2] is not None)]


@pytest.fixture
def world() -> Iterator[World]:
    """Of its own: people are signed out, and one organisation is suspended. Protected, as a deployment is."""
    with process.start() as emulator:
        world = build(emulator=emulator, portal_url=PORTAL_URL)
        stacks = seeding.clients(emulator.endpoint_url, emulator.root)("cloudformation")
        stack = stacks.describe_stacks(StackName=STACK_NAME)["Stacks"][0]
        given = {entry["ParameterKey"]: entry["ParameterValue"] for entry in stack["Parameters"]}
        given["DeletionProtection"] = "true"
        deploy(emulator.endpoint_url, emulator.root, template=TEMPLATE, stack_name=STACK_NAME, parameters=given)
        yield world


def code_for(world: World, member: CastMember) -> str:
    """From the address that a browser would end on."""
    back = f"{PORTAL_URL}/oidc/callback/"
    query = {
        "response_type": "code",
        "client_id": world.settings["COGNITO_CLIENT_ID"],
        "scope": "openid email profile",
        "redirect_uri": back,
    }
    with requests.Session() as browser:
        page = browser.get(f"{world.settings['COGNITO_DOMAIN']}/oauth2/authorize", params=query, timeout=60)
        return fill_in(browser, page, {"username": member.email, "password": world.password}, back)["code"]


def written_for(world: World, commands: str) -> str:
    """The page's own words, with what its reader puts in."""
    for placeholder, member in (("FIRST", ACME_OWNER), ("SECOND", GLOBEX_OWNER), ("OPERATOR", OPERATOR)):
        commands = commands.replace(f"CODE_OF_THE_{placeholder}", code_for(world, member))
    return commands.replace("suspend first-hour", "suspend acme")


def project_for(world: World, folder: Path) -> dict[str, str]:
    """The folder has the project, its settings and a database; returns the environment of a deployer's terminal."""
    # A copy: programs follow links to this checkout, and would collect its static files anew beside other tests.
    shutil.copytree(BASE, folder, ignore=_NOT_COPIED)
    # The page's own name, whatever the environment of this run is called.
    (folder / ".venv").symlink_to(sys.prefix)
    (folder / "var").mkdir()
    (folder / "var" / "deployment.sh").write_text(deployment_settings())
    own = {
        "PORTAL_URL": PORTAL_URL,
        "DATABASE_URL": f"sqlite:///{folder}/portal.sqlite3",
        "CACHE_URL": f"filecache://{folder}/cache",
    }
    settings = placeholders() | dict(world.settings) | own
    (folder / ".env").write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
    (folder / ".env").chmod(0o600)
    root = world.emulator.root
    keys = {"AWS_ACCESS_KEY_ID": root.access_key_id, "AWS_SECRET_ACCESS_KEY": root.secret_access_key}
    return {**{name: os.environ[name] for name in ("HOME", "LANG") if name in os.environ}, **settings, **keys}


def manage(folder: Path, environment: dict[str, str], *words: str, reads: str = "") -> None:
    subprocess.run(
        [sys.executable, "manage.py", *words],
        cwd=folder,
        env=environment,
        input=reads,
        text=True,
        check=True,
        timeout=60,
    )


def test_the_commands_give_the_answers_that_the_page_shows(world: World, tmp_path: Path) -> None:
    folder, programs = tmp_path / "project", tmp_path / "bin"
    programs.mkdir()
    environment = {**project_for(world, folder), "PATH": f"{programs}:{os.environ['PATH']}"}
    manage(folder, environment, "demo_prepare", reads=json.dumps(dict(world.subs)))
    assert (folder / "var" / "static" / "staticfiles.json").is_file()
    pairs = answered_blocks()
    script = "\n".join(f"{written_for(world, commands)}\necho '{END}'" for commands, _ in pairs)
    worker = portal_credentials(world)
    keys = {
        "AWS_ACCESS_KEY_ID": worker.access_key_id,
        "AWS_SECRET_ACCESS_KEY": worker.secret_access_key,
        "AWS_SESSION_TOKEN": worker.session_token,
    }
    watching = subprocess.Popen(
        [sys.executable, "manage.py", "provision", "--watch"],
        cwd=folder, env={**environment, **keys}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        with aws_program(programs, world.emulator):
            shell = subprocess.run(
                ["bash", "-c", f"exec 2>&1\n{script}"],
                cwd=folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120,
                check=False,
            )  # fmt: skip
    finally:
        watching.terminate()
        watching.wait()
    said = shell.stdout.split(f"{END}\n")
    assert [
        wrong for (block, answer), found in zip(pairs, said, strict=False) if (wrong := differs(block, answer, found))
    ] == []
    assert len(said) == len(pairs) + 1


def differs(block: str, answer: str, found: str) -> str:
    wanted = ".*".join(map(re.escape, answer.split("…")))
    same = re.fullmatch(rf"\n*{wanted}", found, re.DOTALL)
    return "" if same else f"\n{block}\nprinted\n{found}\ninstead of\n{answer}"
