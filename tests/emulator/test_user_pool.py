"""Which attributes clients, people and administrators may write, and the API's sign-in flows."""

import base64
import hashlib
import hmac
from typing import Any

import pytest

from tests.emulator.test_identity_pool import anonymous, password_tokens
from tests.emulator.world import ACME, GLOBEX, PASSWORD, Person, Stack, claims, refusal


@pytest.fixture(scope="session")
def self_service_client(stack: Stack) -> str:
    """A permissive client: its access tokens may call the self-service API and write e-mail and name."""
    made = stack.root("cognito-idp").create_user_pool_client(
        UserPoolId=stack.pool_id,
        ClientName="self-service",
        ExplicitAuthFlows=["ALLOW_ADMIN_USER_PASSWORD_AUTH", "ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"],
        ReadAttributes=["email", "name", "custom:org"],
        WriteAttributes=["email", "name"],
    )
    return str(made["UserPoolClient"]["ClientId"])


def attributes(stack: Stack, person: Person) -> dict[str, str]:
    user = stack.root("cognito-idp").admin_get_user(UserPoolId=stack.pool_id, Username=person.email)
    return {entry["Name"]: entry["Value"] for entry in user["UserAttributes"]}


@pytest.mark.parametrize("name", ["custom:org", "custom:role", "sub", "email_verified", "custom:unknown", "nickname"])
def test_a_member_writes_only_attributes_the_client_may_write(
    stack: Stack, self_service_client: str, name: str
) -> None:
    person = stack.newcomer()
    before = attributes(stack, person)
    token = password_tokens(stack, self_service_client, person.email)["AccessToken"]
    update = anonymous(stack, "cognito-idp").update_user_attributes
    error = refusal(update, AccessToken=token, UserAttributes=[{"Name": name, "Value": GLOBEX}])
    assert error == {
        "code": "NotAuthorizedException",
        "message": "A client attempted to write unauthorized attribute",
        "status": 400,
    }
    assert attributes(stack, person) == before


def test_a_member_may_write_their_name(stack: Stack, self_service_client: str) -> None:
    person = stack.newcomer()
    token = password_tokens(stack, self_service_client, person.email)["AccessToken"]
    api = anonymous(stack, "cognito-idp")
    api.update_user_attributes(AccessToken=token, UserAttributes=[{"Name": "name", "Value": "Ada"}])
    assert attributes(stack, person)["name"] == "Ada"
    seen = {entry["Name"] for entry in api.get_user(AccessToken=token)["UserAttributes"]}
    assert seen == {"sub", "email", "name", "custom:org"}


def test_a_new_address_takes_effect_only_after_verification(stack: Stack, self_service_client: str) -> None:
    person = stack.newcomer()
    token = password_tokens(stack, self_service_client, person.email)["AccessToken"]
    change = [{"Name": "email", "Value": "somebody@else.example"}]
    anonymous(stack, "cognito-idp").update_user_attributes(AccessToken=token, UserAttributes=change)
    assert attributes(stack, person)["email"] == person.email


def test_the_portals_access_tokens_cannot_call_self_service(stack: Stack) -> None:
    token = stack.tokens(stack.newcomer()).access_token
    assert claims(token)["scope"] == "openid email profile"
    api = anonymous(stack, "cognito-idp")
    change = [{"Name": "custom:org", "Value": GLOBEX}]
    for call, more in ((api.update_user_attributes, {"UserAttributes": change}), (api.get_user, {})):
        error = refusal(call, AccessToken=token, **more)
        assert (error["code"], error["message"]) == (
            "NotAuthorizedException",
            "Access Token does not have required scopes",
        )


def test_an_organisation_cannot_be_changed(stack: Stack) -> None:
    person = stack.newcomer()
    update = stack.root("cognito-idp").admin_update_user_attributes
    for value in (GLOBEX, ACME, ""):
        entries = [{"Name": "custom:org", "Value": value}]
        error = refusal(update, UserPoolId=stack.pool_id, Username=person.email, UserAttributes=entries)
        assert error["code"] == "InvalidParameterException"
        assert error["message"].startswith("user.custom:org: Attribute cannot be updated.")
    assert attributes(stack, person)["custom:org"] == ACME


def test_an_empty_organisation_cannot_be_set_later(stack: Stack) -> None:
    person = stack.newcomer(org="")
    entries = [{"Name": "custom:org", "Value": ACME}]
    error = refusal(
        stack.root("cognito-idp").admin_update_user_attributes,
        UserPoolId=stack.pool_id,
        Username=person.email,
        UserAttributes=entries,
    )
    assert error["code"] == "InvalidParameterException"
    assert "custom:org" not in attributes(stack, person)


@pytest.mark.parametrize(
    "entry",
    [
        ("custom:org", ACME[:-1]),
        ("custom:org", ACME + "0"),
        ("custom:role", "r" * 17),
        ("custom:nothing", "x"),
        ("sub", ACME),
    ],
    ids=str,
)
def test_an_attribute_outside_the_schema_creates_no_user(stack: Stack, entry: tuple[str, str]) -> None:
    entries = [{"Name": "email", "Value": "misfit@acme.example"}, {"Name": entry[0], "Value": entry[1]}]
    pools = stack.root("cognito-idp")
    error = refusal(
        pools.admin_create_user, UserPoolId=stack.pool_id, Username="misfit@acme.example", UserAttributes=entries
    )
    assert error["code"] == "InvalidParameterException"
    missing = refusal(pools.admin_get_user, UserPoolId=stack.pool_id, Username="misfit@acme.example")
    assert missing["code"] == "UserNotFoundException"


