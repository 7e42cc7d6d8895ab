"""What a describe operation answers can be sent back by an update, and changes nothing."""

import re
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.emulator.accounts import client_of
from tests.emulator.world import Stack


def empty_members(value: Any, path: str = "") -> list[str]:
    if isinstance(value, list):
        return [found for part in value for found in empty_members(part, path)]
    if not isinstance(value, dict):
        return [path] if value in ("", None) else []
    return [found for name, part in value.items() for found in empty_members(part, f"{path}.{name}")]


def accepted(client: Any, operation: str, described: dict[str, Any]) -> dict[str, Any]:
    """The members that the operation takes."""
    members = client.meta.service_model.operation_model(operation).input_shape.members
    return {name: value for name, value in described.items() if name in members}


def test_a_user_pool_can_be_updated_with_its_description(stack: Stack) -> None:
    pools = stack.root("cognito-idp")
    before = pools.describe_user_pool(UserPoolId=stack.pool_id)["UserPool"]
    pools.update_user_pool(UserPoolId=stack.pool_id, **accepted(pools, "UpdateUserPool", before))
    after = pools.describe_user_pool(UserPoolId=stack.pool_id)["UserPool"]
    assert empty_members(after) == []
    assert {**after, "LastModifiedDate": 0} == {**before, "LastModifiedDate": 0}


def test_a_new_pool_describes_only_what_was_set(stack: Stack) -> None:
    pools = stack.root("cognito-idp")
    made = pools.create_user_pool(PoolName="plain")["UserPool"]
    missing = {"EmailVerificationMessage", "SmsVerificationMessage", "AliasAttributes", "SmsConfiguration", "Domain"}
    assert missing.isdisjoint(made)
    assert made["LambdaConfig"] == {}
    pools.update_user_pool(UserPoolId=made["Id"], **accepted(pools, "UpdateUserPool", made))
    pools.delete_user_pool(UserPoolId=made["Id"])


def test_a_client_can_be_updated_with_its_description(stack: Stack) -> None:
    pools = stack.root("cognito-idp")
    ids = {"UserPoolId": stack.pool_id, "ClientId": stack.client_id}
    before = pools.describe_user_pool_client(**ids)["UserPoolClient"]
    assert "DefaultRedirectURI" not in before
    pools.update_user_pool_client(**accepted(pools, "UpdateUserPoolClient", before))
    after = pools.describe_user_pool_client(**ids)["UserPoolClient"]
    assert {**after, "LastModifiedDate": 0} == {**before, "LastModifiedDate": 0}


def test_an_identity_pool_can_be_updated_with_its_description(stack: Stack) -> None:
    pools = stack.root("cognito-identity")
    before = pools.describe_identity_pool(IdentityPoolId=stack.outputs["IdentityPoolId"])
    assert "DeveloperProviderName" not in before
    pools.update_identity_pool(**accepted(pools, "UpdateIdentityPool", before))
    after = pools.describe_identity_pool(IdentityPoolId=stack.outputs["IdentityPoolId"])
    del before["ResponseMetadata"], after["ResponseMetadata"]
    assert after == before


def test_the_days_that_a_table_can_be_restored_to_are_kept(stack: Stack) -> None:
    tables = stack.root("dynamodb")

    def recovery() -> dict[str, Any]:
        described = tables.describe_continuous_backups(TableName=stack.table)["ContinuousBackupsDescription"]
        return dict(described["PointInTimeRecoveryDescription"])

    assert recovery()["RecoveryPeriodInDays"] == 35
    seven = {"PointInTimeRecoveryEnabled": True, "RecoveryPeriodInDays": 7}
    tables.update_continuous_backups(TableName=stack.table, PointInTimeRecoverySpecification=seven)
    assert recovery()["RecoveryPeriodInDays"] == 7
    with pytest.raises(ClientError, match="less than or equal to 35"):
        tables.update_continuous_backups(
            TableName=stack.table, PointInTimeRecoverySpecification={**seven, "RecoveryPeriodInDays": 36}
        )
    off = {"PointInTimeRecoveryEnabled": False}
    tables.update_continuous_backups(TableName=stack.table, PointInTimeRecoverySpecification=off)
    assert "RecoveryPeriodInDays" not in recovery()
    on = {"PointInTimeRecoveryEnabled": True}
    tables.update_continuous_backups(TableName=stack.table, PointInTimeRecoverySpecification=on)


def test_a_destination_shows_only_first_letters(stack: Stack) -> None:
    reset, client_id = stack.root("cognito-idp").forgot_password, client_of(stack, PreventUserExistenceErrors="ENABLED")
    person = stack.newcomer()
    sent = reset(ClientId=client_id, Username=person.email)["CodeDeliveryDetails"]
    assert sent["Destination"] == f"{person.email[0]}***@a***"


def test_a_name_that_nobody_has_gets_a_destination_of_the_same_form(stack: Stack) -> None:
    reset, client_id = stack.root("cognito-idp").forgot_password, client_of(stack, PreventUserExistenceErrors="ENABLED")
    first, again = (reset(ClientId=client_id, Username="nobody")["CodeDeliveryDetails"] for _ in range(2))
    assert re.fullmatch(r"n\*\*\*@[a-z]\*\*\*", first["Destination"])
    assert first == again
