"""The Activity page: an organisation's own trail, filtered by person, kind and days, as CSV, and verified."""

from __future__ import annotations

import csv
import io
import logging
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from portal.demo.cast import ACME, ACME_EDITOR, ACME_OWNER, ACME_VIEWER, GLOBEX, GLOBEX_OWNER, OPERATOR, CastMember
from portal.environment import BASE
from tenants.audit import activity_filter, own_verification, record, writing
from tenants.audit.actions import Action
from tenants.audit.activity import recent_activity
from tenants.domain.actor import WORKER, Actor, ActorKind
from tenants.models import AuditEvent, AuditHead, AuditOrgHead, Person
from tenants.pages.lists import PAGE_SIZE
from tests.world.fixtures import Browser
from tests.world.pages import errors_in, text_of
from tests.world.stage import member_called
from tests.world.trail import run_sql, without_triggers

ACME_ID, GLOBEX_ID = UUID(str(ACME.org_id)), UUID(str(GLOBEX.org_id))
TERMINAL = Actor("command", "root@vm", ActorKind.TERMINAL)
Browse = Callable[[CastMember], Browser]


def actor(person: CastMember) -> Actor:
    kind = ActorKind.OPERATOR if person is OPERATOR else ActorKind.MEMBER
    sub = str(Person.objects.get(email=person.email).sub)
    return Actor(sub, person.email, kind, "" if person is OPERATOR else person.role)


def entry(action: Action, *, by: Actor = WORKER, org: UUID = ACME_ID, at: datetime | None = None, **about: Any) -> int:
    """The entry's number in its organisation's chain."""

    class Clock:
        @staticmethod
        def now() -> datetime:
            return at or timezone.now()

    before, writing.timezone = writing.timezone, Clock  # type: ignore[assignment]
    try:
        return record(action, by=by, org=org, **about).org_seq or 0
    finally:
        writing.timezone = before


def listed(page: Any) -> list[int]:
    return [int(seq) for seq in re.findall(r'<li id="entry-(\d+)"', page.content.decode())]


def lines_of(answer: Any) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode())))


def sentences(page: Any) -> list[str]:
    found = re.findall(r"<div><p>(.*?)</p>", page.content.decode(), re.DOTALL)
    return [unescape(re.sub(r"<[^>]+>", "", one)).strip() for one in found]


def test_the_newest_entries_come_first_with_names_and_a_zone(browse_as: Browse) -> None:
    owner = browse_as(ACME_OWNER)
    seq = entry(Action.MEMBER_DISABLED, by=actor(OPERATOR), target=ACME_EDITOR.email, why="A stolen <laptop>.")
    page = owner.get("/activity/")
    assert listed(page)[0] == seq
    assert sentences(page)[0] == (
        "An operator of the platform disabled Edgar Acme (editor@acme.example): they cannot sign in."
    )
    newest = AuditEvent.objects.get(org=ACME_ID, org_seq=seq)
    assert f"{newest.at:%H:%M:%S} UTC</time>" in text_of(page)
    assert f"{newest.at:%A}, {newest.at.day} {newest.at:%B %Y}" in text_of(page)
    assert "A stolen &lt;laptop&gt;." in page.content.decode()
    assert OPERATOR.email not in text_of(page)
    assert '<a href="/activity/" aria-current="page">Activity</a>' in text_of(page)


