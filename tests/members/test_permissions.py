"""Who may do what to members: the one table, held to by every use case and every step."""

from __future__ import annotations

import itertools
import re
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from django.db import transaction
from django.test import TestCase
from django.utils import timezone

from tenants.audit.actions import Action
from tenants.domain.actor import WORKER, Actor, ActorKind, at_the_terminal
from tenants.domain.errors import InvalidInput, NotAllowed, NotNow
from tenants.domain.permissions import MAY, MemberAction, Question, Rule, who_helps, why_not
from tenants.domain.roles import IN_AN_ORGANISATION, Role
from tenants.domain.tenant_state import TenantState
from tenants.lifecycle.transitions import activate, create_tenant
from tenants.members.recovery import ask, cancel, open_recovery, veto
from tenants.members.roster import (
    add_member,
    disable,
    enable,
    leave,
    remove,
    resend,
    reset_mfa,
    revoke,
    set_role,
    sign_out,
    transfer,
    try_now,
)
from tenants.members.steps import MEMBER_STEPS, OWN_MEMBER_STEPS
from tenants.models import Member, OwnerRecovery, Person, Tenant
from tests.world.stage import SOMEBODY, member_called
from tests.world.use_cases import entries_since, last_entry, tenant_in

A, R, S = MemberAction, Rule, TenantState
BREAK_GLASS = Actor("break-glass 1", "break-glass link of root", ActorKind.BREAK_GLASS)
OUTSIDE: dict[str, Actor] = {
    ActorKind.OPERATOR: SOMEBODY,
    ActorKind.BREAK_GLASS: BREAK_GLASS,
    ActorKind.TERMINAL: at_the_terminal(),
    ActorKind.WORKER: WORKER,
    ActorKind.VISITOR: Actor("visitor", "nobody signed in", ActorKind.VISITOR),
}
ACTORS = [*IN_AN_ORGANISATION, *OUTSIDE]
EVERYTHING = (ActorKind.TERMINAL, ActorKind.WORKER)
RANKS = [Role.OWNER, Role.ADMIN, Role.EDITOR, Role.VIEWER]
DOMAIN = "initech.example"
# The people that something is done to, beside those who do it.
TARGETS = {
    "owner": Role.OWNER, "admin": Role.ADMIN, "editor": Role.EDITOR, "viewer": Role.VIEWER,
    "invited": Role.VIEWER, "invited-owner": Role.OWNER,
    "disabled-by-operator": Role.EDITOR, "disabled-by-owner": Role.EDITOR,
    "owner-disabled-by-operator": Role.OWNER, "owner-disabled-by-owner": Role.OWNER,
}  # fmt: skip


@dataclass(frozen=True)
class Case:
    """Something that `who` tries. `target` is "" where nobody is there yet, "self" for themselves."""

    who: str
    action: MemberAction
    target: str
    new_role: str
    owner_has_signed_in: bool


def all_cases(owner_has_signed_in: bool) -> Iterator[Case]:
    # The others may do the same before and after that.
    actors = ACTORS if owner_has_signed_in else [ActorKind.OPERATOR, ActorKind.BREAK_GLASS, Role.OWNER]
    for who, action in itertools.product(actors, MemberAction):
        themselves = ["self"] if who in IN_AN_ORGANISATION else []
        match action:
            case A.SEE:
                continue
            case A.INVITE | A.RECOVER_OWNER | A.VETO_RECOVERY:
                targets: list[str] = [""]
            case _:
                # For those who may do everything, a few stand for all.
                targets = ["owner", "invited"] if who in EVERYTHING else [*TARGETS, *themselves]
        new_roles = [Role.OWNER, Role.VIEWER] if action in (A.INVITE, A.SET_ROLE) else [""]
        for target, new_role in itertools.product(targets, new_roles):
            yield Case(who, action, target, new_role, owner_has_signed_in)


