"""ID and access tokens: their claims, signatures and verification.

Each pool signs with two keys, which its JWKS publishes. Claims follow "Using the ID token" and "Using the access token"
in the Cognito Developer Guide. The issuer has AWS's form, `https://cognito-idp.<region>.amazonaws.com/<pool>`, at
whatever address the emulator is served.
"""

import base64
import hashlib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from emulator import clock, engine
from emulator.cognito.pools import Client, Record, attributes_of, is_true, region_of
from emulator.cognito.token_trigger import NONE, Overrides

# Every sign-in through the user pool API has this scope. An access token needs it to call that API.
API_SCOPE = "aws.cognito.signin.user.admin"

_FLAGS = frozenset({"email_verified", "phone_number_verified"})
_SCOPE_ATTRIBUTES = {
    "email": frozenset({"email", "email_verified"}),
    "phone": frozenset({"phone_number", "phone_number_verified"}),
    "profile": frozenset({
        "name", "given_name", "family_name", "middle_name", "nickname", "preferred_username", "profile", "picture",
        "website", "gender", "birthdate", "zoneinfo", "locale", "updated_at",
    }),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class SignIn:
    """A person's sign-in at a client. Every token of the sign-in shares these values.

    `auth_time` is in epoch seconds. `hosted` says that it happened on the pages and not through the API.
    """

    pool_id: str
    client_id: str
    username: str
    sub: str
    scope: str
    origin_jti: str
    auth_time: int
    hosted: bool = False


@dataclass(frozen=True, slots=True)
class IssuedTokens:
    access_token: str
    id_token: str | None
    seconds: int


def issuer(pool_id: str) -> str:
    return f"https://cognito-idp.{region_of(pool_id)}.amazonaws.com/{pool_id}"


def new_sign_in(client: Client, user: Record, *, scope: str, auth_time: int, hosted: bool) -> SignIn:
    """Records the sign-in in the user's record, so that signing out everywhere ends it."""
    origin_jti = str(uuid.uuid4())
    user.setdefault("_origin_jtis", []).append(origin_jti)
    sub = attributes_of(user)["sub"]
    return SignIn(client.pool_id, client.id, user["Username"], sub, scope, origin_jti, auth_time, hosted)


def issue(
    client: Client, user: Record, sign_in: SignIn, *, overrides: Overrides = NONE, nonce: str = ""
) -> IssuedTokens:
    """An ID token is issued with the scope `openid`, and for a sign-in through the API.

    Only ID tokens of the pages have `at_hash`.
    """
    now = int(clock.now())
    common = {
        "sub": sign_in.sub,
        "iss": issuer(sign_in.pool_id),
        "origin_jti": sign_in.origin_jti,
        "event_id": str(uuid.uuid4()),
        "auth_time": sign_in.auth_time,
        "iat": now,
    }
    groups = _group_claims(user, overrides)
    scope = overrides.access.scope(sign_in.scope)
    access_claims = {**common, **_only_groups(groups), **_access_claims(client, sign_in, now, scope)}
    access = _sign(overrides.access.apply(access_claims, access=True), sign_in.pool_id, "access")
    identity = None
    if not sign_in.hosted or "openid" in sign_in.scope.split():
        attributes = readable_claims(client, user, sign_in.scope)
        claims = {**attributes, **common, **groups, **_id_claims(client, sign_in, now)}
        if sign_in.hosted:
            claims["at_hash"] = _at_hash(access)
        claims = overrides.identity.apply(claims, access=False)
        identity = _sign({**claims, "nonce": nonce} if nonce else claims, sign_in.pool_id, "id")
    return IssuedTokens(access, identity, client.seconds("access"))


def _group_claims(user: Record, overrides: Overrides) -> dict[str, Any]:
    replaced = overrides.groups
    if replaced is None:
        return {"cognito:groups": list(user["_groups"])} if user.get("_groups") else {}
    claims = {
        "cognito:groups": list(replaced.groups),
        "cognito:roles": list(replaced.roles),
        "cognito:preferred_role": replaced.preferred_role,
    }
    return {name: value for name, value in claims.items() if value}


def _only_groups(claims: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in claims.items() if name == "cognito:groups"}


def _access_claims(client: Client, sign_in: SignIn, now: int, scope: str) -> dict[str, Any]:
    return {
        "token_use": "access",
        "client_id": sign_in.client_id,
        "username": sign_in.username,
        "scope": scope,
        "version": 2,
        "exp": now + client.seconds("access"),
        "jti": str(uuid.uuid4()),
    }


def _at_hash(access_token: str) -> str:
    half = hashlib.sha256(access_token.encode()).digest()[:16]
    return base64.urlsafe_b64encode(half).rstrip(b"=").decode()


def _id_claims(client: Client, sign_in: SignIn, now: int) -> dict[str, Any]:
    return {
        "token_use": "id",
        "aud": sign_in.client_id,
        "cognito:username": sign_in.username,
        "exp": now + client.seconds("id"),
        "jti": str(uuid.uuid4()),
    }


def _sign(claims: Mapping[str, Any], pool_id: str, use: str) -> str:
    return str(engine.cognito._signed_jwt(dict(claims), pool_id, use))


def may_read(client: Client, attribute: str) -> bool:
    """Whether the client may read the attribute.

    Without a read list it may read all standard attributes and no custom ones.
    """
    listed = client.record.get("ReadAttributes")
    return attribute in listed if listed else not attribute.startswith(("custom:", "dev:"))


def attributes_in_scope(client: Client, user: Record, scope: str) -> dict[str, str]:
    """The attributes that tokens with this scope show, without `sub`.

    Without `email`, `phone` and `profile`, those are all that the client may read. With one of them, only its own.
    Custom attributes belong to `profile` ("userInfo endpoint" in the Cognito Developer Guide).
    """
    asked = [_SCOPE_ATTRIBUTES[name] for name in scope.split() if name in _SCOPE_ATTRIBUTES]
    listed = frozenset().union(*asked)

    def is_in_scope(name: str) -> bool:
        return not asked or name in listed or ("profile" in scope.split() and name.startswith("custom:"))

    attributes = attributes_of(user)
    return {
        name: value
        for name, value in attributes.items()
        if name != "sub" and may_read(client, name) and is_in_scope(name)
    }


def readable_claims(client: Client, user: Record, scope: str) -> dict[str, Any]:
    found = attributes_in_scope(client, user, scope)
    return {name: is_true(value) if name in _FLAGS else value for name, value in found.items()}


def unreadable_scope(client: Client, scope: str) -> bool:
    """Whether a scope covers an attribute that the client may not read. Then the token endpoint issues no token."""
    covered = (_SCOPE_ATTRIBUTES.get(name, frozenset()) for name in scope.split())
    return any(not may_read(client, attribute) for attributes in covered for attribute in attributes)


def verified_claims(token: object) -> dict[str, Any] | None:
    """The claims of a token that one of our pools signed, or None.

    Does not check the token's use, audience, expiry or revocation.
    """
    if not isinstance(token, str) or token.count(".") != 2 or not token.isascii():
        return None
    claims: dict[str, Any] = engine.cognito._token_claims(token)
    pool_id = str(claims.get("iss", "")).rpartition("/")[2]
    if engine.cognito._get_pool_unscoped(pool_id) is None or claims["iss"] != issuer(pool_id):
        return None
    return claims if engine.cognito._signature_valid(token) else None


def is_revoked(user: Record, claims: Mapping[str, Any]) -> bool:
    """Whether the token's sign-in has ended: by a global sign-out, by revocation, or because the user is disabled."""
    return claims.get("origin_jti") in engine.cognito._revoked_tokens or not user.get("Enabled", True)
