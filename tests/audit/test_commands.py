"""The audit trail's commands: exporting it, verifying an export, and shortening it, also after an interruption."""

from __future__ import annotations

import io
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from tenants.audit.actions import Action
from tenants.audit.chain import canonical, entry_hash
from tenants.audit.files import atomic_file, write_lines
from tenants.audit.reading import EntryFilter, json_lines
from tenants.audit.retention import entries_older_than, export_path, shorten
from tenants.lifecycle.transitions import create_tenant
from tenants.models import AuditEvent
from tests.world.trail import SOMEBODY, make_older, record_entries, run_sql, verify_audit, without_triggers

pytestmark = pytest.mark.django_db


def run_command(name: str, *arguments: str) -> Any:
    """Returns the JSON that the command prints."""
    out = io.StringIO()
    call_command(name, *arguments, "--json", stdout=out)
    return json.loads(out.getvalue())


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_an_export_holds_every_entry_and_can_be_verified_anywhere(tmp_path: Path) -> None:
    record_entries(3)
    path = tmp_path / "trail.jsonl"
    assert run_command("export_audit", "-o", str(path)) == {"file": str(path), "entries": 3}
    first, *_, last = lines_of(path)
    assert first["after"] == {"role": "editor", "share": 0.25, "note": "größer ✓"}
    content = {name: value for name, value in last.items() if name not in {"previous_hash", "hash"}}
    assert entry_hash(last["previous_hash"], content) == last["hash"]
    assert verify_audit("--file", str(path)) == (
        0,
        {"whole": True, "entries": 3, "after": f"0:{'0' * 64}", "head": f"3:{last['hash']}", "flaw": None},
    )
    assert path.stat().st_mode & 0o077 == 0


def test_an_export_is_recorded_in_the_trail(tmp_path: Path) -> None:
    record_entries(2)
    run_command("export_audit", "-o", str(tmp_path / "trail.jsonl"), "--until", "2099-01-01")
    last = AuditEvent.objects.latest("seq")
    assert last.action == Action.AUDIT_EXPORTED
    assert last.actor == "command"
    assert last.target == "trail.jsonl"
    assert last.after["entries"] == 2
    assert len(last.after["sha256"]) == 64


@pytest.mark.parametrize(("line", "flaw"), [(2, ("changed", 2)), (3, ("changed", 3))])
def test_a_changed_line_of_an_export_is_found(tmp_path: Path, line: int, flaw: tuple[str, int]) -> None:
    record_entries(3)
    path = tmp_path / "trail.jsonl"
    run_command("export_audit", "-o", str(path))
    lines = lines_of(path)
    lines[line - 1]["why"] = "another"
    path.write_bytes(b"".join(canonical(entry) + b"\n" for entry in lines))
    code, answer = verify_audit("--file", str(path))
    assert (code, answer["flaw"]["kind"], answer["flaw"]["seq"]) == (3, *flaw)


@pytest.mark.parametrize("broken", [b"", b"{}", b"[]", b'{"seq": 2}', b"\xff\xfe", b"[" * 100_000, b'{"seq": 1e999}'])
def test_a_line_that_is_no_entry_is_a_flaw_and_no_crash(tmp_path: Path, broken: bytes) -> None:
    record_entries(3)
    path = tmp_path / "trail.jsonl"
    run_command("export_audit", "-o", str(path))
    lines = path.read_bytes().splitlines()
    path.write_bytes(b"\n".join([lines[0], broken, lines[2]]))
    code, answer = verify_audit("--file", str(path))
    assert (code, answer["entries"]) == (3, 1)


def test_an_export_of_a_period_is_verified_from_its_beginning(tmp_path: Path) -> None:
    record_entries(2)
    middle = timezone.now().isoformat()
    record_entries(3)
    run_command("export_audit", "-o", str(tmp_path / "later.jsonl"), "--since", middle)
    run_command("export_audit", "-o", str(tmp_path / "sooner.jsonl"), "--until", middle)
    sooner, later = (verify_audit("--file", str(tmp_path / name))[1] for name in ("sooner.jsonl", "later.jsonl"))
    assert (sooner["entries"], later["entries"]) == (2, 3)
    assert sooner["head"] == later["after"]


