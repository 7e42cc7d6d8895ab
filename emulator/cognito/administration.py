"""What administrators do with accounts: create and invite, confirm, reset and set passwords, change attributes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from emulator import clock
from emulator.cognito import triggers
from emulator.cognito.accounts import Accounts, required_text
from emulator.cognito.attributes import check_creation, check_update, parse_attributes
from emulator.cognito.codes import new_code
from emulator.cognito.own_attributes import OwnAttributes, discard_proposed_address, pending_verification
from emulator.cognito.passwords import check_new_password, new_temporary_password, set_password
from emulator.cognito.pools import Record, find_user, has_verified_address
from emulator.cognito.users import check_alias_free, check_name, describe, new_user, set_attributes
from emulator.wire import AwsError, Reply, json_reply

Data = Mapping[str, Any]


@dataclass
class Administration:
    """Operations by their API names. Each raises `AwsError`."""

    accounts: Accounts
    own_attributes: OwnAttributes

    async def admin_create_user(self, pool: Record, data: Data) -> Reply:
        action = str(data.get("MessageAction") or "").upper()
        if action not in ("", "RESEND", "SUPPRESS"):
            raise AwsError("InvalidParameterException", "MessageAction is neither RESEND nor SUPPRESS.")
        mails = action != "SUPPRESS" and "EMAIL" in (data.get("DesiredDeliveryMediums") or ["EMAIL"])
        if action == "RESEND":
            return await self._resend_invitation(pool, data, mails=mails)
        return await self._create(pool, data, mails=mails)

    async def _create(self, pool: Record, data: Data, *, mails: bool) -> Reply:
        username = required_text(data, "Username")
        attributes = check_name(pool, username, parse_attributes(data.get("UserAttributes")))
        check_creation(pool, attributes, client=None)
        _check_free(pool, username)
        password = str(data.get("TemporaryPassword") or new_temporary_password(pool))
        check_new_password(pool, password)
        user = new_user(pool, username, attributes, status="FORCE_CHANGE_PASSWORD", password=password)
        metadata = data.get("ClientMetadata")
        event = triggers.Event(pool, "PreSignUp_AdminCreateUser", user["Username"], attributes, metadata=metadata)
        await triggers.before_sign_up(event, validation_data=_validation_data(data.get("ValidationData")))
        shown = triggers.attributes_in_events(user)
        template = await self.accounts.mailer.invitation(pool, user["Username"], shown, metadata) if mails else None
        _check_free(pool, username)
        pool["_users"][user["Username"]] = user
        pool["EstimatedNumberOfUsers"] = len(pool["_users"])
        if template is not None:
            self.accounts.mailer.deliver(pool, user, template, password)
        return json_reply({"User": describe(user)})

    async def _resend_invitation(self, pool: Record, data: Data, *, mails: bool) -> Reply:
        """Sets a new temporary password, valid for the pool's number of days from now."""
        user = _find(pool, data)
        if user["UserStatus"] != "FORCE_CHANGE_PASSWORD":
            text = f"Resend not possible. {user['Username']} status is not FORCE_CHANGE_PASSWORD"
            raise AwsError("UnsupportedUserStateException", text)
        password = str(data.get("TemporaryPassword") or new_temporary_password(pool))
        check_new_password(pool, password)
        shown, metadata = triggers.attributes_in_events(user), data.get("ClientMetadata")
        template = await self.accounts.mailer.invitation(pool, user["Username"], shown, metadata) if mails else None
        set_password(user, password, status="FORCE_CHANGE_PASSWORD")
        if template is not None:
            self.accounts.mailer.deliver(pool, user, template, password)
        return json_reply({"User": describe(user)})

    async def admin_confirm_sign_up(self, pool: Record, data: Data) -> Reply:
        user = _find(pool, data)
        await self.accounts.confirm_as_administrator(pool, user, metadata=data.get("ClientMetadata"))
        return json_reply({})

    async def admin_reset_user_password(self, pool: Record, data: Data) -> Reply:
        user = _find(pool, data)
        if user["UserStatus"] == "FORCE_CHANGE_PASSWORD":
            # They have no password of their own yet. RESEND invites them again.
            raise AwsError("NotAuthorizedException", "User password cannot be reset in the current state.")
        if not has_verified_address(user):
            text = "Cannot reset password for the user as there is no registered/verified email or phone_number"
            raise AwsError("InvalidParameterException", text)
        user.update(UserStatus="RESET_REQUIRED", UserLastModifiedDate=clock.now())
        code, metadata = new_code(user, "password"), data.get("ClientMetadata")
        await self.accounts.mailer.send_code(None, pool, user, code, "forgot-password", metadata=metadata)
        return json_reply({})

    async def admin_set_user_password(self, pool: Record, data: Data) -> Reply:
        user, password = _find(pool, data), required_text(data, "Password")
        check_new_password(pool, password)
        set_password(user, password, status="CONFIRMED" if data.get("Permanent") is True else "FORCE_CHANGE_PASSWORD")
        return json_reply({})

    async def admin_update_user_attributes(self, pool: Record, data: Data) -> Reply:
        """A new address takes effect at once only if the administrator marks it as verified in the same call."""
        user, values = _find(pool, data), parse_attributes(data.get("UserAttributes"))
        check_update(pool, values, client=None)
        check_alias_free(pool, user, values)
        vouched = {name for name in ("email", "phone_number") if values.get(f"{name}_verified", "").lower() == "true"}
        pending = {name for name in pending_verification(pool, user, values) if name not in vouched}
        set_attributes(user, {name: value for name, value in values.items() if name not in pending})
        for name in values.keys() - pending:
            discard_proposed_address(user, name)
        for name in pending:
            await self.own_attributes.request_verification(None, pool, user, name, values[name])
        return json_reply({})


def _find(pool: Record, data: Data) -> Record:
    user = find_user(pool, required_text(data, "Username"))
    if user is None:
        raise AwsError("UserNotFoundException", "User does not exist.")
    return user


def _check_free(pool: Record, username: str) -> None:
    if find_user(pool, username) is not None:
        raise AwsError("UsernameExistsException", "User account already exists")


def _validation_data(entries: object) -> dict[str, str] | None:
    return parse_attributes(entries) if entries else None
