"""What an organisation reads of an entry, and what it does not: metadata, reasons, points in time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from portal.demo.cast import ACME_EDITOR, ACME_OWNER, OPERATOR, CastMember
from tenants.audit.actions import Action
from tenants.models import AuditEvent, Person
from tenants.organisation import activity
from tests.organisation.test_activity import TERMINAL, actor, entry, lines_of, listed, sentences
from tests.world.fixtures import Browser
from tests.world.pages import text_of

Browse = Callable[[CastMember], Browser]
SCHEMA = {"type": "object", "properties": {"industry": {"type": "string", "x-organisation": "edit"}, "risk": {}}}


@pytest.mark.parametrize("by", [TERMINAL, "an operator"])
def test_metadata_that_the_schema_keeps_is_named_nowhere(browse_as: Browse, settings: Any, by: Any) -> None:
    settings.TENANT_METADATA_SCHEMA = SCHEMA
    owner, by = browse_as(ACME_OWNER), actor(OPERATOR) if by == "an operator" else by
    entry(
        Action.TENANT_METADATA_CHANGED, by=by, target="Acme Ltd",
        before={"metadata": {"secret_risk": 1}}, after={"metadata": {"secret_risk": 9, "industry": "wood", "risk": 2}},
    )  # fmt: skip
    entry(Action.TENANT_METADATA_CHANGED, by=by, target="Acme Ltd", after={"metadata": {"risk": 2}}, before={})
    assert [one.partition(" changed ")[2] for one in sentences(owner.get("/activity/"))[:2]] == [
        "the metadata of Acme Ltd.",
        "the metadata of Acme Ltd: industry.",
    ]
    everything = b"".join(owner.post("/activity/export/").streaming_content).decode()
    for page in (everything, text_of(owner.get("/")), text_of(owner.get("/activity/"))):
        assert "risk" not in page


@pytest.mark.parametrize("action", [Action.MEMBER_MFA_RESET, Action.TENANT_CLOSING])
def test_a_reason_that_is_mailed_too_is_told(browse_as: Browse, action: Action) -> None:
    owner = browse_as(ACME_OWNER)
    entry(action, by=actor(OPERATOR), target=ACME_EDITOR.email, why="They lost a phone.")
    assert "They lost a phone." in text_of(owner.get("/activity/"))


def test_an_operators_reason_is_told_where_it_is_mailed_too(browse_as: Browse) -> None:
    owner = browse_as(ACME_OWNER)
    entry(Action.MEMBER_SIGNED_OUT, by=actor(OPERATOR), target=ACME_EDITOR.email, why="A page's reason.")
    entry(Action.MEMBER_SIGNED_OUT, by=TERMINAL, target=ACME_EDITOR.email, why="A terminal's reason.")
    entry(Action.TENANT_PLAN_CHANGED, by=TERMINAL, target="Acme Ltd", why="Nobody's business.")
    page = text_of(owner.get("/activity/"))
    assert "A terminal's reason." in page
    assert "A page's reason." not in page
    assert "Nobody's business." not in page


def test_times_in_a_sentence_are_the_readers_and_utc_in_files(browse_as: Browse) -> None:
    owner = browse_as(ACME_OWNER)
    Person.objects.filter(email=ACME_OWNER.email).update(time_zone="Asia/Tokyo")
    until = datetime(2026, 12, 31, 20, 30, tzinfo=UTC)
    entry(Action.TENANT_CLOSING, by=actor(OPERATOR), target="Acme Ltd", after={"purge_after": until.isoformat()})
    assert sentences(owner.get("/activity/"))[0].endswith("reopened until 1 January 2027, 05:30 JST.")
    assert lines_of(owner.post("/activity/export/?kind=tenant.closing"))[-1]["what"].endswith(
        "reopened until 31 December 2026, 20:30 UTC."
    )


@pytest.mark.parametrize(("zone", "day"), [("Africa/Cairo", "2026-10-29"), ("America/Santiago", "2026-04-04")])
def test_a_day_has_its_last_hour_twice_where_clocks_go_back_at_midnight(browse_as: Browse, zone: str, day: str) -> None:
    owner = browse_as(ACME_OWNER)
    Person.objects.filter(email=ACME_OWNER.email).update(time_zone=zone)
    # A quarter of an hour before the midnight that ends the day.
    midnight = {"Africa/Cairo": (2026, 10, 29, 22), "America/Santiago": (2026, 4, 5, 4)}[zone]
    at = datetime(*midnight, tzinfo=UTC).replace(minute=0)
    early, late = at.timestamp() - 4500, at.timestamp() - 900
    seqs = [
        entry(Action.MEMBER_REMOVED, at=datetime.fromtimestamp(when, UTC), target="x@acme.example")
        for when in (early, late)
    ]
    assert listed(owner.get(f"/activity/?from={day}&to={day}&kind=members")) == seqs[::-1]


def test_the_pages_own_form_with_a_filter_that_finds_nothing_names_it(browse_as: Browse) -> None:
    page = text_of(browse_as(ACME_EDITOR).get("/activity/?person=&kind=users&from=&to="))
    assert "No entry matches" in page
    assert "past the end" not in page


@pytest.mark.parametrize("action", [Action.SIGN_UP_MAILED, Action.SIGN_UP_ENDED])
def test_entries_of_the_sign_up_are_found_by_their_kind(browse_as: Browse, action: Action) -> None:
    owner = browse_as(ACME_OWNER)
    seq = entry(action, target="Acme Ltd")
    assert listed(owner.get(f"/activity/?kind={action}")) == [seq]


@pytest.mark.usefixtures("one_minute")
def test_exporting_again_and_again_is_refused_for_a_while(browse_as: Browse, monkeypatch: pytest.MonkeyPatch) -> None:
    owner = browse_as(ACME_EDITOR)
    monkeypatch.setattr(activity, "MOST_EXPORTS_A_MINUTE", 1)
    assert owner.post("/activity/export/").status_code == 200
    refused = owner.post("/activity/export/")
    assert refused.status_code == 409
    assert "Wait a minute" in text_of(refused)
    assert AuditEvent.objects.filter(action=Action.AUDIT_EXPORTED).count() == 1