def test_an_export_of_one_tenant_holds_only_its_own_entries(tmp_path: Path) -> None:
    acme = create_tenant(name="Acme", owner_email="o@acme.example", by=SOMEBODY)
    create_tenant(name="Globex", owner_email="o@globex.example", by=SOMEBODY)
    run_command("export_audit", "--tenant", acme.slug, "-o", str(tmp_path / "acme.jsonl"))
    assert {line["org"] for line in lines_of(tmp_path / "acme.jsonl")} == {str(acme.org_id)}
    assert AuditEvent.objects.latest("seq").org == acme.org_id


def test_an_export_overwrites_nothing(tmp_path: Path) -> None:
    record_entries(1)
    path = tmp_path / "trail.jsonl"
    path.write_text("mine")
    with pytest.raises(CommandError, match=r"trail\.jsonl exists already"):
        run_command("export_audit", "-o", str(path))
    with pytest.raises(CommandError, match=r"nowhere/trail\.jsonl: No such file"):
        run_command("export_audit", "-o", str(tmp_path / "nowhere" / "trail.jsonl"))
    assert path.read_text() == "mine"
    assert list(tmp_path.iterdir()) == [path]
    assert AuditEvent.objects.count() == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--tenant", "nobody", "-o", "unwritten.jsonl"], "“nobody”"),
        (["--since", "yesterday"], "is no date"),
        ([], "name one with -o"),
    ],
)
def test_wrong_arguments_are_explained(arguments: list[str], says: str) -> None:
    with pytest.raises(CommandError, match=says):
        run_command("export_audit", *arguments)


@pytest.mark.parametrize("forged", ['"why":"forged",', f'"how":{"[" * 600}{"]" * 600},', f'"how":{"[" * 20_000},'])
def test_a_line_that_was_not_written_here_is_refused(tmp_path: Path, forged: str) -> None:
    record_entries(2)
    file = tmp_path / "trail.jsonl"
    whole = run_command("export_audit", "-o", str(file))
    assert whole["entries"] == 2
    file.write_text(file.read_text().replace('"why":', f'{forged}"why":', 1))
    code, answer = verify_audit("--file", str(file))
    assert code == 3
    assert "line 1 of the file is not an entry" in str(answer)


def test_verifying_a_missing_file_fails(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"none\.jsonl: No such file"):
        call_command("verify_audit", "--file", str(tmp_path / "none.jsonl"))


# ── Shortening ───────────────────────────────────────────────────────────────────────────────────────────────────────


def old_entries(count: int) -> None:
    record_entries(count)
    make_older()


def test_old_entries_move_into_a_file_and_the_trail_stays_whole(tmp_path: Path) -> None:
    old_entries(4)
    record_entries(2)
    anchor = verify_audit()[1]["head"]
    done = run_command("shorten_audit", "--to", str(tmp_path))
    assert (done["entries"], done["deleted"]) == (4, 4)
    assert AuditEvent.objects.earliest("seq").seq == 5
    last = AuditEvent.objects.latest("seq")
    assert (last.action, last.after["entries"]) == (Action.AUDIT_SHORTENED, 4)
    code, answer = verify_audit("--anchor", anchor)
    assert (code, answer["entries"], answer["after"]) == (0, 3, done["through"])
    assert verify_audit("--file", done["file"])[1]["head"] == answer["after"]


def test_an_anchor_before_the_beginning_is_found_in_the_export(tmp_path: Path) -> None:
    old_entries(3)
    anchor = f"2:{AuditEvent.objects.get(seq=2).hash}"
    done = run_command("shorten_audit", "--to", str(tmp_path))
    with pytest.raises(CommandError, match="Verify an earlier export"):
        call_command("verify_audit", "--anchor", anchor)
    assert verify_audit("--anchor", anchor, "--file", done["file"])[0] == 0


def test_a_dry_run_says_what_would_be_deleted_and_changes_nothing(tmp_path: Path) -> None:
    old_entries(3)
    done = run_command("shorten_audit", "--to", str(tmp_path), "--dry-run")
    assert (done["entries"], done["deleted"], done["dry_run"]) == (3, 0, True)
    assert (list(tmp_path.iterdir()), AuditEvent.objects.count()) == ([], 3)


def test_with_no_old_entries_nothing_is_done(tmp_path: Path) -> None:
    record_entries(3)
    assert run_command("shorten_audit", "--to", str(tmp_path))["deleted"] == 0
    assert (list(tmp_path.iterdir()), AuditEvent.objects.count()) == ([], 3)


