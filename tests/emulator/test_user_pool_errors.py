"""Errors of an administrator's calls: code, message and status, each provoked by its natural cause."""

import secrets
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.emulator.test_identity_pool import anonymous
from tests.emulator.world import ACME_OWNER, Stack, client, refusal
from tests.world.faults import Switches

Error = tuple[str, str]

ON_A_USER: dict[str, dict[str, Any]] = {
    "admin_get_user": {},
    "admin_disable_user": {},
    "admin_enable_user": {},
    "admin_delete_user": {},
    "admin_user_global_sign_out": {},
    "admin_reset_user_password": {},
    "admin_confirm_sign_up": {},
    "admin_update_user_attributes": {"UserAttributes": [{"Name": "custom:role", "Value": "viewer"}]},
    "admin_set_user_password": {"Password": "Correct-horse-7-battery"},
}
ON_A_POOL: dict[str, dict[str, Any]] = {
    "admin_create_user": {"Username": "new@acme.example", "MessageAction": "SUPPRESS"},
    "list_users": {},
    "describe_user_pool": {},
}
FAULTS = (
    ("TooManyRequestsException", "Rate exceeded", 400),
    ("LimitExceededException", "Attempt limit exceeded, please try after some time.", 400),
    ("InternalErrorException", "Internal error.", 500),
    ("NotAuthorizedException", "Not authorized", 400),
    ("CodeDeliveryFailureException", "The code could not be delivered", 400),
    ("PreconditionNotMetException", "A precondition was not met", 400),
    ("UserLambdaValidationException", "PreSignUp failed with error", 400),
)


def answer(call: Callable[..., Any], **parameters: Any) -> Error:
    error = refusal(call, **parameters)
    assert error["status"] == 400
    return error["code"], error["message"]


@pytest.mark.parametrize("operation", ON_A_USER)
def test_an_unknown_user_is_not_found(stack: Stack, operation: str) -> None:
    call = getattr(stack.root("cognito-idp"), operation)
    for name in ("nobody@acme.example", "00000000-0000-4000-8000-000000000000"):
        found = answer(call, UserPoolId=stack.pool_id, Username=name, **ON_A_USER[operation])
        assert found == ("UserNotFoundException", "User does not exist.")


@pytest.mark.parametrize("operation", [*ON_A_USER, *ON_A_POOL])
def test_no_call_finds_a_deleted_pool(stack: Stack, operation: str) -> None:
    api = stack.root("cognito-idp")
    pool_id = api.create_user_pool(PoolName="short-lived")["UserPool"]["Id"]
    api.delete_user_pool(UserPoolId=pool_id)
    more = {"Username": "a@b.example", **ON_A_USER[operation]} if operation in ON_A_USER else ON_A_POOL[operation]
    found = answer(getattr(api, operation), UserPoolId=pool_id, **more)
    assert found == ("ResourceNotFoundException", f"User pool {pool_id} does not exist.")


def test_a_protected_pool_is_not_deleted(stack: Stack) -> None:
    api = stack.root("cognito-idp")
    pool_id = api.create_user_pool(PoolName="protected", DeletionProtection="ACTIVE")["UserPool"]["Id"]
    code, text = answer(api.delete_user_pool, UserPoolId=pool_id)
    assert (code, "deletion protection is activated" in text) == ("InvalidParameterException", True)
    assert api.describe_user_pool(UserPoolId=pool_id)
    api.update_user_pool(UserPoolId=pool_id, DeletionProtection="INACTIVE")
    api.delete_user_pool(UserPoolId=pool_id)


def test_an_address_of_another_user_is_refused_in_any_case(stack: Stack) -> None:
    one, other = stack.newcomer(), stack.newcomer()
    api = stack.root("cognito-idp")
    for address in (other.email, other.email.upper()):
        entries = [{"Name": "email", "Value": address}, {"Name": "email_verified", "Value": "true"}]
        update = {"UserPoolId": stack.pool_id, "Username": one.email, "UserAttributes": entries}
        assert answer(api.admin_update_user_attributes, **update) == (
            "AliasExistsException",
            "An account with the given email already exists.",
        )
    own = [{"Name": "email", "Value": one.email.upper()}, {"Name": "email_verified", "Value": "true"}]
    api.admin_update_user_attributes(UserPoolId=stack.pool_id, Username=one.email, UserAttributes=own)


def test_a_user_is_found_by_the_new_address_only(stack: Stack) -> None:
    person, api = stack.newcomer(), stack.root("cognito-idp")
    new = f"{secrets.token_hex(6)}@acme.example"
    entries = [{"Name": "email", "Value": new}, {"Name": "email_verified", "Value": "true"}]
    api.admin_update_user_attributes(UserPoolId=stack.pool_id, Username=person.email, UserAttributes=entries)
    assert api.admin_get_user(UserPoolId=stack.pool_id, Username=new.upper())["Enabled"]
    gone = answer(api.admin_get_user, UserPoolId=stack.pool_id, Username=person.email)
    assert gone[0] == "UserNotFoundException"
    stack.create(person)


def test_a_user_name_has_at_most_128_characters(stack: Stack) -> None:
    create = stack.root("cognito-idp").admin_create_user
    address = f"{'a' * 64}@{'b' * 52}.example"
    assert len(address) == 125
    create(UserPoolId=stack.pool_id, Username=address, MessageAction="SUPPRESS")
    code, text = answer(create, UserPoolId=stack.pool_id, Username=f"{'a' * 64}@{'b' * 56}.example")
    assert (code, "less than or equal to 128" in text) == ("InvalidParameterException", True)


