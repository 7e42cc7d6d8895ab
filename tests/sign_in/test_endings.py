"""Whatever ends somebody's access ends their sessions: let in again, they sign in again."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator

import pytest
from django.core.cache import cache
from django.db import transaction
from django.test import TestCase
from django.utils import timezone

from portal.demo.cast import ACME_EDITOR, ACME_OWNER, OPERATOR, CastMember
from portal.demo.world import World
from tenants.domain.actor import WORKER, Actor, ActorKind, at_the_terminal
from tenants.domain.errors import SessionEnded, SignInFailed
from tenants.domain.roles import Role
from tenants.lifecycle.transitions import close, reactivate, reopen, suspend
from tenants.members.roster import disable, enable, remove, set_role, sign_out, transfer
from tenants.models import AuditEvent, Member, Person, SignIn, Tenant
from tenants.sign_in.access import person_of_session
from tenants.sign_in.sessions import SignedIn, person_for
from tenants.sign_in.standing import forget_standing
from tenants.sign_in.wiring import federation, sessions
from tests.world.fixtures import Browser
from tests.world.stage import SOMEBODY, Stage, member_called
from tests.world.use_cases import acme

Browse = Callable[[CastMember], Browser]
WHO = ACME_EDITOR


def the_member() -> Member:
    return member_called(WHO.email)


def owner() -> Actor:
    person = Person.objects.get(email=ACME_OWNER.email)
    return Actor(str(person.sub), ACME_OWNER.email, ActorKind.MEMBER, Role.OWNER)


def disabled_for_a_moment() -> None:
    enable(disable(the_member(), by=owner()), by=owner())


def demoted_for_a_moment() -> None:
    set_role(set_role(the_member(), Role.VIEWER, by=owner()), Role.EDITOR, by=owner())


def promoted_for_a_moment() -> None:
    set_role(set_role(the_member(), Role.ADMIN, by=owner()), Role.EDITOR, by=owner())


def suspended_for_a_moment() -> None:
    reactivate(suspend(acme(), by=SOMEBODY, why="not paid"), by=SOMEBODY)


def closed_for_a_moment() -> None:
    reopen(close(acme(), by=SOMEBODY, why="asked for"), by=SOMEBODY)


def owner_for_a_moment() -> None:
    terminal = at_the_terminal()
    transfer(member_called(ACME_OWNER.email), to=the_member(), by=owner())
    transfer(the_member(), to=member_called(ACME_OWNER.email), by=terminal)
    set_role(the_member(), Role.EDITOR, by=terminal)


def removed_and_taken_back_by_hand() -> None:
    remove(the_member(), by=owner())
    Member.objects.filter(person__email=WHO.email).update(removed=False)
    forget_standing(the_member().person_id)


def signed_out_by_the_owner() -> None:
    sign_out(the_member(), by=owner())


def signed_out_by_an_operator() -> None:
    sign_out(the_member(), by=SOMEBODY)


def signed_out_with_break_glass_access() -> None:
    sign_out(the_member(), by=Actor("break-glass 1", "link", ActorKind.BREAK_GLASS))


def disabled_by_hand_and_enabled() -> None:
    Member.objects.filter(person__email=WHO.email).update(enabled=False)
    enable(the_member(), by=owner())


ENDINGS: tuple[Callable[[], None], ...] = (
    disabled_for_a_moment,
    demoted_for_a_moment,
    promoted_for_a_moment,
    suspended_for_a_moment,
    closed_for_a_moment,
    owner_for_a_moment,
    removed_and_taken_back_by_hand,
    signed_out_by_the_owner,
    signed_out_by_an_operator,
    signed_out_with_break_glass_access,
    disabled_by_hand_and_enabled,
)


def who_of(browser: Browser) -> SignedIn:
    """As the door would have them, though it need not let them in."""

    class Request:
        session = browser.session

    who = person_of_session(Request())  # type: ignore[arg-type]
    assert who is not None
    return who


@pytest.fixture
def stays_as_it_was(stage: Stage) -> Iterator[None]:
    """The pool outlives a test."""
    yield
    for who in (ACME_EDITOR, ACME_OWNER):
        about = {"UserPoolId": stage.tools.directory.pool_id, "Username": who.email}
        stage.by_hand.admin_enable_user(**about)
        role = [{"Name": "custom:role", "Value": who.role}]
        stage.by_hand.admin_update_user_attributes(**about, UserAttributes=role)


@pytest.mark.parametrize("ending", ENDINGS, ids=lambda ending: ending.__name__)
def test_let_in_again_the_old_cookie_opens_nothing(browse_as: Browse, ending: Callable[[], None]) -> None:
    old = browse_as(WHO)
    assert old.get("/records/orders/").status_code == 200
    session_id = old.cookies["session"].value
    before = who_of(old)
    kept = f"credentials:{before.sign_in_id}:{before.claims.org}:{before.claims.role}"
    assert cache.get(kept) is not None
    ending()
    # Every place that remembers: the tokens, the shared credentials, and those in the memory of a process.
    assert not SignIn.objects.filter(pk=before.sign_in_id).exists()
    assert cache.get(kept) is None
    long_request = SignedIn(**{**{name: getattr(before, name) for name in before.__slots__}, "known_at": -10.0})
    with pytest.raises(SessionEnded):
        federation().credentials_for(long_request)
    refused = old.get("/records/orders/")
    assert refused.status_code == 401
    assert b"ORD-2026" not in refused.content
    assert b"Your session has ended" in refused.content
    # Put back, the cookie is nobody's: nothing of the person is shown either.
    old.cookies["session"] = session_id
    assert old.get("/records/orders/").status_code == 302
    assert WHO.email.encode() not in old.get("/no/such/page/").content
    assert browse_as(WHO).get("/records/orders/").status_code == 200


def test_a_transfer_alone_ends_the_sessions_of_both(stage: Stage) -> None:
    both = (ACME_OWNER.email, WHO.email)
    begun = {email: Person.objects.get(email=email).endings for email in both}
    transfer(member_called(ACME_OWNER.email), to=the_member(), by=owner())
    assert {email: Person.objects.get(email=email).endings - begun[email] for email in both} == dict.fromkeys(both, 1)


def test_a_page_that_is_refused_shows_nothing_of_the_ended_session(browse_as: Browse) -> None:
    old = browse_as(WHO)
    disabled_for_a_moment()
    missing = old.get("/no/such/page/")
    assert missing.status_code == 404
    assert WHO.email.encode() not in missing.content


def test_who_is_locked_out_is_told_why_and_the_trail_says_who(browse_as: Browse) -> None:
    old = browse_as(WHO)
    disable(the_member(), by=owner())
    with TestCase.captureOnCommitCallbacks(execute=True):
        refused = old.get("/records/orders/")
    assert refused.status_code == 403
    assert b"Your session has ended" not in refused.content
    entry = AuditEvent.objects.filter(action="person.refused").latest("seq")
    assert entry.actor == str(the_member().person.sub)


def test_sessions_of_others_go_on(browse_as: Browse) -> None:
    other, operator = browse_as(ACME_OWNER), browse_as(OPERATOR)
    sign_out(the_member(), by=owner())
    assert other.get("/records/orders/").status_code == 200
    assert operator.get("/operators/").status_code == 200


def test_every_browser_of_the_person_is_signed_out(browse_as: Browse) -> None:
    browsers = [browse_as(WHO) for _ in range(3)]
    sign_out(the_member(), by=owner())
    assert [browser.get("/records/orders/").status_code for browser in browsers] == [401, 401, 401]
    assert not SignIn.objects.exists()


def test_a_sign_in_under_way_does_not_outlive_the_ending(browse_as: Browse) -> None:
    who = who_of(browse_as(WHO))
    tokens = sessions().tokens_of(who.sign_in_id)
    # The callback has read the person and has not kept the tokens yet.
    person = person_for(who.claims)
    sign_out(the_member(), by=owner())
    with pytest.raises(SignInFailed) as refused:
        sessions().begin(person, tokens, who.claims)
    assert "while you signed in" in refused.value.for_operators
    assert not SignIn.objects.exists()


def test_another_tab_that_signs_in_again_does_not_keep_an_ended_sign_in(browse_as: Browse) -> None:
    who = who_of(browse_as(WHO))
    tokens, person = sessions().tokens_of(who.sign_in_id), person_for(who.claims)
    sign_out(the_member(), by=owner())
    assert not sessions().begin_again(who.sign_in_id, person, tokens, who.claims)


def test_a_renewal_under_way_does_not_write_the_tokens_back(browse_as: Browse) -> None:
    who = who_of(browse_as(WHO))
    kept = sessions().tokens_of(who.sign_in_id)
    sign_out(the_member(), by=owner())
    with pytest.raises(SessionEnded) as refused:
        sessions()._renew_now(who.sign_in_id, kept, who.claims)
    assert refused.value.why == "signed out meanwhile"
    assert not SignIn.objects.exists()


def test_a_request_that_saves_its_session_late_does_not_bring_it_back(browse_as: Browse) -> None:
    browser = browse_as(WHO)
    late = browser.session
    sign_out(the_member(), by=owner())
    late["written"] = "late"
    late.save()
    assert browser.get("/records/orders/").status_code == 401


def test_a_change_that_is_rolled_back_ends_nothing(browse_as: Browse) -> None:
    browser = browse_as(WHO)
    with transaction.atomic():
        sign_out(the_member(), by=owner())
        transaction.set_rollback(True)
    cache.clear()
    assert browser.get("/records/orders/").status_code == 200


@pytest.mark.parametrize("stored", [None, "x", {}])
def test_a_session_without_a_number_is_nobodys(browse_as: Browse, stored: object) -> None:
    browser = browse_as(WHO)
    session = browser.session
    session["sign_in"]["endings"] = stored
    session.save()
    assert browser.get("/records/orders/").status_code == 302


def test_a_person_made_anew_in_the_pool_does_not_keep_old_sessions(
    browse_as: Browse, stage: Stage, domain: str
) -> None:
    person = Person.objects.create(email=f"p1@{domain}", sub=uuid.uuid4())
    tenant = Tenant.objects.get(slug="acme")
    Member.objects.create(person=person, tenant=tenant, role=Role.VIEWER, seen_at=timezone.now())
    stage.make_by_hand(person.email, org=str(tenant.org_id), role="viewer")
    stage.work()
    now = Person.objects.get(pk=person.pk)
    assert now.sub != person.sub
    assert now.endings > person.endings


@pytest.mark.usefixtures("stays_as_it_was")
def test_a_role_changed_in_the_pool_ends_sessions_once_repaired(browse_as: Browse, stage: Stage) -> None:
    browser = browse_as(WHO)
    about = {"UserPoolId": stage.tools.directory.pool_id, "Username": WHO.email}
    wrong = [{"Name": "custom:role", "Value": "owner"}]
    stage.by_hand.admin_update_user_attributes(**about, UserAttributes=wrong)
    Member.objects.filter(person__email=WHO.email).update(seen_role="owner", provisioning="due", due_at=timezone.now())
    stage.work()
    assert browser.get("/records/orders/").status_code == 401
    last = AuditEvent.objects.filter(action="member.provisioned", target=WHO.email).latest("seq")
    assert last.after["changes"] == ["set the role to editor", "sign out everywhere"]


@pytest.mark.usefixtures("stays_as_it_was")
def test_cognito_takes_no_refresh_token_from_before(browse_as: Browse, stage: Stage, portal: World) -> None:
    who = who_of(browse_as(WHO))
    refresh_token = sessions().tokens_of(who.sign_in_id).refresh_token
    # Disabled and enabled before the worker came to it.
    disabled_for_a_moment()
    stage.work()
    with pytest.raises(SessionEnded):
        sessions().tokens.renew(refresh_token)
    last = AuditEvent.objects.filter(action="member.provisioned", target=WHO.email).latest("seq")
    assert last.after["changes"] == ["sign out everywhere"]
    assert (last.actor, the_member().sign_out) == (WORKER.id, False)
    assert browse_as(WHO).get("/records/orders/").status_code == 200
