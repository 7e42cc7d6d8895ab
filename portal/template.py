"""Reads the policies in the templates of `infra/`, for the system checks and tests of who may reach which rows.

References become ARNs of an invented stack. Requests can then be decided offline, against the text that is deployed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from iam import Policy, parse_policy, parse_trust_policy
from portal.environment import BASE

TEMPLATE, RUNNING = BASE / "infra" / "template.yaml", BASE / "infra" / "portal.yaml"
_ACCOUNT = "arn:aws:{service}:eu-west-1:123456789012:{name}"
_PSEUDO = {"AWS::Partition": "aws", "AWS::Region": "eu-west-1", "AWS::AccountId": "123456789012"}
_VARIABLE = re.compile(r"\$\{([^}]+)\}")
_POLICIES = ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy")
TABLE_ARN = "arn:aws:dynamodb:eu-west-1:123456789012:table/Table"


class _Loader(yaml.SafeLoader):
    """Reads CloudFormation's short functions such as `!Ref x`, each as a mapping of its name to its argument."""


def _function(loader: _Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    if isinstance(node, yaml.SequenceNode):
        return {suffix: loader.construct_sequence(node, deep=True)}
    if isinstance(node, yaml.MappingNode):
        return {suffix: loader.construct_mapping(node, deep=True)}
    return {suffix: str(node.value)}


_Loader.add_multi_constructor("!", _function)


def read_template(text: str | None = None) -> dict[str, Any]:
    """The template as data. Functions are `{"Ref": …}`, `{"GetAtt": …}`, `{"Sub": …}` or `{"If": […]}`."""
    content: dict[str, Any] = yaml.load(text or TEMPLATE.read_text(), Loader=_Loader)  # noqa: S506 - a SafeLoader
    return content


def read_both() -> dict[str, Any]:
    """The resources of both templates in one, which is how they run. Raises ValueError if two have the same name."""
    first, second = read_template(), read_template(RUNNING.read_text())
    if both := sorted(first["Resources"].keys() & second["Resources"].keys()):
        raise ValueError(f"both templates name {', '.join(both)}")
    return {**first, "Resources": {**first["Resources"], **second["Resources"]}}


def check_kinds_of_policies(template: Mapping[str, Any]) -> None:
    """Raises TypeError where the template gives permissions in a form that `role_policies` does not read."""
    for name, resource in template["Resources"].items():
        kind, properties = resource["Type"], resource.get("Properties", {})
        if kind.startswith("AWS::IAM::") and kind not in (*_POLICIES, "AWS::IAM::Role"):
            raise TypeError(f"{name} is a {kind}, which is not read")
        if kind in _POLICIES and (properties.get("Users") or properties.get("Groups")):
            raise TypeError(f"{name} is for users or groups, which are not read")


def role_policies(template: Mapping[str, Any], role: str) -> list[Policy]:
    """A role's identity policies. Raises as `role_documents` does."""
    return [parse_policy(document, name=name) for name, document in role_documents(template, role).items()]


def role_documents(template: Mapping[str, Any], role: str) -> dict[str, dict[str, Any]]:
    """A role's identity policies by name: inline ones and attached ones. All of them must be in the template.

    Includes policies that CloudFormation creates under a condition only. Raises TypeError for a policy from elsewhere.
    """
    resources = template["Resources"]
    properties = resources[role]["Properties"]
    documents = {policy["PolicyName"]: policy["PolicyDocument"] for policy in properties.get("Policies", [])}
    for name in (*_names(properties.get("ManagedPolicyArns", [])), *_policies_that_name(resources, role)):
        documents[name] = resources[name]["Properties"]["PolicyDocument"]
    return {name: resolve_references(document) for name, document in documents.items()}


def _policies_that_name(resources: Mapping[str, Any], role: str) -> Iterator[str]:
    """Policies that list the role in `Roles`, instead of being listed by the role."""
    for name, resource in resources.items():
        if resource["Type"] in _POLICIES and role in _names(resource["Properties"].get("Roles", [])):
            yield name


def trust_policy(template: Mapping[str, Any], role: str) -> Policy:
    document = template["Resources"][role]["Properties"]["AssumeRolePolicyDocument"]
    return parse_trust_policy(resolve_references(document), name=f"trust of {role}")


def role_arn(role: str) -> str:
    return f"arn:aws:iam::123456789012:role/{role}"


def boundary(template: Mapping[str, Any], role: str) -> list[Policy]:
    (name,) = _names([template["Resources"][role]["Properties"]["PermissionsBoundary"]])
    document = template["Resources"][name]["Properties"]["PolicyDocument"]
    return [parse_policy(resolve_references(document), name=name)]


def resolve_references(value: Any) -> Any:
    """The value with invented ARNs in place of references. Raises ValueError for an unexpected function."""
    if isinstance(value, list):
        return [resolve_references(part) for part in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        ((name, argument),) = value.items()
        if name == "GetAtt":
            return TABLE_ARN if argument == "Table.Arn" else _arn(argument.removesuffix(".Arn"))
        if name == "Ref":
            return _arn(argument)
        if name == "Sub" and isinstance(argument, str):
            return _VARIABLE.sub(_substitute, argument.strip())
        if name in {"Sub", "If", "Join"}:
            raise ValueError(f"unexpected {name} in a policy")
    return {key: resolve_references(part) for key, part in value.items()}


def _substitute(variable: re.Match[str]) -> str:
    """In a template, `${!x}` stands for the policy variable `${x}`."""
    name = variable[1]
    return f"${{{name[1:]}}}" if name.startswith("!") else _PSEUDO.get(name, name)


def _names(references: list[Any]) -> Iterator[str]:
    for reference in references:
        if not (isinstance(reference, dict) and isinstance(reference.get("Ref"), str)):
            raise TypeError("a policy or role is not in this template")
        yield reference["Ref"]


def _arn(name: str) -> str:
    """Roles need an ARN of IAM, because trust policies name them. Every role's name in the templates ends with Role.

    The second template names a role of the first by a parameter, such as PortalRoleArn.
    """
    role = name.removesuffix("Arn")
    return role_arn(role) if role.endswith("Role") else _ACCOUNT.format(service="example", name=f"resource/{name}")
