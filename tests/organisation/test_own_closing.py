"""Closing by an owner: what it takes, who is told, and the link with which an owner reopens."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import TestCase
from django.utils import timezone

from portal.demo.cast import ACME_EDITOR, ACME_OWNER, OPERATOR, CastMember
from portal.demo.world import World
from tenants.audit.actions import Action
from tenants.audit.sentences import EntryFacts, plain_text, sentence
from tenants.domain.errors import NotAllowed
from tenants.domain.roles import Role
from tenants.domain.tenant_state import TenantState
from tenants.lifecycle.transitions import close, close_for_good, reopen, suspend
from tenants.members.roster import add_member
from tenants.models import AuditEvent, Closing, Member, OutgoingMail, ReopenKey, SentForm, Tenant
from tests.world.fixtures import Browser
from tests.world.pages import errors_in, form_in, text_of
from tests.world.people import acting, signed_in_as
from tests.world.stage import SOMEBODY
from tests.world.tables import tables_with
from tests.world.use_cases import acme, entries_since, last_entry

Browse = Callable[[CastMember], Browser]
PAGE = "/organisation/close/"


@pytest.fixture
def owner(browse_as: Browse) -> Browser:
    return browse_as(ACME_OWNER)


def send(browser: Browser, typed: str = "acme", reason: str = "We move out.") -> Any:
    return browser.post(PAGE, {"typed": typed, "reason": reason})


def link_in(mail: OutgoingMail) -> str:
    found = re.search(r"/organisation/closing/[\w-]{43}/", mail.text)
    assert found
    return found[0]


def link(to: str = ACME_OWNER.email) -> str:
    return link_in(OutgoingMail.objects.get(kind="closing_by_owner", to=to))


def key_in(address: str) -> str:
    return address.strip("/").rpartition("/")[2]


def told_of(entry: AuditEvent) -> str:
    about = (entry.actor, entry.actor_name, entry.target, entry.before, entry.after)
    return plain_text(sentence(EntryFacts(entry.action, *about)))


def test_the_page_says_what_will_happen_before_it_does(owner: Browser) -> None:
    page = text_of(owner.get(PAGE))
    for words in ("is signed out at once", "For 30 days, until", "any owner can reopen it",
                  "The portal cannot bring them back",
                  "agree on it with them", "To be sure, type Acme Ltd or acme"):  # fmt: skip
        assert words in page
    assert acme().state == TenantState.ACTIVE


def test_an_owner_closes_and_lands_on_the_way_back(owner: Browser, portal: World) -> None:
    before = last_entry()
    done = send(owner, typed=" ACME  Ltd ")
    assert done.status_code == 302
    tenant = acme()
    assert (tenant.state, tenant.reason) == (TenantState.CLOSING, "We move out.")
    entry = next(entry for entry in entries_since(before) if entry.action == Action.TENANT_CLOSING)
    assert (entry.actor_name, entry.why) == (ACME_OWNER.email, "We move out.")
    assert Closing.objects.get(tenant=tenant).by_owner.email == ACME_OWNER.email  # type: ignore[union-attr]
    page = text_of(Browser(portal).get(done["Location"]))
    for words in ("is being closed", ACME_OWNER.email, "We move out.", "Can be reopened until", "<bdi>Reopen Acme Ltd"):
        assert words in page
    refused = owner.get("/records/")
    assert refused.status_code == 403
    assert "If an owner closed it, the mail to each owner has a link that reopens it." in text_of(refused)


def test_both_fields_are_refused_at_once_and_keep_their_text(owner: Browser) -> None:
    wrong = send(owner, typed="Globex", reason="")
    assert wrong.status_code == 400
    assert errors_in(wrong) == {
        "typed": "Type “Acme Ltd” or “acme”, to be sure that you mean it.",
        "reason": "Enter a reason. It is kept in the audit trail.",
    }
    assert 'value="Globex"' in text_of(wrong)
    assert acme().state == TenantState.ACTIVE


def test_owners_get_a_link_each_and_admins_none(owner: Browser) -> None:
    for email, role in ((ACME_EDITOR.email, Role.OWNER), ("viewer@acme.example", Role.ADMIN)):
        signed_in_as(email)
        Member.objects.filter(person__email=email).update(role=role)
    send(owner)
    assert link() != link(ACME_EDITOR.email)
    (plain,) = OutgoingMail.objects.filter(kind="closing")
    assert plain.to == "viewer@acme.example"
    assert "/organisation/closing/" not in plain.text
    assert ACME_OWNER.email in plain.text


def test_leaders_with_a_password_are_mailed_and_those_without_are_not(owner: Browser, portal: World) -> None:
    people = {ACME_EDITOR.email: Role.OWNER, "viewer@acme.example": Role.ADMIN}
    for email, role in people.items():
        chosen = Member.objects.filter(person__email=email)
        chosen.update(role=role, signed_in_at=None, seen_status="CONFIRMED")
    for email, role in (("new-owner@acme.example", Role.OWNER), ("new-admin@acme.example", Role.ADMIN)):
        add_member(tenant=acme(), email=email, name="", role=role, by=acting(ACME_OWNER.email))
        Member.objects.filter(person__email=email).update(seen_status="FORCE_CHANGE_PASSWORD")
    send(owner)
    mails = OutgoingMail.objects.filter(kind__in=["closing", "closing_by_owner"])
    assert set(mails.values_list("kind", "to")) == {
        ("closing_by_owner", ACME_OWNER.email),
        ("closing_by_owner", ACME_EDITOR.email),
        ("closing", "viewer@acme.example"),
    }
    assert "It was reopened" in text_of(Browser(portal).post(link(ACME_EDITOR.email), follow=True))
    reopened = OutgoingMail.objects.filter(kind="reopened").values_list("to", flat=True)
    assert set(reopened) == {ACME_OWNER.email, *people}


def test_the_links_owner_reopens_without_a_sign_in(owner: Browser, portal: World) -> None:
    signed_in_as(ACME_EDITOR.email)
    Member.objects.filter(person__email=ACME_EDITOR.email).update(role=Role.OWNER)
    send(owner)
    address, before, visitor = link(ACME_EDITOR.email), last_entry(), Browser(portal)
    assert visitor.get(address).status_code == 200
    assert acme().state == TenantState.CLOSING
    done = visitor.post(address, follow=True)
    assert "It was reopened, and no record was deleted." in text_of(done)
    assert acme().state == TenantState.ACTIVE
    entry = next(entry for entry in entries_since(before) if entry.action == Action.TENANT_REOPENED)
    assert entry.actor_name == ACME_EDITOR.email
    assert entry.after == {"state": "active", "link": "the mail"}
    said = f"{ACME_EDITOR.email} reopened Acme Ltd with the link in the mail: it is active again."
    assert told_of(entry) == said
    assert visitor.get("/members/").status_code == 302
    for again in (visitor.get(address), visitor.post(address, follow=True)):
        assert "is no longer being closed" in text_of(again)
        assert "<form" not in text_of(again).split("<main")[1]


# What happened since the link's closing ended, and what its page then says, in heading and text.
OLD_LINKS = {
    "nothing": ("is no longer being closed", "Members can sign in again once Cognito has enabled them"),
    "closed by an owner": ("is being closed", "The newest mail has the link for this one."),
    "closed by another owner": ("is being closed", "You are no longer an owner of it, so you have no link"),
    "closed by an operator": ("is being closed", "An operator closes it this time, so only operators can reopen it"),
    "suspended": ("is suspended", "But it is suspended, so its members cannot sign in. Only operators can change that"),
    "closed for good": ("is closed for good", "Its records have been deleted. Nobody can reopen it."),
}


@pytest.mark.parametrize("since", OLD_LINKS)
def test_an_old_link_says_what_is_so_now_and_reopens_nothing(owner: Browser, portal: World, since: str) -> None:
    send(owner)
    old = link()
    reopen(acme(), by=SOMEBODY)
    signed_in_as(ACME_EDITOR.email)
    match since:
        case "closed by an owner":
            close(acme(), by=acting(ACME_OWNER.email), why="again")
        case "closed by another owner":
            Member.objects.filter(person__email=ACME_EDITOR.email).update(role=Role.OWNER)
            Member.objects.filter(person__email=ACME_OWNER.email).update(role=Role.VIEWER)
            close(acme(), by=acting(ACME_EDITOR.email), why="again")
        case "closed by an operator":
            close(acme(), by=SOMEBODY, why="not paid")
        case "suspended":
            suspend(acme(), by=SOMEBODY, why="not paid")
        case "closed for good":
            close(acme(), by=SOMEBODY, why="not paid")
            Closing.objects.filter(ended_at=None).update(purged_at=timezone.now(), verified_at=timezone.now())
            close_for_good(acme(), by=SOMEBODY)
    state, visitor, heading = acme().state, Browser(portal), OLD_LINKS[since][0]
    for page in (visitor.get(old), visitor.post(old, follow=True)):
        text = " ".join(text_of(page).split())
        assert f"<title>Acme Ltd {heading}" in text
        assert f"<h1><bdi>Acme Ltd</bdi> {heading}</h1>" in text
        assert [case for case, (_, says) in OLD_LINKS.items() if says in text] == [since]
        assert "<form" not in text.split("<main")[1]
    assert acme().state == state


@pytest.mark.parametrize("change", ["late", "demoted", "disabled", "removed", "purging"])
def test_a_link_that_opens_nothing_any_more_says_why(owner: Browser, portal: World, change: str) -> None:
    send(owner)
    address, tenant = link(), acme()
    member = Member.objects.filter(person__email=ACME_OWNER.email)
    if change == "late":
        past = timezone.now() - timedelta(days=1)
        Tenant.objects.filter(pk=tenant.pk).update(closing_at=past - timedelta(days=1), purge_after=past)
    elif change == "purging":
        Closing.objects.filter(tenant=tenant).update(purged_at=timezone.now())
    else:
        changes: dict[str, dict[str, Any]] = {"demoted": {"role": Role.ADMIN}, "disabled": {"enabled": False}}
        member.update(**changes.get(change, {"removed": True}))
    visitor = Browser(portal)
    assert "It cannot be reopened with this link" in text_of(visitor.get(address))
    before = last_entry()
    with TestCase.captureOnCommitCallbacks(execute=True):
        refused = visitor.post(address)
    assert refused.status_code == (403 if change in {"demoted", "disabled", "removed"} else 302)
    assert acme().state == TenantState.CLOSING
    (entry,) = entries_since(before)
    assert (entry.action, entry.actor_name, entry.org) == (Action.TENANT_REFUSED, ACME_OWNER.email, tenant.org_id)
    assert entry.after["asked"] == "reopen_by_key"
    if refused.status_code == 403:
        assert "You are no longer an owner of this organisation" in text_of(refused)
        assert entry.why == "You are no longer an owner of this organisation, so you cannot reopen it."


def test_an_owner_cannot_take_back_an_operators_closing(portal: World, owner: Browser) -> None:
    close(acme(), by=SOMEBODY, why="not paid")
    assert not ReopenKey.objects.exists()
    assert "/organisation/closing/" not in OutgoingMail.objects.get(kind="closing").text
    with pytest.raises(NotAllowed, match="only operators can reopen it"):
        reopen(acme(), by=acting(ACME_OWNER.email))
    assert acme().state == TenantState.CLOSING


def test_operators_see_who_closed_it_and_can_reopen_it(owner: Browser, browse_as: Browse) -> None:
    send(owner)
    operators = browse_as(OPERATOR)
    address = f"/operators/tenants/{acme().org_id}/"
    assert f"by its owner <bdi>{ACME_OWNER.email}</bdi>" in text_of(operators.get(address))
    before = last_entry()
    assert operators.post(f"{address}reopen/", {"reason": ""}).status_code == 302
    assert acme().state == TenantState.ACTIVE
    entry = next(entry for entry in entries_since(before) if entry.action == Action.TENANT_REOPENED)
    assert entry.after == {"state": "active"}
    assert told_of(entry) == f"{OPERATOR.email} reopened Acme Ltd: it is active again."


def test_keys_are_kept_as_hashes_only(owner: Browser, portal: World) -> None:
    """Forms are sent as browsers send them: with the token by which the portal knows one that is sent twice."""
    form = form_in(owner.get(PAGE), of="step")
    done = owner.post(PAGE, {**form, "typed": "acme", "reason": "We move out."})
    assert ReopenKey.objects.count() == 2
    assert tables_with(key_in(done["Location"])) == set()
    mailed, visitor = link(), Browser(portal)
    assert tables_with(key_in(mailed)) == {OutgoingMail._meta.db_table}
    again = visitor.post(mailed, form_in(visitor.get(mailed), of="step"))
    assert again["Location"] == mailed
    assert SentForm.objects.count() == 2
    assert tables_with(key_in(mailed)) == {OutgoingMail._meta.db_table}


def test_the_form_of_a_closing_sent_twice_leads_to_the_same_link(owner: Browser, portal: World) -> None:
    send(owner)
    address, visitor = link(), Browser(portal)
    form = form_in(visitor.get(address), of="step")
    assert [visitor.post(address, form)["Location"] for _ in range(2)] == [address, address]
    assert "is no longer being closed" in text_of(visitor.get(address))


@pytest.mark.parametrize("person", [ACME_EDITOR, OPERATOR])
def test_nobody_else_closes(browse_as: Browse, person: CastMember) -> None:
    browser = browse_as(person)
    assert browser.get(PAGE).status_code == 403
    assert send(browser).status_code == 403
    assert acme().state == TenantState.ACTIVE
