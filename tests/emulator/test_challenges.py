"""A challenge is answered by the person, the client and in the way it was put, and by nobody else."""

from __future__ import annotations

import base64
import hmac
import secrets
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.emulator.accounts import client_of, password_sign_in
from tests.emulator.srp import srp_sign_in
from tests.emulator.test_identity_pool import anonymous
from tests.emulator.test_refresh import refused, srp_client, tokens
from tests.emulator.world import PASSWORD, Stack, refusal

__all__ = ["srp_client"]


class Meddling:
    """A client's API whose answers to challenges are changed on their way."""

    def __init__(self, api: Any, **changes: str) -> None:
        self.api, self.changes = api, changes

    def initiate_auth(self, **asked: Any) -> Any:
        return self.api.initiate_auth(**asked)

    def respond_to_auth_challenge(self, **answer: Any) -> Any:
        responses = {**answer["ChallengeResponses"], **self.changes}
        return self.api.respond_to_auth_challenge(**{**answer, "ChallengeResponses": responses})


def email_of(stack: Stack, name: str) -> str:
    user = stack.root("cognito-idp").admin_get_user(UserPoolId=stack.pool_id, Username=name)
    return next(entry["Value"] for entry in user["UserAttributes"] if entry["Name"] == "email")


def test_nobody_proves_their_own_password_and_answers_as_somebody_else(
    stack: Stack, srp_client: dict[str, str]
) -> None:
    mallory, victim = stack.newcomer(), stack.newcomer()
    meddling = Meddling(
        anonymous(stack, "cognito-idp"), **{"USERNAME": victim.email, "userAttributes.email": "evil@x.example"}
    )
    error = refusal(srp_sign_in, api=meddling, **srp_client, email=mallory.email, password=PASSWORD)
    assert error["code"] == "NotAuthorizedException"
    assert email_of(stack, victim.email) == victim.email


def test_attributes_come_with_a_new_password_only(stack: Stack, srp_client: dict[str, str]) -> None:
    person = stack.newcomer()
    meddling = Meddling(anonymous(stack, "cognito-idp"), **{"userAttributes.email": "new@x.example"})
    error = refusal(srp_sign_in, api=meddling, **srp_client, email=person.email, password=PASSWORD)
    assert error["code"] == "InvalidParameterException"
    assert email_of(stack, person.email) == person.email


def test_wrong_proofs_are_counted_for_whom_they_are_of(stack: Stack, srp_client: dict[str, str]) -> None:
    person, api = stack.newcomer(), anonymous(stack, "cognito-idp")
    for _ in range(6):
        ghost = Meddling(api, USERNAME=f"ghost{secrets.token_hex(3)}@x.example")
        assert refusal(srp_sign_in, api=ghost, **srp_client, email=person.email, password="wrong")["code"]
        assert refusal(srp_sign_in, api=api, **srp_client, email=person.email, password="wrong")["code"]
    locked = refusal(srp_sign_in, api=api, **srp_client, email=person.email, password=PASSWORD)
    assert locked["message"] == "Password attempts exceeded"


@pytest.mark.parametrize(
    "kind", ["SOFTWARE_TOKEN_MFA", "MFA_SETUP", "SMS_MFA", "CUSTOM_CHALLENGE", "PASSWORD_VERIFIER"]
)
def test_a_demand_for_a_new_password_is_answered_with_one(stack: Stack, kind: str) -> None:
    email, temporary = f"{secrets.token_hex(5)}@newcomer.example", "Temporary-1234-5678"
    stack.root("cognito-idp").admin_create_user(
        UserPoolId=stack.pool_id, Username=email, TemporaryPassword=temporary, MessageAction="SUPPRESS",
        UserAttributes=[{"Name": "email", "Value": email}],
    )  # fmt: skip
    api, client_id = anonymous(stack, "cognito-idp"), client_of(stack)
    parameters = {"USERNAME": email, "PASSWORD": temporary}
    asked = api.initiate_auth(ClientId=client_id, AuthFlow="USER_PASSWORD_AUTH", AuthParameters=parameters)
    assert asked["ChallengeName"] == "NEW_PASSWORD_REQUIRED"
    answers = {"USERNAME": email, "SOFTWARE_TOKEN_MFA_CODE": "123456", "SMS_MFA_CODE": "123456", "ANSWER": "x"}
    given = {"ClientId": client_id, "ChallengeName": kind, "Session": asked["Session"], "ChallengeResponses": answers}
    assert refusal(api.respond_to_auth_challenge, **given)["code"] == "NotAuthorizedException"


