"""The chain of one organisation: verified without the entries of others, in the database and in an export."""

from __future__ import annotations

import hashlib
import json
import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction
from django.db import connections as databases
from django.test.utils import CaptureQueriesContext

from tenants.audit import NewEntry, record_all
from tenants.audit.actions import Action
from tenants.audit.chain import Point
from tenants.audit.own_verification import verify_own
from tenants.audit.reading import EntryFilter, json_lines
from tenants.audit.verification import verify_part
from tenants.models import AuditEvent, AuditOrgHead
from tests.world.plans import gather_statistics, plans_of
from tests.world.trail import SOMEBODY, make_older, record_entries, rewrite, run_sql, verify_audit, without_triggers

pytestmark = pytest.mark.django_db
ACME, GLOBEX = uuid.UUID(int=0xAC), uuid.UUID(int=0x61)


def mixed(turns: int = 3) -> None:
    """Entries 1, 4, 7, … are Acme's."""
    for _ in range(turns):
        record_entries(1, org=ACME)
        record_entries(1, org=GLOBEX)
        record_entries(1)


def verify_org(org: uuid.UUID, *arguments: str) -> tuple[int, dict[str, Any]]:
    return verify_audit("--org", str(org), *arguments)


def export_of(org: uuid.UUID, path: Path) -> Path:
    path.write_bytes(b"".join(json_lines(EntryFilter(org))))
    return path


def test_each_organisation_has_a_whole_chain_of_its_own() -> None:
    mixed()
    assert verify_audit()[0] == 0
    for org in (ACME, GLOBEX):
        code, answer = verify_org(org)
        last = AuditEvent.objects.filter(org=org).latest("seq")
        assert (code, answer["entries"], answer["head"]) == (0, 3, f"3:{last.org_hash}")
    assert verify_org(uuid.UUID(int=1))[1]["entries"] == 0


def test_an_export_of_one_tenant_is_verified_by_the_documented_rule(tmp_path: Path) -> None:
    mixed()
    lines = [json.loads(line) for line in export_of(ACME, tmp_path / "acme.jsonl").read_text().splitlines()]
    before = "0" * 64
    for place, line in enumerate(lines, start=1):
        links = {name: line.pop(name) for name in ("previous_hash", "hash", "org_seq", "org_previous_hash", "org_hash")}
        assert sha256(links["previous_hash"], line) == links["hash"]
        assert sha256(before, {"org_seq": place, "hash": links["hash"]}) == links["org_hash"]
        before = links["org_hash"]
    assert len(lines) == 3
    assert verify_org(ACME, "--file", str(tmp_path / "acme.jsonl"), "--anchor", f"3:{before}")[0] == 0


def sha256(previous: str, content: object) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(f"{previous}\n{text}".encode()).hexdigest()


def change_the_content() -> None:
    run_sql("UPDATE tenants_auditevent SET why = 'another' WHERE seq = 4")


def delete_one() -> None:
    run_sql("DELETE FROM tenants_auditevent WHERE seq = 4")


def delete_the_end() -> None:
    run_sql("DELETE FROM tenants_auditevent WHERE seq = 7")


def give_one_to_another() -> None:
    run_sql("UPDATE tenants_auditevent SET org_seq = 3, org = %s WHERE seq = 4", database_id(GLOBEX))


def swap_two_places() -> None:
    for now, then in ((2, 99), (3, 2), (99, 3)):
        run_sql("UPDATE tenants_auditevent SET org_seq = %s WHERE org_seq = %s AND org = %s", then, now, own_id())


def change_a_link() -> None:
    run_sql("UPDATE tenants_auditevent SET org_hash = %s WHERE seq = 4", "f" * 64)


def move_the_head_back() -> None:
    last = AuditEvent.objects.get(seq=4)
    AuditOrgHead.objects.filter(org=ACME).update(seq=2, hash=last.org_hash)


def delete_the_head() -> None:
    AuditOrgHead.objects.filter(org=ACME).delete()


def rewrite_the_head() -> None:
    AuditOrgHead.objects.filter(org=ACME).update(hash="f" * 64)


def own_id() -> object:
    return database_id(ACME)


def database_id(org: uuid.UUID) -> object:
    return org.hex if connection.vendor == "sqlite" else org


TAMPERING = [
    (change_the_content, "changed"),
    (delete_one, "missing"),
    (delete_the_end, "truncated"),
    (give_one_to_another, "missing"),
    (swap_two_places, "missing"),
    (change_a_link, "changed"),
    (move_the_head_back, "added"),
    (delete_the_head, "added"),
    (rewrite_the_head, "head"),
]


@pytest.mark.parametrize(("tamper", "kind"), TAMPERING)
def test_tampering_is_found_by_the_organisation_itself(tamper: Callable[[], None], kind: str) -> None:
    mixed()
    with without_triggers():
        tamper()
    code, answer = verify_org(ACME)
    assert (code, answer["flaw"]["kind"]) == (3, kind)


@pytest.mark.parametrize("tamper", [tamper for tamper, _ in TAMPERING])
def test_tampering_with_one_organisation_breaks_the_whole_trail(tamper: Callable[[], None]) -> None:
    mixed()
    with without_triggers():
        tamper()
    assert verify_audit()[0] == 3


def test_a_changed_entry_of_others_does_not_break_ones_own_chain() -> None:
    mixed()
    with without_triggers():
        run_sql("UPDATE tenants_auditevent SET why = 'another' WHERE seq = 8")
    assert verify_org(ACME)[0] == 0
    assert verify_org(GLOBEX)[0] == 3