def is_allowed(case: Case) -> bool:
    """What the table says, in other words than the program's."""
    rule = MAY[case.who].get(case.action, R.NO)
    if rule == R.NO:
        return False
    if case.who in EVERYTHING:
        return True
    role = case.who if case.target == "self" else TARGETS.get(case.target, "")
    if case.target == "self":
        if case.action == A.SET_ROLE:
            return RANKS.index(Role(case.new_role)) > RANKS.index(Role(role))
        if case.action not in (A.LEAVE, A.TRANSFER, A.SIGN_OUT):
            return False
    elif case.action in (A.LEAVE, A.TRANSFER):
        return False
    about_owners = Role.OWNER in (role, case.new_role)
    by_operator, by_owner = "disabled-by-operator" in case.target, "disabled-by-owner" in case.target
    return {
        R.YES: True,
        R.ON_ONESELF: case.target == "self",
        R.NOT_OWNERS: not about_owners,
        R.BEFORE_AN_OWNER: not case.owner_has_signed_in,
        R.ONLY_OF_OPERATORS: not by_owner,
        R.ONLY_OF_THEIRS: not by_operator,
        R.ONLY_OF_THEIRS_NOT_OWNERS: not by_operator and not about_owners,
        R.ONLY_OWNERS: role == Role.OWNER,
    }[rule]


def email(name: str) -> str:
    return f"{name}@{DOMAIN}"


@pytest.fixture
def organisation(db: None) -> Tenant:
    """Somebody of each role who acts, the targets, and a spare owner who has signed in, so that others can go."""
    tenant = tenant_in(S.ACTIVE)
    for name, role in {**{f"acting-{role}": role for role in RANKS}, **TARGETS, "spare": Role.OWNER}.items():
        if name != "owner":
            add_member(tenant=tenant, email=email(name), name="", role=role, by=SOMEBODY)
    for member in tenant.members.all():
        Person.objects.filter(pk=member.person_id).update(sub=uuid.uuid4())
    Member.objects.filter(tenant=tenant).exclude(person__email__startswith="invited").update(
        signed_in_at=timezone.now()
    )
    for name, flag in (("by-operator", True), ("by-owner", False)):
        named = Member.objects.filter(tenant=tenant, person__email__contains=f"disabled-{name}@")
        named.update(enabled=False, disabled_by_operator=flag)
    return Tenant.objects.get(pk=tenant.pk)


def actor(who: str) -> Actor:
    if who not in IN_AN_ORGANISATION:
        return OUTSIDE[who]
    member = member_called(email(f"acting-{who}"))
    return Actor(str(member.person.sub), member.person.email, ActorKind.MEMBER, who)


def try_it(case: Case, tenant: Tenant) -> None:
    by, name = actor(case.who), f"acting-{case.who}" if case.target == "self" else case.target
    member = member_called(email(name)) if name else None
    asks: dict[MemberAction, Callable[[], Any]] = {
        A.INVITE: lambda: add_member(tenant=tenant, email=email("new"), name="", role=case.new_role, by=by),
        A.RESEND: lambda: resend(there(member), by=by),
        A.REVOKE: lambda: revoke(there(member), by=by),
        A.SET_ROLE: lambda: set_role(there(member), case.new_role, by=by),
        A.DISABLE: lambda: disable(there(member), by=by),
        A.ENABLE: lambda: enable(there(member), by=by),
        A.REMOVE: lambda: remove(there(member), by=by),
        A.LEAVE: lambda: leave(there(member), by=by),
        A.TRANSFER: lambda: transfer(there(member), to=member_called(email("viewer")), by=by),
        A.SIGN_OUT: lambda: sign_out(there(member), by=by),
        A.RESET_MFA: lambda: reset_mfa(there(member), by=by),
        A.TRY_NOW: lambda: try_now(there(member), by=by),
        A.RECOVER_OWNER: lambda: ask(tenant, email=email("new"), why="x", by=by),
        A.VETO_RECOVERY: lambda: veto(begun(tenant).tenant, by=by),
    }
    asks[case.action]()


def there(member: Member | None) -> Member:
    assert member
    return member


def begun(tenant: Tenant) -> OwnerRecovery:
    return open_recovery(tenant) or OwnerRecovery.objects.create(
        tenant=tenant, email=email("new"), reason="x", due_at=timezone.now(), key_hash="x"
    )


def was_refused(case: Case, tenant: Tenant) -> bool:
    """Rolls back what it did. Other refusals than NotAllowed are of the state, not of the person."""
    with transaction.atomic():
        try:
            with transaction.atomic():
                try_it(case, tenant)
        except NotAllowed:
            return True
        except (NotNow, InvalidInput):
            return False
        finally:
            transaction.set_rollback(True)
    return False


