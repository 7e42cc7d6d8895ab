"""The attributes of a user pool's schema: what AWS refuses is refused, and limits of another type are dropped."""

import json
import secrets
from typing import Any

import pytest

from emulator.client.deploy import DeployFailed, deploy
from tests.emulator.world import Stack, refusal


def lengths(**limits: str) -> dict[str, Any]:
    return {"Name": "email", "AttributeDataType": "String", "StringAttributeConstraints": limits}


def values(**limits: str) -> dict[str, Any]:
    return {"Name": "updated_at", "AttributeDataType": "Number", "NumberAttributeConstraints": limits}


REFUSED = [
    (lengths(MinLength="few"), "Invalid StringAttributeConstraints for schema attribute email"),
    (values(MaxValue="many"), "Invalid NumberAttributeConstraints for schema attribute updated_at"),
    (lengths(MaxLength="2049"), "user.email: String attributes cannot have a length of more than 2048"),
    (lengths(MinLength="2", MaxLength="1"), "user.email: Max length cannot be less than min length."),
    (values(MinValue="2", MaxValue="1"), "user.updated_at: Max value cannot be less than min value."),
    ({"Name": "email", "AttributeDataType": "Number"}, "You can not change AttributeDataType"),
    ({"Name": "email", "DeveloperOnlyAttribute": True}, "set developerOnlyAttribute for standard schema attribute"),
    ({"Name": "org"}, "Invalid AttributeDataType input"),
]


@pytest.mark.parametrize(("attribute", "text"), REFUSED)
def test_an_attribute_that_aws_refuses_is_refused(stack: Stack, attribute: dict[str, Any], text: str) -> None:
    error = refusal(stack.root("cognito-idp").create_user_pool, PoolName="schema", Schema=[attribute])
    assert error["code"] == "InvalidParameterException"
    assert text in error["message"]


def test_it_fails_a_stack_too(stack: Stack) -> None:
    attribute, text = REFUSED[3]
    pool = {"Type": "AWS::Cognito::UserPool", "Properties": {"Schema": [attribute]}}
    where = stack.emulator
    with pytest.raises(DeployFailed, match=text):
        deploy(
            where.endpoint_url,
            where.root,
            template=json.dumps({"Resources": {"Pool": pool}}),
            stack_name=f"t{secrets.token_hex(4)}",
        )


def test_an_attribute_added_later_is_checked(stack: Stack) -> None:
    pools = stack.root("cognito-idp")
    own = pools.create_user_pool(PoolName="schema")["UserPool"]["Id"]
    error = refusal(pools.add_custom_attributes, UserPoolId=own, CustomAttributes=[{"Name": "org"}])
    assert (error["code"], error["status"]) == ("InvalidParameterException", 400)


def test_limits_of_another_type_are_dropped(stack: Stack) -> None:
    limits = {
        "NumberAttributeConstraints": {"MinValue": "1", "MaxValue": "2"},
        "StringAttributeConstraints": {"MinLength": "1", "MaxLength": "2"},
    }
    given = [{"Name": kind.lower(), "AttributeDataType": kind, **limits} for kind in ("String", "Number", "Boolean")]
    made = stack.root("cognito-idp").create_user_pool(PoolName="schema", Schema=given)["UserPool"]
    found = {entry["Name"]: {name for name in entry if name in limits} for entry in made["SchemaAttributes"]}
    assert found["custom:string"] == {"StringAttributeConstraints"}
    assert found["custom:number"] == {"NumberAttributeConstraints"}
    assert found["custom:boolean"] == set()
