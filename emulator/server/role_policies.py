"""Checks the policies of a template's roles, users and managed policies just before the resource is made or changed.

Only then are the values known that depend on another resource. A refusal afterwards would leave the resource half done.
"""

from collections.abc import Callable, Mapping
from typing import Any

from emulator import engine
from emulator.server.template_checks import check_policies
from iam import Policy, UnsupportedPolicy, parse_policy, parse_trust_policy


def check_role(props: Mapping[str, Any]) -> None:
    """Raises ValueError, as do the other checks."""
    check_user(props)
    boundary = props.get("PermissionsBoundary")
    check_policies([boundary] if boundary else [])
    _check_policy(parse_trust_policy, props["AssumeRolePolicyDocument"], "AssumeRolePolicyDocument")


def set_boundary(role_name: str, props: Mapping[str, Any]) -> None:
    """The engine ignores it."""
    engine.iam._roles[role_name]["PermissionsBoundary"] = props.get("PermissionsBoundary", "")


def check_user(props: Mapping[str, Any]) -> None:
    check_policies(list(props.get("ManagedPolicyArns") or []))
    for policy in props.get("Policies") or []:
        _check_policy(parse_policy, policy["PolicyDocument"], policy["PolicyName"])


def check_managed_policy(props: Mapping[str, Any]) -> None:
    _check_policy(parse_policy, props["PolicyDocument"], props.get("ManagedPolicyName") or "PolicyDocument")


def _check_policy(parse: Callable[..., Policy], document: Any, name: str) -> None:
    try:
        parse(document, name=name)
    except UnsupportedPolicy as failure:
        raise ValueError(str(failure)) from failure
