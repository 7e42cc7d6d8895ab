"""The enhanced flow: exchanges an ID token, or no token, for temporary credentials of the pool's role.

Follows "Identity pools authentication flow" and "Using attributes for access control" in the Cognito Developer Guide.
`iam` decides by the role's trust policy: for AssumeRoleWithWebIdentity and, if tags are mapped, for sts:TagSession.
"""

import uuid
from collections.abc import Mapping
from typing import Any

from emulator import clock, engine
from emulator.access.authorization import connection_context
from emulator.access.principals import Session, Sessions, find_role, trust_policy
from emulator.access.sts import check_tag
from emulator.cognito.guests import SESSION_POLICIES
from emulator.cognito.pools import attributes_of, find_pool
from emulator.cognito.tokens import is_revoked, verified_claims
from emulator.wire import AwsError, Incoming, Reply, json_reply
from iam import Principal, decide_trust

Pool = dict[str, Any]
Claims = Mapping[str, Any]

SESSION_NAME = "CognitoIdentityCredentials"
SESSION_SECONDS = 3600
_IDENTITY_SERVICE = Principal("Federated", "cognito-identity.amazonaws.com")
_DEFAULT_TAGS = {"username": "sub", "client": "aud"}


def get_id(data: Mapping[str, Any]) -> Reply:
    pool = engine.cognito._identity_pools.get(data.get("IdentityPoolId"))
    if pool is None:
        raise AwsError("ResourceNotFoundException", f"IdentityPool '{data.get('IdentityPoolId')}' not found.")
    logins = {provider: claims["sub"] for provider, claims in _verify_logins(pool, data).items()}
    if not logins:
        _refuse_guests(pool)
    return json_reply({"IdentityId": _find_or_create_identity(pool, logins) if logins else _new_identity(pool, {})})


def get_credentials(data: Mapping[str, Any], sessions: Sessions, incoming: Incoming) -> Reply:
    pool = _find_pool(str(data.get("IdentityId")))
    if data.get("CustomRoleArn"):
        raise AwsError("InvalidParameterException", "CustomRoleArn needs a role mapping, but this pool has none.")
    logins = _verify_logins(pool, data)
    identity_id = _identity_for(pool, str(data.get("IdentityId")), logins)
    session = _assume(pool, identity_id, logins, sessions, incoming)
    credentials = {
        "AccessKeyId": session.key.access_key_id,
        "SecretKey": session.key.secret_access_key,
        "SessionToken": session.token,
        "Expiration": session.expires_at,
    }
    return json_reply({"IdentityId": identity_id, "Credentials": credentials})


def get_open_id_token(data: Mapping[str, Any]) -> Reply:
    pool = _find_pool(str(data.get("IdentityId")))
    if not pool.get("AllowClassicFlow"):
        raise AwsError("InvalidParameterException", "Basic (classic) flow is not enabled, please use enhanced flow.")
    raise AwsError("InternalErrorException", "The classic flow is not emulated.", 500)


def check_setting(operation: str, data: Mapping[str, Any]) -> None:
    """Refuses tags beside the default ones. The service model has the other limits. Raises `AwsError`."""
    if operation == "SetPrincipalTagAttributeMap" and data.get("UseDefaults") and data.get("PrincipalTags"):
        raise AwsError("InvalidParameterException", "PrincipalTags may have no tags with UseDefaults.")


def _find_pool(identity_id: str) -> Pool:
    for pool in engine.cognito._identity_pools.values():
        if identity_id in pool["_identities"]:
            found: Pool = pool
            return found
    raise AwsError("ResourceNotFoundException", f"Identity '{identity_id}' not found.")


def _verify_logins(pool: Pool, data: Mapping[str, Any]) -> dict[str, Claims]:
    """Verifies every token and returns the claims by provider. Raises `AwsError` for the first bad token."""
    logins = data.get("Logins") or {}
    if not isinstance(logins, dict) or len(logins) > 10:
        raise AwsError("InvalidParameterException", "Logins is not a map of at most ten providers.")
    return {provider: _verify_token(pool, provider, token) for provider, token in logins.items()}


def _verify_token(pool: Pool, provider: str, token: object) -> Claims:
    configured = [entry for entry in pool["CognitoIdentityProviders"] if entry.get("ProviderName") == provider]
    if not configured:
        raise _not_authorized("Token is not from a supported provider of this identity pool.")
    stated = engine.cognito._token_claims(token) if isinstance(token, str) else {}
    if not stated:
        raise _not_authorized("Invalid login token. Not a valid OpenId Connect identity token.")
    if stated.get("iss") != f"https://{provider}":
        raise _not_authorized("Invalid login token. Issuer doesn't match providerName")
    claims = verified_claims(token)
    if claims is None:
        raise _not_authorized("Invalid login token. Couldn't verify signed token.")
    if "aud" not in claims or claims.get("token_use") != "id":
        raise _not_authorized("Invalid login token. Missing a required claim: aud")
    entry = next((entry for entry in configured if entry.get("ClientId") == claims["aud"]), None)
    if entry is None:
        raise _not_authorized("Token is not from a supported provider of this identity pool.")
    now = int(clock.now())
    if not isinstance(claims.get("exp"), int) or now >= claims["exp"]:
        raise _not_authorized(f"Invalid login token. Token expired: {now} >= {claims.get('exp')}")
    if _is_true(entry.get("ServerSideTokenCheck")):
        _check_server_side(claims)
    return claims


