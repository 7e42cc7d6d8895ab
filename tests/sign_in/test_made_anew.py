"""A user deleted in the pool and made anew by hand: another sub, with the address and the organisation of a member."""

from __future__ import annotations

import json
import time
import uuid
from typing import Any

import pytest
from django.core.management import call_command
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from portal.demo.cast import CastMember
from tenants.domain.claims import Claims
from tenants.domain.errors import InvalidInput, NotNow, SignInFailed
from tenants.domain.roles import Role
from tenants.members.roster import check_may_transfer, remove, set_role
from tenants.models import Member, Person, Provisioning, Tenant
from tenants.sign_in.sessions import person_for
from tests.world.fixtures import Browser
from tests.world.pool import by_hand, compare_pool, differences, settled_tenant
from tests.world.stage import SOMEBODY, Stage, member_called

pytestmark = pytest.mark.usefixtures("only_the_cast_in_the_pool")


def make_anew(stage: Stage, email: str) -> str:
    """As somebody with AWS's console does who wants to help. Returns the new sub."""
    user = stage.user(email)
    assert user
    by_hand(stage, "admin_delete_user", email)
    sub = stage.make_by_hand(email, org=user.org, role=user.role)
    by_hand(stage, "admin_set_user_password", email, Password=stage.world.password, Permanent=True)
    return sub


def sign_in(stage: Stage, email: str) -> Any:
    return Browser(stage.world).sign_in(CastMember(email, "", Role.OWNER, None))


def claims(sub: uuid.UUID, email: str) -> Claims:
    return Claims(sub=str(sub), email=email, name="", org="", role="", expires_at=int(time.time()) + 600)


def test_a_user_made_anew_is_no_owner_and_takes_no_address(stage: Stage, domain: str) -> None:
    email = f"p0@{domain}"
    settled_tenant(stage, "Anew", 2, domain=domain)
    before = member_called(email)
    sub = make_anew(stage, email)
    assert sign_in(stage, email).status_code == 403
    after = member_called(email)
    assert (after.pk, after.person.sub, after.signed_in_at) == (before.pk, before.person.sub, None)
    newcomer = Person.objects.get(sub=sub)
    assert (newcomer.email, newcomer.memberships.count()) == ("", 0)


def test_a_repair_takes_the_user_over_who_then_signs_in(stage: Stage, domain: str) -> None:
    email = f"p0@{domain}"
    settled_tenant(stage, "Taken over", 2, domain=domain)
    sub = make_anew(stage, email)
    sign_in(stage, email)
    assert compare_pool(stage).found == {"missing-user": 1}
    assert differences() == {
        ("missing-user", email, "owner, enabled", "another user with this address, owner, enabled")
    }
    assert compare_pool(stage, repair=True).left == 0
    assert str(member_called(email).person.sub) == sub
    assert sign_in(stage, email).status_code == 200
    assert Person.objects.filter(sub=sub).count() == 1


def test_an_unverified_address_makes_no_user_a_members(stage: Stage, domain: str) -> None:
    email = f"p0@{domain}"
    settled_tenant(stage, "Unverified", 2, domain=domain)
    before = member_called(email).person.sub
    make_anew(stage, email)
    unverified = [{"Name": "email_verified", "Value": "false"}]
    by_hand(stage, "admin_update_user_attributes", email, UserAttributes=unverified)
    compare_pool(stage, repair=True)
    set_role(member_called(f"p1@{domain}"), Role.OWNER, by=SOMEBODY)
    stage.work()
    member = member_called(email)
    assert member.person.sub == before
    Member.objects.filter(pk=member.pk).update(provisioning=Provisioning.DUE, attempts=1, due_at=member.created_at)
    stage.work()
    assert member_called(email).provisioning == Provisioning.CONFLICT
    assert "not verified" in member_called(email).last_error


