"""The administration of the user pool. One call of Cognito for each change, neither paced nor retried.

https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_Operations.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, assert_never

from tenants.aws.failures import PEOPLE, translate_errors
from tenants.domain.errors import UserGone
from tenants.domain.user_plan import (
    MOST_IN_MAIL,
    Change,
    Create,
    Delete,
    DesiredUser,
    Disable,
    Enable,
    ForgetAuthenticator,
    Resend,
    Seen,
    SetNames,
    SetRole,
    SignOut,
)

if TYPE_CHECKING:
    from mypy_boto3_cognito_idp import CognitoIdentityProviderClient
    from mypy_boto3_cognito_idp.type_defs import AttributeTypeTypeDef

# The most that ListUsers returns.
PAGE = 60
_AUTHENTICATOR = "SOFTWARE_TOKEN_MFA"


@dataclass(frozen=True, slots=True)
class DirectoryPage:
    """Users in Cognito's order. `after` fetches the next page; None on the last one."""

    users: tuple[Seen, ...]
    after: str | None


@dataclass(frozen=True, slots=True)
class Directory:
    """Every method is one call and raises errors that `scope_of` sorts: Throttled, Unreachable, UserGone, ...

    Cognito may have carried out a call that raised Unreachable: look before repeating it.
    """

    client: CognitoIdentityProviderClient
    pool_id: str

    def create(self, wanted: DesiredUser) -> Seen:
        """The new user is always enabled. Raises UserExists, RefusedByCognito for an attribute, and as `resend` does.

        Cognito has made the user who raises UndeliverableMail, and perhaps the one who raises MailLimitReached.
        """
        attributes = {
            "email": wanted.email,
            # Without it, nobody could sign in or reset a password with the address.
            "email_verified": "true",
            "name": wanted.name,
            "custom:org": wanted.org,
            "custom:role": wanted.role,
            "custom:org_name": wanted.organisation[:MOST_IN_MAIL],
            "custom:invited_by": wanted.invited_by[:MOST_IN_MAIL],
        }
        message: Any = {} if wanted.is_mailed else {"MessageAction": "SUPPRESS"}
        with translate_errors(PEOPLE):
            user = self.client.admin_create_user(
                UserPoolId=self.pool_id,
                Username=wanted.email,
                UserAttributes=[{"Name": name, "Value": value} for name, value in attributes.items() if value],
                DesiredDeliveryMediums=["EMAIL"],
                **message,
            )["User"]
        return _seen(user, user["Attributes"])

    def resend(self, sub: str) -> Seen:
        """Mails a new temporary password to somebody who has not signed in yet.

        Raises UndeliverableMail, MailLimitReached, and NotInvited for a user who has a password of their own.
        """
        with translate_errors(PEOPLE):
            user = self.client.admin_create_user(
                UserPoolId=self.pool_id, Username=sub, MessageAction="RESEND", DesiredDeliveryMediums=["EMAIL"]
            )["User"]
        return _seen(user, user["Attributes"])

    def look(self, name: str) -> Seen | None:
        """The user with this sub or e-mail address; None if there is none."""
        try:
            with translate_errors(PEOPLE):
                user = self.client.admin_get_user(UserPoolId=self.pool_id, Username=name)
        except UserGone:
            return None
        has_authenticator = _AUTHENTICATOR in user.get("UserMFASettingList", [])
        return replace(_seen(user, user["UserAttributes"]), has_authenticator=has_authenticator)

    def set_role(self, sub: str, role: str) -> None:
        """Tokens issued before keep their role until they expire."""
        self._update(sub, {"custom:role": role})

    def set_names(self, sub: str, names: SetNames) -> None:
        """Texts for the invitation's mail; Cognito deletes an attribute that is set to ""."""
        self._update(sub, {"custom:org_name": names.organisation, "custom:invited_by": names.invited_by})

    def set_own_name(self, sub: str, name: str) -> None:
        """The person's, as pages show it."""
        self._update(sub, {"name": name})

    def _update(self, sub: str, values: Mapping[str, str]) -> None:
        attributes: list[AttributeTypeTypeDef] = [{"Name": name, "Value": value} for name, value in values.items()]
        with translate_errors(PEOPLE):
            self.client.admin_update_user_attributes(UserPoolId=self.pool_id, Username=sub, UserAttributes=attributes)

    def enable(self, sub: str) -> None:
        with translate_errors(PEOPLE):
            self.client.admin_enable_user(UserPoolId=self.pool_id, Username=sub)

    def disable(self, sub: str) -> None:
        with translate_errors(PEOPLE):
            self.client.admin_disable_user(UserPoolId=self.pool_id, Username=sub)

    def sign_out(self, sub: str) -> None:
        """Revokes their refresh tokens. AWS credentials issued before stay valid for up to an hour."""
        with translate_errors(PEOPLE):
            self.client.admin_user_global_sign_out(UserPoolId=self.pool_id, Username=sub)

    def forget_authenticator(self, sub: str) -> None:
        """Their sessions and tokens stay. AWS does not say what it answers for a user who has none."""
        with translate_errors(PEOPLE):
            self.client.admin_delete_software_token(UserPoolId=self.pool_id, Username=sub)

    def delete(self, sub: str) -> None:
        with translate_errors(PEOPLE):
            self.client.admin_delete_user(UserPoolId=self.pool_id, Username=sub)

    def page(self, after: str | None = None) -> DirectoryPage:
        """Up to `PAGE` users; `after` is that of the previous page."""
        token: Any = {} if after is None else {"PaginationToken": after}
        with translate_errors(PEOPLE):
            answer = self.client.list_users(UserPoolId=self.pool_id, Limit=PAGE, **token)
        users = tuple(_seen(user, user["Attributes"]) for user in answer["Users"])
        return DirectoryPage(users, answer.get("PaginationToken"))

    def perform(self, change: Change, seen: Seen | None) -> Seen | None:
        """Carries out one change of a plan. Returns the user as it is afterwards, None after Delete.

        `seen` is the result of the previous change; only for Create may it be None, else raises ValueError.
        """
        if isinstance(change, Create):
            return self.create(change.desired)
        if seen is None:
            raise ValueError(f"No user to {change.in_words}.")
        match change:
            case SetRole(role):
                self.set_role(seen.sub, role)
                return replace(seen, role=role)
            case Enable() | Disable():
                enabled = isinstance(change, Enable)
                (self.enable if enabled else self.disable)(seen.sub)
                return replace(seen, enabled=enabled)
            case ForgetAuthenticator():
                self.forget_authenticator(seen.sub)
                return replace(seen, has_authenticator=False)
            case SetNames(organisation, invited_by):
                self.set_names(seen.sub, change)
                return replace(seen, organisation=organisation, invited_by=invited_by)
            case Resend():
                return self.resend(seen.sub)
            case SignOut():
                self.sign_out(seen.sub)
                return seen
            case Delete():
                self.delete(seen.sub)
                return None
            case _:
                assert_never(change)


def _seen(user: Mapping[str, Any], attributes: Sequence[AttributeTypeTypeDef]) -> Seen:
    """Every user has a sub. One made by hand may have no name, organisation or role."""
    values = {entry["Name"]: entry.get("Value", "") for entry in attributes}
    return Seen(
        sub=values["sub"],
        email=values.get("email", ""),
        name=values.get("name", ""),
        org=values.get("custom:org", ""),
        role=values.get("custom:role", ""),
        enabled=user["Enabled"],
        status=user["UserStatus"],
        organisation=values.get("custom:org_name", ""),
        invited_by=values.get("custom:invited_by", ""),
        modified_at=user.get("UserLastModifiedDate"),
        email_verified=values.get("email_verified", "").lower() == "true",
    )