def _check_server_side(claims: Claims) -> None:
    """Checks in the user pool that the user exists, is enabled, and has not signed out everywhere."""
    pool = find_pool(str(claims["iss"]).rpartition("/")[2]) or {"_users": {}}
    user = pool["_users"].get(claims.get("cognito:username"))
    if user is None or attributes_of(user).get("sub") != claims["sub"] or is_revoked(user, claims):
        raise _not_authorized("Token is inactive.")


def _identity_for(pool: Pool, identity_id: str, logins: Mapping[str, Claims]) -> str:
    """The identity that the credentials are for.

    A guest's identity that comes with a login becomes the person's, unless they have one already: that one is used.
    """
    identity = pool["_identities"][identity_id]
    held = identity["Logins"]
    if not logins:
        if held:
            raise _not_authorized(f"Access to Identity '{identity_id}' is forbidden.")
        _refuse_guests(pool)
        return identity_id
    if not held:
        return _link(pool, identity_id, {provider: claims["sub"] for provider, claims in logins.items()})
    if not all(held.get(provider) == claims["sub"] for provider, claims in logins.items()):
        raise _not_authorized(
            "Logins don't match. Please include at least one valid login for this identity or identity pool."
        )
    return identity_id


def _link(pool: Pool, guest_id: str, logins: Mapping[str, str]) -> str:
    if (own := _find_identity(pool, logins)) is not None:
        return own
    pool["_identities"][guest_id].update(Logins=dict(logins), LastModifiedDate=clock.now())
    return guest_id


def _find_or_create_identity(pool: Pool, logins: Mapping[str, str]) -> str:
    """A person of a provider always has the same identity."""
    return _find_identity(pool, logins) or _new_identity(pool, logins)


def _find_identity(pool: Pool, logins: Mapping[str, str]) -> str | None:
    found = (name for name, identity in pool["_identities"].items() if identity["Logins"] == dict(logins))
    return next(found, None)


def _new_identity(pool: Pool, logins: Mapping[str, str]) -> str:
    identity_id, now = f"{pool['IdentityPoolId'].partition(':')[0]}:{uuid.uuid4()}", clock.now()
    pool["_identities"][identity_id] = {
        "IdentityId": identity_id,
        "Logins": dict(logins),
        "CreationDate": now,
        "LastModifiedDate": now,
    }
    return identity_id


def _refuse_guests(pool: Pool) -> None:
    if not _is_true(pool.get("AllowUnauthenticatedIdentities")):
        raise _not_authorized("Unauthenticated access is not supported for this identity pool.")


def _assume(
    pool: Pool, identity_id: str, logins: Mapping[str, Claims], sessions: Sessions, incoming: Incoming
) -> Session:
    if pool.get("_role_mappings"):
        raise AwsError("InternalErrorException", "Role mappings are not emulated.", 500)
    role = find_role(str(pool["_roles"].get("authenticated" if logins else "unauthenticated", "")))
    if role is None:
        raise _configuration_error()
    tags = _principal_tags(pool, logins)
    federation = _federation(pool, identity_id, logins)
    _check_trust(role, tags, {**connection_context(incoming), **federation})
    policies = None if logins else SESSION_POLICIES
    return sessions.open(
        role, name=SESSION_NAME, seconds=SESSION_SECONDS, tags=tags, policies=policies, federation=federation
    )


def _check_trust(role: Mapping[str, Any], tags: Mapping[str, str], context: Mapping[str, Any]) -> None:
    actions = ["sts:AssumeRoleWithWebIdentity"]
    if tags:
        actions.append("sts:TagSession")
        context = {**context, **{f"aws:RequestTag/{key}": value for key, value in tags.items()}}
        context["aws:TagKeys"] = list(tags)
    for action in actions:
        if not decide_trust(action, trust_policy(role), context, principal=_IDENTITY_SERVICE).allowed:
            raise _configuration_error()


def _federation(pool: Pool, identity_id: str, logins: Mapping[str, Claims]) -> dict[str, str | list[str]]:
    amr = ["authenticated" if logins else "unauthenticated"]
    for provider, claims in logins.items():
        amr += [provider, f"{provider}:CognitoSignIn:{claims['sub']}"]
    return {
        "cognito-identity.amazonaws.com:aud": str(pool["IdentityPoolId"]),
        "cognito-identity.amazonaws.com:sub": identity_id,
        "cognito-identity.amazonaws.com:amr": amr,
        "aws:FederatedProvider": "cognito-identity.amazonaws.com",
    }


def _principal_tags(pool: Pool, logins: Mapping[str, Claims]) -> dict[str, str]:
    """Tags from the mapped claims that the tokens contain.

    If a claim is not text or not a legal tag value, the whole call is refused.
    """
    tags: dict[str, str] = {}
    for provider, claims in logins.items():
        mapping = (pool.get("_principal_tags") or {}).get(provider) or {}
        named = _DEFAULT_TAGS if _is_true(mapping.get("UseDefaults")) else mapping.get("PrincipalTags") or {}
        for key, claim in named.items():
            if claim in claims:
                tags[key] = _tag_value(key, claims[claim])
    return tags


def _tag_value(key: str, value: object) -> str:
    if not isinstance(value, str):
        raise _configuration_error()
    try:
        check_tag(key, value)
    except AwsError as failure:
        raise _configuration_error() from failure
    return value


def _is_true(value: object) -> bool:
    """Templates also write booleans as text."""
    return value is True or str(value).lower() == "true"


def _not_authorized(message: str) -> AwsError:
    return AwsError("NotAuthorizedException", message)


def _configuration_error() -> AwsError:
    text = "Invalid identity pool configuration. Check assigned IAM roles for this pool."
    return AwsError("InvalidIdentityPoolConfigurationException", text)
