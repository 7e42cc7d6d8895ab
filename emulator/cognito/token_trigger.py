"""PreTokenGeneration: a function of the stack changes the claims and scopes of new tokens.

Version 1 changes the ID token; version 2 also changes the access token. Some claims are fixed: naming one has no
effect. Follows "Pre token generation Lambda trigger" in the Cognito Developer Guide.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from emulator.cognito.pools import Client, Record
from emulator.cognito.triggers import Event, attributes_in_events, invoke
from emulator.wire import AwsError

Source = Literal[
    "TokenGeneration_HostedAuth",
    "TokenGeneration_Authentication",
    "TokenGeneration_NewPasswordChallenge",
    "TokenGeneration_RefreshTokens",
]

_FIXED_CLAIMS = frozenset({
    "acr", "amr", "aud", "at_hash", "auth_time", "azp", "cognito:username", "event_id", "exp", "iat", "identities",
    "iss", "jti", "nbf", "nonce", "origin_jti", "sub", "token_use",
})  # fmt: skip
_FIXED_ACCESS_CLAIMS = _FIXED_CLAIMS | {"client_id", "device_key", "scope", "username", "version"}


@dataclass(frozen=True, slots=True)
class TokenChanges:
    """Changes to one token. `claims` are set and `suppressed` claims removed. A claim in both is removed."""

    claims: Mapping[str, Any] = field(default_factory=dict)
    suppressed: frozenset[str] = frozenset()
    added_scopes: tuple[str, ...] = ()
    suppressed_scopes: frozenset[str] = frozenset()

    def apply(self, claims: Mapping[str, Any], *, access: bool) -> dict[str, Any]:
        fixed = _FIXED_ACCESS_CLAIMS if access else _FIXED_CLAIMS
        changed = {name: value for name, value in self.claims.items() if _may_change(name, fixed)}
        removed = {name for name in self.suppressed if _may_change(name, fixed)}
        return {name: value for name, value in {**claims, **changed}.items() if name not in removed}

    def scope(self, granted: str) -> str:
        kept = dict.fromkeys([*granted.split(), *self.added_scopes])
        return " ".join(scope for scope in kept if scope not in self.suppressed_scopes)


@dataclass(frozen=True, slots=True)
class Groups:
    """Replaces the user's groups. An empty field removes its claim."""

    groups: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    preferred_role: str = ""


@dataclass(frozen=True, slots=True)
class Overrides:
    """`groups` None leaves the groups unchanged."""

    identity: TokenChanges = TokenChanges()
    access: TokenChanges = TokenChanges()
    groups: Groups | None = None


NONE = Overrides()


async def run_token_trigger(
    client: Client, user: Record, *, source: Source, scope: str, metadata: Mapping[str, str] | None = None
) -> Overrides:
    """Raises `AwsError` if the function fails. Then no token is issued."""
    config = client.pool.get("LambdaConfig") or {}
    second = config.get("PreTokenGenerationConfig") or {}
    function = str(second.get("LambdaArn") or config.get("PreTokenGeneration") or "")
    if not function:
        return NONE
    version = str(second.get("LambdaVersion") or "V2_0")[1] if second.get("LambdaArn") else "1"
    with_access = version != "1"
    member = "claimsAndScopeOverrideDetails" if with_access else "claimsOverrideDetails"
    request = {**_group_request(user), **({"scopes": scope.split()} if with_access else {})}
    event = Event(
        client.pool,
        source,
        user["Username"],
        attributes_in_events(user),
        client,
        metadata,
        request,
        {member: None},
        version,
    )
    response = await invoke("PreTokenGeneration", function, event)
    details = _mapping(response.get(member))
    return _both_tokens(details) if with_access else Overrides(_changes(details), groups=_groups(details))


def _group_request(user: Record) -> dict[str, Any]:
    groups = list(user.get("_groups") or [])
    return {"groupConfiguration": {"groupsToOverride": groups, "iamRolesToOverride": [], "preferredRole": None}}


def _both_tokens(details: Mapping[str, Any]) -> Overrides:
    identity, access = (_mapping(details.get(name)) for name in ("idTokenGeneration", "accessTokenGeneration"))
    return Overrides(_changes(identity), _changes(access), _groups(details))


def _changes(details: Mapping[str, Any]) -> TokenChanges:
    return TokenChanges(
        claims=_mapping(details.get("claimsToAddOrOverride")),
        suppressed=frozenset(_texts(details.get("claimsToSuppress"))),
        added_scopes=_texts(details.get("scopesToAdd")),
        suppressed_scopes=frozenset(_texts(details.get("scopesToSuppress"))),
    )


def _groups(details: Mapping[str, Any]) -> Groups | None:
    """An empty answer removes the groups; a missing one leaves them unchanged."""
    if "groupOverrideDetails" not in details:
        return None
    given = _mapping(details["groupOverrideDetails"])
    return Groups(
        _texts(given.get("groupsToOverride")),
        _texts(given.get("iamRolesToOverride")),
        str(given.get("preferredRole") or ""),
    )


def _mapping(value: object) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise _unreadable()
    return value


def _texts(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
        raise _unreadable()
    return tuple(value)


def _unreadable() -> AwsError:
    return AwsError("InvalidLambdaResponseException", "Unrecognizable lambda output")


def _may_change(claim: str, fixed: frozenset[str]) -> bool:
    return claim not in fixed and not claim.startswith("dev:")
