"""An owner with a mistyped address is replaced at once, as Cognito has it too once the worker has been there."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from portal.demo.cast import ACME, ACME_OWNER, CastMember
from portal.demo.world import World
from tenants.domain.errors import NotAllowed
from tenants.domain.roles import Role
from tenants.domain.tenant_state import TenantState
from tenants.lifecycle.transitions import create_tenant
from tenants.members.recovery import ask, open_recovery
from tenants.members.roster import add_member, set_role, try_now
from tenants.models import Member, Provisioning, Tenant
from tests.world.fixtures import Browser
from tests.world.pool import compare_pool, settled_tenant
from tests.world.stage import SOMEBODY, Stage, member_called
from tests.world.use_cases import run_at_once

S = TenantState


def new_tenant(domain: str) -> Tenant:
    return create_tenant(name="Initech", owner_email=f"onwer@{domain}", mail_invitation=False, by=SOMEBODY)


def replace(tenant: Tenant, domain: str) -> None:
    assert ask(tenant, email=f"owner@{domain}", why="a wrong letter", by=SOMEBODY) is None


def assert_replaced(stage: Stage, tenant: Tenant, domain: str) -> None:
    assert [user.email for user in stage.users_of(domain)] == [f"owner@{domain}"]
    (user,) = stage.users_of(domain)
    assert (user.org, user.role, user.enabled) == (str(tenant.org_id), Role.OWNER, True)
    assert not Member.objects.filter(person__email=f"onwer@{domain}").exists()
    assert member_called(f"owner@{domain}").provisioning == Provisioning.SETTLED
    assert Tenant.objects.get(pk=tenant.pk).state == S.ACTIVE


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("created", [True, False], ids=["the user exists", "no user yet"])
def test_cognito_has_the_new_owner_alone_afterwards(stage: Stage, domain: str, created: bool) -> None:
    tenant = new_tenant(domain)
    if created:
        stage.work()
        assert Tenant.objects.get(pk=tenant.pk).state == S.ACTIVE
    replace(tenant, domain)
    stage.work()
    assert_replaced(stage, tenant, domain)


@pytest.mark.django_db(transaction=True)
def test_a_worker_at_the_same_moment_leaves_nothing_half_done(stage: Stage, domain: str) -> None:
    for number in range(4):
        own = f"{number}.{domain}"
        tenant = new_tenant(own)
        run_at_once(stage.work, lambda tenant=tenant, own=own: replace(tenant, own))
        stage.work()
        assert_replaced(stage, tenant, own)


def test_a_replaced_owner_who_still_signs_in_ends_nothing(
    portal: World, browse_as: Callable[[CastMember], Browser]
) -> None:
    tenant = Tenant.objects.get(org_id=ACME.org_id.value)
    # Cognito says FORCE_CHANGE_PASSWORD of somebody who has only been invited.
    Member.objects.filter(tenant=tenant).update(seen_status="FORCE_CHANGE_PASSWORD")
    assert ask(tenant, email="new@acme.example", why="a wrong letter", by=SOMEBODY) is None
    assert Browser(portal).sign_in(ACME_OWNER).status_code == 403
    assert Tenant.objects.get(pk=tenant.pk).owner_signed_in_at is None


def test_from_the_owners_first_sign_in_on_the_same_step_waits(
    portal: World, browse_as: Callable[[CastMember], Browser]
) -> None:
    browse_as(ACME_OWNER)
    tenant = Tenant.objects.get(org_id=ACME.org_id.value)
    assert tenant.owner_signed_in_at is not None
    assert ask(tenant, email="new@acme.example", why="left", by=SOMEBODY) == open_recovery(tenant)
    assert not member_called(ACME_OWNER.email).removed
    with pytest.raises(NotAllowed):
        add_member(tenant=tenant, email="me@acme.example", name="", role=Role.OWNER, by=SOMEBODY)


def test_an_owner_whom_only_cognito_saw_is_not_replaced_at_once(portal: World) -> None:
    """They have chosen a password, and the portal did not see them come back."""
    tenant = Tenant.objects.get(org_id=ACME.org_id.value)
    assert tenant.owner_signed_in_at is None
    assert ask(tenant, email="new@acme.example", why="left", by=SOMEBODY) is not None


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("seen_by", ["a worker", "a comparison"])
def test_operators_add_nobody_once_cognito_has_an_owners_password(stage: Stage, domain: str, seen_by: str) -> None:
    """The portal did not see them come back, and they may have called AWS themselves."""
    tenant = settled_tenant(stage, "Initech", 2, domain=domain)
    set_role(member_called(f"p1@{domain}"), Role.EDITOR, by=SOMEBODY)
    stage.work()
    stage.choose_password(f"p0@{domain}")
    if seen_by == "a worker":
        try_now(member_called(f"p0@{domain}"), by=SOMEBODY)
        Member.objects.update(attempts=1)
        stage.work()
    else:
        compare_pool(stage, tenant=tenant)
    assert member_called(f"p0@{domain}").seen_status == "CONFIRMED"
    with pytest.raises(NotAllowed):
        add_member(tenant=tenant, email=f"me@{domain}", name="", role=Role.OWNER, by=SOMEBODY)
    with pytest.raises(NotAllowed):
        set_role(member_called(f"p1@{domain}"), Role.OWNER, by=SOMEBODY)
