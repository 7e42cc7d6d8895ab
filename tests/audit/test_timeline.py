"""A tenant's timeline: its own entries and no others, in sentences, day by day."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from portal.demo.cast import ACME, ACME_OWNER
from tenants.audit import record
from tenants.audit.actions import Action
from tenants.audit.sentences import plain_text
from tenants.audit.timeline import entries_of, entry_sentence, group_by_day
from tenants.domain.actor import WORKER, Actor, ActorKind
from tenants.domain.errors import NotNow
from tenants.domain.roles import Role
from tenants.lifecycle import details, transitions
from tenants.lifecycle.suspension import note_signed_out
from tenants.members.roster import add_member, set_role
from tenants.models import AuditEvent, AuditHead, Member, Provisioning, Suspension, Tenant
from tenants.pages.lists import PAGE_SIZE
from tests.world.fixtures import Browser
from tests.world.use_cases import acme

OLIVE = Actor("olive", "olive@platform.example", ActorKind.OPERATOR)


def address(tenant: Tenant, query: str = "") -> str:
    return f"/operators/tenants/{tenant.org_id}/timeline/{query}"


def sentences(page: Any) -> list[str]:
    """The sentences on the page, the newest first."""
    found = re.findall(r"<div><p>(.*?)</p>", page.content.decode(), re.DOTALL)
    return [unescape(re.sub(r"</?bdi>", "", one)) for one in found]


def formatted(moment: datetime | None) -> str:
    return f"{moment:%-d %B %Y, %H:%M} UTC"


def record_entries(tenant: Tenant, count: int, action: Action = Action.SIGNED_IN) -> None:
    for number in range(count):
        record(
            action,
            by=Actor(f"p{number}", f"p{number}@acme.example", ActorKind.MEMBER),
            org=tenant.org_id,
            target=tenant.name,
        )


@pytest.mark.django_db
def test_a_timeline_has_a_sentence_for_every_change_in_order() -> None:
    tenant = transitions.create_tenant(name="Initech", owner_email="bill@initech.example", slug="initech", by=OLIVE)
    tenant = transitions.activate(tenant, by=WORKER)
    editor = add_member(tenant=tenant, email="peter@initech.example", name="", role=Role.EDITOR, by=OLIVE)
    set_role(editor, Role.VIEWER, by=OLIVE)
    tenant = details.rename(tenant, name="Initrode", by=OLIVE)
    tenant = details.change_plan(tenant, plan="team", by=OLIVE)
    tenant = transitions.suspend(tenant, by=OLIVE, why="Not paid.")
    Member.objects.update(provisioning=Provisioning.SETTLED, due_at=None)
    assert note_signed_out() == 1
    until = formatted(Suspension.objects.get().deny_until)
    tenant = transitions.reactivate(tenant, by=OLIVE)
    tenant = transitions.close(tenant, by=OLIVE, why="They asked for it.", grace=timedelta(days=1))
    transitions.reopen(tenant, by=OLIVE)
    purge_after = formatted(tenant.purge_after)
    assert [plain_text(entry_sentence(entry)) for entry in entries_of(tenant.org_id).order_by("seq")] == [
        "olive@platform.example created Initech with the short name initech, on the plan free.",
        "olive@platform.example added bill@initech.example as owner.",
        "Initech became active: its first owner exists in Cognito.",
        "olive@platform.example added peter@initech.example as editor.",
        "olive@platform.example changed the role of peter@initech.example from editor to viewer.",
        "olive@platform.example renamed Initech to Initrode.",
        "olive@platform.example moved Initrode from the plan free to team.",
        "olive@platform.example suspended Initrode. First ring: the portal lets none of its members in.",
        f"Second ring: Cognito disabled and signed out all of Initrode. The last credentials end: {until}.",
        "olive@platform.example reactivated Initrode. Its members may work again.",
        f"olive@platform.example began to close Initrode. It can be reopened until {purge_after}.",
        "olive@platform.example reopened Initrode: it is active again.",
    ]


@pytest.mark.django_db(transaction=True)
def test_a_timeline_contains_refusals() -> None:
    tenant = transitions.create_tenant(name="Initech", owner_email="bill@initech.example", by=OLIVE)
    with pytest.raises(NotNow):
        transitions.reactivate(tenant, by=OLIVE)
    newest = entries_of(tenant.org_id).order_by("-seq")[0]
    assert plain_text(entry_sentence(newest)) == "olive@platform.example tried to reactivate Initech: refused."
    assert newest.why == "Initech is not suspended. Nothing was changed."


def test_the_page_has_a_heading_for_each_day_and_links_each_entry(operator: Browser) -> None:
    tenant = acme()
    record_entries(tenant, 2)
    newest = entries_of(tenant.org_id).order_by("-seq")[0]
    page = operator.get(address(tenant))
    assert sentences(page)[:2] == ["p1@acme.example signed in.", "p0@acme.example signed in."]
    text = page.content.decode()
    assert f'href="/operators/audit/{newest.seq}/"' in text
    assert f"{newest.at:%A}, {newest.at.day} {newest.at:%B %Y}" in text
    assert operator.get(f"/operators/audit/{newest.seq}/").status_code == 200


def test_days_begin_at_midnight_in_utc() -> None:
    midnight = datetime(2026, 3, 1, tzinfo=UTC)
    entries = [
        AuditEvent(seq=3 - place, at=at, actor="a", actor_name="A", action=Action.SIGNED_IN, before={}, after={})
        for place, at in enumerate([midnight, midnight - timedelta(microseconds=1), midnight - timedelta(days=1)])
    ]
    days = group_by_day(entries)
    assert [(str(day.day), [entry.seq for entry in day.entries]) for day in days] == [
        ("2026-03-01", [3]),
        ("2026-02-28", [2, 1]),
    ]


def test_all_pages_together_show_each_own_entry_once(operator: Browser) -> None:
    tenant, other = acme(), Tenant.objects.exclude(org_id=str(ACME.org_id)).first()
    assert other
    for _ in range(3):
        record_entries(tenant, PAGE_SIZE // 2)
        record_entries(other, 5)
    expected = [plain_text(entry_sentence(entry)) for entry in entries_of(tenant.org_id).order_by("-seq")]
    shown, following = [], address(tenant)
    while following:
        page = operator.get(following)
        shown += sentences(page)
        following = page.context["page"].next
    assert shown == expected
    assert len(shown) > PAGE_SIZE


def test_names_are_isolated_and_escaped(operator: Browser) -> None:
    tenant = acme()
    record(Action.TENANT_SUSPENDED, by=OLIVE, org=tenant.org_id, target="<b>חברה</b>", why="<i>why</i>")
    text = operator.get(address(tenant)).content.decode()
    assert "suspended <bdi>&lt;b&gt;חברה&lt;/b&gt;</bdi>. First ring" in text
    assert "<bdi>&lt;i&gt;why&lt;/i&gt;</bdi>" in text


def test_a_timeline_is_filtered_by_subject(operator: Browser) -> None:
    tenant = acme()
    record_entries(tenant, 1)
    record_entries(tenant, 1, Action.MEMBER_REMOVED)
    record_entries(tenant, 1, Action.TENANT_PURGED)
    assert sentences(operator.get(address(tenant, "?about=members"))) == ["p0@acme.example removed Acme Ltd."]
    assert "p0@acme.example signed in." in sentences(operator.get(address(tenant, "?about=people")))
    assert (
        sentences(operator.get(address(tenant, "?about=tenant")))[0]
        == "p0@acme.example deleted the records of Acme Ltd."
    )
    assert operator.get(address(tenant, "?about=weather")).status_code == 400


def test_an_empty_page_says_why_it_is_empty(operator: Browser) -> None:
    tenant = Tenant.objects.create(name="Made by hand")
    assert "Nothing has happened yet" in operator.get(address(tenant)).content.decode()
    filtered = operator.get(address(tenant, "?about=members")).content.decode()
    assert "No entry matches" in filtered
    assert "Nothing in this list has About: <b><bdi>Members and their users in Cognito</bdi></b>." in filtered
    assert f'href="{address(tenant)}">Clear this filter</a>' in filtered
    AuditHead.objects.update(kept_after=1)
    assert "retention has moved" in operator.get(address(tenant)).content.decode()
    assert operator.get("/operators/tenants/00000000-0000-4000-8000-000000000000/timeline/").status_code == 404


def test_a_long_timeline_costs_no_more_queries_than_a_short_one(operator: Browser) -> None:
    tenant = acme()
    for count in (1, 30, 60):
        record_entries(tenant, count)
        operator.get(address(tenant))
        with CaptureQueriesContext(connection) as captured:
            operator.get(address(tenant))
        # The banner, the tenant, the entries and, on the last page, whether there were more.
        assert len(captured) <= 4


def test_members_see_no_timeline_of_their_own_tenant_here(browse_as: Any) -> None:
    assert browse_as(ACME_OWNER).get(f"/operators/tenants/{ACME.org_id}/timeline/").status_code == 403