def test_a_trail_can_be_shortened_again(tmp_path: Path) -> None:
    old_entries(3)
    first = run_command("shorten_audit", "--to", str(tmp_path))
    record_entries(2)
    make_older()
    second = run_command("shorten_audit", "--to", str(tmp_path))
    assert second["after"] == first["through"]
    assert len(list(tmp_path.iterdir())) == 2
    assert verify_audit()[0] == 0


def test_a_broken_trail_is_not_shortened(tmp_path: Path) -> None:
    old_entries(4)
    with without_triggers():
        run_sql("UPDATE tenants_auditevent SET why = 'another' WHERE seq = 2")
    with pytest.raises(CommandError, match=r"not whole, so nothing was deleted\. Entry 2 was changed"):
        run_command("shorten_audit", "--to", str(tmp_path))
    assert AuditEvent.objects.count() == 4


def test_with_a_foreign_file_in_the_way_nothing_is_deleted(tmp_path: Path) -> None:
    old_entries(4)
    (tmp_path / "audit-000000000001.jsonl").write_bytes(b"")
    with pytest.raises(CommandError, match="does not hold the entries to delete"):
        run_command("shorten_audit", "--to", str(tmp_path))
    assert AuditEvent.objects.count() == 4


class Killed(Exception):
    pass


@pytest.mark.parametrize("calls", [1, 3, 6, 7, 8])
def test_a_killed_run_is_finished_by_the_next_and_nothing_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, calls: int
) -> None:
    old_entries(6)
    hashes = list(AuditEvent.objects.order_by("seq").values_list("hash", flat=True))
    monkeypatch.setattr("tenants.audit.retention.DELETED_AT_ONCE", 2)
    left = iter(range(calls - 1))

    def until_killed(_done: int) -> None:
        # Called six times while entries are written, then after every two deleted ones.
        if next(left, None) is None:
            raise Killed

    prefix = entries_older_than(timezone.now() - timedelta(days=730))
    with pytest.raises(Killed):
        shorten(prefix, export_path(prefix, tmp_path), by=SOMEBODY, progress=until_killed)
    assert verify_audit()[0] == 0
    run_command("shorten_audit", "--to", str(tmp_path))
    assert verify_audit()[0] == 0
    assert [entry["hash"] for path in sorted(tmp_path.iterdir()) for entry in lines_of(path)] == hashes
    assert not AuditEvent.objects.filter(hash__in=hashes).exists()


def test_the_finished_file_of_an_earlier_run_is_used(tmp_path: Path) -> None:
    old_entries(4)
    prefix = entries_older_than(timezone.now() - timedelta(days=730))
    path = export_path(prefix, tmp_path)
    with atomic_file(path) as file:
        write_lines(json_lines(EntryFilter(), through=4), file)
    written = path.stat()
    record_entries(1)
    assert run_command("shorten_audit", "--to", str(tmp_path))["deleted"] == 4
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (written.st_ino, written.st_mtime_ns)


def write_half(path: Path) -> None:
    with atomic_file(path) as file:
        file.write(b"half")
        raise Killed


def test_a_file_appears_whole_or_not_at_all_and_overwrites_nothing(tmp_path: Path) -> None:
    path = tmp_path / "trail.jsonl"
    with pytest.raises(Killed):
        write_half(path)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(FileExistsError), atomic_file(path):
        path.write_bytes(b"somebody was faster")
    assert path.read_bytes() == b"somebody was faster"
    assert list(tmp_path.iterdir()) == [path]


def test_a_missing_directory_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="is no directory"):
        run_command("shorten_audit", "--to", str(tmp_path / "nowhere"))


def test_leftovers_of_a_killed_run_are_deleted_unless_still_being_written(tmp_path: Path) -> None:
    path, left = tmp_path / "trail.jsonl", tmp_path / ".trail.jsonl.abc"
    left.write_bytes(b"half")

    def write_twice() -> None:
        with atomic_file(path):
            assert not left.exists()
            with atomic_file(path):
                assert len(list(tmp_path.iterdir())) == 2

    with pytest.raises(FileExistsError):
        write_twice()
    assert list(tmp_path.iterdir()) == [path]
