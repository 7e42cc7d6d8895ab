"""`manage.py after_deploy`: what an update of the stack may have broken, named with what to run."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from emulator.client import seeding
from portal.demo.world import World
from portal.template import read_template
from tenants.domain.once import forget_all
from tenants.drift.deployment import TAGS
from tenants.lifecycle.suspension_list import ThirdRing
from tenants.lifecycle.transitions import suspend
from tests.world.stage import SOMEBODY, Stage
from tests.world.use_cases import acme

pytestmark = pytest.mark.usefixtures("nobody_suspended_afterwards", "with_the_workers_keys", "nobody_listed")


@pytest.fixture
def nobody_listed(stage: Stage) -> None:
    """The policy outlives a test, and the database does not."""
    stage.tools.policy.write([])


@pytest.fixture
def with_the_workers_keys(worker_keys: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in worker_keys.items():
        monkeypatch.setenv(name, value)
    forget_all()


@pytest.fixture
def as_root(world: World) -> Any:
    return seeding.clients(world.emulator.endpoint_url, world.emulator.root)


@pytest.fixture
def tag_map(world: World, as_root: Any) -> Iterator[Any]:
    """Sets the map of principal tags, and puts it back after the test."""

    def write(tags: dict[str, str], *, defaults: bool = False) -> None:
        as_root("cognito-identity").set_principal_tag_attribute_map(
            IdentityPoolId=world.settings["COGNITO_IDENTITY_POOL_ID"], IdentityProviderName=world.provider,
            UseDefaults=defaults, PrincipalTags=tags,
        )  # fmt: skip

    yield write
    write(TAGS)


def ran(*options: str) -> tuple[int, str]:
    out = io.StringIO()
    try:
        call_command("after_deploy", *options, stdout=out)
    except SystemExit as ended:
        return int(str(ended.code)), out.getvalue()
    return 0, out.getvalue()


def found(code: int = 3) -> list[dict[str, str]]:
    ended, out = ran("--json")
    answer = json.loads(out)
    assert (ended, answer["ok"]) == (code, code == 0)
    return list(answer["findings"])


def test_a_deployment_that_left_both_right_is_code_0(stage: Stage) -> None:
    assert found(0) == []
    assert ran() == (0, "The principal tags and the suspension list are as they must be.\n")


def test_the_tags_that_are_checked_are_the_templates() -> None:
    assert read_template()["Resources"]["PrincipalTags"]["Properties"]["PrincipalTags"] == TAGS


@pytest.mark.parametrize("tags", [{}, {"org": "custom:org"}, {**TAGS, "org": "custom:role"}, {**TAGS, "more": "sub"}])
def test_another_map_of_tags_is_a_finding(stage: Stage, tag_map: Any, tags: dict[str, str]) -> None:
    tag_map(tags)
    (finding,) = found()
    assert finding["subject"] == "principal-tags"
    assert "--principal-tags org=custom:org,role=custom:role,client=aud" in finding["remedy"]


def test_the_default_map_of_tags_is_a_finding(stage: Stage, tag_map: Any) -> None:
    tag_map({}, defaults=True)
    assert [finding["subject"] for finding in found()] == ["principal-tags"]


def test_a_list_put_back_by_the_stack_is_found_and_rewritten(stage: Stage, as_root: Any) -> None:
    suspend(acme(), by=SOMEBODY, why="unpaid")
    policy = stage.tools.policy
    ring = ThirdRing(policy, holder="worker")
    ring.tick()
    assert found(0) == []

    document = read_template()["Resources"]["SuspendedTenants"]["Properties"]["PolicyDocument"]
    iam = as_root("iam")
    oldest = min(
        version["VersionId"] for version in iam.list_policy_versions(PolicyArn=policy.arn)["Versions"]
        if not version["IsDefaultVersion"]
    )  # fmt: skip
    iam.delete_policy_version(PolicyArn=policy.arn, VersionId=oldest)
    iam.create_policy_version(PolicyArn=policy.arn, PolicyDocument=json.dumps(document), SetAsDefault=True)
    (finding,) = found()
    assert finding["subject"] == "suspended-tenants"
    assert str(acme().org_id) in finding["problem"]
    assert "provision --watch" in finding["remedy"]

    ring.next_look_at = 0.0
    ring.tick()
    assert found(0) == []


def test_a_tenant_that_is_listed_and_not_suspended_is_a_finding(stage: Stage) -> None:
    stage.tools.policy.write([str(acme().org_id)])
    (finding,) = found()
    assert "shut out" in finding["problem"]


def test_an_identity_pool_that_is_not_there_is_no_success(stage: Stage, settings: Any) -> None:
    settings.COGNITO_IDENTITY_POOL_ID = "eu-west-1:00000000-0000-4000-8000-000000000000"
    forget_all()
    with pytest.raises(CommandError, match="GetPrincipalTagAttributeMap") as refused:
        call_command("after_deploy")
    assert settings.COGNITO_IDENTITY_POOL_ID in str(refused.value)


def test_credentials_that_may_not_look_are_no_success(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")
    forget_all()
    with pytest.raises(CommandError, match="The map of principal tags") as refused:
        call_command("after_deploy")
    asked = (stage.world.settings["COGNITO_IDENTITY_POOL_ID"], stage.world.provider)
    assert [name for name in asked if name not in str(refused.value)] == []
