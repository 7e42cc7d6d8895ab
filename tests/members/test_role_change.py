"""A change of role reaches the next page and the next call to AWS, with real credentials."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from django.core.cache import cache

from emulator.client import seeding
from portal.demo.cast import ACME, ACME_EDITOR, ACME_OWNER, CastMember
from tenants.domain.actor import Actor, ActorKind
from tenants.domain.claims import Claims
from tenants.domain.errors import MembershipChanged, MembershipEnded
from tenants.domain.roles import Role
from tenants.members.roster import disable, set_role, transfer
from tenants.sign_in.sessions import SignedIn
from tenants.sign_in.standing import standing_of
from tenants.sign_in.wiring import federation
from tests.world.faults import Switches
from tests.world.fixtures import Browser
from tests.world.stage import Stage, member_called

Browse = Callable[[CastMember], Browser]


def signed_in(browser: Browser) -> SignedIn:
    stored = browser.session["sign_in"]
    standing = standing_of(stored["person"])
    assert standing
    return SignedIn(uuid.UUID(stored["id"]), Claims.from_session(stored["claims"]), standing, endings=stored["endings"])


def admitted_before(who: SignedIn) -> SignedIn:
    """In a request that takes long: the door let them in two seconds ago."""
    return replace(who, known_at=who.known_at - 2)


def acting(who: CastMember) -> Actor:
    member = member_called(who.email)
    return Actor(str(member.person.sub), who.email, ActorKind.MEMBER, member.role)


def can_write(stage: Stage, credentials: Any) -> bool:
    """Editors may write rows and viewers may not: IAM goes by the tag `role`."""
    table = seeding.clients(stage.world.emulator.endpoint_url, credentials)("dynamodb")
    row = {"pk": {"S": ACME.space.collection("role-changes")}, "sk": {"S": "one"}}
    try:
        table.put_item(TableName=stage.world.settings["RECORDS_TABLE"], Item=row)
        table.delete_item(TableName=stage.world.settings["RECORDS_TABLE"], Key=row)
    except ClientError as error:
        if error.response["Error"]["Code"] != "AccessDeniedException":
            raise
        return False
    return True


@pytest.fixture
def cast_as_before(stage: Stage) -> Iterator[None]:
    """The pool outlives a test."""
    yield
    for who in (ACME_EDITOR, ACME_OWNER):
        attributes = [{"Name": "custom:role", "Value": who.role}]
        stage.by_hand.admin_update_user_attributes(
            UserPoolId=stage.tools.directory.pool_id, Username=who.email, UserAttributes=attributes
        )
        stage.by_hand.admin_enable_user(UserPoolId=stage.tools.directory.pool_id, Username=who.email)


@pytest.mark.usefixtures("cast_as_before")
def test_the_next_call_to_aws_has_the_new_role_or_is_refused(
    stage: Stage, browse_as: Browse, switches: Switches
) -> None:
    browser = browse_as(ACME_EDITOR)
    browser.get("/records/orders/")
    before = signed_in(browser)
    assert can_write(stage, federation().credentials_for(before))
    set_role(member_called(ACME_EDITOR.email), Role.VIEWER, by=acting(ACME_OWNER))
    # Cognito does not have it yet: no page, and no call for a request that was at the door before.
    switches.forget()
    with pytest.raises(MembershipChanged):
        federation().credentials_for(admitted_before(before))
    assert browser.get("/records/orders/").status_code == 401
    assert browser.sign_in(ACME_EDITOR, following="/records/orders/").status_code == 403
    assert "DynamoDB.Query" not in switches.calls()
    assert cache.get(f"credentials:{before.sign_in_id}:{before.claims.org}:editor") is None
    stage.work()
    assert browser.sign_in(ACME_EDITOR, following="/records/orders/").status_code == 200
    after = signed_in(browser)
    assert after.claims.role == "viewer"
    assert not can_write(stage, federation().credentials_for(after))
    with pytest.raises(MembershipChanged):
        federation().credentials_for(admitted_before(before))


@pytest.mark.usefixtures("cast_as_before")
def test_a_new_role_counts_at_once_where_the_worker_was_faster(stage: Stage, browse_as: Browse) -> None:
    browser = browse_as(ACME_EDITOR)
    browser.get("/records/orders/")
    set_role(member_called(ACME_EDITOR.email), Role.VIEWER, by=acting(ACME_OWNER))
    stage.work()
    assert browser.get("/records/orders/").status_code == 401
    assert browser.sign_in(ACME_EDITOR, following="/records/orders/").status_code == 200
    assert not can_write(stage, federation().credentials_for(signed_in(browser)))
    set_role(member_called(ACME_EDITOR.email), Role.EDITOR, by=acting(ACME_OWNER))
    stage.work()
    assert browser.sign_in(ACME_EDITOR, following="/records/orders/").status_code == 200
    assert can_write(stage, federation().credentials_for(signed_in(browser)))


@pytest.mark.usefixtures("cast_as_before")
def test_somebody_disabled_makes_no_further_call(stage: Stage, browse_as: Browse) -> None:
    browser = browse_as(ACME_EDITOR)
    browser.get("/records/orders/")
    who = signed_in(browser)
    disable(member_called(ACME_EDITOR.email), by=acting(ACME_OWNER))
    with pytest.raises(MembershipEnded):
        federation().credentials_for(admitted_before(who))


@pytest.mark.usefixtures("cast_as_before")
def test_both_sides_of_a_transfer_follow(stage: Stage, browse_as: Browse) -> None:
    giver, heir = browse_as(ACME_OWNER), browse_as(ACME_EDITOR)
    transfer(member_called(ACME_OWNER.email), to=member_called(ACME_EDITOR.email), by=acting(ACME_OWNER))
    stage.work()
    assert [giver.get("/records/").status_code, heir.get("/records/").status_code] == [401, 401]
    assert giver.sign_in(ACME_OWNER).status_code == heir.sign_in(ACME_EDITOR).status_code == 200
    assert (signed_in(giver).claims.role, signed_in(heir).claims.role) == ("admin", "owner")
