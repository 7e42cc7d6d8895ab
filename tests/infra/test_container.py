"""The steps of the Containerfile, run in an empty folder, and the image with the commands of its tasks."""

from __future__ import annotations

import re
import shutil
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

from portal.environment import BASE
from portal.secret_files import SECRETS
from portal.template import RUNNING, read_template
from tests.infra.containerfile import Image, build, instructions

TEXT = (BASE / "Containerfile").read_text()
RDS = "https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem"


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Image]:
    folder = tmp_path_factory.mktemp("image")
    made, stages = build(BASE, folder)
    made.run += stages["build"].run
    made.added += stages["build"].added
    shutil.rmtree(stages["build"].root)
    yield made
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def settings(image: Image, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """With a database that the command of the template has migrated."""
    folder = tmp_path_factory.mktemp("running")
    before, given = files(image), example_settings(folder)
    code, out = output(image, command_of("WebTask", "migrate"), given_to("WebTask", "migrate", given))
    assert code == 0, out
    assert files(image) == before
    return given


def example_settings(tmp_path: Path) -> dict[str, str]:
    lines = (BASE / ".ci" / "deploy.env").read_text().splitlines()
    found = dict(line.split("=", 1) for line in lines if line and line[0] != "#")
    return {
        **found,
        "DATABASE_URL": f"sqlite:///{tmp_path}/portal.sqlite3",
        "CACHE_URL": f"filecache://{tmp_path}/cache",
        "EMAIL_URL": "consolemail://",
        "CLOSING_ROLE_ARN": "arn:aws:iam::123456789012:role/portal-ClosingRole",
        # Nothing answers there.
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_ACCESS_KEY_ID": "none",
        "AWS_SECRET_ACCESS_KEY": "none",
        "TMPDIR": str(tmp_path),
    }


def container_of(task: str, name: str) -> dict[str, Any]:
    """As infra/portal.yaml has it."""
    containers = read_template(RUNNING.read_text())["Resources"][task]["Properties"]["ContainerDefinitions"]
    (found,) = [one for one in containers if one["Name"] == name]
    return dict(found)


def command_of(task: str, name: str) -> list[str]:
    return [word if isinstance(word, str) else word["Sub"] for word in container_of(task, name)["Command"]]


def given_to(task: str, name: str, settings: dict[str, str]) -> dict[str, str]:
    """Without the settings that the template does not give to this container."""
    container = container_of(task, name)
    plain = [one["If"][1] if "If" in one else one for one in container["Secrets"]]
    given = {one["Name"] for one in (*container["Environment"], *plain)} | {"TMPDIR"}
    # What ECS gives to a task with a role, and the emulator's address.
    return {key: value for key, value in settings.items() if key in given or key.startswith("AWS_")}


def files(image: Image) -> dict[str, int]:
    return {str(path): path.lstat().st_mtime_ns for path in image.root.rglob("*") if not path.is_dir()}


def output(image: Image, command: list[str], settings: dict[str, str]) -> tuple[int, str]:
    process = image.start(command, settings)
    out, err = process.communicate(timeout=120)
    return process.returncode, out + err


def test_web_starts_by_the_images_command_and_its_health_check_sees_it(image: Image, settings: dict[str, str]) -> None:
    before = files(image)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    check = [*image.health, str(port)]
    assert output(image, check, {})[0] == 1
    assert image.command[-1] == "0.0.0.0:8000"
    web = image.start([*image.command[:-1], f"127.0.0.1:{port}"], given_to("WebTask", "web", settings))
    try:
        deadline = time.monotonic() + 120
        while output(image, check, {})[0] != 0:
            assert web.poll() is None, web.communicate()
            assert time.monotonic() < deadline
    finally:
        web.terminate()
        _, log = web.communicate(timeout=60)
    # The health check asks /readyz as well, for what the portal then logs.
    assert re.search(r'"route": "/readyz", "status": 503', log)
    assert '"message": "degraded"' in log
    assert '"check": "worker", "state": "missing"' in log
    assert files(image) == before, "the root file system could not be read-only"


def test_the_worker_starts(image: Image, settings: dict[str, str]) -> None:
    before = files(image)
    worker = image.start(command_of("WorkerTask", "worker"), given_to("WorkerTask", "worker", settings))
    try:
        assert worker.stderr is not None
        # It works, and has found that AWS does not answer.
        assert "suspension" in worker.stderr.readline()
    finally:
        worker.send_signal(signal.SIGTERM)
        _, err = worker.communicate(timeout=60)
    assert "It had to stop, and nothing is lost" in err
    assert files(image) == before


def test_the_closing_job_starts(image: Image, settings: dict[str, str]) -> None:
    command = command_of("ClosingTask", "closing")
    assert command[:5] == ["python", "manage.py", "closing", "--export-to", "s3://${ExportBucket}/closed"]
    given = given_to("ClosingTask", "closing", settings)
    code, out = output(image, [*command[:4], "s3://exports/closed", *command[5:], "--dry-run"], given)
    assert code == 0, out


def test_the_image_holds_nothing_of_tests_or_development(image: Image) -> None:
    inside = image.place("/portal")
    assert {path.name for path in inside.iterdir()} == {
        "iam", "infra", "manage.py", "portal", "requirements.txt", "templates", "tenants", "var",
    }  # fmt: skip
    assert not (inside / "portal" / "demo").exists()
    sources = "\n".join(path.read_text() for path in inside.rglob("*.py"))
    assert not re.search(r"^\s*(?:from|import) (?:emulator|tests|benchmarks)\b", sources, re.MULTILINE)
    names = {Requirement(line.rstrip("\\ ")).name.lower() for line in _pinned("requirements-dev.txt")}
    names -= {Requirement(line.rstrip("\\ ")).name.lower() for line in _pinned("requirements.txt")}
    assert "ministack" in names
    (site,) = image.place("/venv/lib").glob("python*/site-packages")
    installed = {path.name.lower() for path in site.iterdir()}
    assert {name for name in names if name.replace("-", "_") in installed} == set()
    assert list(inside.glob("var/static/**/*.css"))


def _pinned(file: str) -> list[str]:
    return [line for line in (BASE / file).read_text().splitlines() if line[:1].isalnum()]


def test_no_secret_is_set_at_build(image: Image) -> None:
    assert not {name for name in SECRETS if re.search(rf"\b{name}\b", TEXT)}
    assert not {word for word, _ in instructions(TEXT)} & {"ARG"}
    assert set(image.environment) == {"PATH", "PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED"}
    left = [path for path in image.place("/portal").rglob("*") if path.name in {".env", "demo.env"}]
    assert left == []


def test_packages_come_from_the_lock_with_hashes(image: Image) -> None:
    (install,) = [line for line in image.run if "pip install" in line]
    assert "--require-hashes" in install
    assert install.endswith("-r requirements.txt")


def test_it_runs_as_a_user_without_rights_by_a_fixed_number(image: Image) -> None:
    number, _, group = image.user.partition(":")
    assert number == group
    assert int(number) > 999
    assert any(f"--uid {number} --gid {group}" in line for line in image.run)
    assert image.volumes == ["/tmp"]


def test_the_databases_certificates_are_where_the_template_looks(image: Image) -> None:
    assert image.added == [RDS]
    url = read_template(RUNNING.read_text())["Resources"]["DatabaseUrl"]["Properties"]["SecretString"]["Sub"]
    path = url.partition("sslrootcert=")[2]
    assert image.place(path).read_text() == f"stands for {RDS}\n"


def test_both_kinds_of_builders_leave_out_the_same() -> None:
    assert (BASE / ".dockerignore").read_text() == (BASE / ".containerignore").read_text()


@pytest.mark.parametrize("line", ['SHELL ["/bin/bash"]', "ONBUILD RUN true", "ARG KEY=1"])
def test_an_instruction_that_the_reader_does_not_know_is_refused(line: str, tmp_path: Path) -> None:
    (tmp_path / "Containerfile").write_text(f"FROM python\n{line}\n")
    with pytest.raises(AssertionError, match="is not known"):
        build(tmp_path, tmp_path / "image")


def test_a_folder_that_the_builder_does_not_get_cannot_be_copied(tmp_path: Path) -> None:
    (tmp_path / ".containerignore").write_text("*\n!portal\n")
    (tmp_path / "Containerfile").write_text("FROM python\nCOPY emulator ./emulator\n")
    with pytest.raises(AssertionError, match="emulator is not in the context"):
        build(tmp_path, tmp_path / "image")
