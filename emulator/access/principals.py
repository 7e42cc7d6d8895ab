"""The principals of the account (root, IAM users, role sessions) and the policies that apply to each of them.

Sessions are stored here. Users, roles and policies are read from the engine's IAM on every request, so a change counts
at once. A principal without a record gets no permissions, and a missing policy is an error.
"""

import secrets
import string
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from emulator import clock, engine
from emulator.access.iam_records import records
from emulator.wire import AwsError
from iam import Policy, parse_policy, parse_trust_policy

Context = Mapping[str, str | Sequence[str]]


@dataclass(frozen=True, slots=True)
class Secret:
    """An access key pair. The repr does not show the secret half."""

    access_key_id: str
    secret_access_key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class EffectivePolicies:
    """The policies that decide for a principal, in the form that `iam.decide` takes."""

    identity: Sequence[Policy]
    boundary: Sequence[Policy] | None = None
    session: Sequence[Policy] | None = None


@dataclass(frozen=True, slots=True)
class Root:
    """The account itself. No policy limits it."""

    key: Secret
    arn: str = f"arn:aws:iam::{engine.ACCOUNT}:root"
    unique_id: str = engine.ACCOUNT

    def context(self) -> Context:
        return {"aws:PrincipalArn": self.arn, "aws:PrincipalType": "Account", "aws:userid": self.unique_id}


@dataclass(frozen=True, slots=True)
class User:
    name: str
    arn: str
    unique_id: str
    key: Secret

    def effective_policies(self) -> EffectivePolicies:
        now = records()
        record = now.users.get(self.name)
        if record is None:
            return EffectivePolicies(identity=())
        groups = [group for group in now.groups.values() if self.name in group["Users"]]
        inline = dict(now.user_inline_policies.get(self.name) or {})
        attached = list(record["AttachedPolicies"])
        for group in groups:
            mine = now.group_inline_policies.get(group["GroupName"]) or {}
            inline |= {f"{group['GroupName']}/{name}": document for name, document in mine.items()}
            attached += group["AttachedPolicies"]
        return EffectivePolicies(_identity_policies(inline, attached), _boundary(record))

    def context(self) -> Context:
        tags = {tag["Key"]: tag["Value"] for tag in (records().users.get(self.name) or {}).get("Tags", [])}
        return {
            **_tag_keys(tags),
            "aws:PrincipalArn": self.arn,
            "aws:PrincipalType": "User",
            "aws:userid": self.unique_id,
            "aws:username": self.name,
        }


@dataclass(frozen=True, slots=True)
class Session:
    """Temporary credentials of a role.

    `expires_at` and `issued_at` are epoch seconds. `policies` None means no session policy. `transitive` names the tags
    that are passed on to a role assumed with these credentials.
    """

    role_arn: str
    role_id: str
    name: str
    key: Secret
    token: str = field(repr=False)
    issued_at: float
    expires_at: float
    tags: Mapping[str, str] = field(default_factory=dict)
    policies: tuple[Policy, ...] | None = None
    federation: Context = field(default_factory=dict)
    transitive: frozenset[str] = frozenset()

    @property
    def arn(self) -> str:
        return f"arn:aws:sts::{engine.ACCOUNT}:assumed-role/{self.role_arn.rpartition('/')[2]}/{self.name}"

    @property
    def unique_id(self) -> str:
        return f"{self.role_id}:{self.name}"

    def effective_policies(self) -> EffectivePolicies:
        role = find_role(self.role_arn)
        if role is None or role["RoleId"] != self.role_id:
            return EffectivePolicies(identity=())
        identity = _identity_policies(role["InlinePolicies"], role["AttachedPolicies"])
        return EffectivePolicies(identity, _boundary(role), self.policies)

    def context(self) -> Context:
        role = find_role(self.role_arn) or {}
        tags = {tag["Key"]: tag["Value"] for tag in role.get("Tags", [])}
        issued = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.issued_at))
        return {
            **_tag_keys(_merge_tags(tags, self.tags)),
            **self.federation,
            "aws:PrincipalArn": self.role_arn,
            "aws:PrincipalType": "AssumedRole",
            "aws:userid": self.unique_id,
            "aws:TokenIssueTime": issued,
        }