def test_entries_are_found_by_person_kind_and_days(browse_as: Browse) -> None:
    owner = browse_as(ACME_OWNER)
    day = datetime(2026, 3, 1, 23, 59, 59, 999_999, tzinfo=UTC)
    hers = entry(Action.MEMBER_INVITED, by=actor(ACME_OWNER), at=day, target="x@acme.example")
    his = entry(Action.SIGNED_IN, by=actor(ACME_EDITOR), at=day)
    about_him = entry(Action.MEMBER_ROLE_CHANGED, by=TERMINAL, at=day, target=ACME_EDITOR.email)
    ours = entry(Action.TENANT_RENAMED, by=actor(OPERATOR), at=day + timedelta(microseconds=1))
    robot = entry(Action.MEMBER_PROVISIONED, at=day + timedelta(days=1), target=ACME_VIEWER.email)
    left = Actor("0e1f0000-0000-4000-8000-000000000001", "left@acme.example", ActorKind.MEMBER, "admin")
    gone = entry(Action.SIGNED_IN, by=left, at=day + timedelta(days=1))
    of = "from=2026-03-01&to=2026-03-02"
    expected = {
        of: [gone, robot, ours, about_him, his, hers],
        "from=2026-03-01&to=2026-03-01": [about_him, his, hers],
        "from=2026-03-02&to=2026-03-02": [gone, robot, ours],
        f"{of}&person=EDITOR@acme.example": [about_him, his],
        f"{of}&person=edgar acme": [about_him, his],
        f"{of}&person=left@acme.example": [gone],
        f"{of}&person=an operator": [ours],
        f"{of}&person=The worker": [robot],
        f"{of}&person=The terminal": [about_him],
        f"{of}&person=Somebody not signed in": [],
        f"{of}&kind=members": [about_him, hers],
        f"{of}&kind=member.invited": [hers],
        f"{of}&kind=sign-in&person={ACME_EDITOR.email}": [his],
        f"{of}&kind=users": [robot],
    }
    assert {query: listed(owner.get(f"/activity/?{query}")) for query in expected} == expected


def test_a_filter_that_finds_nothing_says_which_and_clears(browse_as: Browse) -> None:
    page = browse_as(ACME_OWNER).get("/activity/?person=the terminal&kind=member.removed&from=2026-03-01&to=2026-03-02")
    text = text_of(page)
    assert "No entry matches" in text
    filters = {"Person": "the terminal", "Kind": "Members: Removed", "From": "1 March 2026", "To": "2 March 2026"}
    said = [f"{label}: <b><bdi>{words}</bdi></b>" for label, words in filters.items()]
    assert f"Nothing in this list has {', '.join(said[:-1])} and {said[-1]}." in text
    assert '<a class="button" href="/activity/">Clear these filters</a>' in text
    removed = [f"{label}: {words}" for label, words in filters.items()]
    assert re.findall(r'aria-label="Remove the filter ([^"]+)"', text) == removed
    assert '<a href="/activity/?person=the+terminal&kind=member.removed&to=2026-03-02"' in text


def test_all_mistakes_are_told_at_once_at_their_fields(browse_as: Browse) -> None:
    owner = browse_as(ACME_OWNER)
    page = owner.get("/activity/?person=nobody@acme.example&kind=zzz&from=yesterday&to=2026-02-30")
    assert page.status_code == 400
    assert errors_in(page) == {
        "person": "The trail knows nobody called “nobody@acme.example”. Enter the whole e-mail address, or choose from "
        "the list.",
        "kind": "Unknown kind “zzz”. Choose one from the list.",
        "from": "“yesterday” is not a day. Write it like 2026-03-31.",
        "to": "“2026-02-30” is not a day. Write it like 2026-03-31.",
    }
    for kept in ("nobody@acme.example", "yesterday", "2026-02-30"):
        assert f'value="{kept}"' in text_of(page)
    turned = owner.get("/activity/?from=2026-03-02&to=2026-03-01")
    assert errors_in(turned) == {"to": "The last day is before the first. Change one of them."}
    assert owner.post("/activity/export/?from=yesterday").status_code == 400


def test_a_name_of_two_people_asks_for_the_address(browse_as: Browse) -> None:
    Person.objects.filter(email=ACME_VIEWER.email).update(name="Edgar Acme")
    page = browse_as(ACME_OWNER).get("/activity/?person=Edgar Acme")
    assert errors_in(page) == {"person": "Several people are called “Edgar Acme”. Enter the e-mail address."}


