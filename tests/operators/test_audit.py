"""The audit trail in the operators' portal: filtered by who, what, where and when, read by entry, exported as CSV."""

from __future__ import annotations

import csv
import io
import re
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from portal.demo.cast import ACME, ACME_EDITOR, GLOBEX, OPERATOR
from tenants.audit import csv as audit_csv
from tenants.audit import record, writing
from tenants.audit.actions import Action
from tenants.domain.actor import WORKER, Actor, ActorKind
from tenants.members.preferences import set_preferences
from tenants.members.roster import disable
from tenants.models import AuditEvent, Person
from tenants.pages.lists import PAGE_SIZE
from tests.world.fixtures import Browser
from tests.world.pages import errors_in, text_of
from tests.world.stage import SOMEBODY, member_called

ACME_ID = UUID(str(ACME.org_id))


def listed(page: Any) -> list[int]:
    return [int(seq) for seq in re.findall(r'class="time"><a href="(\d+)/"', page.content.decode())]


def lines_of(answer: Any) -> list[dict[str, str]]:
    text = b"".join(answer.streaming_content).decode()
    return list(csv.DictReader(io.StringIO(text)))


def entry(at: datetime, **about: Any) -> int:
    """One that was written at this time, by its writer's clock."""
    given: dict[str, Any] = {"by": SOMEBODY, "org": ACME_ID, "target": "somebody", **about}

    class Clock:
        @staticmethod
        def now() -> datetime:
            return at

    before, writing.timezone = writing.timezone, Clock  # type: ignore[assignment]
    try:
        return record(given.pop("action", Action.MEMBER_ADDED), **given).seq
    finally:
        writing.timezone = before


def test_entries_are_found_by_what_who_where_and_when(operator: Browser) -> None:
    first = entry(datetime(2026, 3, 1, 23, 59, 59, 999_999, tzinfo=UTC))
    # Of two clocks that differ neither hides what it stamped.
    late = entry(datetime(2026, 3, 2, 0, 5, tzinfo=UTC), by=WORKER)
    early = entry(datetime(2026, 3, 1, 23, 58, tzinfo=UTC), org=UUID(str(GLOBEX.org_id)))
    olive = Person.objects.get(email=OPERATOR.email)
    hers = entry(
        datetime(2026, 3, 9, tzinfo=UTC),
        by=Actor(str(olive.sub), OPERATOR.email, ActorKind.OPERATOR),
        action=Action.TENANT_RENAMED,
    )
    typed = entry(datetime(2026, 3, 9, tzinfo=UTC), by=Actor("command", "Ann@Laptop.local", ActorKind.TERMINAL))
    gone = entry(datetime(2026, 3, 9, tzinfo=UTC), by=Actor("an old sub", "gone@acme.example", ActorKind.MEMBER))
    expected = {
        "?from=2026-03-01&to=2026-03-01": [first, early],
        "?from=2026-03-02&to=2026-03-08": [late],
        "?to=2026-02-28": [],
        "?from=2099-01-01": [],
        "?from=0001-01-01&to=2026-03-01": [first, early],
        "?from=2026-03-09&to=2026-03-09": [gone, typed, hers],
        "?actor=worker": [late],
        "?actor=Provisioning": [late],
        "?actor=Ann@Laptop.local": [typed],
        f"?actor={OPERATOR.email.upper()}&action=tenant.renamed": [hers],
        f"?actor={olive.sub}&action=tenant.renamed": [hers],
        "?actor=gone@acme.example": [gone],
        "?actor=nobody@nowhere.example": [],
        f"?org={GLOBEX.org_id}&from=2026-03-01&to=2026-03-09": [early],
    }
    assert {query: listed(operator.get(f"/operators/audit/{query}")) for query in expected} == expected
    assert "No entry matches" in text_of(operator.get("/operators/audit/?to=2026-02-28"))
    assert operator.get("/operators/audit/?from=2026-03-01&to=9999-12-31").status_code == 200


