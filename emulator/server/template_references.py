"""Refuses a template that refers to something that is not there, in a circle, or by a function that is not served.

Follows the "Intrinsic function reference" of CloudFormation's guide. A branch that does not apply is not looked at.
"""

# ruff: noqa: TRY004 - the engine answers a ValueError, and only that

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

PSEUDO = frozenset(
    f"AWS::{name}"
    for name in ("AccountId", "NoValue", "NotificationARNs", "Partition", "Region", "StackId", "StackName", "URLSuffix")
)
_FUNCTIONS = frozenset(
    f"Fn::{name}"
    for name in (
        "Base64",
        "Cidr",
        "FindInMap",
        "GetAtt",
        "GetAZs",
        "If",
        "ImportValue",
        "Join",
        "Select",
        "Split",
        "Sub",
    )
)
_VARIABLE = re.compile(r"\$\{([^!{}][^{}]*)\}")


@dataclass
class References:
    """`made` are the resources whose conditions hold. `missing` collects what is not there."""

    made: frozenset[str]
    parameters: frozenset[str]
    conditions: Mapping[str, bool]
    declared_conditions: frozenset[str]
    block: str
    missing: set[str] = field(default_factory=set)

    def of(self, value: object) -> Iterator[str]:
        """The names of resources that `value` depends on. Raises ValueError for a function that cannot be run."""
        if isinstance(value, list):
            for part in value:
                yield from self.of(part)
        elif isinstance(value, dict):
            function = next((name for name in value if name == "Ref" or str(name).startswith("Fn::")), None)
            if function is None:
                for part in value.values():
                    yield from self.of(part)
            elif len(value) != 1:
                raise ValueError(f"Template error: {function} must be the only member of its object.")
            else:
                yield from self._function(str(function), value[function])

    def _function(self, function: str, argument: Any) -> Iterator[str]:
        if function == "Ref":
            yield from self._name(argument)
        elif function not in _FUNCTIONS:
            raise ValueError(
                f"Template error: {function} is not served here. Served: Ref, {', '.join(sorted(_FUNCTIONS))}."
            )
        elif function == "Fn::GetAtt":
            yield self._attribute(argument)
        elif function == "Fn::Sub":
            yield from self._substitution(argument)
        elif function == "Fn::If":
            yield from self._branches(argument)
        else:
            yield from self.of(argument)

    def _name(self, name: object) -> Iterator[str]:
        if not isinstance(name, str):
            raise ValueError("Template format error: Every Ref object must have a single String value.")
        if name in self.made:
            yield name
        elif name not in self.parameters and name not in PSEUDO:
            self.missing.add(name)

    def _attribute(self, argument: object) -> str:
        parts = argument.split(".", 1) if isinstance(argument, str) else argument
        if not isinstance(parts, list) or len(parts) != 2 or not isinstance(parts[0], str):
            raise ValueError("Template error: every Fn::GetAtt object requires two non-empty parameters.")
        if parts[0] not in self.made:
            raise ValueError(f"Template error: instance of Fn::GetAtt references undefined resource {parts[0]}")
        return parts[0]

    def _substitution(self, argument: object) -> Iterator[str]:
        text, own = argument if isinstance(argument, list) and len(argument) == 2 else (argument, {})
        if not isinstance(text, str) or not isinstance(own, dict):
            raise ValueError(
                "Template error: One or more Fn::Sub intrinsic functions don't specify expected arguments."
            )
        yield from self.of(list(own.values()))
        for name in _VARIABLE.findall(text):
            if name not in own:
                yield from self._name(name if name in PSEUDO else name.split(".", 1)[0])

    def _branches(self, argument: object) -> Iterator[str]:
        if not isinstance(argument, list) or len(argument) != 3 or not isinstance(argument[0], str):
            raise ValueError("Template error: Fn::If requires a list argument with three elements.")
        condition, chosen, otherwise = argument
        if condition not in self.declared_conditions:
            raise ValueError(
                f"Template format error: Unresolved condition dependency {condition} in the {self.block} block of the"
                " template"
            )
        if self.conditions.get(condition, True):
            yield from self.of(chosen)
        if not self.conditions.get(condition, False):
            yield from self.of(otherwise)


def check_references(template: Mapping[str, Any], conditions: Mapping[str, bool]) -> None:
    """Raises ValueError. A condition that is not in `conditions` may hold or not."""
    resources: Mapping[str, Any] = template["Resources"]
    made = {
        name: part for name, part in resources.items()
        if not part.get("Condition") or conditions.get(part["Condition"], True)
    }  # fmt: skip
    found = _references(template, made, conditions, "Resources")
    graph = {name: {*found.of(part.get("Properties") or {}), *_ordered_after(part)} for name, part in made.items()}
    found.missing.update(name for after in graph.values() for name in after if name not in resources)
    _refuse_missing(found)
    if circle := _circle(graph):
        raise ValueError(f"Circular dependency between resources: [{', '.join(sorted(circle))}]")
    found = _references(template, made, conditions, "Outputs")
    for output in (template.get("Outputs") or {}).values():
        if not output.get("Condition") or conditions.get(output["Condition"], True):
            list(found.of([output["Value"], output.get("Export")]))
    _refuse_missing(found)


def _references(
    template: Mapping[str, Any], made: Mapping[str, Any], conditions: Mapping[str, bool], block: str
) -> References:
    declared = frozenset(template.get("Conditions") or {})
    return References(frozenset(made), frozenset(template.get("Parameters") or {}), conditions, declared, block)


def _refuse_missing(found: References) -> None:
    if found.missing:
        names = ", ".join(sorted(found.missing))
        where = f"in the {found.block} block of the template"
        raise ValueError(f"Template format error: Unresolved resource dependencies [{names}] {where}")


def _ordered_after(resource: Mapping[str, Any]) -> list[str]:
    after = resource.get("DependsOn", [])
    names = [after] if isinstance(after, str) else after
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError("Template format error: DependsOn must be a String or a List of Strings.")
    return names


def _circle(graph: Mapping[str, set[str]]) -> set[str]:
    """What remains when everything that depends on nothing is taken away, again and again."""
    left = {name: {other for other in after if other in graph} for name, after in graph.items()}
    while free := {name for name, after in left.items() if not after}:
        left = {name: after - free for name, after in left.items() if name not in free}
    return set(left)