def test_a_sign_in_before_the_worker_wrote_the_sub_is_no_members_yet(stage: Stage, domain: str) -> None:
    tenant, email = settled_tenant(stage, "Early", 2, domain=domain), f"p1@{domain}"
    sub = make_anew(stage, email)
    Person.objects.filter(email=email).update(sub=None)
    Member.objects.filter(person__email=email).update(provisioning=Provisioning.DUE, due_at=tenant.created_at)
    assert sign_in(stage, email).status_code == 403
    assert member_called(email).person.sub is None
    stage.work()
    assert str(member_called(email).person.sub) == sub
    assert sign_in(stage, email).status_code == 200


def test_an_owner_without_a_user_counts_for_no_other_owner(stage: Stage, domain: str) -> None:
    settled_tenant(stage, "Counted", 3, domain=domain)
    gone, here, other = (f"p{number}@{domain}" for number in range(3))
    set_role(member_called(here), Role.OWNER, by=SOMEBODY)
    stage.work()
    by_hand(stage, "admin_delete_user", gone)
    by_hand(stage, "admin_delete_user", other)
    compare_pool(stage)
    with pytest.raises(NotNow, match=r"only owner .* who has a user in Cognito"):
        remove(member_called(here), by=SOMEBODY)
    Member.objects.filter(person__email=other).update(signed_in_at=member_called(other).created_at)
    with pytest.raises(InvalidInput, match="no user in Cognito"):
        check_may_transfer(member_called(here), to=member_called(other))
    remove(member_called(gone), by=SOMEBODY)


@pytest.mark.parametrize("is_gone", [False, True])
def test_a_member_without_an_address_is_mended_or_shown(
    stage: Stage, domain: str, capsys: pytest.CaptureFixture[str], is_gone: bool
) -> None:
    """As an earlier version of the portal left them."""
    settled_tenant(stage, "Nameless", 2, domain=domain)
    member = member_called(f"p1@{domain}")
    Person.objects.filter(pk=member.person_id).update(email="")
    if is_gone:
        by_hand(stage, "admin_delete_user", f"p1@{domain}")
    compare_pool(stage)
    if not is_gone:
        assert member_called(f"p1@{domain}") == member
        return
    assert differences() == {("missing-user", "", "viewer, enabled", "no user, and no address to make one with")}
    call_command("member", "retry", str(member.person.sub))
    stage.work()
    member.refresh_from_db()
    assert (member.provisioning, "no address" in member.last_error) == (Provisioning.CONFLICT, True)
    capsys.readouterr()
    call_command("member", "list", "--json", "--state", "conflict")
    assert json.loads(capsys.readouterr().out)["sub"] == str(member.person.sub)
    call_command("member", "remove", str(member.person.sub))
    stage.work()
    assert not Member.objects.filter(pk=member.pk).exists()


SUBS = tuple(uuid.uuid4() for _ in range(4))
ADDRESSES = ("a@x.example", "b@x.example", "c@x.example", "")


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sign_ins=st.lists(st.tuples(st.sampled_from(SUBS), st.sampled_from(ADDRESSES)), max_size=12))
def test_no_sequence_of_sign_ins_leaves_a_member_without_address(
    db: None, sign_ins: list[tuple[uuid.UUID, str]]
) -> None:
    """Two are members, and a third was invited; the others are anybody."""
    with transaction.atomic():
        check_sign_ins(sign_ins)
        transaction.set_rollback(True)


def check_sign_ins(sign_ins: list[tuple[uuid.UUID, str]]) -> None:
    tenant = Tenant.objects.create(name="Generated")
    for address, sub in zip(ADDRESSES, [*SUBS[:2], None], strict=False):
        person = Person.objects.create(email=address, sub=sub)
        Member.objects.create(person=person, tenant=tenant, role=Role.OWNER)
    members = set(Member.objects.values_list("pk", "person__sub"))
    for sub, address in sign_ins:
        if not address and not Person.objects.filter(sub=sub).exists():
            with pytest.raises(SignInFailed):
                person_for(claims(sub, address))
            continue
        assert person_for(claims(sub, address)).sub == sub
        assert not Member.objects.filter(person__email="").exists()
        assert set(Member.objects.values_list("pk", "person__sub")) == members
