"""What people do with their own accounts: sign up, confirm, ask for another code, reset a forgotten password.

The user pool API and the hosted pages both call these functions. Attempts are counted, and mail uses the pool's own
templates. If the client hides whether users exist, no answer reveals it.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from emulator import clock
from emulator.cognito import triggers
from emulator.cognito.attempts import Attempts
from emulator.cognito.attributes import check_creation
from emulator.cognito.codes import check_code, new_code, use_code, wrong_code
from emulator.cognito.mail import Mailer
from emulator.cognito.passwords import check_new_password, set_password
from emulator.cognito.pools import Client, Record, attributes_of, find_user, has_verified_address
from emulator.cognito.users import check_name, new_user, set_attributes
from emulator.wire import AwsError

Metadata = Mapping[str, str] | None
_NO_ADDRESS = "Cannot reset password for the user as there is no registered/verified email or phone_number"


@dataclass(frozen=True, slots=True)
class NewAccount:
    username: str
    password: str
    attributes: Mapping[str, str]
    validation_data: Metadata = None


@dataclass
class Accounts:
    """Every method raises `AwsError` with the API's error."""

    mailer: Mailer
    attempts: Attempts

    async def sign_up(self, client: Client, new: NewAccount, *, metadata: Metadata = None) -> Record:
        """Returns the user. They are already confirmed only if the pool's PreSignUp trigger says so."""
        pool = client.pool
        if not may_sign_up(pool):
            raise AwsError("NotAuthorizedException", "SignUp is not permitted for this user pool")
        attributes = check_name(pool, new.username, new.attributes)
        check_creation(pool, attributes, client=client)
        _check_free(pool, new.username)
        check_new_password(pool, new.password)
        user = new_user(pool, new.username, attributes, status="UNCONFIRMED", password=new.password)
        event = triggers.Event(pool, "PreSignUp_SignUp", user["Username"], attributes, client, metadata)
        decision = await triggers.before_sign_up(event, validation_data=new.validation_data)
        _check_free(pool, new.username)
        pool["_users"][user["Username"]] = user
        pool["EstimatedNumberOfUsers"] = len(pool["_users"])
        flags = (("email", decision.verify_email), ("phone_number", decision.verify_phone))
        set_attributes(
            user, {f"{name}_verified": "true" for name, verified in flags if verified and name in attributes}
        )
        if decision.confirm:
            await self._confirm(client, pool, user, "PostConfirmation_ConfirmSignUp", metadata)
        elif sends_code_to(pool, user):
            await self.mailer.send_code(client, pool, user, new_code(user, "sign-up"), "sign-up", metadata=metadata)
        return user

    async def confirm_sign_up(self, client: Client, username: str, code: str, *, metadata: Metadata = None) -> None:
        user = self._count_and_find(client, "ConfirmSignUp", username)
        if user is None:
            raise wrong_code() if hides_users(client) else _no_such_user()
        if user["UserStatus"] != "UNCONFIRMED":
            text = f"User cannot be confirmed. Current status is {user['UserStatus']}"
            raise AwsError("NotAuthorizedException", text)
        check_code(user, "sign-up", code)
        use_code(user, "sign-up")
        self.attempts.reset("ConfirmSignUp", client.pool_id, username)
        if verifies_addresses(client.pool):
            set_attributes(user, {"email_verified": "true"})
        await self._confirm(client, client.pool, user, "PostConfirmation_ConfirmSignUp", metadata)

    async def confirm_as_administrator(self, pool: Record, user: Record, *, metadata: Metadata = None) -> None:
        if user["UserStatus"] != "UNCONFIRMED":
            text = f"User cannot be confirmed. Current status is {user['UserStatus']}"
            raise AwsError("NotAuthorizedException", text)
        await self._confirm(None, pool, user, "PostConfirmation_ConfirmSignUp", metadata)

    async def resend_code(self, client: Client, username: str, *, metadata: Metadata = None) -> dict[str, str]:
        """Returns where the code was sent. If the user is hidden, returns where it would have been sent."""
        user = self._count_and_find(client, "ResendConfirmationCode", username)
        if user is None:
            return _fake_delivery(client, username)
        if user["UserStatus"] != "UNCONFIRMED":
            raise AwsError("InvalidParameterException", "User is already confirmed.")
        if not verifies_addresses(client.pool):
            raise AwsError("InvalidParameterException", "Cannot resend codes. Auto verification not turned on.")
        await self.mailer.send_code(client, client.pool, user, new_code(user, "sign-up"), "resend", metadata=metadata)
        return delivery_details(attributes_of(user).get("email", username))

    async def forgot_password(self, client: Client, username: str, *, metadata: Metadata = None) -> dict[str, str]:
        user = self._count_and_find(client, "ForgotPassword", username)
        if user is None or (hides_users(client) and not user.get("Enabled", True)):
            return _fake_delivery(client, username)
        if not user.get("Enabled", True):
            raise AwsError("NotAuthorizedException", "User is disabled.")
        if user["UserStatus"] == "FORCE_CHANGE_PASSWORD":
            raise AwsError("NotAuthorizedException", "User password cannot be reset in the current state.")
        if not has_verified_address(user):
            raise AwsError("InvalidParameterException", _NO_ADDRESS)
        code = new_code(user, "password")
        await self.mailer.send_code(client, client.pool, user, code, "forgot-password", metadata=metadata)
        return delivery_details(attributes_of(user)["email"])

    async def confirm_forgot_password(
        self, client: Client, username: str, code: str, password: str, *, metadata: Metadata = None
    ) -> None:
        user = self._count_and_find(client, "ConfirmForgotPassword", username)
        if user is None or not user.get("Enabled", True):
            raise wrong_code() if hides_users(client) else _no_such_user()
        check_code(user, "password", code)
        check_new_password(client.pool, password)
        use_code(user, "password")
        set_password(user, password, status=user["UserStatus"])
        self.attempts.reset("ConfirmForgotPassword", client.pool_id, username)
        self.attempts.record_success(client.pool_id, username)
        await self._confirm(client, client.pool, user, "PostConfirmation_ConfirmForgotPassword", metadata)

    async def _confirm(
        self, client: Client | None, pool: Record, user: Record, source: str, metadata: Metadata
    ) -> None:
        """The user stays confirmed even if the trigger fails."""
        user.update(UserStatus="CONFIRMED", UserLastModifiedDate=clock.now())
        attributes = triggers.attributes_in_events(user)
        await triggers.after_confirmation(triggers.Event(pool, source, user["Username"], attributes, client, metadata))

    def _count_and_find(self, client: Client, operation: str, username: str) -> Record | None:
        self.attempts.count_use(operation, client.pool_id, username)
        return find_user(client.pool, username)


