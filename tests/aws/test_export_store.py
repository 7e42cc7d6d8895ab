"""The stores of exports, a directory and a bucket: complete, private files or none."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from emulator.client import seeding
from portal.demo.world import EXPORT_BUCKET, World
from tenants.aws.clients import exports_client
from tenants.aws.export_store import ExportStore, open_stores, read_json, write_json
from tenants.domain.errors import InvalidInput, Misconfigured, Throttled, Unreachable
from tests.world.closings import become_the_job
from tests.world.faults import Switches


@pytest.fixture
def job(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    become_the_job(world, monkeypatch)
    return world


@pytest.fixture
def at(job: World) -> Callable[[str], Callable[[str], ExportStore]]:
    def stores(where: str) -> Callable[[str], ExportStore]:
        region, endpoint = job.settings["AWS_REGION"], job.emulator.endpoint_url
        return open_stores(where, client=lambda: exports_client(region=region, endpoint_url=endpoint))

    return stores


@pytest.fixture(params=["directory", "bucket"])
def store(request: Any, at: Any, tmp_path: Path) -> ExportStore:
    where = str(tmp_path / "out") if request.param == "directory" else f"s3://{EXPORT_BUCKET}/{tmp_path.name}"
    made: ExportStore = at(where)("an-org/a-closing")
    return made


def test_a_file_is_read_back_with_its_size_and_hash(store: ExportStore) -> None:
    with store.writing("rows.jsonl") as file:
        for number in range(3):
            file.write(f'{{"n": {number}, "ü": "…"}}\n'.encode())
    content = store.read("rows.jsonl")
    assert content is not None
    assert (file.lines, file.bytes) == (3, len(content))
    assert file.sha256 == store.sha256("rows.jsonl") == hashlib.sha256(content).hexdigest()


def test_a_missing_file_is_none(store: ExportStore) -> None:
    assert store.read("rows.jsonl") is None
    assert store.sha256("rows.jsonl") is None
    assert read_json(store, "manifest.json") is None
    store.delete_unfinished()


def test_a_failed_write_leaves_no_file_and_keeps_an_older_one(store: ExportStore) -> None:
    def write(content: bytes, *, fails: bool) -> None:
        with store.writing("a") as file:
            file.write(content)
            if fails:
                raise LookupError

    with pytest.raises(LookupError):
        write(b"half\n", fails=True)
    assert store.read("a") is None
    write(b"whole\n", fails=False)
    with pytest.raises(LookupError):
        write(b"half again\n", fails=True)
    assert store.read("a") == b"whole\n"


def test_json_is_read_back_and_broken_json_is_none(store: ExportStore) -> None:
    value = {"name": "Grüße", "parts": [{"after": None}, {"after": "x"}]}
    digest = write_json(store, "manifest.json", value)
    assert read_json(store, "manifest.json") == value
    assert digest == store.sha256("manifest.json")
    with store.writing("broken.json") as file:
        file.write(b'{"half": ')
    assert read_json(store, "broken.json") is None


def test_every_closing_has_a_place_of_its_own(at: Any, tmp_path: Path) -> None:
    stores = at(str(tmp_path))
    write_json(stores("one/1"), "a", 1)
    assert read_json(stores("two/1"), "a") is None
    assert read_json(stores("one/1"), "a") == 1


def test_the_url_of_a_store_is_its_place(at: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert at("exports/")("one/1").url == str(tmp_path / "exports" / "one" / "1")
    for where in ("", "/", "/a/b", "/a/b/", "//a//b"):
        beneath = "/a/b" if "b" in where else ""
        assert at(f"s3://{EXPORT_BUCKET}{where}")("one/1").url == f"s3://{EXPORT_BUCKET}{beneath}/one/1"


def test_directories_and_files_are_private_to_their_owner(at: Any, tmp_path: Path) -> None:
    os.umask(0o022)
    (tmp_path / "shared").mkdir(mode=0o755)
    store = at(str(tmp_path / "shared" / "new" / "exports"))("one/1")
    write_json(store, "manifest.json", {})
    made = tmp_path / "shared" / "new"
    for path in (made, *made.rglob("*")):
        assert path.stat().st_mode & 0o077 == 0, path
    assert (tmp_path / "shared").stat().st_mode & 0o777 == 0o755


def test_leftovers_of_a_killed_process_are_deleted(at: Any, tmp_path: Path) -> None:
    store = at(str(tmp_path))("one/1")
    write_json(store, "manifest.json", {})
    begun = tmp_path / "one" / "1" / ".rows-00000.jsonl.0123456789abcdef"
    begun.write_bytes(b"half")
    store.delete_unfinished()
    assert not begun.exists()
    assert read_json(store, "manifest.json") == {}


def test_checking_a_directory_leaves_nothing_in_it(at: Any, tmp_path: Path) -> None:
    at(str(tmp_path / "fresh"))
    assert list((tmp_path / "fresh").iterdir()) == []


@pytest.mark.parametrize(
    ("where", "why"),
    [
        ("", "Say where"),
        ("  ", "Say where"),
        ("a\0b", "null"),
        ("a/" * 201, "at most 400"),
        ("a/" * 199, "more than 400"),
        ("s3://bucket/" + "a" * 400, "at most 400"),
        ("/proc/nothing/here", "No such file"),
        ("https://bucket.example/prefix", "neither a directory nor"),
        ("S3://bucket/prefix", "neither a directory nor"),
        ("s3://", "neither a directory nor"),
        ("s3://Bucket/prefix", "neither a directory nor"),
        ("s3://bu/../cket", "neither a directory nor"),
        ("s3://bucket/a?b", "neither a directory nor"),
        ("s3://nobodys-bucket-here/prefix", "The bucket nobodys-bucket-here does not exist"),
        ("s3://not-for-the-job/prefix", "ExportBucket"),
    ],
)
def test_an_unusable_place_is_refused_in_one_line(at: Any, job: World, where: str, why: str) -> None:
    seeding.make_bucket(job.emulator.endpoint_url, job.emulator.root, "not-for-the-job")
    with pytest.raises(InvalidInput) as refused:
        at(where)
    assert why in refused.value.message
    assert "\n" not in refused.value.message
    assert refused.value.field == "export_to"


def test_a_file_in_the_way_is_refused(at: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for where in (tmp_path / "file", tmp_path / "file" / "beneath"):
        with pytest.raises(InvalidInput, match=r"Nothing can be written to .*/file"):
            at(str(where))


def test_a_failing_disk_is_misconfigured(at: Any, tmp_path: Path) -> None:
    store = at(str(tmp_path))("one/1")
    (tmp_path / "one").write_text("in the way")
    with pytest.raises(Misconfigured) as failed:
        write_json(store, "manifest.json", {})
    assert "The export cannot be written to" in failed.value.why


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"fault": "throttling"}, Throttled),
        ({"fault": "server-error"}, Unreachable),
        ({"fault": "expired-credentials"}, Misconfigured),
        ({"code": "AccessDenied", "status": 403}, Misconfigured),
    ],
)
def test_errors_of_s3_are_translated(
    at: Any, switches: Switches, fault: dict[str, Any], error: type[Exception]
) -> None:
    store = at(f"s3://{EXPORT_BUCKET}/faults")("one/1")
    # Fails every retry.
    switches.fail("S3.*", count=3, **fault)
    with pytest.raises(error):
        write_json(store, "a", 1)


def test_an_upload_is_retried(at: Any, switches: Switches) -> None:
    store = at(f"s3://{EXPORT_BUCKET}/retried")("one/1")
    switches.fail("S3.PutObject", fault="throttling", count=1)
    write_json(store, "a", 1)
    assert read_json(store, "a") == 1
