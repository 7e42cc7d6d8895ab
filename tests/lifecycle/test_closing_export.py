"""Exports: their content, what of them is kept, and that rows are purged only with a complete export."""

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
from tenants.domain.errors import NotNow
from tenants.domain.keys import own_space
from tenants.domain.tenant_state import TenantState
from tenants.lifecycle import export as export_module
from tenants.lifecycle.suspension import begin_again
from tenants.models import AuditEvent, Suspension
from tests.world.closings import (
    COLLECTIONS,
    EVERY_TYPE,
    ROWS,
    Closable,
    Killed,
    closable,
    collection_rows,
    lines_of,
    put,
    verified_manifest,
)

LATER = timedelta(days=30)


@pytest.fixture
def tenant(job: World, tmp_path: Path) -> Closable:
    return closable(job, str(tmp_path / "exports"))


def test_an_export_holds_every_row_in_dynamodb_json(tenant: Closable) -> None:
    before = tenant.rows()
    tenant.close(grace=LATER).run()
    (export,) = tenant.exports()
    manifest = verified_manifest(export)
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


def test_an_export_holds_members_and_audit_in_private_files(tenant: Closable) -> None:
    tenant.close(grace=LATER).run()
    (export,) = tenant.exports()
    manifest = verified_manifest(export)
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


def test_an_export_can_go_to_a_bucket(tenant: Closable, job: World) -> None:
    tenant.export_to = f"s3://{EXPORT_BUCKET}/closed"
    result = tenant.close().run()
    assert result.tenant.state == TenantState.CLOSED
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


def test_a_large_collection_is_exported_to_several_files(tenant: Closable, monkeypatch: pytest.MonkeyPatch) -> None:
    big = {"B": b"x" * 350_000}
    space = own_space(tenant.org)
    rows = [{"pk": {"S": space.collection("big")}, "sk": {"S": f"{number:03d}"}, "big": big} for number in range(9)]
    put(tenant.world, [*rows, {"pk": {"S": space.catalogue}, "sk": {"S": "big"}}])
    monkeypatch.setattr(export_module, "MOST_BYTES", 1_000_000)
    tenant.close(grace=LATER).run()
    (export,) = tenant.exports()
    manifest = verified_manifest(export)
    files = [listed for listed in manifest["files"] if listed.get("collection") == "big"]
    assert len(files) > 2
    found = [line["Item"]["sk"]["S"] for line in lines_of(export, manifest, "rows", "big")]
    assert found == [f"{number:03d}" for number in range(9)]


def test_complete_files_are_kept_and_changed_ones_made_again(tenant: Closable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export_module, "PROGRESS_EVERY_BYTES", 0)
    tenant.close(grace=LATER)

    def end_before_members(line: str) -> None:
        if line.startswith("exporting members"):
            raise Killed

    with pytest.raises(Killed):
        tenant.run(report=end_before_members)
    (export,) = tenant.exports()
    files = sorted(export.glob("rows-*"))
    made = {path.name: path.stat().st_ino for path in files}
    (export / "rows-00003.jsonl").write_bytes(b"tampered with\n")
    tenant.run()
    verified_manifest(export)
    kept = {path.name for path in files if path.stat().st_ino == made[path.name]}
    assert kept == {"rows-00000.jsonl", "rows-00001.jsonl", "rows-00002.jsonl"}


@pytest.mark.parametrize("content", [b"", b"[]", b"null", b'{"format": "tenant-export/1"}', b"\xff"])
def test_a_broken_progress_file_starts_the_export_again(tenant: Closable, content: bytes) -> None:
    tenant.close(grace=LATER)
    with pytest.raises(Killed):
        tenant.run(report=lambda line: (_ for _ in ()).throw(Killed) if "members" in line else None)
    (export,) = tenant.exports()
    (export / "progress.json").write_bytes(content)
    tenant.run()
    assert verified_manifest(export)["rows"] == ROWS


