"""Clients without a list of flows, or with the older values, and pools that verify no address."""

import secrets
from typing import Any

import pytest
from botocore.exceptions import ClientError

from emulator.client.process import Emulator
from tests.emulator.srp import srp_sign_in
from tests.emulator.world import PASSWORD, client


@pytest.fixture(scope="module")
def pools(emulator: Emulator) -> Any:
    return client(emulator, "cognito-idp", emulator.root)


@pytest.fixture
def pool_id(pools: Any) -> str:
    return str(pools.create_user_pool(PoolName="flows")["UserPool"]["Id"])


def new_client(pools: Any, pool_id: str, **settings: Any) -> str:
    made = pools.create_user_pool_client(UserPoolId=pool_id, ClientName="c", **settings)
    return str(made["UserPoolClient"]["ClientId"])


def new_person(pools: Any, pool_id: str, **attributes: str) -> str:
    name = secrets.token_hex(6)
    entries = [{"Name": key, "Value": value} for key, value in attributes.items()]
    pools.admin_create_user(UserPoolId=pool_id, Username=name, UserAttributes=entries, MessageAction="SUPPRESS")
    pools.admin_set_user_password(UserPoolId=pool_id, Username=name, Password=PASSWORD, Permanent=True)
    return name


@pytest.mark.parametrize("flows", [[], ["USER_PASSWORD_AUTH"], ["ADMIN_NO_SRP_AUTH"]])
def test_srp_and_refreshing_need_no_list_of_flows(pools: Any, pool_id: str, flows: list[str]) -> None:
    own, name = new_client(pools, pool_id, ExplicitAuthFlows=flows), new_person(pools, pool_id)
    tokens = srp_sign_in(pools, client_id=own, pool_id=pool_id, email=name, password=PASSWORD)["AuthenticationResult"]
    again = pools.initiate_auth(
        ClientId=own, AuthFlow="REFRESH_TOKEN", AuthParameters={"REFRESH_TOKEN": tokens["RefreshToken"]}
    )
    assert "IdToken" in again["AuthenticationResult"]


@pytest.mark.parametrize("flows", [[], ["ADMIN_NO_SRP_AUTH"], ["ALLOW_USER_SRP_AUTH"]])
def test_a_password_needs_a_flow_that_is_listed(pools: Any, pool_id: str, flows: list[str]) -> None:
    own, name = new_client(pools, pool_id, ExplicitAuthFlows=flows), new_person(pools, pool_id)
    with pytest.raises(ClientError, match="USER_PASSWORD_AUTH flow not enabled for this client"):
        pools.initiate_auth(
            ClientId=own, AuthFlow="USER_PASSWORD_AUTH", AuthParameters={"USERNAME": name, "PASSWORD": PASSWORD}
        )


def test_only_custom_flows_exclude_srp(pools: Any, pool_id: str) -> None:
    own, name = new_client(pools, pool_id, ExplicitAuthFlows=["CUSTOM_AUTH_FLOW_ONLY"]), new_person(pools, pool_id)
    with pytest.raises(ClientError, match="USER_SRP_AUTH is not enabled for the client"):
        srp_sign_in(pools, client_id=own, pool_id=pool_id, email=name, password=PASSWORD)


@pytest.mark.parametrize(
    ("verified", "attributes", "is_sent"),
    [([], [], False), ([], ["email"], False), (["email"], [], False), (["email"], ["email"], True)],
)
def test_a_code_is_sent_only_to_an_address_that_is_to_be_verified(
    pools: Any, verified: list[str], attributes: list[str], *, is_sent: bool
) -> None:
    pool_id = pools.create_user_pool(PoolName="codes", AutoVerifiedAttributes=verified)["UserPool"]["Id"]
    entries = [{"Name": name, "Value": f"{secrets.token_hex(6)}@codes.example"} for name in attributes]
    own, name = new_client(pools, pool_id), secrets.token_hex(6)
    answer = pools.sign_up(ClientId=own, Username=name, Password=PASSWORD, UserAttributes=entries)
    assert ("CodeDeliveryDetails" in answer) is is_sent
    if not verified:
        with pytest.raises(ClientError, match="Auto verification not turned on"):
            pools.resend_confirmation_code(ClientId=own, Username=name)


def test_a_verified_address_may_be_spelled_with_a_capital(pools: Any, pool_id: str) -> None:
    name = new_person(pools, pool_id, email=f"{secrets.token_hex(6)}@codes.example", email_verified="True")
    sent = pools.forgot_password(ClientId=new_client(pools, pool_id), Username=name)["CodeDeliveryDetails"]
    assert sent["AttributeName"] == "email"
