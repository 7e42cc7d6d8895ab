"""Reads the policies in the templates of `infra/`, for the system checks and tests of who may reach which rows.

References become ARNs of an invented stack. Requests can then be decided offline, against the text that is deployed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from iam import Policy, parse_policy, parse_trust_policy
from portal.environment import BASE
from tenants.isolation import template as reading

TEMPLATE, RUNNING = BASE / "infra" / "template.yaml", BASE / "infra" / "portal.yaml"
_ACCOUNT = "arn:aws:{service}:eu-west-1:123456789012:{name}"
_PSEUDO = {"AWS::Partition": "aws", "AWS::Region": "eu-west-1", "AWS::AccountId": "123456789012"}
TABLE_ARN = "arn:aws:dynamodb:eu-west-1:123456789012:table/Table"


def read_template(text: str | None = None) -> dict[str, Any]:
    """The template as data. Functions are `{"Ref": …}`, `{"GetAtt": …}`, `{"Sub": …}` or `{"If": […]}`."""
    return reading.parse_template(text or TEMPLATE.read_text())


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
        if kind.startswith("AWS::IAM::") and kind not in (*reading.POLICIES, "AWS::IAM::Role"):
            raise TypeError(f"{name} is a {kind}, which is not read")
        if kind in reading.POLICIES and (properties.get("Users") or properties.get("Groups")):
            raise TypeError(f"{name} is for users or groups, which are not read")


def role_policies(template: Mapping[str, Any], role: str) -> list[Policy]:
    """A role's identity policies. Raises as `role_documents` does."""
    return [parse_policy(document, name=name) for name, document in role_documents(template, role).items()]


def role_documents(template: Mapping[str, Any], role: str) -> dict[str, dict[str, Any]]:
    """A role's identity policies by name: inline ones and attached ones. All of them must be in the template.

    Includes policies that CloudFormation creates under a condition only. Raises TypeError for a policy from elsewhere.
    """
    documents = reading.role_documents(template, role)
    return {name: resolve_references(document) for name, document in documents.items()}


def trust_policy(template: Mapping[str, Any], role: str) -> Policy:
    document = template["Resources"][role]["Properties"]["AssumeRolePolicyDocument"]
    return parse_trust_policy(resolve_references(document), name=f"trust of {role}")


def role_arn(role: str) -> str:
    return f"arn:aws:iam::123456789012:role/{role}"


def boundary(template: Mapping[str, Any], role: str) -> list[Policy]:
    name, document = reading.boundary_document(template, role)
    return [parse_policy(resolve_references(document), name=name)]


def resolve_references(value: Any) -> Any:
    """The value with invented ARNs in place of references. Raises ValueError for an unexpected function."""
    return _INVENTED.resolve(value)


def _attribute(name: str) -> str:
    return TABLE_ARN if name == "Table.Arn" else _arn(name.removesuffix(".Arn"))


def _condition(name: str) -> bool:
    """The invented stack has a table of its own. In a policy nothing else depends on a condition."""
    if name != "MakesTable":
        raise ValueError(f"unexpected If {name} in a policy")
    return True


def _arn(name: str) -> str:
    """Roles need an ARN of IAM, because trust policies name them. Every role's name in the templates ends with Role.

    The second template names a role of the first by a parameter, such as PortalRoleArn.
    """
    role = name.removesuffix("Arn")
    return role_arn(role) if role.endswith("Role") else _ACCOUNT.format(service="example", name=f"resource/{name}")


_INVENTED = reading.References(
    ref=_arn, attribute=_attribute, variable=lambda name: _PSEUDO.get(name, name), condition=_condition
)
