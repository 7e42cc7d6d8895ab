"""The local AWS without the portal: its command, its page, its health, and the recipe of docs/local-aws.md."""

import os
import re
import stat
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

import boto3
import pytest
import requests

from emulator.client.process import Emulator
from emulator.root_key import UnreadableRootKey, read_or_make_key_file

ROOT = Path(__file__).resolve().parents[2]
DOCS = (ROOT / "docs" / "local-aws.md").read_text("utf-8")


@contextmanager
def running(*options: str) -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
    """The command as a person starts it. Yields its address."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("EMULATOR_", "AWS_"))}
    process = subprocess.Popen(
        [sys.executable, "-m", "emulator", "--port", "0", *options],
        cwd=ROOT, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        address = re.search(r"http://localhost:\d+", process.stdout.readline())
        assert address, process.communicate()[1]
        yield address[0], process
    finally:
        process.terminate()
        process.communicate(timeout=10)


def test_a_key_file_is_made_once_and_read_by_boto3(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "root-key"
    with running("--root-key-file", str(file)) as (address, _):
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
        caller = boto3.Session().client("sts", endpoint_url=address, region_name="eu-west-1").get_caller_identity()
    assert caller["Arn"] == "arn:aws:iam::123456789012:root"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert read_or_make_key_file(file) == read_or_make_key_file(file)


@pytest.mark.parametrize("text", ["", "nonsense", "[other]\naws_access_key_id = a", "[default]\naws_access_key_id = a"])
def test_a_file_without_a_key_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "root-key"
    file.write_text(text, "utf-8")
    with pytest.raises(UnreadableRootKey, match="holds no key"):
        read_or_make_key_file(file)


def test_a_secret_may_have_a_percent_sign(tmp_path: Path) -> None:
    file = tmp_path / "root-key"
    file.write_text("[default]\naws_access_key_id = a\naws_secret_access_key = 16%of/characters\n", "utf-8")
    file.chmod(0o600)
    assert read_or_make_key_file(file) == ("a", "16%of/characters")


def test_a_short_secret_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "root-key"
    file.write_text("[default]\naws_access_key_id = a\naws_secret_access_key = short\n", "utf-8")
    file.chmod(0o600)
    with pytest.raises(UnreadableRootKey, match="fewer than 16"):
        read_or_make_key_file(file)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_a_key_that_others_can_reach_is_refused(tmp_path: Path, mode: int) -> None:
    file = tmp_path / "root-key"
    read_or_make_key_file(file)
    file.chmod(mode)
    with pytest.raises(UnreadableRootKey, match="is open to other users"):
        read_or_make_key_file(file)


def test_each_request_is_logged_without_its_content(tmp_path: Path) -> None:
    with running("--root-key-file", str(tmp_path / "key"), "-v") as (address, process):
        key_id, secret = read_or_make_key_file(tmp_path / "key")
        given = {"aws_access_key_id": key_id, "aws_secret_access_key": secret, "region_name": "eu-west-1"}
        boto3.client("dynamodb", endpoint_url=address, **given).list_tables()
        boto3.client("iam", endpoint_url=address, **given).get_user()
        requests.get(f"{address}/mailbox.json", params={"to": "ada@example.com"}, timeout=10)
        process.terminate()
        log = process.communicate(timeout=10)[1]
    assert re.search(rf"DynamoDB_20120810\.ListTables 200 [\d.]+ ms {key_id}\n", log)
    assert re.search(rf"iam\.GetUser 200 [\d.]+ ms {key_id}\n", log)
    assert re.search(r"GET /mailbox\.json 200 [\d.]+ ms -\n", log)
    assert secret not in log
    assert "ada@example.com" not in log


def test_health_and_the_page_need_no_secret(emulator: Emulator) -> None:
    health = requests.get(f"{emulator.endpoint_url}/_emulator/health", timeout=10)
    assert (health.status_code, health.json()["status"]) == (200, "healthy")
    page = requests.get(f"{emulator.endpoint_url}/_emulator", timeout=10)
    assert page.status_code == 200
    for part in (emulator.endpoint_url, "TransactWriteItems", "AWS_SHARED_CREDENTIALS_FILE"):
        assert part in page.text
    assert emulator.root.secret_access_key not in page.text
    assert emulator.root.access_key_id not in page.text


@pytest.mark.parametrize("path", ["faults", "calls", "clock", "daily-mails"])
def test_the_switches_still_need_the_secret(emulator: Emulator, path: str) -> None:
    assert requests.get(f"{emulator.endpoint_url}/_emulator/{path}", timeout=10).status_code == 403


def test_the_recipe_for_a_stack_of_your_own_passes(tmp_path: Path) -> None:
    for name, language in (("stack.yaml", "yaml"), ("conftest.py", "python"), ("test_rows.py", "python")):
        found = re.search(rf"`{name}`.*?```{language}\n(.*?)```", DOCS, re.DOTALL)
        assert found, name
        (tmp_path / name).write_text(found[1], "utf-8")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:django", "--rootdir", "."]
    ended = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert (ended.returncode, "1 passed" in ended.stdout) == (0, True), ended.stdout + ended.stderr


def test_the_package_has_the_command_and_what_it_imports() -> None:
    package = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    module, _, function = package["project"]["scripts"]["local-aws"].partition(":")
    assert callable(getattr(import_module(module), function))
    pinned = (ROOT / "requirements.in").read_text("utf-8") + (ROOT / "requirements-dev.in").read_text("utf-8")
    exact = [line for line in package["project"]["dependencies"] if "==" in line]
    assert exact
    assert [line for line in exact if line not in pinned] == []