@pytest.mark.parametrize("name", ["nobody", "@acme.example"])
def test_a_user_name_must_be_an_address(stack: Stack, name: str) -> None:
    found = answer(stack.root("cognito-idp").admin_create_user, UserPoolId=stack.pool_id, Username=name)
    assert found == ("InvalidParameterException", "Username should be an email.")


def test_a_temporary_password_must_meet_the_policy(stack: Stack) -> None:
    create = stack.root("cognito-idp").admin_create_user
    code, text = answer(create, UserPoolId=stack.pool_id, Username="short@acme.example", TemporaryPassword="x")
    assert (code, text.startswith("Password did not conform with policy")) == ("InvalidPasswordException", True)


def test_only_an_invited_user_gets_another_invitation(stack: Stack) -> None:
    create = stack.root("cognito-idp").admin_create_user
    again = {"UserPoolId": stack.pool_id, "MessageAction": "RESEND"}
    assert answer(create, Username=stack.newcomer().email, **again)[0] == "UnsupportedUserStateException"
    assert answer(create, Username="nobody@acme.example", **again)[0] == "UserNotFoundException"


@pytest.mark.parametrize(("code", "message", "status"), FAULTS)
def test_a_fault_can_give_every_other_error(stack: Stack, code: str, message: str, status: int) -> None:
    switches = Switches(stack.emulator)
    new = f"{secrets.token_hex(6)}@acme.example"
    create = {"UserPoolId": stack.pool_id, "Username": new, "MessageAction": "SUPPRESS"}
    api = stack.root("cognito-idp")
    switches.fail("CognitoIdentityProvider.AdminCreateUser", code=code, message=message, status=status)
    try:
        assert refusal(api.admin_create_user, **create) == {"code": code, "message": message, "status": status}
    finally:
        switches.mend()
    assert answer(api.admin_get_user, UserPoolId=stack.pool_id, Username=new)[0] == "UserNotFoundException"
    api.admin_create_user(**create)


def test_tokens_of_a_deleted_pool_give_no_credentials(stack: Stack) -> None:
    """The pool's keys are deleted with it, so its tokens can no longer be verified."""
    api, identities = stack.root("cognito-idp"), stack.root("cognito-identity")
    pool_id = api.create_user_pool(PoolName="short-lived", UsernameAttributes=["email"])["UserPool"]["Id"]
    provider = f"cognito-idp.eu-west-1.amazonaws.com/{pool_id}"
    flows = ["ALLOW_ADMIN_USER_PASSWORD_AUTH"]
    made = api.create_user_pool_client(UserPoolId=pool_id, ClientName="one", ExplicitAuthFlows=flows)
    client_id = made["UserPoolClient"]["ClientId"]
    identity_pool = identities.create_identity_pool(
        IdentityPoolName="short-lived",
        AllowUnauthenticatedIdentities=False,
        CognitoIdentityProviders=[{"ProviderName": provider, "ClientId": client_id}],
    )["IdentityPoolId"]
    person = {"UserPoolId": pool_id, "Username": "ada@acme.example"}
    api.admin_create_user(**person, MessageAction="SUPPRESS")
    api.admin_set_user_password(**person, Password="Correct-horse-7-battery", Permanent=True)
    entered = {"USERNAME": "ada@acme.example", "PASSWORD": "Correct-horse-7-battery"}
    signed_in = api.admin_initiate_auth(
        UserPoolId=pool_id, ClientId=client_id, AuthFlow="ADMIN_USER_PASSWORD_AUTH", AuthParameters=entered
    )
    logins = {provider: signed_in["AuthenticationResult"]["IdToken"]}
    public = anonymous(stack, "cognito-identity")
    identity = public.get_id(IdentityPoolId=identity_pool, Logins=logins)["IdentityId"]
    api.delete_user_pool(UserPoolId=pool_id)
    for call, more in (
        (public.get_id, {"IdentityPoolId": identity_pool}),
        (public.get_credentials_for_identity, {"IdentityId": identity}),
    ):
        with pytest.raises(ClientError) as refused:
            call(Logins=logins, **more)
        error = refused.value.response
        assert error["ResponseMetadata"]["HTTPStatusCode"] == 400
        assert error["Error"]["Code"] in ("NotAuthorizedException", "ResourceNotFoundException"), error["Error"]
    sign_in = anonymous(stack, "cognito-idp").initiate_auth
    again = refusal(sign_in, ClientId=client_id, AuthFlow="USER_PASSWORD_AUTH", AuthParameters=entered)
    assert again["code"] == "ResourceNotFoundException"
    identities.delete_identity_pool(IdentityPoolId=identity_pool)


def test_every_call_needs_permission(stack: Stack) -> None:
    api = client(stack.emulator, "cognito-idp", stack.credentials(ACME_OWNER))
    for operation, more in {**ON_A_USER, **ON_A_POOL}.items():
        asked = {"UserPoolId": stack.pool_id, "Username": ACME_OWNER.email, **more}
        if operation in ("list_users", "describe_user_pool"):
            del asked["Username"]
        assert refusal(getattr(api, operation), **asked)["code"] == "AccessDeniedException"
