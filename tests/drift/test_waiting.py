"""Users who signed up and have not signed in yet: listed by a comparison, and no difference."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from django.utils import timezone

from tenants.models import AuditEvent, Drift, Reconciliation, SignUp, SignUpState
from tests.world.faults import Switches
from tests.world.pool import by_hand, compare_pool, differences, settled_tenant, with_interruptions
from tests.world.stage import Stage

pytestmark = pytest.mark.usefixtures("only_the_cast_in_the_pool")
SIGNED_UP = "signed up, and has not signed in yet"
UNNAMED = "signed up, and has not named the organisation yet"


def sign_up(stage: Stage, email: str) -> SignUp:
    """As the worker leaves it once it has invited the person."""
    made = SignUp.objects.create(
        email=email,
        organisation="Initech",
        name="Ira",
        state=SignUpState.INVITED,
        expires_at=timezone.now() + timedelta(days=7),
    )
    stage.make_by_hand(email, org=str(made.org_id), role="owner")
    return made


def test_somebody_who_signed_up_waits_and_differs_from_nothing(stage: Stage, domain: str) -> None:
    sign_up(stage, f"ira@{domain}")
    done = compare_pool(stage)
    assert differences() == {("waiting", f"ira@{domain}", "", SIGNED_UP)}
    assert (done.found, done.left, done.waiting) == ({}, 0, 1)
    assert Reconciliation.objects.get().found == 0
    assert AuditEvent.objects.get(action="reconciliation.finished").after["found"] == {}


def test_a_user_without_a_sign_up_still_differs(stage: Stage, domain: str) -> None:
    sign_up(stage, f"ira@{domain}").delete()
    done = compare_pool(stage)
    assert (done.found, done.left, done.waiting) == ({"unknown-user": 1}, 1, 0)


@pytest.mark.parametrize(
    ("role", "hosted", "kind"),
    [("owner", True, "waiting"), ("owner", False, "unknown-user"), ("viewer", True, "unknown-user")],
)
def test_an_owner_from_cognitos_own_pages_waits_for_the_name(
    stage: Stage, domain: str, role: str, hosted: bool, kind: str
) -> None:
    stage.make_by_hand(f"hank@{domain}", org=str(uuid.uuid4()), role=role)
    compare_pool(stage, hosted_sign_ups=hosted)
    assert [drift.kind for drift in Drift.objects.all()] == [kind]
    assert (Drift.objects.get().seen == UNNAMED) == (kind == "waiting")


def test_an_owner_of_an_organisation_that_has_a_tenant_does_not_wait(stage: Stage, domain: str) -> None:
    tenant = settled_tenant(stage, "Named", 1, domain=domain)
    stage.make_by_hand(f"hank@{domain}", org=str(tenant.org_id), role="owner")
    assert compare_pool(stage, hosted_sign_ups=True).found == {"unknown-user": 1}


def test_an_organisation_that_is_no_uuid_does_not_wait(stage: Stage, domain: str) -> None:
    stage.make_by_hand(f"hank@{domain}", org="x" * 36, role="owner")
    assert compare_pool(stage, hosted_sign_ups=True).found == {"unknown-user": 1}


def test_a_sign_up_that_ends_meanwhile_is_no_difference(stage: Stage, switches: Switches, domain: str) -> None:
    sign_up(stage, f"gone@{domain}")
    interrupted = with_interruptions(stage, lambda _: by_hand(stage, "admin_delete_user", f"gone@{domain}"))
    switches.forget()
    done = compare_pool(interrupted)
    assert (done.found, done.waiting) == ({}, 0)
    assert switches.calls()["CognitoIdentityProvider.AdminGetUser"] == 1


def test_waiting_users_are_neither_repaired_nor_counted_as_missing(stage: Stage, domain: str) -> None:
    sign_up(stage, f"ira@{domain}")
    done = compare_pool(stage, repair=True)
    assert (done.left, done.run.repaired, done.refused) == (0, 0, "")
    assert stage.user(f"ira@{domain}") is not None
