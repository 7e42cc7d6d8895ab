"""AssumeRole and GetCallerIdentity, with the sessions of this package. Follows the STS API reference.

A caller that the trust policy names needs no further permission. A caller that is trusted through its account also
needs sts:AssumeRole in its own policies. AWS never lets root assume a role. Here root stands for the administrator who
deploys, so it may assume a role that trusts its account.
"""

import json
import re
import time
import unicodedata
from collections.abc import Mapping
from typing import Any
from xml.sax.saxutils import escape

from emulator.access.authorization import authorize, connection_context
from emulator.access.checks import Check
from emulator.access.policy_documents import SESSION
from emulator.access.principals import Principal, Session, Sessions, find_role, managed_policy, trust_policy
from emulator.wire import AwsError, Incoming, Reply, query_result
from iam import Policy, UnsupportedPolicy, decide_trust, parse_policy
from iam import Principal as TrustedPrincipal

OPERATIONS = frozenset({"AssumeRole", "GetCallerIdentity"})
_SESSION_NAME = re.compile(r"[\w+=,.@-]{2,64}", re.ASCII)
_CHAINED_SECONDS = 3600


def caller_identity(principal: Principal) -> Reply:
    account = principal.arn.split(":")[4]
    arn, unique_id = escape(principal.arn), escape(principal.unique_id)
    result = f"<Arn>{arn}</Arn><UserId>{unique_id}</UserId><Account>{account}</Account>"
    return query_result("GetCallerIdentity", "sts", result)


def assume_role(data: Mapping[str, Any], principal: Principal, sessions: Sessions, incoming: Incoming) -> Reply:
    arn, name = str(data.get("RoleArn", "")), str(data.get("RoleSessionName", ""))
    if not _SESSION_NAME.fullmatch(name):
        raise AwsError("ValidationError", "RoleSessionName is missing or malformed.")
    tags = _merge_inherited_tags(session_tags(data), principal)
    transitive = _transitive_keys(data, tags, principal)
    role = _find_assumable_role(data, arn, tags, principal, incoming)
    policies = _session_policies(data)
    seconds = _duration(data, role, principal)
    session = sessions.open(role, name=name, seconds=seconds, tags=tags, policies=policies, transitive=transitive)
    return query_result("AssumeRole", "sts", _assume_role_result(session))


def session_tags(data: Mapping[str, Any]) -> dict[str, str]:
    """Reads the tags of a query-protocol request. Raises `AwsError` for tags that STS does not accept."""
    tags: dict[str, str] = {}
    for number in range(1, 52):
        key = data.get(f"Tags.member.{number}.Key")
        if key is None:
            break
        tags[str(key)] = str(data.get(f"Tags.member.{number}.Value", ""))
    if len(tags) > 50 or len({key.lower() for key in tags}) != len(tags):
        raise AwsError("InvalidParameterValue", "There are too many tags, or a tag key is given twice.")
    for key, value in tags.items():
        check_tag(key, value)
    return tags


def _merge_inherited_tags(tags: Mapping[str, str], principal: Principal) -> dict[str, str]:
    """Adds the caller's transitive tags. A request may not give such a tag another value."""
    inherited = _inherited_tags(principal)
    if {key.lower() for key in inherited} & {key.lower() for key in tags}:
        raise AwsError("InvalidParameterValue", "A transitive tag of the calling session cannot be given again.")
    return {**inherited, **tags}


def _inherited_tags(principal: Principal) -> dict[str, str]:
    if not isinstance(principal, Session):
        return {}
    return {key: value for key, value in principal.tags.items() if key in principal.transitive}


def _transitive_keys(data: Mapping[str, Any], tags: Mapping[str, str], principal: Principal) -> frozenset[str]:
    named = (data.get(f"TransitiveTagKeys.member.{number}") for number in range(1, 51))
    wanted = {str(key).lower() for key in named if key is not None}
    own = {key for key in tags if key.lower() in wanted}
    if len(own) != len(wanted):
        raise AwsError("InvalidParameterValue", "A transitive tag key is not among the session tags.")
    return frozenset(own | set(_inherited_tags(principal)))


def check_tag(key: str, value: str) -> None:
    """Allows letters, digits, spaces and _.:/=+-@ only, so that a tag contains no wildcard, delimiter or variable."""
    if not 1 <= len(key) <= 128 or len(value) > 256 or not all(map(_is_tag_character, key + value)):
        raise AwsError("ValidationError", f"The tag {key} is too long or contains a character that is not allowed.")


