"""Reads policies in a CloudFormation template, with what its references stand for.

Knows neither which template nor which stack: a caller gives the text, and `References` for the names in it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

try:  # of libyaml, ten times as fast; each start of the portal reads both templates
    from yaml import CSafeLoader as _SafeLoader
except ImportError:  # PyYAML was built without it
    from yaml import SafeLoader as _SafeLoader  # type: ignore[assignment]

_VARIABLE = re.compile(r"\$\{([^}]+)\}")
POLICIES = ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy")


class _Loader(_SafeLoader):
    """Reads CloudFormation's short functions such as `!Ref x`, each as a mapping of its name to its argument."""


def _function(loader: _Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    if isinstance(node, yaml.SequenceNode):
        return {suffix: loader.construct_sequence(node, deep=True)}
    if isinstance(node, yaml.MappingNode):
        return {suffix: loader.construct_mapping(node, deep=True)}
    return {suffix: str(node.value)}


_Loader.add_multi_constructor("!", _function)


def parse_template(text: str) -> dict[str, Any]:
    """The template as data. Functions are `{"Ref": …}`, `{"GetAtt": …}`, `{"Sub": …}` or `{"If": […]}`."""
    content: dict[str, Any] = yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader
    return content


@dataclass(frozen=True, slots=True)
class References:
    """What the functions of a template stand for: `ref` for `!Ref x`, `attribute` for `!GetAtt x.y`, `variable` for
    `${x}` in `!Sub`, and `condition` for the name in `!If`. They raise ValueError for what they do not know.
    """

    ref: Callable[[str], str]
    attribute: Callable[[str], str]
    variable: Callable[[str], str]
    condition: Callable[[str], bool]

    def resolve(self, value: Any) -> Any:
        """The value with texts in place of functions. Raises ValueError for an unexpected function."""
        if isinstance(value, list):
            return [self.resolve(part) for part in value]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            ((name, argument),) = value.items()
            if name in {"GetAtt", "Ref", "Sub", "If", "Join"}:
                return self._call(name, argument)
        return {key: self.resolve(part) for key, part in value.items()}

    def _call(self, name: str, argument: Any) -> Any:
        match name, argument:
            case "GetAtt", str():
                return self.attribute(argument)
            case "Ref", str():
                return self.ref(argument)
            case "Sub", str():
                return _VARIABLE.sub(self._substitute, argument.strip())
            case "If", [str(condition), so, otherwise]:
                return self.resolve(so if self.condition(condition) else otherwise)
        raise ValueError(f"unexpected {name} in a policy")

    def _substitute(self, variable: re.Match[str]) -> str:
        """In a template, `${!x}` stands for the policy variable `${x}`."""
        name = variable[1]
        return f"${{{name[1:]}}}" if name.startswith("!") else self.variable(name)


def role_documents(template: Mapping[str, Any], role: str) -> dict[str, Any]:
    """A role's identity policies by name, with functions: inline ones and attached ones, all of them in the template.

    Includes policies that CloudFormation creates under a condition only. Raises TypeError for a policy from elsewhere.
    """
    resources = template["Resources"]
    properties = resources[role]["Properties"]
    documents = {policy["PolicyName"]: policy["PolicyDocument"] for policy in properties.get("Policies", [])}
    for name in (*_names(properties.get("ManagedPolicyArns", [])), *_policies_that_name(resources, role)):
        documents[name] = resources[name]["Properties"]["PolicyDocument"]
    return documents


def boundary_document(template: Mapping[str, Any], role: str) -> tuple[str, Any]:
    """The name and the document, with functions, of a role's permissions boundary."""
    (name,) = _names([template["Resources"][role]["Properties"]["PermissionsBoundary"]])
    return name, template["Resources"][name]["Properties"]["PolicyDocument"]


def _policies_that_name(resources: Mapping[str, Any], role: str) -> Iterator[str]:
    """Policies that list the role in `Roles`, instead of being listed by the role."""
    for name, resource in resources.items():
        if resource["Type"] in POLICIES and role in _names(resource["Properties"].get("Roles", [])):
            yield name


def _names(references: list[Any]) -> Iterator[str]:
    for reference in references:
        if not (isinstance(reference, dict) and isinstance(reference.get("Ref"), str)):
            raise TypeError("a policy or role is not in this template")
        yield reference["Ref"]
