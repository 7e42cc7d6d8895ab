"""Refuses a template whose form AWS does not have, or whose form has no effect here, before anything reads it.

It follows "Template anatomy" and "Resource attribute reference" of CloudFormation's guide. References are checked by
`template_references.py`, types of properties by `property_types.py`.
"""

# ruff: noqa: TRY004 - the engine answers a ValueError, and only that

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from emulator.server.served_settings import RECORDED

Document = Mapping[str, Any]

_SECTIONS = frozenset(
    (
        "AWSTemplateFormatVersion",
        "Description",
        "Metadata",
        "Parameters",
        "Rules",
        "Mappings",
        "Conditions",
        "Transform",
        "Resources",
        "Outputs",
    )
)
_SERVED_TRANSFORMS = ("AWS::LanguageExtensions",)
_PARAMETER = frozenset(
    (
        "Type",
        "Default",
        "Description",
        "AllowedPattern",
        "AllowedValues",
        "ConstraintDescription",
        "MaxLength",
        "MinLength",
        "MaxValue",
        "MinValue",
        "NoEcho",
    )
)
_ID = r"AWS::EC2::(AvailabilityZone::Name|(Image|Instance|SecurityGroup|Subnet|Volume|VPC)::Id"
_PARAMETER_TYPE = re.compile(
    rf"String|Number|List<Number>|List<String>|CommaDelimitedList|AWS::EC2::KeyPair::KeyName|AWS::SSM::Parameter::Name"
    rf"|(List<)?({_ID}|SecurityGroup::GroupName)|AWS::Route53::HostedZone::Id)>?"
)
_RESOURCE = frozenset(
    ("Type", "Properties", "Metadata", "DependsOn", "Condition", "DeletionPolicy", "UpdateReplacePolicy")
)
_WITHOUT_EFFECT = frozenset({"CreationPolicy", "UpdatePolicy"})
_POLICIES = {
    "DeletionPolicy": ("Delete", "Retain", "RetainExceptOnCreate"),
    "UpdateReplacePolicy": ("Delete", "Retain"),
}
_OUTPUT = frozenset({"Value", "Description", "Condition", "Export"})
_NAME = re.compile(r"[A-Za-z0-9]+", re.ASCII)


def check_transforms(template: Document) -> None:
    """Raises ValueError for a macro that is not served. Nothing of it is expanded."""
    named = template.get("Transform") or []
    for transform in named if isinstance(named, list) else [named]:
        if transform not in _SERVED_TRANSFORMS:
            name = transform.get("Name") if isinstance(transform, dict) else transform
            raise ValueError(f"The transform {name} is not served here. Served: {', '.join(_SERVED_TRANSFORMS)}.")
    if any("Fn::Transform" in part for part in _objects(template)):
        raise ValueError(f"Fn::Transform is not served here. Served: {', '.join(_SERVED_TRANSFORMS)}.")


def check_form(template: Document, given: Iterable[str] = ()) -> None:
    """Raises ValueError. `given` are the names of the parameters in the request."""
    _check_sections(template)
    _check_parameters(template, given)
    _check_mappings(template)
    for name, resource in template["Resources"].items():
        _check_resource(template, name, resource)
    for name, output in _section(template, "Outputs").items():
        _check_output(template, name, output)


def text_of(value: object) -> str:
    """A scalar as CloudFormation compares it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def with_text_values(template: Document) -> dict[str, Any]:
    """The template with texts as its parameters' defaults and possible values. YAML reads some as booleans."""
    texts = {}
    for name, parameter in _section(template, "Parameters").items():
        texts[name] = dict(parameter)
        if "Default" in parameter:
            texts[name]["Default"] = text_of(parameter["Default"])
        if isinstance(possible := parameter.get("AllowedValues"), list):
            texts[name]["AllowedValues"] = [text_of(value) for value in possible]
    return {**template, "Parameters": texts} if texts else dict(template)


def _check_sections(template: Document) -> None:
    if unknown := sorted(map(str, template.keys() - _SECTIONS)):
        if "Hooks" in unknown:
            raise ValueError("Template format error: Hooks are not served here.")
        raise ValueError(f"Template format error: Invalid template property or properties [{', '.join(unknown)}]")
    if str(template.get("AWSTemplateFormatVersion", "2010-09-09")) != "2010-09-09":
        raise ValueError("Template format error: unsupported value for AWSTemplateFormatVersion.")
    if not isinstance(template.get("Description", ""), str):
        raise ValueError("Template format error: Description must be a String.")
    for name in ("Parameters", "Mappings", "Conditions", "Resources", "Outputs"):
        if not isinstance(template.get(name, {}), dict):
            raise ValueError(f"Template format error: {name} must be an object.")
    if not template.get("Resources"):
        raise ValueError("Template format error: At least one Resources member must be defined.")