Principal = Root | User | Session


class Sessions:
    """Temporary credentials by access key id.

    They are kept for a while after they expire, so that the error can say so.
    """

    _RETENTION_SECONDS = 6 * 3600

    def __init__(self) -> None:
        self._by_key: dict[str, Session] = {}

    def find(self, access_key_id: str) -> Session | None:
        return self._by_key.get(access_key_id)

    def open(
        self,
        role: Mapping[str, Any],
        *,
        name: str,
        seconds: float,
        tags: Mapping[str, str],
        policies: tuple[Policy, ...] | None = None,
        federation: Context | None = None,
        transitive: frozenset[str] = frozenset(),
    ) -> Session:
        now = clock.now()
        session = Session(
            role_arn=role["Arn"],
            role_id=role["RoleId"],
            name=name,
            key=Secret(_new_key_id("ASIA"), secrets.token_urlsafe(30)),
            token=secrets.token_urlsafe(256),
            issued_at=now,
            expires_at=now + seconds,
            tags=dict(tags),
            policies=policies,
            federation=federation or {},
            transitive=transitive,
        )
        self._delete_old(now)
        self._by_key[session.key.access_key_id] = session
        return session

    def _delete_old(self, now: float) -> None:
        old = [key for key, session in self._by_key.items() if session.expires_at + self._RETENTION_SECONDS < now]
        for key in old:
            del self._by_key[key]


def find_user(access_key_id: str) -> User | None:
    """Finds the IAM user of an active access key."""
    stored = engine.iam._access_keys.get(access_key_id)
    if stored is None or stored["Status"] != "Active":
        return None
    record = engine.iam._users.get(stored["UserName"])
    if record is None:
        return None
    key = Secret(access_key_id, stored["SecretAccessKey"])
    return User(record["UserName"], record["Arn"], record["UserId"], key)


def find_role(arn: str) -> dict[str, Any] | None:
    role: dict[str, Any] | None = records().roles.get(arn.rpartition("/")[2])
    return role if role is not None and role["Arn"] == arn else None


def trust_policy(role: Mapping[str, Any]) -> Policy:
    return _parse_trust(role["AssumeRolePolicyDocument"], role["RoleName"])


def managed_policy(arn: str) -> Policy:
    """The default version of a managed policy. Raises `AwsError` if the policy does not exist."""
    record = records().policy(arn)
    if record is None:
        raise AwsError("AccessDeniedException", f"The policy {arn} does not exist.", 403)
    document = record["Versions"][record["DefaultVersionId"]]["Document"]
    return _parse(document, record["PolicyName"])


def _identity_policies(inline: Mapping[str, str], attached: Sequence[str]) -> tuple[Policy, ...]:
    return (*(_parse(text, name) for name, text in inline.items()), *(managed_policy(arn) for arn in attached))


def _boundary(record: Mapping[str, Any]) -> Sequence[Policy] | None:
    arn = record.get("PermissionsBoundary")
    return [managed_policy(arn)] if arn else None


@lru_cache(maxsize=512)
def _parse(document: str, name: str) -> Policy:
    return parse_policy(document, name=name)


@lru_cache(maxsize=128)
def _parse_trust(document: str, name: str) -> Policy:
    return parse_trust_policy(document, name=name)


def _tag_keys(tags: Mapping[str, str]) -> dict[str, str]:
    return {f"aws:PrincipalTag/{key}": value for key, value in tags.items()}


def _merge_tags(role_tags: Mapping[str, str], session_tags: Mapping[str, str]) -> dict[str, str]:
    """A session tag replaces the role's tag of the same key. Keys are compared without regard to case."""
    named = {key.lower() for key in session_tags}
    return {key: value for key, value in role_tags.items() if key.lower() not in named} | dict(session_tags)


def _new_key_id(prefix: str) -> str:
    return prefix + "".join(secrets.choice(string.ascii_uppercase + "234567") for _ in range(16))
