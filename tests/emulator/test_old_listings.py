"""ListUsers, held back at a moment: the pool goes on, and the listing does not show it."""

import secrets
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.emulator.world import Stack
from tests.world.faults import Switches


@pytest.fixture
def switches(stack: Stack) -> Iterator[Switches]:
    switches = Switches(stack.emulator)
    yield switches
    switches.mend()


def listed(stack: Stack, prefix: str) -> dict[str, Any]:
    """The users whose address begins so, by their address."""
    page = stack.root("cognito-idp").list_users(UserPoolId=stack.pool_id, Filter=f'email ^= "{prefix}"')
    return {
        next(entry["Value"] for entry in user["Attributes"] if entry["Name"] == "email"): user for user in page["Users"]
    }


def test_a_listing_held_back_shows_no_later_change(stack: Stack, switches: Switches) -> None:
    prefix = secrets.token_hex(8)
    pool, old, gone, new = stack.root("cognito-idp"), *(f"{prefix}-{name}@x.example" for name in ("old", "gone", "new"))
    for email in (old, gone):
        pool.admin_create_user(UserPoolId=stack.pool_id, Username=email, MessageAction="SUPPRESS")
    switches.hold_listing_back(stack.pool_id)
    pool.admin_disable_user(UserPoolId=stack.pool_id, Username=old)
    pool.admin_delete_user(UserPoolId=stack.pool_id, Username=gone)
    pool.admin_create_user(UserPoolId=stack.pool_id, Username=new, MessageAction="SUPPRESS")

    held = listed(stack, prefix)
    assert {email: user["Enabled"] for email, user in held.items()} == {old: True, gone: True}
    assert pool.admin_get_user(UserPoolId=stack.pool_id, Username=old)["Enabled"] is False
    switches.show_listing()
    assert {email: user["Enabled"] for email, user in listed(stack, prefix).items()} == {old: False, new: True}


def test_a_listing_can_be_held_back_again_at_a_later_moment(stack: Stack, switches: Switches) -> None:
    pool, email = stack.root("cognito-idp"), f"{secrets.token_hex(8)}@x.example"
    switches.hold_listing_back(stack.pool_id)
    pool.admin_create_user(UserPoolId=stack.pool_id, Username=email, MessageAction="SUPPRESS")
    assert listed(stack, email) == {}
    switches.hold_listing_back(stack.pool_id)
    pool.admin_delete_user(UserPoolId=stack.pool_id, Username=email)
    assert set(listed(stack, email)) == {email}


@pytest.mark.parametrize("body", [{}, [], {"user_pool_id": "eu-west-1_none"}, {"user_pool_id": "x", "changes": 1}])
def test_only_a_known_pool_can_be_held_back(stack: Stack, body: Any) -> None:
    answer = requests.post(
        f"{stack.emulator.endpoint_url}/_emulator/listing",
        json=body,
        headers={"X-Emulator-Root-Secret": stack.emulator.root.secret_access_key},
        timeout=5,
    )
    assert answer.status_code == 400