def _check_parameters(template: Document, given: Iterable[str]) -> None:
    declared = _section(template, "Parameters")
    if superfluous := sorted(set(given) - declared.keys()):
        raise ValueError(f"Parameters: [{', '.join(superfluous)}] do not exist in the template")
    for name, parameter in declared.items():
        _check_name("Parameter", name)
        if not isinstance(parameter, dict) or not isinstance(parameter.get("Type"), str):
            raise ValueError("Template format error: Every Parameters object must contain a Type member.")
        if unknown := sorted(parameter.keys() - _PARAMETER):
            raise ValueError(f"Template format error: Invalid template parameter property '{unknown[0]}'")
        if not _PARAMETER_TYPE.fullmatch(parameter["Type"]):
            raise ValueError(f"Template format error: The parameter type {parameter['Type']} of {name} is not served.")


def _check_mappings(template: Document) -> None:
    for mapping in _section(template, "Mappings").values():
        rows = list(mapping.values()) if isinstance(mapping, dict) else [None]
        for row in rows:
            if not isinstance(row, dict) or any(isinstance(value, dict) or value is None for value in row.values()):
                raise ValueError("Template format error: Every Mappings attribute must be a String or a List.")


def _check_resource(template: Document, name: str, resource: object) -> None:
    _check_name("Resource", name)
    if not isinstance(resource, dict):
        raise ValueError(f"Template format error: [/Resources/{name}] resource definition is malformed")
    if not isinstance(resource.get("Type"), str):
        raise ValueError(
            f"Template format error: [/Resources/{name}] Every Resources object must contain a Type member."
        )
    for attribute in sorted(resource.keys() - _RESOURCE):
        if attribute in _WITHOUT_EFFECT:
            raise ValueError(f"Template format error: {attribute} of {name} is not served here.")
        raise ValueError(f"Template format error: Invalid template resource property '{attribute}'")
    if not isinstance(resource.get("Properties", {}), dict):
        raise ValueError(f"Template format error: [/Resources/{name}/Properties] Properties must be an object.")
    for attribute, served in _POLICIES.items():
        possible = (*served, "Snapshot") if resource["Type"] in RECORDED else served
        if attribute in resource and resource[attribute] not in possible:
            raise ValueError(f"Template format error: {attribute} of {name} must be one of {', '.join(possible)} here.")
    if place := next(_nulls(resource, f"/Resources/{name}"), None):
        raise ValueError(f"Template format error: [{place}] 'null' values are not allowed in templates")
    _check_condition(template, resource, "Resources")


def _check_output(template: Document, name: str, output: object) -> None:
    _check_name("Output", name)
    if not isinstance(output, dict) or output.get("Value") is None:
        raise ValueError("Template format error: Every Outputs member must contain a Value object")
    if unknown := sorted(output.keys() - _OUTPUT):
        raise ValueError(f"Template format error: Invalid template output property '{unknown[0]}'")
    export = output.get("Export", {"Name": ""})
    if not isinstance(export, dict) or export.keys() != {"Name"}:
        raise ValueError(f"Template format error: Export of {name} must have a Name only.")
    _check_condition(template, output, "Outputs")


def _check_condition(template: Document, part: Document, block: str) -> None:
    condition = part.get("Condition")
    if condition is not None and condition not in _section(template, "Conditions"):
        raise ValueError(
            f"Template format error: Unresolved condition dependency {condition} in the {block} block of the template"
        )


def _check_name(kind: str, name: object) -> None:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError(f"Template format error: {kind} name {name} is non alphanumeric.")


def _section(template: Document, name: str) -> dict[str, Any]:
    found: dict[str, Any] = template.get(name) or {}
    return found


def _nulls(value: object, place: str) -> Iterator[str]:
    if value is None:
        yield place
    elif isinstance(value, dict):
        for name, part in value.items():
            yield from _nulls(part, f"{place}/{name}")
    elif isinstance(value, list):
        for number, part in enumerate(value):
            yield from _nulls(part, f"{place}/{number}")


def _objects(value: object) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        for part in value.values():
            yield from _objects(part)
    elif isinstance(value, list):
        for part in value:
            yield from _objects(part)
