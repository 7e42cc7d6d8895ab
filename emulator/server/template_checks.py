"""Refuses a template that asks for more than is served here, before a stack is made of it.

The refusal names the resource, the type, property or policy, and what is served instead. Values that depend on another
resource are known only later; `role_policies.py` checks policies when the resource is made.
"""

import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from emulator import engine
from emulator.server.property_types import type_problems
from emulator.server.served_settings import RECORDED, SERVED, Either, Unknown, problems_of
from emulator.server.template_conditions import evaluate_conditions
from emulator.server.template_form import check_form, check_transforms, with_text_values
from emulator.server.template_references import check_references
from emulator.server.template_values import value_problems

_AWS_POLICIES = "arn:aws:iam::aws:policy/"
_UNRECOGNIZED = "Template format error: Unrecognized resource types: ["
_RESOLVABLE = frozenset({"Ref", "Fn::Sub", "Fn::Join", "Fn::FindInMap", "Fn::Select"})
# Stands for the stack's name, which is not known while conditions are evaluated.
_NAMELESS = "\0"

Validate = Callable[..., None]


def refuse_unserved() -> None:
    """Takes the types that are not served from the engine, and checks each template before the engine does."""
    handlers = engine.provisioners._RESOURCE_HANDLERS
    for kind in handlers.keys() - SERVED.keys() - set(RECORDED):
        del handlers[kind]
    validate: Validate = engine.stack_handlers.validate_template_support

    def validate_and_check(
        template: Mapping[str, Any], conditions: Mapping[str, bool], params: Mapping[str, Any] | None = None
    ) -> None:
        try:
            validate(template, conditions, params=params)
        except ValueError as failure:
            if str(failure).startswith(_UNRECOGNIZED):
                raise ValueError(f"{failure}. {_served_types()}") from failure
            raise
        if not template.get("Transform"):  # only validated, and not expanded
            check_form(template)
            check_references(template, conditions)
            check_template(Template(template, conditions, params))

    for module in (engine.stack_handlers, engine.change_sets):
        module.validate_template_support = validate_and_check


def check_before_reading() -> None:
    """Checks a template's form before the engine reads its parameters, and evaluates its conditions."""
    parse, resolve = engine.stack_handlers._parse_template, engine.stack_handlers._resolve_parameters

    def parse_and_check(body: str) -> dict[str, Any]:
        template: dict[str, Any] = parse(body)
        check_transforms(template)
        return template

    def check_and_resolve(template: Mapping[str, Any], given: list[dict[str, Any]], *previous: Any) -> Any:
        check_form(template, [str(parameter.get("Key")) for parameter in given])
        return resolve(with_text_values(template), given, *previous)

    for module in (engine.stack_handlers, engine.change_sets):
        module._parse_template = parse_and_check
        module._resolve_parameters = check_and_resolve
    for module in (engine.stack_handlers, engine.change_sets, engine.stacks):
        module._evaluate_conditions = _evaluate_conditions


def _evaluate_conditions(template: Mapping[str, Any], params: Mapping[str, Any]) -> dict[str, bool]:
    mappings = template.get("Mappings") or {}

    def resolve(value: Any) -> Any:
        found = engine.stacks._resolve_refs(copy.deepcopy(value), {}, params, {}, mappings, _NAMELESS, _NAMELESS)
        if _NAMELESS in str(found):
            raise ValueError("Template format error: A condition on the name of the stack is not served here.")
        return found

    return evaluate_conditions(template, resolve)


