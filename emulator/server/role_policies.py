"""Checks the policies of a template's roles, users and managed policies once the resource has been made.

Only then are the values known that depend on another resource.
"""

from collections.abc import Callable, Mapping
from typing import Any

from emulator import engine
from emulator.server.template_checks import check_policies
from iam import Policy, UnsupportedPolicy, parse_policy, parse_trust_policy


def complete_role(role_name: str, props: Mapping[str, Any]) -> None:
    """Sets the boundary too, which the engine ignores. Raises ValueError, as do the other checks."""
    boundary = props.get("PermissionsBoundary", "")
    engine.iam._roles[role_name]["PermissionsBoundary"] = boundary
    check_policies([*(props.get("ManagedPolicyArns") or []), *([boundary] if boundary else [])])
    _check_policy(parse_trust_policy, props["AssumeRolePolicyDocument"], role_name)
    for policy in props.get("Policies") or []:
        _check_policy(parse_policy, policy["PolicyDocument"], policy["PolicyName"])


def check_inline_policies(_name: str, props: Mapping[str, Any]) -> None:
    for policy in props.get("Policies") or []:
        _check_policy(parse_policy, policy["PolicyDocument"], policy["PolicyName"])
    check_policies(list(props.get("ManagedPolicyArns") or []))


def check_managed_policy(arn: str, props: Mapping[str, Any]) -> None:
    _check_policy(parse_policy, props["PolicyDocument"], arn)


def _check_policy(parse: Callable[..., Policy], document: Any, name: str) -> None:
    try:
        parse(document, name=name)
    except UnsupportedPolicy as failure:
        raise ValueError(str(failure)) from failure