@pytest.mark.parametrize("owner_has_signed_in", [False, True], ids=["no owner yet", "an owner has signed in"])
def test_every_use_case_refuses_exactly_what_the_table_says(organisation: Tenant, owner_has_signed_in: bool) -> None:
    at = timezone.now() if owner_has_signed_in else None
    Tenant.objects.filter(pk=organisation.pk).update(owner_signed_in_at=at)
    tenant = Tenant.objects.get(pk=organisation.pk)
    cases = list(all_cases(owner_has_signed_in))
    wrong = [case for case in cases if was_refused(case, tenant) == is_allowed(case)]
    assert wrong == []
    tried = {(case.who, case.action) for case in cases}
    assert not owner_has_signed_in or tried == set(itertools.product(ACTORS, set(A) - {A.SEE}))


@pytest.mark.parametrize("owner_has_signed_in", [False, True], ids=["no owner yet", "an owner has signed in"])
def test_every_step_offers_exactly_what_the_table_says(organisation: Tenant, owner_has_signed_in: bool) -> None:
    """Steps are what pages and commands show. A role is chosen on the page, so some role must be possible."""
    at = timezone.now() if owner_has_signed_in else None
    Tenant.objects.filter(pk=organisation.pk).update(owner_signed_in_at=at)
    steps = {step.name: step for step in (*MEMBER_STEPS, *OWN_MEMBER_STEPS)}
    wrong = []
    for who, action in itertools.product(ACTORS, [A(name) if name != "role" else A.SET_ROLE for name in steps]):
        step = steps["role" if action == A.SET_ROLE else action]
        for target in [*TARGETS, *(["self"] if who in IN_AN_ORGANISATION else [])]:
            member = member_called(email(f"acting-{who}" if target == "self" else target))
            roles = [Role.OWNER, Role.VIEWER] if action == A.SET_ROLE else [""]
            expected = any(is_allowed(Case(who, action, target, role, owner_has_signed_in)) for role in roles)
            if bool(step.allowed(member, actor(who))) == expected:
                wrong.append((who, action, target))
    assert wrong == []


def test_break_glass_makes_raises_and_enables_nobody(organisation: Tenant) -> None:
    pending = create_tenant(name="Umbrella", owner_email="owner@umbrella.example", by=SOMEBODY)
    for attempt in (
        lambda: create_tenant(name="Hooli", owner_email="owner@hooli.example", by=BREAK_GLASS),
        lambda: activate(pending, by=BREAK_GLASS),
        lambda: add_member(tenant=None, email="me@platform.example", name="", role=Role.OPERATOR, by=BREAK_GLASS),
        lambda: add_member(tenant=organisation, email=email("me"), name="", role=Role.VIEWER, by=BREAK_GLASS),
        lambda: set_role(member_called(email("viewer")), Role.ADMIN, by=BREAK_GLASS),
        lambda: enable(member_called(email("disabled-by-operator")), by=BREAK_GLASS),
        lambda: resend(member_called(email("invited")), by=BREAK_GLASS),
        lambda: ask(organisation, email=email("me"), why="x", by=BREAK_GLASS),
        lambda: cancel(begun(organisation).tenant, by=BREAK_GLASS),
    ):
        with pytest.raises(NotAllowed, match="makes, raises and enables nobody"):
            attempt()
    assert not Tenant.objects.filter(name="Hooli").exists()


def test_an_organisation_cannot_enable_whom_operators_disabled(organisation: Tenant) -> None:
    by = actor(Role.OWNER)
    for there in (SOMEBODY, BREAK_GLASS, at_the_terminal()):
        with pytest.raises(NotAllowed, match="An operator disabled them"):
            enable(disable(member_called(email("editor")), by=there), by=by)
        enable(member_called(email("editor")), by=SOMEBODY)
    with pytest.raises(NotAllowed, match="The organisation itself disabled them"):
        enable(disable(member_called(email("editor")), by=by), by=SOMEBODY)


@pytest.mark.parametrize("new_role", [Role.OWNER, Role.ADMIN])
def test_nobody_raises_themselves_by_any_way(organisation: Tenant, new_role: Role) -> None:
    Tenant.objects.filter(pk=organisation.pk).update(owner_signed_in_at=timezone.now())
    for who in (Role.ADMIN, Role.EDITOR, Role.VIEWER):
        by, me = actor(who), member_called(email(f"acting-{who}"))
        if RANKS.index(new_role) < RANKS.index(who):
            with pytest.raises(NotAllowed):
                set_role(me, new_role, by=by)
        # Oneself, or a second address of one's own, as owner.
        for address in (me.person.email, email("second-address")):
            with pytest.raises(NotAllowed):
                add_member(tenant=organisation, email=address, name="", role=Role.OWNER, by=by)
        with pytest.raises(NotAllowed):
            set_role(member_called(email("invited")), Role.OWNER, by=by)
        with pytest.raises(NotAllowed):
            transfer(member_called(email("owner")), to=me, by=by)