@dataclass(frozen=True, slots=True)
class Template:
    """`params` is None while the template is only validated. Then only what needs no parameter is checked."""

    document: Mapping[str, Any]
    conditions: Mapping[str, bool]
    params: Mapping[str, Any] | None

    def resources(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Those that will be made, by name."""
        for name, resource in (self.document.get("Resources") or {}).items():
            if not isinstance(resource, dict):  # the engine refuses it
                continue
            condition = resource.get("Condition")
            if not condition or self.conditions.get(condition, True):
                yield name, resource

    def resolve(self, value: object) -> Any:
        """The value, with `Unknown` in place of what is known only later."""
        if isinstance(value, list):
            return [self.resolve(part) for part in value]
        if not isinstance(value, dict):
            return value
        function = next(iter(value), None) if len(value) == 1 else None
        if function == "Fn::If":
            return self._branch(value["Fn::If"])
        if value == {"Ref": "AWS::NoValue"}:
            return None
        if function in _RESOLVABLE and self.params is not None:
            return self._static(value)
        if function is not None and str(function).startswith(("Fn::", "Ref")):
            return Unknown()
        return {name: self.resolve(part) for name, part in value.items()}

    def _branch(self, parts: object) -> object:
        if not isinstance(parts, list) or len(parts) != 3 or not isinstance(parts[0], str):
            return Unknown()
        condition, chosen, otherwise = parts
        if condition not in self.conditions:
            return Either([self.resolve(chosen), self.resolve(otherwise)])
        return self.resolve(chosen if self.conditions[condition] else otherwise)

    def _static(self, value: dict[str, Any]) -> object:
        resources, mappings = self.document.get("Resources") or {}, self.document.get("Mappings") or {}
        parts = (copy.deepcopy(value), resources, self.params, self.conditions, mappings, "stack", "stack")
        try:
            found = engine.stacks._static_property(*parts)
        except (ValueError, LookupError, TypeError):  # the engine reports it with its place
            return Unknown()
        return Unknown() if found is None else found


def check_template(template: Template) -> None:
    """Raises ValueError with every problem of the template."""
    problems: list[str] = []
    mistakes: list[str] = []
    for name, resource in template.resources():
        kind = str(resource.get("Type", "AWS::CloudFormation::CustomResource"))
        if kind in RECORDED:
            continue
        if kind not in SERVED:
            raise ValueError(f"{_UNRECOGNIZED}{kind}]. {_served_types()}")
        settings = template.resolve(resource.get("Properties") or {})
        if not isinstance(settings, dict):
            raise ValueError(f"{name} ({kind}): Properties must be an object.")  # noqa: TRY004 - the engine's kind of error
        found = [*problems_of(SERVED[kind], settings), *_policy_problems(settings)]
        if found:
            problems.append(f"{name} ({kind}): {' '.join(found)}")
        elif wrong := type_problems(kind, settings) or value_problems(kind, settings):
            mistakes.append(f"Properties validation failed for resource {name} with message: [{', '.join(wrong)}]")
    if problems:
        raise ValueError(f"Not served by the local AWS: {' '.join(problems)}")
    if mistakes:
        raise ValueError(" ".join(mistakes))


def check_policies(arns: list[str]) -> None:
    """Raises ValueError for the first managed policy that does not exist or is not served."""
    for arn in arns:
        if engine.iam._lookup_policy(arn) is None:
            raise ValueError(_unserved_policy(arn) if arn.startswith(_AWS_POLICIES) else _missing_policy(arn))


def _policy_problems(settings: Mapping[str, Any]) -> Iterator[str]:
    attached = settings.get("ManagedPolicyArns")
    for arn in (*(attached if isinstance(attached, list) else ()), settings.get("PermissionsBoundary")):
        if isinstance(arn, str) and arn.startswith(_AWS_POLICIES) and engine.iam._lookup_policy(arn) is None:
            yield _unserved_policy(arn)


def _unserved_policy(arn: str) -> str:
    served = sorted(known.removeprefix(_AWS_POLICIES) for known in engine.iam._aws_managed_policies)
    return f"The policy {arn} is not served here. Policies of AWS that are: {', '.join(served)}."


def _missing_policy(arn: str) -> str:
    return f"Policy {arn} does not exist or is not attachable."


def _served_types() -> str:
    return f"Served here: {', '.join(sorted(SERVED))}. Recorded without effect: {', '.join(RECORDED)}."
