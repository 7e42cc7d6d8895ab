"""The trail in the database: the portal cannot change it, and tampering outside the portal is found."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction
from django.db import connections as databases
from django.db.models import F
from django.utils import timezone

from tenants.audit import NewEntry, record, record_all
from tenants.audit.actions import Action
from tenants.audit.chain import entry_hash
from tenants.audit.verification import verify
from tenants.models import AuditEvent, AuditHead
from tenants.models.audit import AppendOnly
from tests.world.trail import SOMEBODY, record_entries, rewrite, run_sql, verify_audit, without_triggers

pytestmark = pytest.mark.django_db


def saved_again() -> None:
    AuditEvent.objects.get(seq=2).save()


@pytest.mark.parametrize(
    "attempt",
    [
        lambda: AuditEvent.objects.filter(seq=2).update(why="another"),
        lambda: AuditEvent.objects.filter(seq=2).delete(),
        lambda: AuditEvent.objects.all().delete(),
        lambda: AuditEvent.objects.bulk_update(list(AuditEvent.objects.all()), ["why"]),
        lambda: AuditEvent.objects.get(seq=2).delete(),
        lambda: AuditEvent.objects.update_or_create(seq=2, defaults={"why": "another"}),
        saved_again,
    ],
)
def test_nothing_is_changed_or_deleted_through_the_orm(attempt: Callable[[], Any]) -> None:
    record_entries(3)
    with pytest.raises(AppendOnly):
        attempt()
    assert verify_audit()[0] == 0


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE tenants_auditevent SET why = 'another' WHERE seq = 2",
        "DELETE FROM tenants_auditevent WHERE seq = 2",
        "DELETE FROM tenants_auditevent WHERE seq = 1",
        # To delete the last entries, the head has to move back as well.
        "UPDATE tenants_audithead SET seq = 2",
        "UPDATE tenants_audithead SET kept_after = 4",
        "UPDATE tenants_audithead SET kept_after = -1",
        "DELETE FROM tenants_audithead",
    ],
)
def test_nothing_is_changed_or_deleted_with_sql(statement: str) -> None:
    record_entries(3)
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    assert verify_audit()[0] == 0


def test_no_entry_is_replaced_by_an_insert() -> None:
    record_entries(3)
    for table, key in (("tenants_auditevent", "seq"), ("tenants_audithead", "id")):
        if connection.vendor == "sqlite":
            statement = f"INSERT OR REPLACE INTO {table} SELECT * FROM {table} LIMIT 1"
        else:
            statement = f"INSERT INTO {table} SELECT * FROM {table} LIMIT 1 ON CONFLICT ({key}) DO UPDATE SET seq = 0"
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)


def test_an_untouched_trail_is_whole_and_prints_its_head() -> None:
    last = record_entries(5)[-1]
    code, answer = verify_audit()
    assert code == 0
    assert answer == {
        "whole": True, "entries": 5, "after": f"0:{'0' * 64}", "head": f"5:{last.hash}", "flaw": None,
    }  # fmt: skip


def test_an_empty_trail_is_whole() -> None:
    assert verify_audit()[1]["entries"] == 0


def test_entries_recorded_together_continue_the_chain() -> None:
    record_all([NewEntry(Action.MEMBER_ENABLED, SOMEBODY, why=str(number)) for number in range(3)])
    record_entries(1)
    assert verify_audit()[1]["entries"] == 4


def change_the_reason() -> None:
    run_sql("UPDATE tenants_auditevent SET why = 'another' WHERE seq = 3")


def change_who() -> None:
    run_sql("UPDATE tenants_auditevent SET actor = 'somebody else' WHERE seq = 3")


def change_what_was_before() -> None:
    run_sql("""UPDATE tenants_auditevent SET before = '{"role": "owner"}' WHERE seq = 3""")


def change_when() -> None:
    run_sql("UPDATE tenants_auditevent SET at = %s WHERE seq = 3", str(timezone.now()))


def change_what_json_is() -> None:
    json_null = "'null'" if connection.vendor == "sqlite" else "'null'::jsonb"
    run_sql(f"UPDATE tenants_auditevent SET after = {json_null} WHERE seq = 3")


def swap_two() -> None:
    for now, then in ((3, 99), (4, 3), (99, 4)):
        run_sql("UPDATE tenants_auditevent SET seq = %s WHERE seq = %s", then, now)


def delete_one() -> None:
    run_sql("DELETE FROM tenants_auditevent WHERE seq = 3")


def delete_the_first() -> None:
    run_sql("DELETE FROM tenants_auditevent WHERE seq = 1")


def delete_the_tail() -> None:
    run_sql("DELETE FROM tenants_auditevent WHERE seq > 3")


def delete_all() -> None:
    run_sql("DELETE FROM tenants_auditevent")


def append_a_forged_one() -> None:
    last = AuditEvent.objects.get(seq=5)
    forged = AuditEvent(seq=6, at=timezone.now(), actor="x", actor_name="x", action="tenant.closed")
    forged.previous_hash, forged.hash = last.hash, entry_hash(last.hash, forged.content())
    forged.save()


def append_before_the_first() -> None:
    AuditEvent(seq=0, at=timezone.now(), actor="x", actor_name="x", action="tenant.closed").save()


def move_the_head_back() -> None:
    AuditHead.objects.update(seq=3, hash=AuditEvent.objects.get(seq=3).hash)


def move_the_head_on() -> None:
    AuditHead.objects.update(seq=F("seq") + 1)


def rewrite_the_head() -> None:
    AuditHead.objects.update(hash="f" * 64)


def delete_the_head() -> None:
    AuditHead.objects.all().delete()


def move_the_beginning() -> None:
    AuditHead.objects.update(kept_after=2, kept_after_hash=AuditEvent.objects.get(seq=2).hash)
    run_sql("DELETE FROM tenants_auditevent WHERE seq <= 2")


@pytest.mark.parametrize(
    ("tamper", "seq", "kind"),
    [
        (change_the_reason, 3, "changed"),
        (change_who, 3, "changed"),
        (change_what_was_before, 3, "changed"),
        (change_when, 3, "changed"),
        (change_what_json_is, 3, "changed"),
        (swap_two, 3, "reordered"),
        (delete_one, 3, "missing"),
        (delete_the_first, 1, "missing"),
        (delete_the_tail, 4, "truncated"),
        (delete_all, 1, "truncated"),
        (append_a_forged_one, 6, "added"),
        (append_before_the_first, 0, "added"),
        (move_the_head_back, 4, "added"),
        (move_the_head_on, 6, "truncated"),
        (rewrite_the_head, 5, "head"),
        (delete_the_head, 1, "added"),
        (move_the_beginning, 2, "missing"),
    ],
)
def test_tampering_with_the_database_is_found(tamper: Callable[[], None], seq: int, kind: str) -> None:
    record_entries(5)
    with without_triggers():
        tamper()
    code, answer = verify_audit()
    assert code == 3
    assert not answer["whole"]
    assert (answer["flaw"]["seq"], answer["flaw"]["kind"]) == (seq, kind)


def test_only_the_first_of_several_flaws_is_reported() -> None:
    record_entries(5)
    with without_triggers():
        run_sql("UPDATE tenants_auditevent SET why = 'another' WHERE seq IN (2, 4)")
    out = io.StringIO()
    with pytest.raises(SystemExit):
        call_command("verify_audit", stdout=out)
    assert "BROKEN at entry 2: Entry 2 was changed" in out.getvalue()
    assert "Whole before it: 1 entry" in out.getvalue()


def test_an_unreadable_value_is_a_flaw_and_no_crash() -> None:
    record_entries(5)
    with without_triggers():
        if connection.vendor == "sqlite":
            run_sql("PRAGMA ignore_check_constraints = ON")
            run_sql("UPDATE tenants_auditevent SET after = '{not json' WHERE seq = 3")
            run_sql("PRAGMA ignore_check_constraints = OFF")
        else:
            # PostgreSQL's calendar is longer than Python's.
            run_sql("UPDATE tenants_auditevent SET at = '294276-01-01' WHERE seq = 3")
    code, answer = verify_audit()
    assert code == 3
    assert answer["flaw"]["seq"] == 3
    assert answer["entries"] == 2


@pytest.mark.parametrize("levels", [600, 3000])
def test_a_value_nested_by_hand_is_a_flaw_and_no_crash(levels: int) -> None:
    record_entries(3)
    nested = "[" * levels + "]" * levels
    with without_triggers():
        if connection.vendor == "sqlite":
            run_sql("PRAGMA ignore_check_constraints = ON")
        run_sql("UPDATE tenants_auditevent SET after = %s WHERE seq = 2", nested)
    code, answer = verify_audit()
    assert (code, answer["flaw"]["seq"], answer["entries"]) == (3, 2, 1)


def test_an_anchor_finds_a_rewritten_trail() -> None:
    record_entries(5)
    anchor = verify_audit()[1]["head"]
    record_entries(2)
    assert verify_audit("--anchor", anchor)[0] == 0
    with without_triggers():
        run_sql("UPDATE tenants_auditevent SET why = 'another' WHERE seq = 2")
        rewrite(first=2)
    assert verify_audit()[0] == 0
    code, answer = verify_audit("--anchor", anchor)
    assert (code, answer["flaw"]["seq"], answer["flaw"]["kind"]) == (3, 5, "anchor")


def test_an_anchor_finds_a_trail_cut_off_at_the_end() -> None:
    record_entries(5)
    anchor = verify_audit()[1]["head"]
    with without_triggers():
        delete_the_tail()
        rewrite(first=3)
    assert verify_audit()[0] == 0
    code, answer = verify_audit("--anchor", anchor)
    assert (code, answer["flaw"]["seq"], answer["flaw"]["kind"]) == (3, 4, "anchor")


@pytest.mark.parametrize("anchor", ["5", "5:abc", "latest"])
def test_a_malformed_anchor_is_refused(anchor: str) -> None:
    with pytest.raises(CommandError, match="64 hexadecimal digits"):
        call_command("verify_audit", "--anchor", anchor)


def test_the_batch_size_makes_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    record_entries(7)
    monkeypatch.setattr("tenants.audit.reading.BATCH", 3)
    assert verify_audit()[1]["entries"] == 7
    with without_triggers():
        delete_one()
    assert verify_audit()[1]["flaw"]["seq"] == 3


@pytest.mark.django_db(transaction=True)
def test_concurrent_writers_make_one_chain() -> None:
    together = threading.Barrier(6)

    def append(number: int) -> None:
        try:
            together.wait(timeout=60)
            for turn in range(8):
                with transaction.atomic():
                    record(Action.MEMBER_ENABLED, by=SOMEBODY, target=f"{number}.{turn}")
        finally:
            databases.close_all()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(append, range(6)))
    code, answer = verify_audit()
    assert (code, answer["entries"]) == (0, 48)
    assert len(set(AuditEvent.objects.values_list("target", flat=True))) == 48
    moments = list(AuditEvent.objects.order_by("seq").values_list("at", flat=True))
    assert moments == sorted(moments)


@pytest.mark.django_db(transaction=True)
def test_verification_succeeds_while_others_write() -> None:
    record_entries(20)
    stop = threading.Event()

    def keep_writing() -> None:
        try:
            while not stop.is_set():
                record_entries(1)
        finally:
            databases.close_all()

    with ThreadPoolExecutor(1) as pool:
        writer = pool.submit(keep_writing)
        try:
            verdicts = [verify() for _ in range(10)]
        finally:
            stop.set()
        writer.result()
    assert [verdict.flaw for verdict in verdicts] == [None] * 10


def test_an_entry_is_rolled_back_with_its_transaction() -> None:
    record_entries(2)
    with transaction.atomic():
        record_entries(2)
        transaction.set_rollback(True)
    record_entries(1)
    assert verify_audit()[1]["entries"] == 3