def test_shortcuts_keep_the_other_filters_and_say_where_one_is(browse_as: Browse) -> None:
    owner = browse_as(ACME_OWNER)
    text = text_of(owner.get("/activity/?kind=members&after=9"))
    found = dict(re.findall(r'<a href="(/activity/\?[^"]*)">(Today|7 days|30 days)</a>', text))
    assert sorted(found.values()) == ["30 days", "7 days", "Today"]
    address = next(at for at, label in found.items() if label == "7 days")
    today = timezone.now().date()
    assert address == f"/activity/?kind=members&from={today - timedelta(days=6)}&to={today}"
    assert 'aria-current="true">7 days</a>' in text_of(owner.get(address))


def test_all_pages_together_show_each_own_entry_once(browse_as: Browse) -> None:
    owner = browse_as(ACME_OWNER)
    for number in range(PAGE_SIZE + 20):
        entry(Action.MEMBER_REMOVED, target=f"p{number}@acme.example")
        entry(Action.MEMBER_REMOVED, org=GLOBEX_ID, target=f"p{number}@globex.example")
    own = list(AuditEvent.objects.filter(org=ACME_ID).order_by("-seq").values_list("org_seq", flat=True))
    seen, following = [], "/activity/"
    while following:
        page = owner.get(following)
        seen += listed(page)
        following = page.context["page"].next
    assert seen == own
    first = AuditEvent.objects.filter(org=ACME_ID).earliest("seq")
    for edge in (f"after={first.seq}", "before=99999999"):
        beyond = text_of(owner.get(f"/activity/?kind=members&{edge}"))
        assert "You are past the end of this list" in beyond
        assert 'href="/activity/?kind=members">Go to the first page' in beyond


def test_a_long_list_costs_no_more_queries_than_a_short_one(browse_as: Browse) -> None:
    owner, counts = browse_as(ACME_OWNER), []
    for more in (1, PAGE_SIZE):
        for number in range(more):
            by = Actor(f"0e1f0000-0000-4000-8000-{number:012}", "left@acme.example", ActorKind.MEMBER)
            entry(Action.MEMBER_REMOVED, by=by, target=f"p{number}@acme.example")
        owner.get("/activity/")
        with CaptureQueriesContext(connection) as asked:
            owner.get("/activity/")
        counts.append(len(asked))
        assert not [query for query in asked if "COUNT(" in query["sql"] and "auditevent" in query["sql"]]
    assert counts[1] <= counts[0]


@pytest.mark.parametrize("person", [ACME_EDITOR, ACME_VIEWER], ids=lambda person: person.role)
def test_editors_and_viewers_read_their_own_acts_only(browse_as: Browse, person: CastMember) -> None:
    member = browse_as(person)
    entry(Action.SIGNED_IN, by=actor(ACME_OWNER))
    entry(Action.MEMBER_ROLE_CHANGED, by=actor(ACME_OWNER), target=person.email)
    own = list(
        AuditEvent.objects.filter(org=ACME_ID, actor=actor(person).id)
        .order_by("-seq")
        .values_list("org_seq", flat=True)
    )
    for query in ("", f"?person={ACME_OWNER.email}", "?person=the terminal", "?person=zzz"):
        page = member.get(f"/activity/{query}")
        assert listed(page) == own, query
        assert ACME_OWNER.email not in text_of(page).replace(query, "")
    assert "Verify this trail" not in text_of(page)
    assert [line["org_seq"] for line in lines_of(member.post("/activity/export/"))] == [str(seq) for seq in own[::-1]]
    assert member.get("/activity/verify/").status_code == 403


QUERIES = (
    "", "?person=editor@acme.example", "?person=Edgar Acme", "?person=owner@acme.example", "?person=an operator",
    "?kind=members", "?kind=member.removed", f"?org={ACME.org_id}", f"?tenant={ACME.slug}&org_id={ACME.org_id}",
    "?from=2000-01-01&to=2099-01-01", "?before=1", "?after=99999999", "?last=1",
)  # fmt: skip


