"""User pools, app clients and users as the engine stores them, and lookups in them."""

import base64
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from emulator import engine
from emulator.wire import AwsError, Incoming

Record = dict[str, Any]

_FLOWS_OF_PAGES = frozenset({"ALLOW_USER_SRP_AUTH", "ALLOW_USER_PASSWORD_AUTH", "ALLOW_USER_AUTH"})

_DEFAULT_FLOWS = frozenset({"ALLOW_CUSTOM_AUTH", "ALLOW_REFRESH_TOKEN_AUTH", "ALLOW_USER_SRP_AUTH"})
_OLDER_FLOWS = {
    "ADMIN_NO_SRP_AUTH": "ALLOW_ADMIN_USER_PASSWORD_AUTH",
    "USER_PASSWORD_AUTH": "ALLOW_USER_PASSWORD_AUTH",
}


@dataclass(frozen=True, slots=True)
class Client:
    """An app client and its user pool, as the engine's own records."""

    pool: Record
    record: Record

    @property
    def id(self) -> str:
        return str(self.record["ClientId"])

    @property
    def pool_id(self) -> str:
        return str(self.pool["Id"])

    @property
    def scopes(self) -> list[str]:
        return list(self.record.get("AllowedOAuthScopes") or [])

    def may_redirect_to(self, uri: str) -> bool:
        return uri in (self.record.get("CallbackURLs") or [])

    def may_log_out_to(self, uri: str) -> bool:
        return uri in (self.record.get("LogoutURLs") or [])

    def accepts_secret(self, given: str) -> bool:
        """A client without a secret accepts only an empty one."""
        wanted = self.record.get("ClientSecret") or ""
        return hmac.compare_digest(given.encode(), str(wanted).encode())

    def uses_code_flow(self) -> bool:
        return bool(self.record.get("AllowedOAuthFlowsUserPoolClient")) and "code" in (
            self.record.get("AllowedOAuthFlows") or []
        )

    def flows(self) -> frozenset[str]:
        """What the client may begin, in the values that begin with ALLOW_.

        A client without a list, or with the older values, has Cognito's default flows too.
        """
        listed = frozenset(self.record.get("ExplicitAuthFlows") or ())
        if any(flow.startswith("ALLOW_") for flow in listed):
            return listed
        default = _DEFAULT_FLOWS - {"ALLOW_USER_SRP_AUTH"} if "CUSTOM_AUTH_FLOW_ONLY" in listed else _DEFAULT_FLOWS
        return default | {_OLDER_FLOWS[flow] for flow in listed if flow in _OLDER_FLOWS}

    def takes_passwords_on_pages(self) -> bool:
        """Whether the sign-in pages can check a password for this client.

        Custom flows do not go with the pages. Whether they work with ALLOW_ADMIN_USER_PASSWORD_AUTH alone is not
        documented, so it is refused here.
        """
        return bool(self.flows() & _FLOWS_OF_PAGES)

    def seconds(self, kind: str) -> int:
        """Lifetime of an `id`, `access` or `refresh` token."""
        with engine.scope(region_of(self.pool_id)):
            return int(engine.cognito._token_validity(self.pool_id, self.id, kind))

    def rotation_grace(self) -> int | None:
        """How many seconds a used refresh token still works. None if refresh tokens do not rotate."""
        rotation = self.record.get("RefreshTokenRotation") or {}
        if rotation.get("Feature") != "ENABLED":
            return None
        return int(rotation.get("RetryGracePeriodSeconds") or 0)


def find_client(client_id: str) -> Client | None:
    for _, pool in engine.cognito._user_pools.all_items():
        if client_id and client_id in pool["_clients"]:
            return Client(pool, pool["_clients"][client_id])
    return None


def newest_client_origin() -> str:
    """The scheme and host that the newest app client's browsers return to, "" while there is none."""
    pools = [pool for _, pool in engine.cognito._user_pools.all_items()]
    clients = [client for pool in pools for client in pool["_clients"].values()]
    addresses = [client["CallbackURLs"][0] for client in clients if client.get("CallbackURLs")]
    if not addresses:
        return ""
    parts = urlsplit(addresses[-1])
    return f"{parts.scheme}://{parts.netloc}"


def find_pool(pool_id: str) -> Record | None:
    for (_, _, key), pool in engine.cognito._user_pools.all_items():
        if key == pool_id:
            found: Record = pool
            return found
    return None


def check_unprotected(pool: Record) -> None:
    if pool.get("DeletionProtection") == "ACTIVE":
        text = "The user pool cannot be deleted because deletion protection is activated. Deletion protection must be"
        raise AwsError("InvalidParameterException", f"{text} inactivated first.")


def region_of(pool_id: str) -> str:
    return str(engine.cognito._region_from_pool_id(pool_id))


def find_user(pool: Record, name: str) -> Record | None:
    """Finds a user by e-mail address or user name, as a person would type it. Case matters only if the pool says so."""
    if not name:
        return None
    user: Record | None
    user, _ = engine.cognito._resolve_user(pool, name)
    return user


def attributes_of(user: Mapping[str, Any]) -> dict[str, str]:
    return {entry["Name"]: str(entry["Value"]) for entry in user.get("Attributes", [])}


def has_verified_address(user: Mapping[str, Any]) -> bool:
    attributes = attributes_of(user)
    return bool(attributes.get("email")) and is_true(attributes.get("email_verified", ""))


def is_true(value: str) -> bool:
    """Of an attribute. Cognito takes "True" for true."""
    return value.lower() == "true"


def has_password(user: Mapping[str, Any], password: str) -> bool:
    stored = user.get("_password")
    return bool(stored) and hmac.compare_digest(str(stored).encode(), password.encode())


def may_still_sign_in(user: Mapping[str, Any]) -> bool:
    return bool(user.get("Enabled", True)) and user.get("UserStatus") in ("CONFIRMED", "FORCE_CHANGE_PASSWORD")


def client_credentials(incoming: Incoming, form: Mapping[str, str]) -> tuple[str, str]:
    """The client id and secret of a token request, from HTTP Basic or the form (RFC 6749, 2.3.1)."""
    scheme, _, encoded = incoming.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return form.get("client_id", ""), form.get("client_secret", "")
    try:
        identifier, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except ValueError:
        return "", ""
    return unquote(identifier), unquote(secret)
