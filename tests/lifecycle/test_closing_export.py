"""Exports: what is in one, what of one is kept, and that rows are deleted only while the one they are in is whole."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from portal.demo.world import EXPORT_BUCKET, World
from tenants.aws.clients import exports_client
from tenants.domain.keys import own_space
from tenants.domain.tenant_state import TenantState
from tenants.lifecycle import export as export_module
from tenants.lifecycle.suspension import begin_again
from tenants.models import AuditEvent, Suspension
from tests.world.closing_jobs import EVERY_TYPE, collection_rows, put
from tests.world.closings import COLLECTIONS, ROWS, Closable, Killed, closable, lines_of, verified

LATER = timedelta(days=30)


@pytest.fixture
def tenant(job: World, tmp_path: Path) -> Closable:
    return closable(job, str(tmp_path / "exports"))


def test_an_export_holds_every_row_as_dynamodb_has_it(tenant: Closable) -> None:
    before = tenant.rows()
    tenant.close(grace=LATER).run()
    (export,) = tenant.exports()
    manifest = verified(export)
    space = own_space(tenant.org)
    exported = {
        (item["pk"]["S"], item["sk"]["S"]): item
        for holds, name in [("catalogue", ""), *(("rows", name) for name in COLLECTIONS)]
        for item in (line["Item"] for line in lines_of(export, manifest, holds, name))
    }
    assert exported.keys() == before.keys()
    sample = exported[space.collection("orders"), "000000"]
    assert sample["binary"] == {"B": base64.b64encode(bytes(range(256))).decode()}
    assert sample["number"] == EVERY_TYPE["number"]
    assert sample["small"] == EVERY_TYPE["small"]
    assert sample["map"]["M"]["a b"] == {"M": {"B": {"B": "/g=="}, "S": {"S": "a name like a type"}}}
    assert sorted(sample["binaries"]["BS"]) == ["/w==", "AAE="]
    assert sorted(sample["numbers"]["NS"]) == ["-1", "0.5", "3"]
    assert sample["text"] == EVERY_TYPE["text"]
    assert {listed.get("collection") for listed in manifest["files"] if listed["holds"] == "rows"} == set(COLLECTIONS)


def test_an_export_says_what_the_portal_knows_and_for_its_owner_alone(tenant: Closable) -> None:
    tenant.close(grace=LATER).run()
    (export,) = tenant.exports()
    manifest = verified(export)
    (member,) = lines_of(export, manifest, "members")
    assert (member["role"], member["enabled"]) == ("owner", True)
    entries = lines_of(export, manifest, "audit")
    assert {entry["org"] for entry in entries} == {str(tenant.org)}
    assert entries[0]["hash"] == AuditEvent.objects.filter(org=str(tenant.org)).earliest("seq").hash
    assert manifest["reason"] == "Contract ended"
    kept = tenant.closing()
    assert kept.manifest_hash == hashlib.sha256((export / "manifest.json").read_bytes()).hexdigest()
    assert (kept.rows_exported, kept.export_url) == (ROWS, str(export))
    for path in (export.parent, export, *export.iterdir()):
        assert path.stat().st_mode & 0o077 == 0
    assert not [path for path in export.iterdir() if path.name.startswith(".")]


def test_an_export_goes_to_a_bucket_as_well(tenant: Closable, job: World) -> None:
    tenant.export_to = f"s3://{EXPORT_BUCKET}/closed"
    outcome = tenant.close().run()
    assert outcome.tenant.state == TenantState.CLOSED
    address = tenant.closing().export_url
    assert address.startswith(f"s3://{EXPORT_BUCKET}/closed/{tenant.org}/")
    files = exports_client(region=job.settings["AWS_REGION"], endpoint_url=job.emulator.endpoint_url)
    prefix = address.removeprefix(f"s3://{EXPORT_BUCKET}/")

    def content(name: str) -> bytes:
        body: bytes = files.get_object(Bucket=EXPORT_BUCKET, Key=f"{prefix}/{name}")["Body"].read()
        return body

    manifest = json.loads(content("manifest.json"))
    for listed in manifest["files"]:
        assert hashlib.sha256(content(listed["file"])).hexdigest() == listed["sha256"]
    assert manifest["rows"] == ROWS


def test_a_large_collection_is_several_files(tenant: Closable, monkeypatch: pytest.MonkeyPatch) -> None:
    big = {"B": b"x" * 350_000}
    space = own_space(tenant.org)
    rows = [{"pk": {"S": space.collection("big")}, "sk": {"S": f"{number:03d}"}, "big": big} for number in range(9)]
    put(tenant.world, [*rows, {"pk": {"S": space.catalogue}, "sk": {"S": "big"}}])
    monkeypatch.setattr(export_module, "MOST_BYTES", 1_000_000)
    tenant.close(grace=LATER).run()
    (export,) = tenant.exports()
    manifest = verified(export)
    files = [listed for listed in manifest["files"] if listed.get("collection") == "big"]
    assert len(files) > 2
    found = [line["Item"]["sk"]["S"] for line in lines_of(export, manifest, "rows", "big")]
    assert found == [f"{number:03d}" for number in range(9)]


def test_a_whole_file_is_kept_and_one_that_was_changed_is_made_again(
    tenant: Closable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export_module, "_WRITTEN_DOWN_EVERY_BYTES", 0)
    tenant.close(grace=LATER)

    def end_before_members(line: str) -> None:
        if line.startswith("exporting members"):
            raise Killed

    with pytest.raises(Killed):
        tenant.run(tell=end_before_members)
    (export,) = tenant.exports()
    files = sorted(export.glob("rows-*"))
    made = {path.name: path.stat().st_ino for path in files}
    (export / "rows-00003.jsonl").write_bytes(b"tampered with\n")
    tenant.run()
    verified(export)
    kept = {path.name for path in files if path.stat().st_ino == made[path.name]}
    assert kept == {"rows-00000.jsonl", "rows-00001.jsonl", "rows-00002.jsonl"}


@pytest.mark.parametrize("content", [b"", b"[]", b"null", b'{"format": "tenant-export/1"}', b"\xff"])
def test_a_broken_note_of_progress_means_from_the_beginning(tenant: Closable, content: bytes) -> None:
    tenant.close(grace=LATER)
    with pytest.raises(Killed):
        tenant.run(tell=lambda line: (_ for _ in ()).throw(Killed) if "members" in line else None)
    (export,) = tenant.exports()
    (export / "progress.json").write_bytes(content)
    tenant.run()
    assert verified(export)["rows"] == ROWS


@pytest.fixture
def exported(tenant: Closable) -> Closable:
    """In its grace period, which then ended."""
    tenant.close(grace=LATER).run()
    tenant.end_grace()
    return tenant


def lose_it(export: Path) -> None:
    shutil.rmtree(export)


def lose_a_file(export: Path) -> None:
    (export / "rows-00001.jsonl").unlink()


def change_a_file(export: Path) -> None:
    with (export / "rows-00001.jsonl").open("ab") as file:
        file.write(b"\n")


def change_the_manifest(export: Path) -> None:
    (export / "manifest.json").write_text("{}")


@pytest.mark.parametrize("damage", [lose_it, lose_a_file, change_a_file, change_the_manifest])
def test_an_export_that_is_not_what_it_was_is_made_again_before_anything_is_purged(
    exported: Closable, damage: Callable[[Path], None]
) -> None:
    (export,) = exported.exports()
    damage(export)
    outcome = exported.run()
    assert [did.split()[0] for did in outcome.did] == ["exported", "purged", "closed"]
    assert verified(export)["rows"] == ROWS
    assert exported.rows() == {}


def test_one_of_before_somebody_could_write_again_is_none_of_everything(exported: Closable) -> None:
    suspension = Suspension.objects.get(tenant=exported.tenant())
    Suspension.objects.update(signed_out_at=timezone.now(), deny_until=timezone.now())
    put(exported.world, collection_rows(own_space(exported.org), "late", 3))
    begin_again([exported.tenant().pk])
    suspension.refresh_from_db()
    assert suspension.denied_at is None
    assert exported.run().waits_for
    exported.deny()
    assert exported.run().did[0].startswith("exported")
    older, newer = exported.exports()
    assert verified(older)["rows"] == ROWS
    manifest = verified(newer)
    assert manifest["rows"] == ROWS + 4
    assert len(lines_of(newer, manifest, "rows", "late")) == 3
    assert exported.rows() == {}


def test_one_that_is_whole_is_left_alone(exported: Closable) -> None:
    (export,) = exported.exports()
    before = (export / "manifest.json").stat().st_mtime_ns
    assert [did.split()[0] for did in exported.run().did] == ["purged", "closed"]
    assert (export / "manifest.json").stat().st_mtime_ns == before


def test_one_that_is_asked_for_elsewhere_is_made_there(exported: Closable, tmp_path: Path) -> None:
    exported.export_to = str(tmp_path / "elsewhere")
    assert exported.run().did[0].startswith("exported")
    (export,) = exported.exports()
    assert verified(export)["rows"] == ROWS
    assert exported.closing().export_url == str(export)
