"""Users of the pool, as an administrator manages them. Each test creates its own user and deletes it."""

import secrets
from collections.abc import Iterator
from typing import Any

import pytest

from tests.contract.stacks import Where, refusal

ORG = "00000000-0000-4000-8000-00000000c0de"


@pytest.fixture
def email() -> str:
    return f"contract-{secrets.token_hex(6)}@example.com"


def create(where: Where, email: str, **attributes: str) -> Any:
    given = {"email": email, "email_verified": "true", **{name.replace("_", ":"): v for name, v in attributes.items()}}
    given["email_verified"] = given.pop("email:verified", "true")
    entries = [{"Name": name, "Value": value} for name, value in given.items()]
    return where.admin("cognito-idp").admin_create_user(
        UserPoolId=where.outputs["UserPoolId"], Username=email, MessageAction="SUPPRESS", UserAttributes=entries
    )


@pytest.fixture
def person(where: Where, email: str) -> Iterator[dict[str, str]]:
    """A new user with an org, as the parameters that name it in a call."""
    create(where, email, custom_org=ORG, custom_role="viewer")
    who = {"UserPoolId": where.outputs["UserPoolId"], "Username": email}
    yield who
    where.admin("cognito-idp").admin_delete_user(**who)


def attributes(where: Where, who: dict[str, str]) -> dict[str, str]:
    user = where.admin("cognito-idp").admin_get_user(**who)
    return {entry["Name"]: entry["Value"] for entry in user["UserAttributes"]}


def update(where: Where, who: dict[str, str], name: str, value: str) -> dict[str, Any]:
    return {**who, "UserAttributes": [{"Name": name, "Value": value}]}


@pytest.mark.fact("A1.6")
def test_an_administrator_can_set_the_org_of_a_new_user(where: Where, person: dict[str, str]) -> None:
    assert attributes(where, person)["custom:org"] == ORG


@pytest.mark.fact("A1.1", "A1.3", "A5.1")
@pytest.mark.parametrize("value", [ORG.replace("0", "1"), ORG])
def test_an_immutable_attribute_cannot_be_changed(where: Where, person: dict[str, str], value: str) -> None:
    call = where.admin("cognito-idp").admin_update_user_attributes
    code, status, message = refusal(call, **update(where, person, "custom:org", value))
    assert (code, status) == ("InvalidParameterException", 400)
    assert "custom:org: Attribute cannot be updated." in message
    assert attributes(where, person)["custom:org"] == ORG


@pytest.mark.fact("A1.1", "A1.3")
def test_an_immutable_attribute_that_was_never_set_stays_empty(where: Where, email: str) -> None:
    who = {"UserPoolId": where.outputs["UserPoolId"], "Username": email}
    create(where, email)
    try:
        call = where.admin("cognito-idp").admin_update_user_attributes
        assert refusal(call, **update(where, who, "custom:org", ORG))[0] == "InvalidParameterException"
        assert "custom:org" not in attributes(where, who)
    finally:
        where.admin("cognito-idp").admin_delete_user(**who)


@pytest.mark.fact("A1.14")
@pytest.mark.parametrize("org", ["short", ORG + "0"])
def test_an_org_of_another_length_is_refused(where: Where, email: str, org: str) -> None:
    code, status, _ = refusal(create, where=where, email=email, custom_org=org)
    assert (code, status) == ("InvalidParameterException", 400)


@pytest.mark.fact("A1.15")
def test_an_empty_value_deletes_an_attribute(where: Where, person: dict[str, str]) -> None:
    where.admin("cognito-idp").admin_update_user_attributes(**update(where, person, "name", "Somebody"))
    assert attributes(where, person)["name"] == "Somebody"
    where.admin("cognito-idp").admin_update_user_attributes(**update(where, person, "name", ""))
    assert "name" not in attributes(where, person)


@pytest.mark.fact("A5.1", "A5.2")
def test_a_user_name_can_exist_only_once(where: Where, person: dict[str, str]) -> None:
    code, status, _ = refusal(create, where=where, email=person["Username"])
    assert (code, status) == ("UsernameExistsException", 400)


@pytest.mark.fact("A5.3")
def test_an_unknown_user_is_not_found(where: Where, email: str) -> None:
    who = {"UserPoolId": where.outputs["UserPoolId"], "Username": email}
    error = refusal(where.admin("cognito-idp").admin_get_user, **who)
    assert error == ("UserNotFoundException", 400, "User does not exist.")


@pytest.mark.fact("A5.4")
def test_a_weak_password_is_refused(where: Where, person: dict[str, str]) -> None:
    call = where.admin("cognito-idp").admin_set_user_password
    code, status, _ = refusal(call, **person, Password="short", Permanent=True)
    assert (code, status) == ("InvalidPasswordException", 400)


@pytest.mark.fact("A5.5")
def test_a_missing_user_pool_is_not_found(where: Where) -> None:
    call = where.admin("cognito-idp").describe_user_pool
    assert refusal(call, UserPoolId=f"{where.region}_Elsewhere")[:2] == ("ResourceNotFoundException", 400)


@pytest.mark.fact("A1.20")
def test_the_password_of_somebody_who_never_signed_in_is_not_reset(where: Where, person: dict[str, str]) -> None:
    reset = where.admin("cognito-idp").admin_reset_user_password
    code, status, message = refusal(reset, **person)
    assert (code, status) == ("NotAuthorizedException", 400)
    assert message == "User password cannot be reset in the current state."


@pytest.mark.fact("A1.18")
def test_only_an_unused_invitation_is_sent_again(where: Where, person: dict[str, str]) -> None:
    pools = where.admin("cognito-idp")
    pools.admin_set_user_password(**person, Password=f"Contract-7-{secrets.token_hex(4)}", Permanent=True)
    code, status, _ = refusal(pools.admin_create_user, **person, MessageAction="RESEND")
    assert (code, status) == ("UnsupportedUserStateException", 400)