def may_sign_up(pool: Record) -> bool:
    closed = (pool.get("AdminCreateUserConfig") or {}).get("AllowAdminCreateUserOnly")
    return closed not in (True, "true")


def verifies_addresses(pool: Record) -> bool:
    return "email" in (pool.get("AutoVerifiedAttributes") or [])


def sends_code_to(pool: Record, user: Record) -> bool:
    """Whether Cognito sends this new user a code. Otherwise only an administrator can confirm them."""
    return verifies_addresses(pool) and bool(attributes_of(user).get("email"))


def hides_users(client: Client) -> bool:
    return bool(client.record.get("PreventUserExistenceErrors") == "ENABLED")


def delivery_details(address: str, attribute: str = "email") -> dict[str, str]:
    """CodeDeliveryDetails: of the address only the first letters of both halves."""
    return {"Destination": masked_address(address), "DeliveryMedium": "EMAIL", "AttributeName": attribute}


def masked_address(address: str) -> str:
    """For a user name without an @, an address that is always the same one: it must look like a person's."""
    name, _, host = address.partition("@")
    host = host or hashlib.sha256(name.encode()).hexdigest().lstrip("0123456789") or "x"
    return f"{name[:1]}***@{host[:1]}***"


def _fake_delivery(client: Client, username: str) -> dict[str, str]:
    if not hides_users(client):
        raise _no_such_user()
    return delivery_details(username)


def _no_such_user() -> AwsError:
    return AwsError("UserNotFoundException", "Username/client id combination not found.")


def _check_free(pool: Record, username: str) -> None:
    if find_user(pool, username) is not None:
        by_address = bool(pool.get("UsernameAttributes"))
        text = "An account with the given email already exists." if by_address else "User already exists"
        raise AwsError("UsernameExistsException", text)


def required_text(data: Mapping[str, Any], member: str) -> str:
    """A required member of a request. Raises `AwsError` if it is missing or not text."""
    value = data.get(member)
    if not isinstance(value, str) or not value:
        raise AwsError("InvalidParameterException", f"Missing required parameter {member}")
    return value
