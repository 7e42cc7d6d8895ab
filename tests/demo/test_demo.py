"""`manage.py demo`, and the settings that it writes for a second terminal."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest
import requests

from emulator.client.sign_in import fill_in
from portal.demo.cast import CAST, GLOBEX
from portal.secret_files import SECRETS
from tests.demo.conftest import Demo, environment, running_demo
from tests.world.portal_process import free_port


def run(folder: Path, *command: str, **changes: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", *command],
        cwd=folder, env=environment(**changes), capture_output=True, text=True, timeout=180, check=False,
    )  # fmt: skip


def settings_of(demo: Demo, *files: str) -> dict[str, str]:
    """The variables of a shell that sources var/demo.env, then `files`."""
    sourced = "; ".join(f". var/{name}" for name in ("demo.env", *files))
    shell = subprocess.run(
        ["sh", "-c", f"set -a; {sourced}; exec env -0"], cwd=demo.folder, env={"PATH": "/usr/bin:/bin"},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return dict(line.split("=", 1) for line in shell.stdout.split("\0") if "=" in line)


def test_the_demo_prints_its_addresses_people_and_what_to_try(demo: Demo) -> None:
    for expected in (demo.url, demo.emulator_url, str(GLOBEX.org_id), *(member.email for member in CAST)):
        assert expected in demo.output
    assert f"Mailbox:    {demo.emulator_url}/mailbox\n" in demo.output
    assert f"A visitor can sign up at {demo.url}/signup/\n" in demo.output


def test_the_demos_own_mail_is_in_the_mailbox(demo: Demo) -> None:
    settings = settings_of(demo)
    assert settings["COGNITO_MAILS"] == "ses"
    sent = run(demo.folder, "sendtestemail", "somebody@acme.example", **settings)
    assert (sent.returncode, sent.stderr) == (0, "")
    found = requests.get(f"{demo.emulator_url}/mailbox.json", params={"to": "somebody@acme.example"}, timeout=60)
    (mail,) = found.json()["mails"]
    assert (mail["kind"], mail["sender"]) == ("portal", settings["MAIL_FROM"])


def test_the_demo_with_sign_up_on_the_hosted_pages(project: Path, tmp_path: Path) -> None:
    folder = tmp_path / "project"
    shutil.copytree(project, folder, ignore=shutil.ignore_patterns("var"))
    with running_demo(folder, SIGN_UP="hosted-ui") as demo:
        assert 'then "New here? Sign up"' in demo.output
        assert settings_of(demo)["SIGN_UP"] == "hosted-ui"
        assert "owner@acme.example" in demo.output
        browser, email = requests.Session(), "new@initech.example"
        page = browser.get(f"{demo.url}/oidc/authenticate/", timeout=60)
        back = f"{demo.url}/oidc/callback/"
        # Somebody whom the deployer made.
        made = fill_in(browser, page, {"username": "owner@acme.example", "password": demo.password}, back)
        assert "code" in made
        visitor = requests.Session()
        page = visitor.get(f"{demo.url}/oidc/authenticate/", timeout=60)
        link = re.search(r'href="(/signup\?[^"]+)"', page.text)
        assert link
        page = visitor.get(f"{demo.emulator_url}{unescape(link[1])}", timeout=60)
        typed = {
            "username": email,
            "password": "Correct-horse-7-battery",
            "confirm_password": "Correct-horse-7-battery",
        }
        page = post_form(visitor, page, typed)
        mail = requests.get(f"{demo.emulator_url}/mailbox.json", params={"to": email}, timeout=60).json()["mails"][0]
        code = re.search(r"^\d{6}$", mail["body"], re.MULTILINE)
        assert code
        assert "code" in fill_in(visitor, page, {"username": email, "code": code[0]}, back)


def post_form(browser: requests.Session, page: requests.Response, typed: dict[str, str]) -> requests.Response:
    hidden = dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', page.text))
    action = re.search(r'action="([^"]+)"', page.text)
    assert action
    return browser.post(urljoin(page.url, unescape(action[1])), data={**hidden, **typed}, timeout=60)


@pytest.mark.parametrize("command", ["demo", "emulator"])
def test_an_unknown_way_to_sign_up_is_reported_in_one_line(project: Path, command: str) -> None:
    answer = run(project, command, SIGN_UP="portals", PORT=str(free_port()), EMULATOR_PORT=str(free_port()))
    assert answer.returncode == 1
    assert answer.stderr.strip() == "CommandError: SIGN_UP=portals is neither portal nor hosted-ui."


def test_the_demo_serves_pages_and_static_files(demo: Demo) -> None:
    page = requests.get(demo.url, timeout=60)
    assert page.ok
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    stylesheet = page.text.split('rel="stylesheet" href="')[1].split('"')[0]
    assert requests.get(demo.url + stylesheet, timeout=60).headers["Content-Type"].startswith("text/css")


def test_only_the_owner_can_read_the_demos_settings(demo: Demo) -> None:
    file = demo.folder / "var" / "demo.env"
    assert file.stat().st_mode & 0o777 == 0o600
    assert settings_of(demo)["PORTAL_URL"] == demo.url


def test_a_second_terminal_can_use_the_commands(demo: Demo) -> None:
    assert run(demo.folder, "check", **settings_of(demo)).returncode == 0


def test_the_deployer_reads_the_settings_of_the_stack_and_the_portal_not(demo: Demo) -> None:
    assert (demo.folder / "var" / "deployer.env").stat().st_mode & 0o777 == 0o600
    settings = settings_of(demo, "deployer.env")
    printed = run(demo.folder, "stack_env", "--json", **settings)
    assert printed.returncode == 0, printed.stderr
    from_stack = json.loads(printed.stdout)
    assert {name: settings[name] for name in from_stack} == from_stack
    lines = run(demo.folder, "stack_env", **settings).stdout
    assert f"COGNITO_USER_POOL_ID={settings['COGNITO_USER_POOL_ID']}" in lines.splitlines()
    refused = run(demo.folder, "stack_env", **settings_of(demo))
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "cloudformation:DescribeStacks" in refused.stderr


@pytest.mark.parametrize(
    ("arguments", "changes", "words"),
    [
        (("--stack", "nowhere"), {}, "nowhere"),
        ((), {"AWS_REGION": "", "AWS_DEFAULT_REGION": ""}, "set AWS_REGION"),
        ((), {"AWS_SECRET_ACCESS_KEY": "wrong"}, "signature"),
        ((), {"AWS_ENDPOINT_URL": "http://localhost:1"}, "http://localhost:1 does not answer"),
    ],
)
def test_stack_env_reports_a_failure_in_one_line(
    demo: Demo, arguments: tuple[str, ...], changes: dict[str, str], words: str
) -> None:
    answer = run(demo.folder, "stack_env", *arguments, **{**settings_of(demo, "deployer.env"), **changes})
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


def test_no_process_of_the_demo_has_the_closing_jobs_or_the_deployers_keys(demo: Demo) -> None:
    assert (demo.folder / "var" / "closing.env").stat().st_mode & 0o777 == 0o600
    own, job, deployer = settings_of(demo), settings_of(demo, "closing.env"), settings_of(demo, "deployer.env")
    assert len({of["AWS_ACCESS_KEY_ID"] for of in (own, job, deployer)}) == 3
    assert "var/closing.env" in demo.output
    answer = run(demo.folder, "closing", "--export-to", "var/exports", **job)
    assert (answer.returncode, answer.stdout, answer.stderr) == (0, "No tenant is being closed.\n", "")
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            environment, what = (process / "environ").read_bytes(), (process / "cmdline").read_bytes()
            assert job["AWS_SECRET_ACCESS_KEY"].encode() not in environment, what
            # The emulator itself is started with its root key.
            assert b"emulator" in what or deployer["AWS_SECRET_ACCESS_KEY"].encode() not in environment, what


def process_of(folder: Path, word: str) -> Path:
    """The process started in the folder with this word in its command, as a directory in /proc."""
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            command = (process / "cmdline").read_text().split("\0")
            if word in command and (process / "cwd").resolve() == folder.resolve():
                return process
    raise AssertionError(f"no process {word}")


def test_the_worker_has_the_portals_keys_and_the_web_process_has_none(demo: Demo) -> None:
    secret = f"AWS_SECRET_ACCESS_KEY={settings_of(demo)['AWS_SECRET_ACCESS_KEY']}"
    assert secret in (process_of(demo.folder, "provision") / "environ").read_text().split("\0")
    web = process_of(demo.folder, "portal.server") / "environ"
    # It closes itself to other processes of its user; the administrator can read it all the same.
    with suppress(PermissionError):
        assert "AWS_SECRET_ACCESS_KEY" not in web.read_text()


def test_each_process_has_its_own_secrets_only(demo: Demo) -> None:
    def names_of(word: str) -> set[str]:
        lines = (process_of(demo.folder, word) / "environ").read_text().split("\0")
        return {line.partition("=")[0] for line in lines} & set(SECRETS)

    assert names_of("provision") == {"DATABASE_URL", "CACHE_URL", "EMAIL_URL"}
    with suppress(PermissionError):
        assert "EMAIL_URL" not in names_of("portal.server")


def test_a_suspension_from_a_second_terminal_stops_a_reader(demo: Demo) -> None:
    settings = settings_of(demo)
    with subprocess.Popen(
        [sys.executable, "manage.py", "demo_read", "owner@globex.example"],
        cwd=demo.folder, env=environment(**settings),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as reader:  # fmt: skip
        try:
            assert reader.stdin
            assert reader.stdout
            reader.stdin.write(f"{demo.password}\n")
            reader.stdin.close()
            assert "with the credentials of one sign-in" in reader.stdout.readline()
            assert "AWS accepts them." in reader.stdout.readline()
            suspended = run(demo.folder, "tenant", "suspend", "globex", "--reason", "not paid", "--wait", **settings)
            assert "with an explicit deny in an identity-based policy" in reader.stdout.readline()
            reader.send_signal(signal.SIGINT)
            assert reader.wait(timeout=60) == 0
        finally:
            # It never ends by itself, and leaving the block waits for it.
            reader.kill()
    assert (suspended.returncode, suspended.stderr) == (0, "")
    assert "AWS has refused the credentials they held since" in suspended.stdout
    refused = run(demo.folder, "tenant", "suspend", "globex", "--reason", "again", **settings)
    assert (refused.returncode, refused.stdout) == (1, "")
    (line,) = refused.stderr.splitlines()
    assert "Globex Corporation is suspended, so this cannot be done now" in line
    assert run(demo.folder, "tenant", "reactivate", "globex", **settings).returncode == 0


def test_a_command_without_settings_names_the_missing_ones(project: Path) -> None:
    answer = run(project, "check")
    assert answer.returncode != 0
    assert "COGNITO_CLIENT_SECRET: is missing" in answer.stderr


@pytest.mark.parametrize("variable", ["PORT", "EMULATOR_PORT"])
def test_a_port_in_use_is_reported_in_one_line(project: Path, variable: str) -> None:
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
def test_an_invalid_port_is_reported_in_one_line(project: Path, port: str) -> None:
    answer = run(project, "demo", PORT=port)
    assert answer.returncode == 1
    assert answer.stderr.strip() == f"CommandError: PORT={port} is not a port between 1 and 65535."


def test_the_demo_survives_an_old_database_and_a_killed_worker(project: Path, tmp_path: Path) -> None:
    folder = tmp_path / "project"
    shutil.copytree(project, folder, ignore=shutil.ignore_patterns("var"))
    (folder / "var").mkdir()
    (folder / "var" / "demo.sqlite3").write_bytes(b"of another version")
    port, emulator_port = free_port(), free_port()
    with (tmp_path / "output").open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "demo"], cwd=folder,
            env=environment(PORT=str(port), EMULATOR_PORT=str(emulator_port)),
            stdout=output, stderr=output, start_new_session=True,
        )  # fmt: skip
    try:
        wait_for_output(tmp_path / "output", "Ctrl-C ends everything.")
        os.kill(int(process_of(folder, "provision").name), signal.SIGKILL)
        wait_for_output(tmp_path / "output", "The worker ended by itself: see the end of var/worker.log.")
        assert requests.get(f"http://localhost:{port}/livez", timeout=60).ok
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 0
    finally:
        process.kill()
        process.wait()
    for ended in (port, emulator_port):
        with pytest.raises(requests.ConnectionError):
            requests.get(f"http://localhost:{ended}/", timeout=1)


def wait_for_output(file: Path, words: str) -> None:
    deadline = time.monotonic() + 180
    while words not in file.read_text():
        assert time.monotonic() < deadline, file.read_text()
        time.sleep(0.2)