@pytest.mark.parametrize("query", QUERIES)
def test_globex_sees_nothing_of_acme_whatever_it_asks(browse_as: Browse, query: str) -> None:
    gus = browse_as(GLOBEX_OWNER)
    entry(Action.MEMBER_REMOVED, by=actor(ACME_OWNER), target="secret@acme.example", why="acme only")
    mine = entry(Action.MEMBER_REMOVED, by=actor(GLOBEX_OWNER), org=GLOBEX_ID, target="x@globex.example")
    page = gus.get(f"/activity/{query}")
    own = set(AuditEvent.objects.filter(org=GLOBEX_ID).values_list("org_seq", flat=True))
    assert set(listed(page)) <= own
    answer = gus.post(f"/activity/export/{query}")
    exported = b"".join(answer.streaming_content).decode() if answer.streaming else text_of(answer)
    # What the page repeats of the address says nothing about Acme.
    for text in (text_of(page).replace("editor@acme.example", "").replace("owner@acme.example", ""), exported):
        for theirs in ("secret@acme.example", "acme only", "Ada Acme", "Acme Ltd"):
            assert theirs not in text
    if not query:
        assert listed(page)[0] == mine
    if "@acme.example" in query or "Edgar" in query:
        assert page.status_code == 400


def test_operators_have_no_activity_page_and_visitors_sign_in(operator: Browser) -> None:
    assert operator.get("/activity/").status_code == 403
    assert Browser(operator.world).get("/activity/").status_code == 302


def test_an_operators_address_finds_nothing_and_is_not_confirmed(browse_as: Browse) -> None:
    owner = browse_as(ACME_OWNER)
    entry(Action.TENANT_RENAMED, by=actor(OPERATOR))
    for text in (OPERATOR.email, OPERATOR.name, actor(OPERATOR).id):
        page = owner.get("/activity/", {"person": text})
        assert list(errors_in(page)) == ["person"], text


def test_the_filtered_list_is_exported_as_csv_and_that_is_audited(browse_as: Browse) -> None:
    owner = browse_as(ACME_OWNER)
    entry(Action.MEMBER_REMOVED, by=actor(ACME_OWNER), target="=HYPERLINK(1)", why="=1+1")
    entry(Action.MEMBER_ADDED, by=actor(OPERATOR), target="y@acme.example")
    answer = owner.post("/activity/export/?kind=member.removed&after=1")
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert re.fullmatch(r'attachment; filename="activity-[\d-]+\.csv"', answer["Content-Disposition"])
    (line,) = lines_of(answer)
    assert (line["what"], line["why"]) == ("Ada Acme removed =HYPERLINK(1).", "'=1+1")
    assert line["addresses"] == ACME_OWNER.email
    taken = AuditEvent.objects.get(action=Action.AUDIT_EXPORTED)
    assert (taken.org, taken.actor_name) == (ACME_ID, ACME_OWNER.email)
    assert taken.after == {"as": "csv", "of": {"kind": "member.removed"}}
    everything = b"".join(owner.post("/activity/export/").streaming_content).decode()
    assert OPERATOR.email not in everything
    assert actor(OPERATOR).id not in everything


def post_verify(owner: Browser, **form: str) -> Any:
    return owner.post("/activity/verify/", form)


def test_a_whole_trail_says_how_much_was_verified_and_its_head(browse_as: Browse) -> None:
    owner = browse_as(ACME_OWNER)
    entry(Action.MEMBER_REMOVED, target="x@acme.example")
    head = AuditOrgHead.objects.get(org=ACME_ID)
    page = post_verify(owner)
    text = text_of(page)
    assert "The trail is whole" in text
    assert f"Checked {head.seq} entries" in text
    assert f"{head.seq}:{head.hash}" in text
    assert "What it does not prove" in text
    first = AuditEvent.objects.get(org=ACME_ID, org_seq=1)
    assert f'<dt>First entry</dt><dd>1, <time datetime="{first.at.isoformat()}">' in text


def test_a_look_at_the_page_verifies_nothing_yet(browse_as: Browse) -> None:
    assert "What was verified" not in text_of(browse_as(ACME_OWNER).get("/activity/verify/"))


