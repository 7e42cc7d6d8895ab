"""The suspension policy with the portal's own role: writing replaces it, and versions never run out."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from emulator.client import seeding
from portal.demo.cast import ACME_OWNER, GLOBEX_OWNER
from portal.demo.world import World
from tenants.aws.clients import policies_client
from tenants.aws.failures import scope_of
from tenants.aws.suspension_policy import MOST_VERSIONS, SuspensionPolicy
from tenants.domain.errors import Misconfigured, NotNow, PortalError, Throttled, Unreachable
from tenants.domain.suspension_policy import ROOM, document
from tests.world.faults import Switches

ACME, GLOBEX = ACME_OWNER.org, GLOBEX_OWNER.org


@pytest.fixture
def policy(as_the_portal: World) -> Iterator[SuspensionPolicy]:
    world = as_the_portal
    client = policies_client(region=world.settings["AWS_REGION"], endpoint_url=world.emulator.endpoint_url)
    policy = SuspensionPolicy(client, world.outputs["SuspensionPolicyArn"])
    yield policy
    policy.write([])


@pytest.fixture
def as_root(world: World) -> Any:
    return seeding.clients(world.emulator.endpoint_url, world.emulator.root)("iam")


def versions(as_root: Any, policy: SuspensionPolicy) -> list[str]:
    found = as_root.list_policy_versions(PolicyArn=policy.arn)["Versions"]
    return sorted((version["VersionId"] for version in found), key=lambda name: int(name[1:]))


def reads_own_rows(world: World, client: Any, org: str) -> bool:
    try:
        client.get_item(TableName=world.settings["RECORDS_TABLE"], Key={"pk": {"S": f"{org}#orders"}, "sk": {"S": "x"}})
    except ClientError as refusal:
        if refusal.response["Error"]["Code"] != "AccessDeniedException":
            raise
        return False
    return True


def test_nobody_is_listed_in_a_new_stack(policy: SuspensionPolicy) -> None:
    assert policy.listed() == frozenset()


def test_writing_replaces_the_whole_list(policy: SuspensionPolicy) -> None:
    policy.write([ACME, GLOBEX])
    assert policy.listed() == {ACME, GLOBEX}
    policy.write([GLOBEX])
    assert policy.listed() == {GLOBEX}
    policy.write([])
    assert policy.listed() == frozenset()


def test_live_credentials_follow_the_list_from_the_next_request_on(policy: SuspensionPolicy, world: World) -> None:
    clients = {
        member.org: seeding.clients(world.emulator.endpoint_url, world.credentials_of(member))("dynamodb")
        for member in (ACME_OWNER, GLOBEX_OWNER)
    }
    policy.write([ACME])
    assert not reads_own_rows(world, clients[ACME], ACME)
    assert reads_own_rows(world, clients[GLOBEX], GLOBEX)
    policy.write([])
    assert reads_own_rows(world, clients[ACME], ACME)


def test_versions_never_run_out_and_the_oldest_is_deleted(policy: SuspensionPolicy, as_root: Any) -> None:
    for _ in range(MOST_VERSIONS + 3):
        orgs = {str(uuid.uuid4()), ACME}
        policy.write(orgs)
        assert policy.listed() == orgs
    kept = versions(as_root, policy)
    assert len(kept) == MOST_VERSIONS
    assert int(kept[-1][1:]) - int(kept[0][1:]) == MOST_VERSIONS - 1


def test_an_old_default_version_is_not_deleted(policy: SuspensionPolicy, as_root: Any) -> None:
    for _ in range(MOST_VERSIONS):
        policy.write([ACME])
    oldest = versions(as_root, policy)[0]
    as_root.set_default_policy_version(PolicyArn=policy.arn, VersionId=oldest)
    policy.write([GLOBEX])
    assert oldest in versions(as_root, policy)
    assert policy.listed() == {GLOBEX}


def test_room_is_made_for_a_version_of_another_writer(
    policy: SuspensionPolicy, as_root: Any, switches: Switches
) -> None:
    for _ in range(MOST_VERSIONS):
        policy.write([])
    switches.fail("IAM.CreatePolicyVersion", code="LimitExceeded", status=409, count=1)
    switches.forget()
    policy.write([ACME])
    assert switches.calls()["IAM.CreatePolicyVersion"] == 2
    assert policy.listed() == {ACME}


def test_a_version_deleted_by_another_writer_leaves_room(
    policy: SuspensionPolicy, as_root: Any, switches: Switches
) -> None:
    for _ in range(MOST_VERSIONS):
        policy.write([])
    switches.fail("IAM.DeletePolicyVersion", code="NoSuchEntity", status=404, count=1)
    policy.write([ACME])
    assert policy.listed() == {ACME}


def test_a_list_that_is_too_long_changes_nothing(policy: SuspensionPolicy) -> None:
    orgs = [str(uuid.uuid4()) for _ in range(ROOM + 1)]
    policy.write(orgs[:ROOM])
    with pytest.raises(NotNow):
        policy.write(orgs)
    assert policy.listed() == set(orgs[:ROOM])


def test_an_edited_policy_is_misconfigured_until_it_is_written_again(policy: SuspensionPolicy, as_root: Any) -> None:
    edited = json.loads(document([ACME]))
    edited["Statement"][0]["Effect"] = "Allow"
    if len(kept := versions(as_root, policy)) == MOST_VERSIONS:
        as_root.delete_policy_version(PolicyArn=policy.arn, VersionId=kept[0])
    as_root.create_policy_version(PolicyArn=policy.arn, PolicyDocument=json.dumps(edited), SetAsDefault=True)
    with pytest.raises(Misconfigured, match="not set up correctly"):
        policy.listed()
    policy.write([ACME])
    assert policy.listed() == {ACME}


@pytest.mark.parametrize("operation", ["GetPolicy", "GetPolicyVersion", "ListPolicyVersions", "CreatePolicyVersion"])
@pytest.mark.parametrize(
    ("fault", "error", "scope"),
    [
        ({"fault": "throttling"}, Throttled, "passing"),
        ({"code": "ServiceFailure", "status": 500}, Unreachable, "passing"),
        ({"drop": True}, Unreachable, "passing"),
        ({"fault": "expired-credentials"}, Misconfigured, "systemic"),
        ({"code": "LimitExceeded", "status": 409}, Throttled, "passing"),
        ({"code": "NoSuchEntity", "status": 404}, Misconfigured, "systemic"),
        ({"code": "MalformedPolicyDocument"}, Misconfigured, "systemic"),
        ({"code": "InvalidInput"}, Misconfigured, "systemic"),
        ({"code": "AccessDenied", "status": 403}, Misconfigured, "systemic"),
    ],
)
def test_a_failure_has_its_scope_and_leaves_the_list_unchanged(
    policy: SuspensionPolicy,
    switches: Switches,
    operation: str,
    fault: dict[str, Any],
    error: type[PortalError],
    scope: str,
) -> None:
    policy.write([ACME])
    switches.fail(f"IAM.{operation}", count=20, **fault)
    with pytest.raises(error) as raised:
        policy.listed() if operation.startswith("Get") else policy.write([GLOBEX])
    assert scope_of(raised.value) == scope
    switches.mend()
    assert policy.listed() == {ACME}


def test_access_to_another_policy_is_denied(policy: SuspensionPolicy) -> None:
    other = SuspensionPolicy(policy.client, policy.arn + "2")
    for attempt in (other.listed, lambda: other.write([ACME])):
        with pytest.raises(Misconfigured) as raised:
            attempt()
        assert "not authorized to perform: iam:" in raised.value.why