@pytest.fixture
def exported(tenant: Closable) -> Closable:
    """A tenant that was exported in its grace period, which has ended."""
    tenant.close(grace=LATER).run()
    tenant.end_grace()
    return tenant


def lose_the_export(export: Path) -> None:
    shutil.rmtree(export)


def lose_a_file(export: Path) -> None:
    (export / "rows-00001.jsonl").unlink()


def change_a_file(export: Path) -> None:
    with (export / "rows-00001.jsonl").open("ab") as file:
        file.write(b"\n")


def change_the_manifest(export: Path) -> None:
    (export / "manifest.json").write_text("{}")


@pytest.mark.parametrize("damage", [lose_the_export, lose_a_file, change_a_file, change_the_manifest])
def test_a_damaged_export_is_made_again_before_the_purge(exported: Closable, damage: Callable[[Path], None]) -> None:
    (export,) = exported.exports()
    damage(export)
    result = exported.run()
    assert [did.split()[0] for did in result.did] == ["exported", "purged", "closed"]
    assert verified_manifest(export)["rows"] == ROWS
    assert exported.rows() == {}


def test_an_export_is_made_again_if_somebody_could_write_after_it(exported: Closable) -> None:
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
    assert verified_manifest(older)["rows"] == ROWS
    manifest = verified_manifest(newer)
    assert manifest["rows"] == ROWS + 4
    assert len(lines_of(newer, manifest, "rows", "late")) == 3
    assert exported.rows() == {}


def test_a_complete_export_is_kept(exported: Closable) -> None:
    (export,) = exported.exports()
    before = (export / "manifest.json").stat().st_mtime_ns
    assert [did.split()[0] for did in exported.run().did] == ["purged", "closed"]
    assert (export / "manifest.json").stat().st_mtime_ns == before


def test_an_export_to_another_place_is_made_there(exported: Closable, tmp_path: Path) -> None:
    exported.export_to = str(tmp_path / "elsewhere")
    assert exported.run().did[0].startswith("exported")
    (export,) = exported.exports()
    assert verified_manifest(export)["rows"] == ROWS
    assert exported.closing().export_url == str(export)


def test_a_collection_that_came_after_the_export_is_exported_too(exported: Closable) -> None:
    put(exported.world, collection_rows(own_space(exported.org), "late", 3))
    assert [did.split()[0] for did in exported.run().did] == ["exported", "purged", "closed"]
    older, newer = exported.exports()
    assert verified_manifest(older)["rows"] == ROWS
    manifest = verified_manifest(newer)
    assert len(lines_of(newer, manifest, "rows", "late")) == 3
    assert exported.rows() == {}
    assert exported.closing().export_url == str(newer)


def test_a_collection_that_comes_during_the_purge_is_not_purged(exported: Closable) -> None:
    late = collection_rows(own_space(exported.org), "late", 3)

    def add_it(line: str) -> None:
        if line == "purging the catalogue":
            put(exported.world, late)

    with pytest.raises(NotNow, match="are left in the catalogue"):
        exported.run(report=add_it)
    for _ in range(2):
        with pytest.raises(NotNow, match="does not hold late"):
            exported.run()
    assert set(exported.rows()) == {(row["pk"]["S"], row["sk"]["S"]) for row in late}
    assert exported.run(export=False).tenant.state == TenantState.CLOSED
    assert exported.rows() == {}


def test_a_purge_stops_where_its_export_is_gone(exported: Closable) -> None:
    with pytest.raises(Killed):
        exported.run(report=lambda line: (_ for _ in ()).throw(Killed) if line == "purging the catalogue" else None)
    left = exported.rows()
    (export,) = exported.exports()
    kept = (export / "manifest.json").rename(export / "elsewhere.json")
    with pytest.raises(NotNow, match="missing or was changed after the purge began"):
        exported.run()
    assert exported.rows() == left
    kept.rename(export / "manifest.json")
    assert exported.run().tenant.state == TenantState.CLOSED