def test_a_broken_trail_is_said_plainly_and_logged(browse_as: Browse, caplog: pytest.LogCaptureFixture) -> None:
    owner = browse_as(ACME_OWNER)
    seq = entry(Action.MEMBER_REMOVED, target="x@acme.example")
    entry(Action.MEMBER_REMOVED, target="y@acme.example")
    with without_triggers():
        run_sql("UPDATE tenants_auditevent SET target = 'z@acme.example' WHERE target = 'x@acme.example'")
    with caplog.at_level(logging.ERROR, logger="tenants.audit.own_verification"):
        page = post_verify(owner)
    assert f"The trail is broken at entry {seq}" in text_of(page)
    (line,) = (line for line in caplog.records if line.name == "tenants.audit.own_verification")
    assert (line.levelname, vars(line)["org"], vars(line)["why"]) == ("ERROR", str(ACME_ID), "changed")


def test_another_organisations_broken_trail_breaks_only_theirs(browse_as: Browse) -> None:
    owner, gus = browse_as(ACME_OWNER), browse_as(GLOBEX_OWNER)
    entry(Action.MEMBER_REMOVED, target="x@acme.example")
    with without_triggers():
        run_sql("UPDATE tenants_auditevent SET target = 'z@acme.example' WHERE target = 'x@acme.example'")
    assert "The trail is broken" in text_of(post_verify(owner))
    assert "The trail is whole" in text_of(post_verify(gus))


def test_a_head_that_was_kept_is_looked_for(browse_as: Browse) -> None:
    owner = browse_as(ACME_OWNER)
    entry(Action.MEMBER_REMOVED, target="x@acme.example")
    head = AuditOrgHead.objects.get(org=ACME_ID)
    entry(Action.MEMBER_REMOVED, target="y@acme.example")
    kept = f"{head.seq}:{head.hash}"
    assert f"The head that you kept, of entry {head.seq}, is in it" in text_of(post_verify(owner, kept=f" {kept} "))
    for other in (f"{head.seq}:{'f' * 64}", f"{head.seq + 5}:{head.hash}"):
        assert "does not contain the head that you kept" in text_of(post_verify(owner, kept=other))
    wrong = post_verify(owner, kept="seventeen")
    assert wrong.status_code == 400
    assert list(errors_in(wrong)) == ["kept"]
    assert 'value="seventeen"' in text_of(wrong)


def test_a_long_trail_is_verified_in_bounded_parts(browse_as: Browse, monkeypatch: pytest.MonkeyPatch) -> None:
    owner = browse_as(ACME_OWNER)
    monkeypatch.setattr(own_verification, "MOST_VERIFIED", 10)
    for number in range(25):
        entry(Action.MEMBER_REMOVED, target=f"p{number}@acme.example")
        entry(Action.MEMBER_REMOVED, org=GLOBEX_ID, target=f"p{number}@globex.example")
    oldest = AuditEvent.objects.get(org=ACME_ID, org_seq=1)
    kept, form, checked = f"1:{oldest.org_hash}", {}, 0
    while True:
        page = post_verify(owner, kept=kept, **form)
        verdict = page.context["result"].verdict
        assert verdict.flaw is None
        assert verdict.entries <= 10
        checked += verdict.entries
        if not page.context["result"].earlier:
            break
        assert "The newest part is whole" in text_of(page) or form
        form = {"through": str(page.context["result"].earlier)}
    assert checked == AuditOrgHead.objects.get(org=ACME_ID).seq
    assert page.context["result"].kept is not None
    assert post_verify(owner, through=f"3:{'f' * 64}").status_code == 400


def test_verifying_again_and_again_is_refused_for_a_while(browse_as: Browse, monkeypatch: pytest.MonkeyPatch) -> None:
    owner = browse_as(ACME_OWNER)
    monkeypatch.setattr(own_verification, "MOST_A_MINUTE", 0)
    page = post_verify(owner)
    assert page.status_code == 409
    assert "Wait a minute" in text_of(page)


def test_entries_that_retention_moved_are_mentioned(browse_as: Browse) -> None:
    owner = browse_as(ACME_OWNER)
    AuditHead.objects.update(kept_after=0)
    AuditOrgHead.objects.filter(org=ACME_ID).update(kept_after=1)
    assert "Earlier entries were moved into files" in text_of(owner.get("/activity/?last=1"))


