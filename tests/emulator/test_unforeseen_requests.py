"""Requests that the engine does not foresee are refused, without an error 500. Answers have no empty members."""

import secrets
from typing import Any

import pytest

from tests.emulator.world import Stack, refusal


@pytest.fixture
def pool(stack: Stack) -> str:
    return str(stack.root("cognito-idp").create_user_pool(PoolName=f"p{secrets.token_hex(4)}")["UserPool"]["Id"])


@pytest.mark.parametrize(
    ("operation", "request_data"),
    [
        ("list_user_pools", {"MaxResults": 1}),
        ("list_groups", {}),
        ("list_identity_providers", {}),
        ("list_resource_servers", {}),
        ("list_user_pool_clients", {}),
        ("admin_list_groups_for_user", {"Username": "ada"}),
    ],
)
def test_an_invalid_page_token_is_refused(
    stack: Stack, pool: str, operation: str, request_data: dict[str, Any]
) -> None:
    pools = stack.root("cognito-idp")
    pools.admin_create_user(UserPoolId=pool, Username="ada", MessageAction="SUPPRESS")
    of = {} if operation == "list_user_pools" else {"UserPoolId": pool}
    error = refusal(getattr(pools, operation), **of, **request_data, NextToken="no-token")
    assert (error["code"], error["status"]) == ("InvalidParameterException", 400)


def test_an_invalid_page_token_of_identity_pools_is_refused(stack: Stack) -> None:
    error = refusal(stack.root("cognito-identity").list_identity_pools, MaxResults=1, NextToken="no-token")
    assert (error["code"], error["status"]) == ("InvalidParameterException", 400)


def test_an_operation_that_is_not_served_is_refused_by_name(stack: Stack, pool: str) -> None:
    call = stack.root("cognito-idp").admin_delete_user_attributes
    error = refusal(call, UserPoolId=pool, Username="ada", UserAttributeNames=["nickname"])
    assert (error["code"], error["message"]) == (
        "UnknownOperationException",
        "AdminDeleteUserAttributes is not served here.",
    )


def test_the_groups_of_a_person_come_in_pages(stack: Stack, pool: str) -> None:
    pools, names = stack.root("cognito-idp"), ["one", "two", "three"]
    pools.admin_create_user(UserPoolId=pool, Username="ada", MessageAction="SUPPRESS")
    for name in names:
        pools.create_group(UserPoolId=pool, GroupName=name)
        pools.admin_add_user_to_group(UserPoolId=pool, Username="ada", GroupName=name)
    of = {"UserPoolId": pool, "Username": "ada", "Limit": 2}
    first = pools.admin_list_groups_for_user(**of)
    second = pools.admin_list_groups_for_user(**of, NextToken=first["NextToken"])
    assert [len(first["Groups"]), len(second["Groups"]), "NextToken" in second] == [2, 1, False]
    assert {group["GroupName"] for group in first["Groups"] + second["Groups"]} == set(names)


def test_what_was_not_given_is_left_out(stack: Stack, pool: str) -> None:
    pools = stack.root("cognito-idp")
    assert pools.list_groups(UserPoolId=pool)["Groups"] == []
    group = pools.create_group(UserPoolId=pool, GroupName="readers")["Group"]
    server = pools.create_resource_server(UserPoolId=pool, Identifier="api", Name="api")["ResourceServer"]
    listed = pools.list_groups(UserPoolId=pool)["Groups"][0]
    assert not {"Description", "RoleArn"} & (group.keys() | listed.keys())
    assert "Scopes" not in server
