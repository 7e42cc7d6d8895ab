"""Policies out of `infra/template.yaml`, for the checks and tests that hold them to what the product promises.

References become ARNs of a made-up stack, so that a request can be decided offline against the text that is deployed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from iam import Policy, parse_policy, parse_trust_policy
from portal.environment import BASE

TEMPLATE = BASE / "infra" / "template.yaml"
_ACCOUNT = "arn:aws:{service}:eu-west-1:123456789012:{name}"
_PSEUDO = {"AWS::Partition": "aws", "AWS::Region": "eu-west-1", "AWS::AccountId": "123456789012"}
_VARIABLE = re.compile(r"\$\{([^}]+)\}")
_POLICIES = ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy")
TABLE_ARN = "arn:aws:dynamodb:eu-west-1:123456789012:table/Table"


class _Loader(yaml.SafeLoader):
    """YAML with CloudFormation's short functions, each as a mapping of its name to its argument."""


def _function(loader: _Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    if isinstance(node, yaml.SequenceNode):
        return {suffix: loader.construct_sequence(node, deep=True)}
    if isinstance(node, yaml.MappingNode):
        return {suffix: loader.construct_mapping(node, deep=True)}
    return {suffix: str(node.value)}


_Loader.add_multi_constructor("!", _function)


def read_template(text: str | None = None) -> dict[str, Any]:
    """The template as data, functions as `{"Ref": …}`, `{"GetAtt": …}`, `{"Sub": …}`, `{"If": […]}`."""
    content: dict[str, Any] = yaml.load(text or TEMPLATE.read_text(), Loader=_Loader)  # noqa: S506 - a SafeLoader
    return content


def role_policies(template: Mapping[str, Any], role: str) -> list[Policy]:
    """The identity policies of a role of the template: inline ones, and those of the template that are attached to it.

    Whether a policy is made under a condition is not asked: all of them are.
    """
    resources = template["Resources"]
    properties = resources[role]["Properties"]
    documents = {policy["PolicyName"]: policy["PolicyDocument"] for policy in properties.get("Policies", [])}
    for name in (*_names(properties.get("ManagedPolicyArns", [])), *_attached_from_outside(resources, role)):
        documents[name] = resources[name]["Properties"]["PolicyDocument"]
    return [parse_policy(resolved(document), name=name) for name, document in documents.items()]


def _attached_from_outside(resources: Mapping[str, Any], role: str) -> Iterator[str]:
    """Policies that name the role, instead of being named by it."""
    for name, resource in resources.items():
        if resource["Type"] in _POLICIES and role in _names(resource["Properties"].get("Roles", [])):
            yield name


def trust_policy(template: Mapping[str, Any], role: str) -> Policy:
    document = template["Resources"][role]["Properties"]["AssumeRolePolicyDocument"]
    return parse_trust_policy(resolved(document), name=f"trust of {role}")


def role_arn(role: str) -> str:
    return f"arn:aws:iam::123456789012:role/{role}"


def boundary(template: Mapping[str, Any], role: str) -> list[Policy]:
    (name,) = _names([template["Resources"][role]["Properties"]["PermissionsBoundary"]])
    document = template["Resources"][name]["Properties"]["PolicyDocument"]
    return [parse_policy(resolved(document), name=name)]


def resolved(value: Any) -> Any:
    """With made-up ARNs for what only a deployed stack knows. Raises ValueError for a function it does not know."""
    if isinstance(value, list):
        return [resolved(part) for part in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        ((name, argument),) = value.items()
        if name == "GetAtt":
            return TABLE_ARN if argument == "Table.Arn" else _arn(argument.removesuffix(".Arn"))
        if name == "Ref":
            return _arn(argument)
        if name == "Sub" and isinstance(argument, str):
            return _VARIABLE.sub(_substituted, argument.strip())
        if name in {"Sub", "If", "Join"}:
            raise ValueError(f"{name} is not expected in a policy")
    return {key: resolved(part) for key, part in value.items()}


def _substituted(variable: re.Match[str]) -> str:
    """`${!x}` is how a template writes what is a variable of the policy: `${x}`."""
    name = variable[1]
    return f"${{{name[1:]}}}" if name.startswith("!") else _PSEUDO.get(name, name)


def _names(references: list[Any]) -> Iterator[str]:
    for reference in references:
        if not (isinstance(reference, dict) and isinstance(reference.get("Ref"), str)):
            raise TypeError("a policy or role from outside this template cannot be judged")
        yield reference["Ref"]


def _arn(name: str) -> str:
    """A trust policy names roles, and those have to look like roles; all of the template are called so."""
    return role_arn(name) if name.endswith("Role") else _ACCOUNT.format(service="example", name=f"resource/{name}")
