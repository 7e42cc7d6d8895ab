"""Rows are deleted only while the export that they are in is there and whole."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from portal.demo.world import World
from tenants.domain.keys import own_space
from tenants.models import Suspension
from tests.closing_jobs import become_the_job, collection_rows, put
from tests.portal.closable import ROWS, Closable, closable, lines_of, verified


@pytest.fixture
def exported(portal: World, settings: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Closable:
    """In its grace period, which then ended."""
    settings.CLOSING_ROLE_ARN = portal.settings["CLOSING_ROLE_ARN"]
    become_the_job(portal, monkeypatch)
    tenant = closable(portal, str(tmp_path / "exports")).close(grace=timedelta(days=30))
    tenant.run()
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
    Suspension.objects.begin_again([exported.tenant().pk])
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