def _is_tag_character(character: str) -> bool:
    return character in "_.:/=+-@" or unicodedata.category(character)[0] in "LZN"


def _find_assumable_role(
    data: Mapping[str, Any], arn: str, tags: Mapping[str, str], principal: Principal, incoming: Incoming
) -> dict[str, Any]:
    role = find_role(arn)
    trusted = TrustedPrincipal("AWS", principal.arn)
    keys: dict[str, str | list[str]] = {f"aws:RequestTag/{key}": value for key, value in tags.items()}
    keys["sts:RoleSessionName"] = str(data["RoleSessionName"])
    if "ExternalId" in data:
        keys["sts:ExternalId"] = str(data["ExternalId"])
    if tags:
        keys["aws:TagKeys"] = list(tags)
    context = {**connection_context(incoming), **principal.context(), **keys}
    if role is None:
        raise _access_denied(principal, "sts:AssumeRole", arn)
    for action in ["sts:AssumeRole", *(["sts:TagSession"] if tags else [])]:
        if not decide_trust(action, trust_policy(role), context, principal=trusted).allowed:
            raise _access_denied(principal, action, arn)
        if not _is_named_in_trust(role, principal):
            _check_caller_policies(principal, Check(action, arn, keys), incoming)
    return role


def _check_caller_policies(principal: Principal, check: Check, incoming: Incoming) -> None:
    try:
        authorize(principal, [check], incoming)
    except AwsError as failure:
        raise AwsError("AccessDenied", failure.message, 403) from failure


def _access_denied(principal: Principal, action: str, arn: str) -> AwsError:
    text = f"User: {principal.arn} is not authorized to perform: {action} on resource: {arn}"
    return AwsError("AccessDenied", text, 403)


def _is_named_in_trust(role: Mapping[str, Any], principal: Principal) -> bool:
    """Whether the trust policy names this principal itself, and not just its account or everybody."""
    arns = {principal.arn, principal.role_arn if isinstance(principal, Session) else principal.arn}
    statements = json.loads(role["AssumeRolePolicyDocument"])["Statement"]
    for statement in statements if isinstance(statements, list) else [statements]:
        trusted = statement["Principal"]
        named = trusted.get("AWS", []) if isinstance(trusted, dict) else []
        if arns & ({named} if isinstance(named, str) else set(named)):
            return True
    return False


def _session_policies(data: Mapping[str, Any]) -> tuple[Policy, ...] | None:
    policies: list[Policy] = []
    if "PolicyArns.member.11.arn" in data:
        raise AwsError("ValidationError", "A session has at most ten managed policies.")
    if text := data.get("Policy"):
        if len(str(text)) > SESSION:
            raise AwsError("ValidationError", f"A session policy has at most {SESSION} characters.")
        try:
            policies.append(parse_policy(str(text), name="session policy"))
        except UnsupportedPolicy as failure:
            raise AwsError("MalformedPolicyDocument", str(failure)) from failure
    arns = (data.get(f"PolicyArns.member.{number}.arn") for number in range(1, 11))
    policies += [managed_policy(str(arn)) for arn in arns if arn]
    return tuple(policies) or None


def _duration(data: Mapping[str, Any], role: Mapping[str, Any], principal: Principal) -> int:
    most = _CHAINED_SECONDS if isinstance(principal, Session) else int(role["MaxSessionDuration"])
    given = str(data.get("DurationSeconds") or 3600)
    if not given.isdecimal() or not 900 <= int(given) <= most:
        raise AwsError(
            "ValidationError", "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
        )
    return int(given)


def _assume_role_result(session: Session) -> str:
    expiration = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(session.expires_at))
    key = session.key
    return (
        f"<Credentials><AccessKeyId>{key.access_key_id}</AccessKeyId>"
        f"<SecretAccessKey>{key.secret_access_key}</SecretAccessKey><SessionToken>{session.token}</SessionToken>"
        f"<Expiration>{expiration}</Expiration></Credentials><AssumedRoleUser><Arn>{escape(session.arn)}</Arn>"
        f"<AssumedRoleId>{escape(session.unique_id)}</AssumedRoleId></AssumedRoleUser>"
    )