def test_no_operator_becomes_owner_once_an_owner_has_signed_in(organisation: Tenant) -> None:
    Tenant.objects.filter(pk=organisation.pk).update(owner_signed_in_at=timezone.now())
    before = last_entry()
    with pytest.raises(NotAllowed, match="its own people decide"):
        add_member(tenant=organisation, email=email("operators-own"), name="", role=Role.OWNER, by=SOMEBODY)
    with pytest.raises(NotAllowed, match="its own people decide"):
        set_role(member_called(email("viewer")), Role.OWNER, by=SOMEBODY)
    assert entries_since(before) == [], "refusals follow once the transaction has ended"


def test_an_owner_who_was_demoted_acts_as_what_they_are_now(organisation: Tenant) -> None:
    """Their page and their token still say owner."""
    by = actor(Role.OWNER)
    set_role(member_called(email("acting-owner")), Role.EDITOR, by=SOMEBODY)
    assert by.role == Role.OWNER
    for attempt in (
        lambda: set_role(member_called(email("viewer")), Role.OWNER, by=by),
        lambda: add_member(tenant=organisation, email=email("new"), name="", role=Role.VIEWER, by=by),
        lambda: remove(member_called(email("viewer")), by=by),
    ):
        with pytest.raises(NotAllowed, match="Only owners and admins"):
            attempt()
    disable(member_called(email("acting-owner")), by=SOMEBODY)
    with pytest.raises(NotAllowed, match="You are not a member"):
        remove(member_called(email("viewer")), by=by)


def test_people_of_another_organisation_may_do_and_learn_nothing(organisation: Tenant) -> None:
    tenant_in(S.ACTIVE, name="Umbrella", domain="umbrella.example")
    stranger = member_called("owner@umbrella.example")
    Person.objects.filter(pk=stranger.person_id).update(sub=uuid.uuid4())
    stranger = member_called("owner@umbrella.example")
    by = Actor(str(stranger.person.sub), stranger.person.email, ActorKind.MEMBER, Role.OWNER)
    target = member_called(email("viewer"))
    for attempt in (
        lambda: add_member(tenant=organisation, email=email("new"), name="", role=Role.VIEWER, by=by),
        lambda: set_role(target, Role.ADMIN, by=by),
        lambda: disable(target, by=by),
        lambda: remove(target, by=by),
        lambda: leave(target, by=by),
        lambda: transfer(member_called(email("owner")), to=target, by=by),
        lambda: veto(begun(organisation).tenant, by=by),
    ):
        with pytest.raises(NotAllowed) as refused:
            attempt()
        assert "Initech" not in refused.value.message


def test_a_refusal_is_recorded_in_the_organisations_trail(organisation: Tenant) -> None:
    before, by = last_entry(), actor(Role.ADMIN)
    with TestCase.captureOnCommitCallbacks(execute=True), pytest.raises(NotAllowed) as refused:
        set_role(member_called(email("viewer")), Role.OWNER, by=by)
    (entry,) = entries_since(before)
    assert (entry.action, entry.org, entry.actor) == (Action.MEMBER_REFUSED, organisation.org_id, by.id)
    assert (entry.why, entry.after["asked"]) == (refused.value.message, "set_role")


def test_the_table_names_every_kind_of_actor_and_every_action() -> None:
    assert set(MAY) == {*IN_AN_ORGANISATION, *(set(ActorKind) - {ActorKind.MEMBER})}
    assert {action for row in MAY.values() for action in row} == set(A)


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("action", [MemberAction.DISABLE, MemberAction.RESET_MFA])
def test_those_whom_somebody_is_sent_to_may_help(role: Role, action: MemberAction) -> None:
    of_operators = role == Role.OPERATOR
    about = Question(role=role, of_operators=of_operators, owner_has_signed_in=True)
    kinds = {"owner": ActorKind.MEMBER, "admin": ActorKind.MEMBER, "operator": ActorKind.OPERATOR}
    helpers = re.findall(r"owner|admin|operator", who_helps(role))
    assert helpers
    for helper in helpers:
        assert why_not(Actor("x", "x", kinds[helper], helper), action, about) == ""
    assert why_not(Actor("x", "x", kinds[helpers[0]], role), MemberAction.RESET_MFA, replace(about, is_self=True))
