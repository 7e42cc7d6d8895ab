"""`manage.py demo` and what it leaves for a second terminal."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import requests

from portal.demo.cast import CAST, GLOBEX
from tests.demo.conftest import Demo, environment, free_port


def run(folder: Path, *command: str, **changes: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", *command],
        cwd=folder, env=environment(**changes), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def settings_of(demo: Demo) -> dict[str, str]:
    """As `set -a; . var/demo.env` gives them to a shell."""
    shell = subprocess.run(
        ["sh", "-c", "set -a; . var/demo.env; exec env -0"], cwd=demo.folder, env={"PATH": "/usr/bin:/bin"},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return dict(line.split("=", 1) for line in shell.stdout.split("\0") if "=" in line)


def test_it_says_where_it_is_who_can_sign_in_and_what_to_try(demo: Demo) -> None:
    for expected in (demo.url, demo.emulator_url, str(GLOBEX.org_id), *(member.email for member in CAST)):
        assert expected in demo.said


def test_the_portal_answers_and_static_files_are_there(demo: Demo) -> None:
    page = requests.get(demo.url, timeout=5)
    assert page.ok
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    stylesheet = page.text.split('rel="stylesheet" href="')[1].split('"')[0]
    assert requests.get(demo.url + stylesheet, timeout=5).headers["Content-Type"].startswith("text/css")


def test_settings_are_left_for_their_owner_alone(demo: Demo) -> None:
    file = demo.folder / "var" / "demo.env"
    assert file.stat().st_mode & 0o777 == 0o600
    assert settings_of(demo)["PORTAL_URL"] == demo.url


def test_a_second_terminal_can_use_the_commands(demo: Demo) -> None:
    settings = settings_of(demo)
    assert run(demo.folder, "check", **settings).returncode == 0
    printed = run(demo.folder, "stack_env", "--json", **settings)
    assert printed.returncode == 0, printed.stderr
    from_stack = json.loads(printed.stdout)
    assert {name: settings[name] for name in from_stack} == from_stack
    lines = run(demo.folder, "stack_env", **settings).stdout
    assert f"COGNITO_USER_POOL_ID={settings['COGNITO_USER_POOL_ID']}" in lines.splitlines()


@pytest.mark.parametrize(
    ("arguments", "changes", "words"),
    [
        (("--stack", "nowhere"), {}, "nowhere"),
        ((), {"AWS_REGION": ""}, "set AWS_REGION"),
        ((), {"AWS_SECRET_ACCESS_KEY": "wrong"}, "signature"),
        ((), {"AWS_ENDPOINT_URL": "http://localhost:1"}, "http://localhost:1 does not answer"),
    ],
)
def test_stack_env_says_in_a_line_why_it_cannot(
    demo: Demo, arguments: tuple[str, ...], changes: dict[str, str], words: str
) -> None:
    answer = run(demo.folder, "stack_env", *arguments, **{**settings_of(demo), **changes})
    assert answer.returncode == 1
    assert words in answer.stderr
    assert "Traceback" not in answer.stderr


def test_the_portals_own_keys_get_access_denied_from_the_table(demo: Demo) -> None:
    import botocore.session
    from botocore.exceptions import ClientError

    settings = settings_of(demo)

    def client(service: str) -> Any:
        return botocore.session.Session().create_client(
            service, settings["AWS_REGION"], endpoint_url=demo.emulator_url,
            aws_access_key_id=settings["AWS_ACCESS_KEY_ID"], aws_secret_access_key=settings["AWS_SECRET_ACCESS_KEY"],
            aws_session_token=settings["AWS_SESSION_TOKEN"],
        )  # fmt: skip

    assert "PortalRole" in client("sts").get_caller_identity()["Arn"]
    table, key = settings["RECORDS_TABLE"], {"pk": {"S": "PUBLIC#news"}, "sk": {"S": "2026-01-05"}}
    for call in (
        lambda: client("dynamodb").get_item(TableName=table, Key=key),
        lambda: client("dynamodb").scan(TableName=table),
        lambda: client("dynamodb").put_item(TableName=table, Item=key),
        lambda: client("dynamodb").describe_table(TableName=table),
    ):
        with pytest.raises(ClientError) as refused:
            call()
        assert refused.value.response["Error"]["Code"] == "AccessDeniedException"


def test_without_settings_a_command_names_what_is_missing(project: Path) -> None:
    answer = run(project, "check")
    assert answer.returncode != 0
    assert "COGNITO_CLIENT_SECRET: is missing" in answer.stderr


@pytest.mark.parametrize("variable", ["PORT", "EMULATOR_PORT"])
def test_a_taken_port_is_one_line_that_names_it_and_its_variable(project: Path, variable: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        ports = {"PORT": str(free_port()), "EMULATOR_PORT": str(free_port()), variable: port}
        answer = run(project, "demo", **ports)
    assert answer.returncode == 1
    (line,) = answer.stderr.strip().splitlines()
    assert port in line
    assert variable in line.split()[-1]


@pytest.mark.parametrize("port", ["0", "99999", "http"])
def test_a_port_that_is_none_is_one_line_too(project: Path, port: str) -> None:
    answer = run(project, "demo", PORT=port)
    assert answer.returncode == 1
    assert answer.stderr.strip() == f"CommandError: PORT={port} is not a port between 1 and 65535."


def test_ctrl_c_ends_everything(project: Path, tmp_path: Path) -> None:
    import shutil

    folder = tmp_path / "project"
    shutil.copytree(project, folder, ignore=shutil.ignore_patterns("var"))
    port, emulator_port = free_port(), free_port()
    process = subprocess.Popen(
        [sys.executable, "manage.py", "demo"], cwd=folder,
        env=environment(PORT=str(port), EMULATOR_PORT=str(emulator_port)),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            requests.get(f"http://localhost:{port}/livez", timeout=1)
            break
        except requests.RequestException:
            time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    try:
        assert process.wait(timeout=60) == 0
    finally:
        process.kill()
        process.wait()
    for ended in (port, emulator_port):
        with pytest.raises(requests.ConnectionError):
            requests.get(f"http://localhost:{ended}/", timeout=1)