def test_the_head_of_one_organisation_pins_the_whole_trail_before_it() -> None:
    mixed()
    anchor = verify_org(ACME)[1]["head"]
    record_entries(1, org=ACME)
    assert verify_org(ACME, "--anchor", anchor)[0] == 0
    with without_triggers():
        # An entry of another organisation is changed, and everything is recomputed to fit.
        run_sql("UPDATE tenants_auditevent SET why = 'another' WHERE seq = 2")
        rewrite(first=2)
    assert (verify_audit()[0], verify_org(ACME)[0]) == (0, 0)
    code, answer = verify_org(ACME, "--anchor", anchor)
    assert (code, answer["flaw"]["kind"]) == (3, "anchor")


@pytest.mark.parametrize("line", [0, 1, 2])
def test_a_missing_line_of_an_export_is_found(tmp_path: Path, line: int) -> None:
    mixed()
    anchor = verify_org(ACME)[1]["head"]
    file = export_of(ACME, tmp_path / "acme.jsonl")
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join(text for number, text in enumerate(lines) if number != line))
    code, answer = verify_org(ACME, "--file", str(file), "--anchor", anchor)
    # A later beginning is no flaw: it says after which entry it begins.
    assert (code, answer["after"].partition(":")[0]) == ((0, "1") if line == 0 else (3, "0"))


def test_the_chain_of_one_organisation_is_found_in_an_export_of_all(tmp_path: Path) -> None:
    mixed()
    file = tmp_path / "all.jsonl"
    file.write_bytes(b"".join(json_lines(EntryFilter())))
    assert verify_audit("--file", str(file))[1]["entries"] == 9
    assert verify_org(GLOBEX, "--file", str(file))[1]["entries"] == 3


def test_the_chains_stay_whole_when_the_trail_is_shortened(tmp_path: Path) -> None:
    mixed()
    make_older()
    record_entries(2, org=ACME)
    anchor = verify_org(ACME)[1]["head"]
    call_command("shorten_audit", "--to", str(tmp_path))
    (file,) = tmp_path.iterdir()
    assert verify_audit()[0] == 0
    code, answer = verify_org(ACME, "--anchor", anchor)
    assert (code, answer["entries"]) == (0, 2)
    code, globex = verify_org(GLOBEX)
    assert (code, globex["entries"]) == (0, 0)
    # The file and the database are one chain.
    assert verify_org(ACME, "--file", str(file))[1]["head"] == answer["after"]
    assert verify_org(GLOBEX, "--file", str(file))[1]["head"] == globex["head"]
    record_entries(1, org=GLOBEX)
    assert verify_org(GLOBEX)[1]["after"] == globex["head"]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE tenants_auditevent SET org_hash = 'x' WHERE seq = 1",
        "UPDATE tenants_auditevent SET org_seq = 9 WHERE seq = 1",
        "UPDATE tenants_auditorghead SET seq = 1",
        "UPDATE tenants_auditorghead SET kept_after = 9",
        "DELETE FROM tenants_auditorghead",
    ],
)
def test_sql_changes_no_link_and_moves_no_head_back(statement: str) -> None:
    mixed()
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        run_sql(statement)


def test_entries_recorded_together_need_no_query_an_entry() -> None:
    mixed(1)

    def queries_for(count: int) -> int:
        entries = [NewEntry(Action.MEMBER_ENABLED, SOMEBODY, org=(ACME, GLOBEX)[n % 2]) for n in range(count)]
        with CaptureQueriesContext(connection) as queries:
            record_all(entries)
        return len(queries)

    assert queries_for(4) == queries_for(40)
    assert verify_audit()[0] == 0


@pytest.mark.django_db(transaction=True)
def test_writers_of_several_organisations_make_whole_chains() -> None:
    orgs = [uuid.UUID(int=number) for number in range(1, 4)]
    together = threading.Barrier(6)

    def append(number: int) -> None:
        try:
            together.wait(timeout=60)
            for turn in range(6):
                first, second = orgs[(number + turn) % 3], orgs[number % 3]
                record_all([NewEntry(Action.MEMBER_ENABLED, SOMEBODY, org=org) for org in (first, second)])
        finally:
            databases.close_all()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(append, range(6)))
    assert verify_audit()[1]["entries"] == 72
    assert sum(verify_org(org)[1]["entries"] for org in orgs) == 72


def test_an_org_id_has_to_be_one() -> None:
    with pytest.raises(CommandError, match="is no org id"):
        verify_audit("--org", "acme")


def test_a_part_of_a_long_trail_is_found_by_its_chains_index() -> None:
    """Otherwise each page of the verification would sort all entries of the organisation."""
    for org in (ACME, GLOBEX):
        record_all([NewEntry(Action.MEMBER_ENABLED, SOMEBODY, org=org) for _ in range(400)])
    gather_statistics()
    through = AuditEvent.objects.get(org=ACME, org_seq=200)
    plans = [
        *plans_of(lambda: verify_part(ACME, most=100), about="org_seq", sorted_by_index=True),
        *plans_of(
            lambda: verify_own(ACME, through=Point(200, through.org_hash)), about="org_seq", sorted_by_index=True
        ),
    ]
    led = [plan for plan in plans if "audit_of_org_chain" in plan]
    # Where a part begins, whether the next one is of the chain, and the times of its first and its last entry.
    assert len(led) >= 5, plans
    assert not [plan for plan in led if "Sort" in plan or "TEMP B-TREE" in plan], plans