def one_time_code(secret: str) -> str:
    counter = int(datetime.now(UTC).timestamp()) // 30
    digest = hmac.digest(base64.b32decode(secret), counter.to_bytes(8, "big"), "sha1")
    start = digest[-1] & 15
    return f"{(int.from_bytes(digest[start : start + 4], 'big') & 0x7FFFFFFF) % 10**6:06d}"


def test_a_second_factor_is_not_skipped_by_answering_something_else(stack: Stack) -> None:
    person, api, client_id = stack.newcomer(), anonymous(stack, "cognito-idp"), client_of(stack)
    access = password_sign_in(api, client_id, person.email)["AuthenticationResult"]["AccessToken"]
    secret = api.associate_software_token(AccessToken=access)["SecretCode"]
    api.verify_software_token(AccessToken=access, UserCode=one_time_code(secret))
    preferred = {"Enabled": True, "PreferredMfa": True}
    stack.root("cognito-idp").admin_set_user_mfa_preference(
        UserPoolId=stack.pool_id, Username=person.email, SoftwareTokenMfaSettings=preferred
    )
    asked = password_sign_in(api, client_id, person.email)
    assert asked["ChallengeName"] == "SOFTWARE_TOKEN_MFA"
    answers = {"USERNAME": person.email, "NEW_PASSWORD": "Hijacked-1234-x"}
    given = {"ClientId": client_id, "ChallengeName": "NEW_PASSWORD_REQUIRED", "Session": asked["Session"]}
    error = refusal(api.respond_to_auth_challenge, **given, ChallengeResponses=answers)
    assert error["code"] == "NotAuthorizedException"
    assert password_sign_in(api, client_id, person.email)["ChallengeName"] == "SOFTWARE_TOKEN_MFA"


def test_a_name_that_is_given_to_somebody_new_inherits_nothing(stack: Stack) -> None:
    admin, api = stack.root("cognito-idp"), anonymous(stack, "cognito-idp")
    pool_id = admin.create_user_pool(PoolName="names")["UserPool"]["Id"]
    flows = ["ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"]
    client_id = admin.create_user_pool_client(
        UserPoolId=pool_id, ClientName="c", ExplicitAuthFlows=flows, WriteAttributes=["email"], ReadAttributes=["email"]
    )["UserPoolClient"]["ClientId"]

    def make_bob(email: str) -> None:
        attributes = [{"Name": "email", "Value": email}]
        admin.admin_create_user(UserPoolId=pool_id, Username="bob", MessageAction="SUPPRESS", UserAttributes=attributes)
        admin.admin_set_user_password(UserPoolId=pool_id, Username="bob", Password=PASSWORD, Permanent=True)

    make_bob("old@x.example")
    result = tokens(stack, client_id, "bob")
    admin.admin_delete_user(UserPoolId=pool_id, Username="bob")
    make_bob("new@x.example")
    assert refused(stack, client_id, result["RefreshToken"])[0] == "NotAuthorizedException"
    change = [{"Name": "email", "Value": "evil@x.example"}]
    error = refusal(api.update_user_attributes, AccessToken=result["AccessToken"], UserAttributes=change)
    assert error["code"] == "NotAuthorizedException"


@pytest.mark.parametrize("operation", ["global_sign_out", "get_user", "delete_user"])
def test_what_people_do_to_themselves_needs_their_token(stack: Stack, operation: str) -> None:
    error = refusal(getattr(anonymous(stack, "cognito-idp"), operation), AccessToken="not-a-token")
    assert error["code"] == "NotAuthorizedException"


def test_a_second_factor_is_set_up_by_somebody(stack: Stack) -> None:
    error = refusal(anonymous(stack, "cognito-idp").associate_software_token, Session="z" * 30)
    assert error["code"] == "NotAuthorizedException"
