"""Settings in API requests that would have no effect here are refused, by the same table as those of templates."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from emulator.client.process import Emulator
from tests.emulator.world import Stack, client

KEY: dict[str, Any] = {
    "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
    "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
    "BillingMode": "PAY_PER_REQUEST",
}


@pytest.mark.parametrize(
    ("setting", "name"),
    [
        ({"ResourcePolicy": "{}"}, "ResourcePolicy"),
        ({"StreamSpecification": {"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"}}, "StreamSpecification"),
        ({"SSESpecification": {"Enabled": True, "KMSMasterKeyId": "k"}}, "SSESpecification.KMSMasterKeyId"),
    ],
)
def test_a_table_is_not_made_with_a_setting_without_effect(
    emulator: Emulator, setting: dict[str, Any], name: str
) -> None:
    tables = client(emulator, "dynamodb", emulator.root)
    with pytest.raises(ClientError, match=rf"{name}\S* is not served here") as refused:
        tables.create_table(TableName="settings", **KEY, **setting)
    assert refused.value.response["Error"]["Code"] == "ValidationException"
    assert "settings" not in tables.list_tables()["TableNames"]


def test_a_table_gets_no_replica_and_no_resource_policy(stack: Stack) -> None:
    tables = stack.root("dynamodb")
    with pytest.raises(ClientError, match=r"ReplicaUpdates\.Create\.RegionName is not served here"):
        tables.update_table(TableName=stack.table, ReplicaUpdates=[{"Create": {"RegionName": "us-east-1"}}])
    with pytest.raises(ClientError, match="UnknownOperationException"):
        tables.put_resource_policy(ResourceArn=stack.outputs["TableArn"], Policy="{}")


def test_a_stream_that_is_off_is_accepted(emulator: Emulator) -> None:
    tables = client(emulator, "dynamodb", emulator.root)
    tables.create_table(TableName="no-stream", **KEY, StreamSpecification={"StreamEnabled": False})
    tables.delete_table(TableName="no-stream")


def test_a_pool_offers_no_first_factor_that_the_pages_lack(stack: Stack) -> None:
    factors = {"SignInPolicy": {"AllowedFirstAuthFactors": ["PASSWORD", "WEB_AUTHN"]}}
    with pytest.raises(ClientError, match="AllowedFirstAuthFactors WEB_AUTHN is not served here, only PASSWORD"):
        stack.root("cognito-idp").create_user_pool(PoolName="factors", Policies=factors)


@pytest.mark.parametrize("factor", [{}, {"SoftwareTokenMfaConfiguration": {"Enabled": False}}])
def test_a_pool_does_not_ask_for_a_second_factor_that_nobody_can_have(stack: Stack, factor: dict[str, Any]) -> None:
    pools = stack.root("cognito-idp")
    own = pools.create_user_pool(PoolName="factors")["UserPool"]["Id"]
    with pytest.raises(ClientError, match="SoftwareTokenMfaConfiguration must be enabled"):
        pools.set_user_pool_mfa_config(UserPoolId=own, MfaConfiguration="ON", **factor)
    assert pools.get_user_pool_mfa_config(UserPoolId=own)["MfaConfiguration"] == "OFF"


@pytest.mark.parametrize("wanted", ["ON", "OPTIONAL"])
def test_a_pool_without_a_second_factor_does_not_begin_to_ask_for_one(stack: Stack, wanted: str) -> None:
    pools = stack.root("cognito-idp")
    with pytest.raises(ClientError, match="SoftwareTokenMfaConfiguration must be enabled"):
        pools.create_user_pool(PoolName="factors", MfaConfiguration=wanted)
    own = pools.create_user_pool(PoolName="factors")["UserPool"]["Id"]
    with pytest.raises(ClientError, match="SoftwareTokenMfaConfiguration must be enabled"):
        pools.update_user_pool(UserPoolId=own, MfaConfiguration=wanted)
    token = {"SoftwareTokenMfaConfiguration": {"Enabled": True}}
    pools.set_user_pool_mfa_config(UserPoolId=own, MfaConfiguration="OPTIONAL", **token)
    pools.update_user_pool(UserPoolId=own, MfaConfiguration=wanted)


def test_a_client_has_only_the_flow_that_is_served(stack: Stack) -> None:
    pools = stack.root("cognito-idp")
    with pytest.raises(ClientError, match="AllowedOAuthFlows implicit is not served here, only code"):
        pools.create_user_pool_client(UserPoolId=stack.pool_id, ClientName="c", AllowedOAuthFlows=["implicit"])


def test_an_identity_pool_has_no_classic_flow_and_no_role_mappings(stack: Stack) -> None:
    pools = stack.root("cognito-identity")
    with pytest.raises(ClientError, match="AllowClassicFlow true is not served here, only false"):
        pools.create_identity_pool(
            IdentityPoolName="classic", AllowUnauthenticatedIdentities=False, AllowClassicFlow=True
        )
    mappings = {stack.provider: {"Type": "Token", "AmbiguousRoleResolution": "Deny"}}
    with pytest.raises(ClientError, match=r"RoleMappings\S* is not served here"):
        pools.set_identity_pool_roles(IdentityPoolId=stack.outputs["IdentityPoolId"], Roles={}, RoleMappings=mappings)


def test_a_pool_has_no_second_factor_that_the_pages_do_not_ask_for(stack: Stack) -> None:
    pools = stack.root("cognito-idp")
    with pytest.raises(ClientError, match=r"EmailMfaConfiguration\.Message is not served here"):
        pools.set_user_pool_mfa_config(UserPoolId=stack.pool_id, EmailMfaConfiguration={"Message": "{####}"})
