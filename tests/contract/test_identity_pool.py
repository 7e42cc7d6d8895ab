"""From a token to credentials."""

import base64
import json
import re
import time
from typing import Any

import pytest

from tests.contract.stacks import Tenant, Where, refusal, unverified


def logins(where: Where, token: str) -> dict[str, Any]:
    return {"Logins": {where.provider: token}}


def pool(where: Where) -> dict[str, str]:
    return {"IdentityPoolId": where.outputs["IdentityPoolId"]}


def identity_of(where: Where, tenant: Tenant) -> str:
    asked = {**pool(where), **logins(where, tenant.tokens.id_token)}
    return str(where.unsigned("cognito-identity").get_id(**asked)["IdentityId"])


@pytest.mark.fact("B1.1", "B1.4")
def test_a_person_has_one_identity_and_nobody_else_has_it(where: Where, first: Tenant, second: Tenant) -> None:
    mine, again, theirs = identity_of(where, first), identity_of(where, first), identity_of(where, second)
    assert mine == again != theirs
    assert re.fullmatch(rf"{where.region}:[0-9a-f]{{8}}(-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}}", mine)


@pytest.mark.fact("B1.7", "B1.8")
def test_credentials_live_for_an_hour(where: Where, first: Tenant) -> None:
    ask = where.unsigned("cognito-identity").get_credentials_for_identity
    answer = ask(IdentityId=identity_of(where, first), **logins(where, first.tokens.id_token))
    given = answer["Credentials"]
    assert given["AccessKeyId"].startswith("ASIA")
    assert {"SecretKey", "SessionToken"} <= given.keys()
    assert 3500 < given["Expiration"].timestamp() - time.time() < 3700


@pytest.mark.fact("B6.1", "B6.8")
def test_a_provider_that_the_pool_does_not_know(where: Where, first: Tenant) -> None:
    provider = f"cognito-idp.{where.region}.amazonaws.com/{where.region}_Elsewhere"
    asked = {**pool(where), "Logins": {provider: first.tokens.id_token}}
    error = refusal(where.unsigned("cognito-identity").get_id, **asked)
    assert error == (
        "NotAuthorizedException",
        400,
        "Token is not from a supported provider of this identity pool.",
    )


@pytest.mark.fact("B6.4", "B6.8")
def test_an_access_token_is_no_id_token(where: Where, first: Tenant) -> None:
    asked = {**pool(where), **logins(where, first.tokens.access_token)}
    error = refusal(where.unsigned("cognito-identity").get_id, **asked)
    assert error == ("NotAuthorizedException", 400, "Invalid login token. Missing a required claim: aud")


@pytest.mark.fact("B6.9")
def test_a_token_that_says_more_than_was_signed_is_refused(where: Where, first: Tenant, second: Tenant) -> None:
    head, _, signature = first.tokens.id_token.split(".")
    forged = json.dumps({**unverified(first.tokens.id_token), "custom:org": second.org}).encode()
    token = ".".join([head, base64.urlsafe_b64encode(forged).rstrip(b"=").decode(), signature])
    error = refusal(where.unsigned("cognito-identity").get_id, **pool(where), **logins(where, token))
    assert error[:2] == ("NotAuthorizedException", 400)


@pytest.mark.fact("B6.5", "B6.7", "B6.8")
def test_an_identity_answers_to_its_own_login_only(where: Where, first: Tenant, second: Tenant) -> None:
    ask, mine = where.unsigned("cognito-identity").get_credentials_for_identity, identity_of(where, first)
    code, status, message = refusal(ask, IdentityId=mine, **logins(where, second.tokens.id_token))
    assert (code, status) == ("NotAuthorizedException", 400)
    assert message.startswith("Logins don't match. Please include at least one valid login for this identity")
    assert refusal(ask, IdentityId=mine) == (
        "NotAuthorizedException",
        400,
        f"Access to Identity '{mine}' is forbidden.",
    )


@pytest.mark.fact("B6.6", "B6.8")
def test_without_a_login_there_is_no_identity_where_guests_are_off(where: Where) -> None:
    admin = where.admin("cognito-identity")
    own = admin.create_identity_pool(IdentityPoolName="contract", AllowUnauthenticatedIdentities=False)
    try:
        assert refusal(where.unsigned("cognito-identity").get_id, IdentityPoolId=own["IdentityPoolId"]) == (
            "NotAuthorizedException",
            400,
            "Unauthenticated access is not supported for this identity pool.",
        )
    finally:
        admin.delete_identity_pool(IdentityPoolId=own["IdentityPoolId"])


@pytest.mark.fact("B6.10")
def test_a_pool_that_is_not_there(where: Where, first: Tenant) -> None:
    asked = {"IdentityPoolId": f"{where.region}:00000000-0000-4000-8000-000000000000"}
    error = refusal(where.unsigned("cognito-identity").get_id, **asked, **logins(where, first.tokens.id_token))
    assert error[:2] == ("ResourceNotFoundException", 400)


@pytest.mark.fact("B4.1")
def test_the_classic_flow_is_off(where: Where, first: Tenant) -> None:
    ask = where.unsigned("cognito-identity").get_open_id_token
    with pytest.raises(where.unsigned("cognito-identity").exceptions.ClientError) as refused:
        ask(IdentityId=identity_of(where, first), **logins(where, first.tokens.id_token))
    assert refused.value.response["Error"]["Code"] == "InvalidParameterException"
    described = where.admin("cognito-identity").describe_identity_pool(**pool(where))
    assert described["AllowClassicFlow"] is False


@pytest.mark.fact("B2.1", "A1.11")
def test_the_map_turns_claims_of_the_token_into_tags(where: Where, first: Tenant) -> None:
    asked = {**pool(where), "IdentityProviderName": where.provider}
    mapped = where.admin("cognito-identity").get_principal_tag_attribute_map(**asked)
    assert mapped["PrincipalTags"] == {"org": "custom:org", "role": "custom:role", "client": "aud"}
    assert isinstance(first.claims["custom:org"], str)
    own = {"pk": {"S": f"{first.org}#contract"}, "sk": {"S": "none"}}
    assert "Item" not in where.dynamodb(first).get_item(TableName=where.table, Key=own)


@pytest.mark.fact("B2.1")
def test_the_map_has_its_limits(where: Where) -> None:
    admin, wide = where.admin("cognito-identity"), {"k" * 129: "sub"}
    # A pool of its own: were it accepted, the deployed one would lose its map.
    own = admin.create_identity_pool(IdentityPoolName="contract", AllowUnauthenticatedIdentities=False)
    asked = {"IdentityPoolId": own["IdentityPoolId"], "IdentityProviderName": where.provider, "PrincipalTags": wide}
    try:
        with pytest.raises(admin.exceptions.ClientError):
            admin.set_principal_tag_attribute_map(**asked)
    finally:
        admin.delete_identity_pool(IdentityPoolId=own["IdentityPoolId"])