def documented_check(file: Path) -> str:
    """What the program of docs/audit.md says of a CSV."""
    text = (BASE / "docs" / "audit.md").read_text()
    program = re.search(r"```python\n(import csv.*?)```", text, re.DOTALL)
    assert program
    ran = subprocess.run([sys.executable, "-c", program[1], str(file)], capture_output=True, text=True, check=False)
    return ran.stdout.strip() or ran.stderr.strip().splitlines()[-1]


def test_the_csv_of_everything_is_checked_by_the_documented_program(browse_as: Browse, tmp_path: Path) -> None:
    owner = browse_as(ACME_OWNER)
    head = AuditOrgHead.objects.get(org=ACME_ID)
    whole = b"".join(owner.post("/activity/export/").streaming_content).decode()
    (tmp_path / "whole.csv").write_bytes(whole.encode())
    assert documented_check(tmp_path / "whole.csv") == f"{head.seq}:{head.hash}"
    lines = whole.splitlines(keepends=True)
    (tmp_path / "cut.csv").write_bytes("".join(lines[:2] + lines[3:]).encode())
    assert documented_check(tmp_path / "cut.csv") == "broken at entry 3"
    (tmp_path / "changed.csv").write_bytes(whole.replace(head.hash, "f" * 64).encode())
    assert documented_check(tmp_path / "changed.csv") == f"broken at entry {head.seq}"


def test_a_name_with_markup_is_text(browse_as: Browse) -> None:
    Person.objects.filter(pk=member_called(ACME_EDITOR.email).person_id).update(name="<b>Eve</b>")
    entry(Action.SIGNED_IN, by=actor(ACME_EDITOR))
    page = browse_as(ACME_OWNER).get("/activity/")
    assert "<bdi>&lt;b&gt;Eve&lt;/b&gt;</bdi>" in page.content.decode()
    assert recent_activity(ACME_ID, by=actor(ACME_EDITOR), limit=1)


def test_a_members_page_has_what_they_did_and_what_was_done_to_them(browse_as: Browse) -> None:
    owner = browse_as(ACME_OWNER)
    for number in range(12):
        entry(Action.MEMBER_REMOVED, target=f"p{number}@acme.example")
    entry(Action.MEMBER_ROLE_CHANGED, by=actor(OPERATOR), target=ACME_EDITOR.email)
    entry(Action.SIGNED_IN, by=actor(ACME_EDITOR), after={"role": "editor"})
    page = owner.get(f"/members/{member_called(ACME_EDITOR.email).pk}/")
    assert sentences(page) == [
        "Edgar Acme (editor@acme.example) signed in as editor.",
        "An operator of the platform changed the role of Edgar Acme (editor@acme.example).",
    ]
    (link,) = re.findall(r'href="(/activity/\?person=[^"]*)"', page.content.decode())
    assert len(listed(owner.get(link))) == 2


def test_a_members_page_looks_through_the_newest_entries_only(
    browse_as: Browse, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = browse_as(ACME_OWNER)
    monkeypatch.setattr(activity_filter, "LOOKED_THROUGH", 3)
    entry(Action.SIGNED_IN, by=actor(ACME_EDITOR))
    for number in range(3):
        entry(Action.MEMBER_REMOVED, target=f"p{number}@acme.example")
    page = owner.get(f"/members/{member_called(ACME_EDITOR.email).pk}/")
    assert "Nothing in the newest entries is about them." in text_of(page)


def test_operators_see_a_members_entries_with_names(operator: Browser) -> None:
    entry(Action.MEMBER_ROLE_CHANGED, by=actor(OPERATOR), target=ACME_EDITOR.email)
    page = operator.get(f"/operators/members/{member_called(ACME_EDITOR.email).pk}/")
    assert sentences(page)[0] == f"{OPERATOR.email} changed the role of {ACME_EDITOR.email}."
    assert f"?actor=editor%40acme.example&org={ACME_ID}" in text_of(page)
    herself = operator.get(f"/operators/members/{member_called(OPERATOR.email).pk}/")
    assert f"{OPERATOR.email} changed the role of {ACME_EDITOR.email}." in sentences(herself)