def test_days_are_those_of_the_readers_time_zone_and_files_stay_in_utc(operator: Browser) -> None:
    set_preferences(Person.objects.get(email=OPERATOR.email).pk, theme="", time_zone="Asia/Tokyo")
    first = entry(datetime(2026, 3, 1, 14, 59, tzinfo=UTC))
    second = entry(datetime(2026, 3, 1, 15, 0, tzinfo=UTC), org=UUID(str(GLOBEX.org_id)))
    address = "/operators/audit/?from=2026-03-02&to=2026-03-02"
    page = operator.get(address)
    assert listed(page) == [second]
    assert "2 Mar 2026, 00:00:00 JST" in text_of(page)
    assert listed(operator.get("/operators/audit/?from=2026-03-01&to=2026-03-01")) == [first]
    timeline = text_of(operator.get(f"/operators/tenants/{GLOBEX.org_id}/timeline/"))
    assert "Monday, 2 March 2026" in timeline
    assert "Times are in Asia/Tokyo." in timeline
    exported = operator.post(address.replace("audit/?", "audit/export/?"))
    assert "2026-03-01T15:00:00+00:00" in b"".join(exported.streaming_content).decode()
    after = AuditEvent.objects.get(action="audit.exported").after
    assert after["days_in"] == "Asia/Tokyo"
    # Before this day no moment exists in UTC.
    assert listed(operator.get("/operators/audit/?from=0001-01-01&to=2026-03-01")) == [first]
    refused = operator.get("/operators/audit/?to=nonsense")
    assert (refused.status_code, list(errors_in(refused))) == (400, ["to"])


