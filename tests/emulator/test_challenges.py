"""A challenge accepts an answer only from its own user and client, and only of its own kind."""

from __future__ import annotations

import base64
import hmac
import secrets
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.emulator.accounts import client_of, later, password_sign_in
from tests.emulator.srp import srp_sign_in
from tests.emulator.test_identity_pool import anonymous
from tests.emulator.test_refresh import refresh_error, srp_client, tokens
from tests.emulator.world import PASSWORD, Stack, refusal

__all__ = ["srp_client"]


class ChangedAnswers:
    """A client's API that changes the answers to challenges before they are sent."""

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


def test_a_user_cannot_answer_a_challenge_as_another_user(stack: Stack, srp_client: dict[str, str]) -> None:
    mallory, victim = stack.newcomer(), stack.newcomer()
    changed = ChangedAnswers(
        anonymous(stack, "cognito-idp"), **{"USERNAME": victim.email, "userAttributes.email": "evil@x.example"}
    )
    error = refusal(srp_sign_in, api=changed, **srp_client, email=mallory.email, password=PASSWORD)
    assert error["code"] == "NotAuthorizedException"
    assert email_of(stack, victim.email) == victim.email


def test_only_a_new_password_challenge_sets_attributes(stack: Stack, srp_client: dict[str, str]) -> None:
    person = stack.newcomer()
    changed = ChangedAnswers(anonymous(stack, "cognito-idp"), **{"userAttributes.email": "new@x.example"})
    error = refusal(srp_sign_in, api=changed, **srp_client, email=person.email, password=PASSWORD)
    assert error["code"] == "InvalidParameterException"
    assert email_of(stack, person.email) == person.email


def test_wrong_srp_proofs_lock_the_challenged_user(stack: Stack, srp_client: dict[str, str]) -> None:
    person, api = stack.newcomer(), anonymous(stack, "cognito-idp")
    for _ in range(6):
        ghost = ChangedAnswers(api, USERNAME=f"ghost{secrets.token_hex(3)}@x.example")
        assert refusal(srp_sign_in, api=ghost, **srp_client, email=person.email, password="wrong")["code"]
        assert refusal(srp_sign_in, api=api, **srp_client, email=person.email, password="wrong")["code"]
    with later(stack.emulator, 60):  # one failure a minute ahead keeps the lock for that minute
        assert refusal(srp_sign_in, api=api, **srp_client, email=person.email, password="wrong")["code"]
    locked = refusal(srp_sign_in, api=api, **srp_client, email=person.email, password=PASSWORD)
    assert locked["message"] == "Password attempts exceeded"


@pytest.mark.parametrize(
    "kind", ["SOFTWARE_TOKEN_MFA", "MFA_SETUP", "SMS_MFA", "CUSTOM_CHALLENGE", "PASSWORD_VERIFIER"]
)
def test_a_new_password_challenge_accepts_no_other_answer(stack: Stack, kind: str) -> None:
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


def test_another_challenge_name_does_not_skip_mfa(stack: Stack) -> None:
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


def test_tokens_of_a_deleted_user_fail_for_a_new_user_of_that_name(stack: Stack) -> None:
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
    assert refresh_error(stack, client_id, result["RefreshToken"])[0] == "NotAuthorizedException"
    change = [{"Name": "email", "Value": "evil@x.example"}]
    error = refusal(api.update_user_attributes, AccessToken=result["AccessToken"], UserAttributes=change)
    assert error["code"] == "NotAuthorizedException"


@pytest.mark.parametrize("operation", ["global_sign_out", "get_user", "delete_user"])
def test_self_service_operations_need_a_valid_access_token(stack: Stack, operation: str) -> None:
    error = refusal(getattr(anonymous(stack, "cognito-idp"), operation), AccessToken="not-a-token")
    assert error["code"] == "NotAuthorizedException"


def test_setting_up_mfa_needs_a_token_or_a_known_session(stack: Stack) -> None:
    error = refusal(anonymous(stack, "cognito-idp").associate_software_token, Session="z" * 30)
    assert error["code"] == "NotAuthorizedException"
