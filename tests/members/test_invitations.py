"""Inviting many at once, what the worker makes of it, and who could not join."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tenants.audit.actions import Action
from tenants.domain.actor import Actor, ActorKind, at_the_terminal
from tenants.domain.errors import NotAllowed, NotNow, PortalError
from tenants.domain.roles import Role
from tenants.domain.tenant_state import TenantState
from tenants.lifecycle.transitions import close
from tenants.members import invitations, joining, roster
from tenants.members.invitation_lines import NewInvitation
from tenants.members.invitations import Answer, Answered, dismiss, dismiss_all, invite
from tenants.members.joining import take_in
from tenants.members.roster import add_member, disable, remove, set_role
from tenants.models import Invitation, Member, OutgoingMail, Person, RateCount, Tenant
from tests.world.people import acting, signed_in_as
from tests.world.stage import SOMEBODY, member_called
from tests.world.use_cases import entries_since, last_entry, run_at_once, tenant_in

S = TenantState
OWNER, ADMIN = "owner@initech.example", "admin@initech.example"
AWAY = "peter@umbrella.example"
TERMINAL = Actor("command", "ada@host", ActorKind.TERMINAL)


@pytest.fixture
def tenant(db: None) -> Tenant:
    return tenant_in(S.ACTIVE)


@pytest.fixture
def owner(tenant: Tenant) -> Actor:
    return signed_in_as(OWNER)


@pytest.fixture
def admin(tenant: Tenant, owner: Actor) -> Actor:
    add_member(tenant=tenant, email=ADMIN, name="", role=Role.ADMIN, by=owner)
    return signed_in_as(ADMIN)


@pytest.fixture
def elsewhere(tenant: Tenant) -> Member:
    other = tenant_in(S.ACTIVE, name="Umbrella", domain="umbrella.example")
    return add_member(tenant=other, email=AWAY, name="", role=Role.VIEWER, by=SOMEBODY)


def ask(tenant: Tenant, by: Actor, *emails: str, **given: Any) -> list[Answer]:
    return invite(tenant, lines=[NewInvitation(email) for email in emails], by=by, **{"role": "viewer", **given})


def answered(answers: list[Answer]) -> list[tuple[str, Answered]]:
    return [(answer.line.email, answer.answered) for answer in answers]


def roles(tenant: Tenant) -> dict[str, str]:
    return dict(Member.objects.filter(tenant=tenant).values_list("person__email", "role"))


def test_the_worker_makes_members_of_the_invited(tenant: Tenant, owner: Actor) -> None:
    before = last_entry()
    lines = [NewInvitation("Ada+one@Initech.Example", "Ada  L", "Editor"), NewInvitation("bob@bücher.example")]
    answers = invite(tenant, lines=lines, role="viewer", by=owner, why="new team")
    assert [answer.message for answer in answers] == ["Invited as editor.", "Invited as viewer."]
    assert roles(tenant) == {OWNER: "owner"}
    assert take_in() == 2
    assert roles(tenant) == {OWNER: "owner", "ada+one@initech.example": "editor", "bob@xn--bcher-kva.example": "viewer"}
    assert not Invitation.objects.exists()
    member = member_called("ada+one@initech.example")
    assert (member.person.name, str(member.invited_by), member.mail_invitation) == ("Ada L", OWNER, True)
    entries = entries_since(before)
    assert [(entry.action, entry.actor_name) for entry in entries] == [
        *[(Action.MEMBER_INVITED, OWNER)] * 2,
        *[(Action.MEMBER_ADDED, OWNER)] * 2,
    ]
    assert [entry.why for entry in entries] == ["new team", "new team", "", ""]
    assert take_in() == 0


def test_every_line_has_an_answer_and_the_good_ones_are_invited(tenant: Tenant, owner: Actor, admin: Actor) -> None:
    ask(tenant, owner, "waiting@x.example")
    answers = invite(
        tenant,
        lines=[
            NewInvitation("good@x.example"),
            NewInvitation("GOOD@x.example"),
            NewInvitation(ADMIN),
            NewInvitation("waiting@x.example"),
            NewInvitation("not an address"),
            NewInvitation("nul@x.example\x00"),
            NewInvitation("bidi\u202e@x.example"),
            NewInvitation(f"{'a' * 65}@x.example"),
            NewInvitation("king@x.example", role="king"),
            NewInvitation("operator@x.example", role="operator"),
            NewInvitation("named@x.example", "Ada\u202e"),
            NewInvitation(""),
        ],
        role="viewer",
        by=owner,
    )
    kinds = [answer.answered for answer in answers]
    assert kinds == [Answered.INVITED, *[Answered.ALREADY] * 3, *[Answered.REFUSED] * 8]
    said = [answer.message for answer in answers]
    assert said[1:4] == [
        "Stands further up in the same list.",
        "Is a member already, as admin.",
        "Is invited already, as viewer.",
    ]
    for message, part in zip(said[4:], ["one @", "U+0000", "U+202E", "at most 64", "roles", "roles",
                                        "invisible", "Enter an e-mail"], strict=True):  # fmt: skip
        assert part in message
    assert set(Invitation.objects.values_list("email", flat=True)) == {"waiting@x.example", "good@x.example"}


def test_the_same_list_sent_twice_invites_once(tenant: Tenant, owner: Actor) -> None:
    for expected in (Answered.INVITED, Answered.ALREADY):
        assert {answer.answered for answer in ask(tenant, owner, "a@x.example", "b@x.example")} == {expected}
    take_in()
    assert {answer.answered for answer in ask(tenant, owner, "a@x.example", "b@x.example")} == {Answered.ALREADY}
    assert Member.objects.filter(person__email="a@x.example").count() == 1


def test_only_owners_invite_owners(tenant: Tenant, owner: Actor, admin: Actor) -> None:
    lines = [NewInvitation("o@x.example", role="owner"), NewInvitation("e@x.example", role="editor")]
    answers = invite(tenant, lines=lines, by=admin)
    assert [answer.answered for answer in answers] == [Answered.REFUSED, Answered.INVITED]
    assert "Only owners" in answers[0].message
    answers = invite(tenant, lines=lines[:1], by=owner)
    assert answers[0].answered == Answered.INVITED


@pytest.mark.parametrize("role", [Role.EDITOR, Role.VIEWER])
def test_nobody_else_invites_anybody(tenant: Tenant, owner: Actor, admin: Actor, role: Role) -> None:
    set_role(member_called(ADMIN), role, by=owner)
    with pytest.raises(NotAllowed, match="Only owners and admins"):
        ask(tenant, acting(ADMIN), "a@x.example")
    with pytest.raises(NotAllowed):
        ask(tenant, admin, "a@x.example")
    Tenant.objects.filter(pk=tenant.pk).update(owner_signed_in_at=timezone.now())
    with pytest.raises(NotAllowed, match="has signed in"):
        ask(tenant, SOMEBODY, "a@x.example")
    assert not Invitation.objects.exists()


def test_people_of_another_organisation_invite_nobody(tenant: Tenant, owner: Actor, elsewhere: Member) -> None:
    stranger = signed_in_as("owner@umbrella.example")
    with pytest.raises(NotAllowed):
        ask(tenant, stranger, "a@x.example")


def test_unknown_and_taken_addresses_are_answered_alike(tenant: Tenant, owner: Actor, elsewhere: Member) -> None:
    Person.objects.create(email="once@x.example")
    operator = add_member(tenant=None, email="op@x.example", name="", role=Role.OPERATOR, by=TERMINAL)
    emails = (AWAY, str(operator.person), "once@x.example", "new@x.example")
    with CaptureQueriesContext(
        connection,
    ) as one_by_one:
        answers = [ask(tenant, owner, email)[0] for email in emails]
    assert {(answer.answered, answer.message) for answer in answers} == {(Answered.INVITED, "Invited as viewer.")}
    asked = [query["sql"].partition(" ")[0] for query in one_by_one.captured_queries]
    assert len(asked) % len(emails) == 0
    each = len(asked) // len(emails)
    assert all(asked[each * n : each * (n + 1)] == asked[:each] for n in range(len(emails)))


def test_somebody_of_another_organisation_could_not_join_and_is_told(
    tenant: Tenant, owner: Actor, elsewhere: Member
) -> None:
    before = last_entry()
    ask(tenant, owner, AWAY)
    take_in()
    (invitation,) = Invitation.objects.all()
    assert "one address is in one organisation" in invitation.why
    assert "Umbrella" not in invitation.why
    assert invitation.due_at is None
    assert [entry.action for entry in entries_since(before)] == [Action.MEMBER_INVITED, Action.MEMBER_COULD_NOT_JOIN]
    (mail,) = OutgoingMail.objects.filter(kind="could_not_join")
    assert mail.to == AWAY
    assert "Initech" in mail.text
    assert member_called(AWAY).tenant_id == elsewhere.tenant_id
    # Once more on the same day: tried again, and no second mail.
    assert answered(ask(tenant, owner, AWAY)) == [(AWAY, Answered.INVITED)]
    take_in()
    assert Invitation.objects.get().why == invitation.why
    assert OutgoingMail.objects.filter(kind="could_not_join").count() == 1


def test_an_operator_is_never_taken_in(tenant: Tenant, owner: Actor) -> None:
    add_member(tenant=None, email="op@x.example", name="", role=Role.OPERATOR, by=TERMINAL)
    ask(tenant, owner, "op@x.example")
    take_in()
    assert Invitation.objects.get().why == joining.COULD_NOT_JOIN
    assert member_called("op@x.example").tenant_id is None


@pytest.mark.parametrize(
    "change",
    [
        lambda member, owner: set_role(member, Role.EDITOR, by=owner),
        lambda member, owner: disable(member, by=owner),
        lambda member, owner: remove(member, by=owner),
    ],
    ids=["demoted", "disabled", "removed"],
)
def test_an_inviter_who_may_no_longer_invite_invites_nobody(
    tenant: Tenant, owner: Actor, admin: Actor, change: Callable[[Member, Actor], Any]
) -> None:
    ask(tenant, admin, "a@x.example")
    change(member_called(ADMIN), owner)
    take_in()
    assert "may no longer invite" in Invitation.objects.get().why
    assert "a@x.example" not in roles(tenant)


def test_a_demoted_owner_makes_no_owner(tenant: Tenant, owner: Actor, admin: Actor) -> None:
    set_role(member_called(ADMIN), Role.OWNER, by=owner)
    ask(tenant, acting(ADMIN), "heir@x.example", role="owner")
    set_role(member_called(ADMIN), Role.ADMIN, by=owner)
    take_in()
    assert "heir@x.example" not in roles(tenant)


def test_a_removed_member_can_be_invited_and_comes_back_once_deleted(
    tenant: Tenant, owner: Actor, admin: Actor
) -> None:
    remove(member_called(ADMIN), by=owner)
    assert answered(ask(tenant, owner, ADMIN)) == [(ADMIN, Answered.INVITED)]
    take_in()
    assert Invitation.objects.get().why == ""
    member_called(ADMIN).delete()
    Invitation.objects.update(due_at=timezone.now())
    take_in()
    assert roles(tenant)[ADMIN] == "viewer"
    assert not Invitation.objects.exists()


def test_an_invitation_into_a_closing_organisation_ends(tenant: Tenant, owner: Actor) -> None:
    ask(tenant, owner, "a@x.example")
    close(tenant, by=SOMEBODY, why="asked for")
    take_in()
    assert "is being closed" in Invitation.objects.get().why
    with pytest.raises(NotNow, match="is being closed"):
        ask(tenant, owner, "b@x.example")


def test_one_that_fails_does_not_stop_the_others(tenant: Tenant, owner: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    ask(tenant, owner, "bad@x.example", "good@x.example")
    adding = add_member

    def failing(**given: Any) -> Member:
        if given["email"] == "bad@x.example":
            raise ZeroDivisionError
        return adding(**given)

    monkeypatch.setattr("tenants.members.roster.add_member", failing)
    take_in()
    assert "good@x.example" in roles(tenant)
    bad = Invitation.objects.get()
    assert (bad.email, bad.attempts, bad.last_error, bad.why) == ("bad@x.example", 1, "ZeroDivisionError", "")
    assert bad.due_at is not None
    assert bad.due_at > timezone.now()
    monkeypatch.undo()
    Invitation.objects.update(due_at=timezone.now() - timedelta(seconds=1))
    take_in()
    assert "bad@x.example" in roles(tenant)


def test_an_organisation_invites_so_many_an_hour(tenant: Tenant, owner: Actor) -> None:
    RateCount.objects.add(invitations.MOST_AN_HOUR - 2, f"invitations of {tenant.org_id}", seconds=3600)
    answers = ask(tenant, owner, "a@x.example", "b@x.example", "c@x.example")
    assert [answer.answered for answer in answers] == [Answered.INVITED, Answered.INVITED, Answered.REFUSED]
    assert "5,000 people in this hour" in answers[2].message
    assert Invitation.objects.count() == 2


def test_the_same_address_is_not_mailed_again_and_again(tenant: Tenant, owner: Actor) -> None:
    for _ in range(roster.MOST_A_DAY_EACH):
        ask(tenant, owner, "a@x.example")
        take_in()
        member_called("a@x.example").delete()
    ask(tenant, owner, "a@x.example")
    take_in()
    assert "tomorrow" in Invitation.objects.get().why
    assert "a@x.example" not in roles(tenant)


def test_the_terminal_is_in_the_trail_and_owners_are_told_once(tenant: Tenant, owner: Actor) -> None:
    by, before = at_the_terminal(), last_entry()
    emails = [f"p{number}@x.example" for number in range(30)]
    ask(tenant, by, *emails, role="owner", mail=False)
    take_in()
    assert roles(tenant)[emails[0]] == "owner"
    assert not member_called(emails[0]).mail_invitation
    assert [entry.actor_name for entry in entries_since(before)] == [*[by.name] * 30, *["provisioning"] * 30]
    (mail,) = OutgoingMail.objects.filter(kind="changed_at_terminal")
    assert mail.to == OWNER
    text = " ".join(mail.text.split())
    assert "p0@x.example as owner" in text
    assert "and 25 more" in text


def test_an_invitation_that_nobody_vouches_for_invites_nobody(tenant: Tenant) -> None:
    Invitation.objects.create(tenant=tenant, email="a@x.example", role="owner")
    take_in()
    assert "may no longer invite" in Invitation.objects.get().why


def test_invitations_are_dismissed_once_and_by_those_who_may(tenant: Tenant, owner: Actor, admin: Actor) -> None:
    ask(tenant, owner, "a@x.example")
    ask(tenant, owner, "o@x.example", role="owner")
    before = last_entry()
    one, of_owner = Invitation.objects.order_by("id")
    assert dismiss(one, by=admin)
    assert not dismiss(one, by=admin)
    assert [entry.action for entry in entries_since(before)] == [Action.MEMBER_INVITATION_DISMISSED]
    with pytest.raises(NotAllowed, match="Only owners"):
        dismiss(of_owner, by=admin)
    Invitation.objects.update(why="so", due_at=None)
    assert dismiss_all(tenant, by=admin) == 0
    assert dismiss_all(tenant, by=owner) == 1
    take_in()
    assert set(roles(tenant)) == {OWNER, ADMIN}


@pytest.mark.django_db(transaction=True)
def test_many_workers_take_each_in_once() -> None:
    tenant = tenant_in(S.ACTIVE)
    ask(tenant, signed_in_as(OWNER), *(f"p{number}@x.example" for number in range(20)))
    raised = run_at_once(*[take_in] * 4)
    assert raised == [None] * 4
    take_in()
    assert len(roles(tenant)) == 21
    assert not Invitation.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_two_who_invite_the_same_people_at_once_invite_them_once() -> None:
    tenant = tenant_in(S.ACTIVE)
    owner, emails = signed_in_as(OWNER), [f"p{number}@x.example" for number in range(20)]
    raised: list[PortalError | None] = run_at_once(*[lambda: ask(tenant, owner, *emails)] * 4)
    assert raised == [None] * 4
    assert Invitation.objects.count() == 20


def test_five_thousand_lines_take_few_queries(tenant: Tenant, owner: Actor) -> None:
    lines = [NewInvitation(f"p{number}@x.example", f"Person {number}") for number in range(5_000)]
    with CaptureQueriesContext(connection) as queries:
        answers = invite(tenant, lines=lines, role="viewer", by=owner)
    assert {answer.answered for answer in answers} == {Answered.INVITED}
    # Inserts are split by how many values the database takes in one.
    reads = [query for query in queries.captured_queries if not query["sql"].startswith("INSERT")]
    assert len(reads) < 80