def test_a_day_with_more_entries_than_a_page_is_read_whole(operator: Browser) -> None:
    made = [entry(datetime(2026, 3, 1, 12, tzinfo=UTC) + timedelta(seconds=n // 2)) for n in range(PAGE_SIZE + 5)]
    seen: list[int] = []
    address = "/operators/audit/?from=2026-03-01&to=2026-03-01"
    while address:
        page = operator.get(address)
        seen += listed(page)
        address = "".join(re.findall(r'rel="next" href="([^"]*)"', text_of(page)))
    assert seen == made[::-1]


def test_an_entry_says_who_did_what_to_whom_why_and_what_was_before(operator: Browser) -> None:
    member = member_called(ACME_EDITOR.email)
    disable(member, by=SOMEBODY, why="on <leave>")
    event = AuditEvent.objects.get(action=Action.MEMBER_DISABLED)
    page = operator.get(f"/operators/audit/{event.seq}/")
    for words in ("<bdi>a test</bdi> disabled <bdi>", ACME_EDITOR.email, "Acme Ltd", event.hash, event.previous_hash):
        assert words in text_of(page)
    assert "on &lt;leave&gt;" in page.content.decode()
    assert re.search(r'aria-label="Before">{\s+&quot;enabled&quot;: true', page.content.decode())
    assert operator.get("/operators/audit/10000000000/").status_code == 404


def test_the_filtered_list_is_exported_as_csv_and_that_is_audited(operator: Browser) -> None:
    disable(member_called(ACME_EDITOR.email), by=SOMEBODY, why="=HYPERLINK(1)\nand more")
    answer = operator.post("/operators/audit/export/?action=member.disabled&after=9")
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert re.fullmatch(r'attachment; filename="audit-[\d-]+\.csv"', answer["Content-Disposition"])
    (line,) = lines_of(answer)
    assert line["why"] == "'=HYPERLINK(1)\nand more", "a spreadsheet must not run it"
    assert (line["target"], line["before"]) == (ACME_EDITOR.email, '{"enabled": true}')
    taken = AuditEvent.objects.get(action=Action.AUDIT_EXPORTED)
    assert taken.actor_name == OPERATOR.email
    assert taken.after == {"as": "csv", "of": {"action": "member.disabled"}}


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "\t", "\r"])
def test_nothing_in_the_csv_is_a_formula(operator: Browser, sign: str) -> None:
    entry(datetime(2026, 3, 1, tzinfo=UTC), target=f"{sign}1+1")
    lines = lines_of(operator.post("/operators/audit/export/?action=member.added"))
    assert all(not value.startswith(("=", "+", "-", "@", "\t", "\r")) for line in lines for value in line.values())


def test_an_export_reads_in_pieces_up_to_the_entry_it_began_at(
    operator: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_csv, "BATCH", 10)
    for _ in range(25):
        entry(datetime(2026, 3, 1, tzinfo=UTC) + timedelta(seconds=1))
    newest = AuditEvent.objects.order_by("-seq")[0].seq
    answer = operator.post("/operators/audit/export/?action=member.added")
    late = entry(datetime(2026, 3, 2, tzinfo=UTC))
    with CaptureQueriesContext(connection) as asked:
        lines = lines_of(answer)
    assert [int(line["seq"]) for line in lines] == list(range(newest - 24, newest + 1))
    assert late not in [int(line["seq"]) for line in lines]
    assert len(asked) == 3


def test_an_export_needs_a_post(operator: Browser) -> None:
    assert operator.get("/operators/audit/export/").status_code == 405
    assert not AuditEvent.objects.filter(action=Action.AUDIT_EXPORTED).exists()


def test_a_wrong_filter_is_reported_at_its_field_and_the_others_stay(operator: Browser) -> None:
    for query, field in (("org=nobody", "org"), ("from=yesterday", "from"), ("to=2026-02-30", "to")):
        page = operator.get(f"/operators/audit/?action=tenant.renamed&actor=root@vm&{query}")
        assert page.status_code == 400
        text = text_of(page)
        assert f'<a href="#{field}">' in text
        assert 'value="root@vm"' in text
        assert '<option value="tenant.renamed" selected>' in text
        assert "Nothing has happened yet" not in text


def test_all_wrong_filters_are_told_at_once(operator: Browser) -> None:
    page = operator.get("/operators/audit/?action=tenant.eaten&org=nobody&from=2026-03-02&to=2026-03-01")
    assert page.status_code == 400
    assert errors_in(page) == {
        "action": "Unknown event “tenant.eaten”. Choose one from the list.",
        "org": "No tenant has the short name “nobody”, and it is no org id. Enter one of the two.",
        "to": "The last day is before the first. Change one of them.",
    }


def test_events_are_chosen_in_words_and_in_groups(operator: Browser) -> None:
    at = datetime(2026, 3, 1, tzinfo=UTC)
    removed, added = entry(at, action=Action.MEMBER_REMOVED), entry(at, action=Action.MEMBER_ADDED)
    renamed = entry(at, action=Action.TENANT_RENAMED)
    days = "from=2026-03-01&to=2026-03-01"
    expected = {"members": [added, removed], "member.removed": [removed], "organisation": [renamed]}
    assert {kind: listed(operator.get(f"/operators/audit/?action={kind}&{days}")) for kind in expected} == expected
    text = text_of(operator.get(f"/operators/audit/?{days}"))
    assert '<optgroup label="Members">' in text
    assert '<td role="cell" class="wrap" data-label="Event">Members: Removed</td>' in text
    assert '<td role="cell" class="wrap" data-label="Event">Organisation: Renamed</td>' in text


def test_filters_in_use_are_chips_and_named_where_nothing_matches(operator: Browser) -> None:
    address = "/operators/audit/?action=member.removed&actor=worker&org=acme&from=2026-03-01"
    page = text_of(operator.get(address))
    chips = re.findall(r'<li class="chip"><span>(\w+): <b><bdi>([^<]*)</bdi></b></span> <a href="([^"]*)"', page)
    assert [(label, words) for label, words, _ in chips] == [
        ("Event", "Members: Removed"),
        ("Who", "worker"),
        ("Tenant", "Acme Ltd"),
        ("From", "2026-03-01"),
    ]
    assert chips[2][2] == "/operators/audit/?action=member.removed&actor=worker&from=2026-03-01"
    assert "No entry matches" in page
    assert "Who: <b><bdi>worker</bdi></b>, Tenant: <b><bdi>Acme Ltd</bdi></b> and From: <b><bdi>2026-03-01<" in page
    assert "also what was done to this person" not in page, "a program is no person"
    wrong = text_of(operator.get("/operators/audit/?action=nonsense&actor=worker"))
    assert re.findall(r'class="chip"><span>(\w+):', wrong) == ["Who"]


def test_a_tenant_is_found_by_its_short_name_and_named_beside_its_id(operator: Browser) -> None:
    made = entry(datetime(2026, 3, 1, tzinfo=UTC))
    entry(datetime(2026, 3, 1, tzinfo=UTC), org=UUID(str(GLOBEX.org_id)))
    page = operator.get("/operators/audit/?org=acme&from=2026-03-01&to=2026-03-01")
    assert listed(page) == [made]
    assert f"<bdi>Acme Ltd</bdi></a> <code>{ACME_ID}</code>" in text_of(page)


def test_with_a_tenant_what_was_done_to_the_person_is_found_too(operator: Browser) -> None:
    done = entry(datetime(2026, 3, 1, tzinfo=UTC), target=ACME_EDITOR.email)
    page = operator.get(f"/operators/audit/?org=acme&actor={ACME_EDITOR.email}")
    assert done in listed(page)
    assert "also what was done to this person" in text_of(page)
    assert done not in listed(operator.get(f"/operators/audit/?actor={ACME_EDITOR.email}"))
