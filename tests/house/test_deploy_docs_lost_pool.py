"""A user pool that is gone, as docs/backup.md has it: the same members are made again in another stack's pool."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from emulator.client import seeding
from emulator.client.deploy import deploy
from portal.demo.cast import CAST
from portal.demo.world import TEMPLATE
from tenants.aws.directory import Directory
from tenants.domain.errors import Misconfigured
from tenants.models import Member
from tests.world.pool import compare_pool
from tests.world.stage import Stage

STACK = "portal-2"


@pytest.fixture
def new_pool(stage: Stage) -> Iterator[Stage]:
    """The stage with the empty pool of a second stack, and the old database."""
    emulator = stage.world.emulator
    parameters = {
        "DomainPrefix": "portal-again",
        "PortalPrincipal": seeding.ROOT_ARN,
        "ClosingPrincipal": seeding.ROOT_ARN,
        "DeletionProtection": "false",
    }
    outputs = deploy(emulator.endpoint_url, emulator.root, template=TEMPLATE, stack_name=STACK, parameters=parameters)
    directory = Directory(stage.by_hand, outputs["UserPoolId"])
    yield replace(stage, tools=replace(stage.tools, directory=directory))
    seeding.clients(emulator.endpoint_url, emulator.root)("cloudformation").delete_stack(StackName=STACK)


def test_members_are_made_again_in_another_pool_by_their_number(new_pool: Stage) -> None:
    before = {member.person.email: member.person.sub for member in Member.objects.select_related("person")}
    with pytest.raises(Misconfigured) as refused:
        compare_pool(new_pool, repair=True)
    assert f"--repair --recreate {len(CAST)}" in refused.value.why
    done = compare_pool(new_pool, repair=True, recreate=len(CAST))
    assert (done.refused, done.left) == ("", 0)
    for one in CAST:
        user = new_pool.user(one.email)
        assert user
        assert (user.org, user.role, user.status) == (one.org, one.role, "FORCE_CHANGE_PASSWORD")
        assert str(Member.objects.get(person__email=one.email).person.sub) == user.sub != str(before[one.email])
    assert compare_pool(new_pool).found == {}
