"""What members of a suspended tenant meet at the portal, at Cognito, and at AWS with credentials that still work."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from django.utils import timezone

from emulator.client import seeding
from emulator.client.sign_in import SignInFailed, Tokens, credentials_for, sign_in
from portal.demo.cast import ACME, ACME_EDITOR, ACME_OWNER, GLOBEX, GLOBEX_OWNER, CastMember, Organisation
from portal.demo.world import World
from tenants.aws.token_endpoint import TokenEndpoint
from tenants.domain.errors import PortalError
from tenants.health.blockers import blockers
from tenants.lifecycle.closing import plan_closing
from tenants.lifecycle.suspension import OUTLIVES, rings
from tenants.lifecycle.transitions import close, reactivate, reopen, suspend
from tenants.members.roster import disable, remove
from tenants.models import Member, Suspension
from tenants.provisioning.worker import Worker
from tests.emulator.accounts import later
from tests.world.fixtures import Browser
from tests.world.pool import compare_pool
from tests.world.stage import SOMEBODY, Stage
from tests.world.use_cases import acme

pytestmark = pytest.mark.usefixtures("nobody_suspended_afterwards")
Browse = Callable[[CastMember], Browser]


def tokens_of(world: World, member: CastMember) -> Tokens:
    return sign_in(
        domain=world.settings["COGNITO_DOMAIN"],
        client_id=world.settings["COGNITO_CLIENT_ID"],
        client_secret=world.settings["COGNITO_CLIENT_SECRET"],
        redirect_uri=f"{world.portal_url}/oidc/callback/",
        email=member.email,
        password=world.password,
    )


def new_credentials(world: World, tokens: Tokens) -> Any:
    return credentials_for(
        endpoint_url=world.emulator.endpoint_url,
        identity_pool_id=world.settings["COGNITO_IDENTITY_POOL_ID"],
        provider_name=world.provider,
        id_token=tokens.id_token,
    )


def reader(world: World, credentials: Any, organisation: Organisation) -> Callable[[], str]:
    """Returns a function that queries the organisation's orders; it returns AWS's error code, "" for an answer."""
    table = seeding.clients(world.emulator.endpoint_url, credentials)("dynamodb")
    orders = {":pk": {"S": organisation.space.collection("orders")}}

    def read() -> str:
        try:
            table.query(
                TableName=world.settings["RECORDS_TABLE"],
                KeyConditionExpression="pk = :pk",
                ExpressionAttributeValues=orders,
                Limit=1,
            )
        except ClientError as error:
            return str(error.response["Error"]["Code"])
        return ""

    return read


def refused_with(read: Callable[[], str], worker: Worker) -> str:
    """The error code of the first refusal, with the worker running until then."""
    refused: list[str] = []

    def read_on() -> None:
        until = time.monotonic() + 120
        while not refused and time.monotonic() < until:
            if code := read():
                refused.append(code)
            time.sleep(0.01)
        worker.stop.set()

    reading = threading.Thread(target=read_on)
    reading.start()
    worker.work(forever=True)
    reading.join()
    (code,) = refused
    return code


def test_credentials_are_refused_before_cognito_has_signed_all_out(stage: Stage) -> None:
    world = stage.world
    own = reader(world, world.credentials_of(ACME_OWNER), ACME)
    others = reader(world, world.credentials_of(GLOBEX_OWNER), GLOBEX)
    assert own() == others() == ""
    # Two calls for each of three members: waiting for Cognito would take a minute.
    slow = stage.at_this_pace(UserUpdate=0.1)
    worker = Worker(slow.tools, threading.Event(), threads=2)
    suspend(acme(), by=SOMEBODY, why="not paid")
    assert refused_with(own, worker) == "AccessDeniedException"
    assert Suspension.objects.get().signed_out_at is None
    assert others() == ""


def test_each_ring_refuses_by_itself_and_reactivating_opens_all(stage: Stage, browse_as: Browse) -> None:
    world, browser = stage.world, browse_as(ACME_OWNER)
    tokens = tokens_of(world, ACME_EDITOR)
    old = reader(world, new_credentials(world, tokens), ACME)
    assert browser.get("/records/").status_code == 200

    suspend(acme(), by=SOMEBODY, why="not paid")
    refused = browser.get("/records/")
    assert (refused.status_code, old()) == (403, ""), "the portal alone so far"
    assert "Acme Ltd is suspended" in refused.content.decode()

    stage.work()
    assert old() == "AccessDeniedException"
    assert_cognito_gives_nothing_for(tokens, world)
    suspension = Suspension.objects.get(tenant=acme())
    assert suspension.signed_out_at
    assert suspension.denied_at

    reactivate(acme(), by=SOMEBODY, why="paid")
    stage.work()
    assert old() == "", "valid for the rest of their hour"
    assert reader(world, new_credentials(world, tokens_of(world, ACME_EDITOR)), ACME)() == ""
    assert Browser(world).sign_in(ACME_OWNER, following="/records/").status_code == 200


def assert_cognito_gives_nothing_for(tokens: Tokens, world: World) -> None:
    """Neither for old tokens nor for the password."""
    endpoint = TokenEndpoint(
        domain=world.settings["COGNITO_DOMAIN"],
        client_id=world.settings["COGNITO_CLIENT_ID"],
        client_secret=world.settings["COGNITO_CLIENT_SECRET"],
    )
    with pytest.raises(PortalError, match="Your session has ended"):
        endpoint.renew(tokens.refresh_token)
    with pytest.raises(ClientError, match="NotAuthorizedException"):
        new_credentials(world, tokens)
    with pytest.raises(SignInFailed):
        tokens_of(world, ACME_EDITOR)


def test_the_policy_lists_a_tenant_until_old_credentials_have_expired(stage: Stage) -> None:
    world = stage.world
    old = reader(world, world.credentials_of(ACME_OWNER), ACME)
    suspend(acme(), by=SOMEBODY, why="not paid")
    stage.work()
    with later(world.emulator, OUTLIVES.total_seconds() - 60 * 16):
        assert old() == "AccessDeniedException", "not expired, but denied by the policy"
    with later(world.emulator, OUTLIVES.total_seconds()):
        Suspension.objects.update(deny_until=timezone.now())
        stage.work()
        assert stage.tools.policy.listed() == frozenset()
        assert old() == "ExpiredTokenException"
    assert Suspension.objects.get(tenant=acme()).lifted_at is None


def long_suspended(stage: Stage) -> Suspension:
    """All credentials issued before have expired, and the policy does not list the tenant any more."""
    suspend(acme(), by=SOMEBODY, why="not paid")
    stage.work()
    Suspension.objects.update(deny_until=timezone.now())
    stage.work()
    assert stage.tools.policy.listed() == frozenset()
    return Suspension.objects.get()


def enabled_by_hand(stage: Stage) -> Callable[[], str]:
    world = stage.world
    stage.by_hand.admin_enable_user(UserPoolId=stage.tools.directory.pool_id, Username=ACME_EDITOR.email)
    read = reader(world, new_credentials(world, tokens_of(world, ACME_EDITOR)), ACME)
    assert read() == ""
    return read


def test_a_member_enabled_by_hand_is_denied_once_repaired(stage: Stage) -> None:
    suspension = long_suspended(stage)
    read = enabled_by_hand(stage)
    compare_pool(stage, tenant=acme(), repair=True)
    stage.work()
    assert read() == "AccessDeniedException"
    suspension.refresh_from_db()
    assert rings(suspension).all_reached
    assert suspension.deny_until is not None
    assert suspension.deny_until > timezone.now()


def test_a_member_enabled_by_hand_is_denied_once_the_tenant_closes(stage: Stage) -> None:
    suspension = long_suspended(stage)
    read = enabled_by_hand(stage)
    closing = close(acme(), by=SOMEBODY, why="asked for", grace=timedelta())
    assert plan_closing(closing, export=True).steps == ()
    suspension.refresh_from_db()
    assert (suspension.signed_out_at, suspension.denied_at, suspension.deny_until) == (None, None, None)
    stage.work()
    assert read() == "AccessDeniedException"


def test_a_member_seen_enabled_by_hand_is_denied_before_any_repair(stage: Stage) -> None:
    suspension = long_suspended(stage)
    read = enabled_by_hand(stage)
    compare_pool(stage, tenant=acme())
    suspension.refresh_from_db()
    reached = rings(suspension)
    assert (reached.signed_out_at, reached.denied_at, reached.members_left) == (None, None, 1)
    stage.work()
    assert read() == "AccessDeniedException"
    suspension.refresh_from_db()
    assert not rings(suspension).all_reached
    assert any("reconcile --tenant acme --repair" in sentence for sentence in blockers(suspension))


def test_a_member_enabled_by_hand_is_denied_once_removed(stage: Stage) -> None:
    long_suspended(stage)
    read = enabled_by_hand(stage)
    member = Member.objects.get(person__email=ACME_EDITOR.email)
    Member.objects.filter(pk=member.pk).update(seen_enabled=True)
    directory = stage.tools.directory
    remove(member, by=SOMEBODY)
    with pytest.MonkeyPatch.context() as patch:
        # The cast is needed by other tests.
        patch.setattr(type(directory), "delete", lambda *_: None)
        stage.work()
    assert read() == "AccessDeniedException"


def test_disabling_a_member_does_not_restart_the_rings(stage: Stage) -> None:
    suspension = long_suspended(stage)
    before = suspension.deny_until
    disable(Member.objects.get(person__email=ACME_EDITOR.email), by=SOMEBODY)
    stage.work()
    suspension.refresh_from_db()
    assert suspension.deny_until == before
    assert suspension.denied_at is not None


def test_a_closing_tenant_is_shut_out_the_same_way_until_reopened(stage: Stage, browse_as: Browse) -> None:
    world, browser = stage.world, browse_as(ACME_OWNER)
    old = reader(world, world.credentials_of(ACME_EDITOR), ACME)
    closing = close(acme(), by=SOMEBODY, why="asked for")
    assert browser.get("/records/").status_code == 403
    stage.work()
    assert old() == "AccessDeniedException"
    reopen(closing, by=SOMEBODY)
    stage.work()
    assert old() == ""
    assert Browser(world).sign_in(ACME_OWNER, following="/records/").status_code == 200