def test_addresses_are_unique_regardless_of_case(stack: Stack) -> None:
    person = stack.newcomer()
    error = refusal(
        stack.root("cognito-idp").admin_create_user, UserPoolId=stack.pool_id, Username=person.email.upper()
    )
    assert error["code"] == "UsernameExistsException"


def test_signing_up_is_refused(stack: Stack, self_service_client: str) -> None:
    error = refusal(
        anonymous(stack, "cognito-idp").sign_up,
        ClientId=self_service_client,
        Username="intruder@acme.example",
        Password=PASSWORD,
        UserAttributes=[{"Name": "custom:org", "Value": ACME}],
    )
    assert error["message"] == "SignUp is not permitted for this user pool"


@pytest.mark.parametrize("flow", ["USER_PASSWORD_AUTH", "CUSTOM_AUTH", "REFRESH_TOKEN_AUTH", "USER_AUTH"])
def test_the_login_client_has_no_other_flow_even_with_its_secret(stack: Stack, flow: str) -> None:
    person, client_id = stack.newcomer(), stack.client_id
    mac = hmac.new(stack.secret().encode(), (person.email + client_id).encode(), hashlib.sha256)
    parameters = {"USERNAME": person.email, "PASSWORD": PASSWORD, "SRP_A": "ab", "REFRESH_TOKEN": "x"}
    parameters["SECRET_HASH"] = base64.b64encode(mac.digest()).decode()
    api = anonymous(stack, "cognito-idp")
    error = refusal(api.initiate_auth, ClientId=client_id, AuthFlow=flow, AuthParameters=parameters)
    assert error["code"] == "InvalidParameterException"


@pytest.mark.parametrize(
    ("flow", "text"),
    [
        ("USER_SRP_AUTH", "USER_SRP_AUTH is not enabled for the client."),
        ("USER_PASSWORD_AUTH", "USER_PASSWORD_AUTH flow not enabled for this client"),
    ],
)
def test_a_disabled_flow_is_refused_in_its_own_words(
    stack: Stack, self_service_client: str, flow: str, text: str
) -> None:
    # The login client allows SRP, the other one passwords.
    client_id = self_service_client if flow == "USER_SRP_AUTH" else stack.client_id
    parameters = {"USERNAME": stack.newcomer().email, "PASSWORD": PASSWORD, "SRP_A": "ab"}
    api = anonymous(stack, "cognito-idp")
    error = refusal(api.initiate_auth, ClientId=client_id, AuthFlow=flow, AuthParameters=parameters)
    assert (error["code"], error["message"]) == ("InvalidParameterException", text)


@pytest.mark.parametrize(
    "challenge", ["NEW_PASSWORD_REQUIRED", "MFA_SETUP", "SOFTWARE_TOKEN_MFA", "PASSWORD_VERIFIER", "CUSTOM_CHALLENGE"]
)
def test_an_answer_needs_a_challenge_that_was_issued(stack: Stack, self_service_client: str, challenge: str) -> None:
    person = stack.newcomer()
    answers: dict[str, Any] = {"USERNAME": person.email, "NEW_PASSWORD": PASSWORD, "SOFTWARE_TOKEN_MFA_CODE": "000000"}
    answers |= {"PASSWORD_CLAIM_SECRET_BLOCK": "YQ==", "PASSWORD_CLAIM_SIGNATURE": "YQ==", "ANSWER": "x"}
    answers |= {"TIMESTAMP": "Sun Nov 22 15:00:00 UTC 2026"}
    error = refusal(
        anonymous(stack, "cognito-idp").respond_to_auth_challenge,
        ClientId=self_service_client,
        ChallengeName=challenge,
        Session="a" * 44,
        ChallengeResponses=answers,
    )
    assert error["code"] == "NotAuthorizedException"


def test_a_temporary_password_can_be_changed_once(stack: Stack, self_service_client: str) -> None:
    person = Person("temporary@acme.example", ACME, "viewer")
    stack.create(person, permanent=False)
    api = anonymous(stack, "cognito-idp")
    asked = api.initiate_auth(
        ClientId=self_service_client,
        AuthFlow="USER_PASSWORD_AUTH",
        AuthParameters={"USERNAME": person.email, "PASSWORD": PASSWORD},
    )
    assert asked["ChallengeName"] == "NEW_PASSWORD_REQUIRED"
    answer = {
        "ClientId": self_service_client,
        "ChallengeName": "NEW_PASSWORD_REQUIRED",
        "Session": asked["Session"],
        "ChallengeResponses": {"USERNAME": person.email, "NEW_PASSWORD": "Another-horse-8-battery"},
    }
    tokens = api.respond_to_auth_challenge(**answer)["AuthenticationResult"]
    assert claims(tokens["IdToken"])["custom:org"] == ACME
    assert "custom:role" not in claims(tokens["IdToken"])
    assert refusal(api.respond_to_auth_challenge, **answer)["code"] == "NotAuthorizedException"


def test_a_token_has_only_claims_the_client_may_read(stack: Stack, self_service_client: str) -> None:
    person = stack.newcomer(name="Ada", nickname="countess")
    token = claims(password_tokens(stack, self_service_client, person.email)["IdToken"])
    assert (token["name"], token["custom:org"]) == ("Ada", ACME)
    assert not {"nickname", "custom:role"} & token.keys()


def test_a_custom_attribute_cannot_be_searched(stack: Stack) -> None:
    listing = stack.root("cognito-idp").list_users
    assert refusal(listing, UserPoolId=stack.pool_id, Filter='custom:org = "x"')["code"] == "InvalidParameterException"
