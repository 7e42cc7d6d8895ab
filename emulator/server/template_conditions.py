"""Evaluates the conditions of a template. The engine compares what it does not understand as if it were text."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from emulator.server.template_form import text_of
from emulator.server.template_references import PSEUDO

# The value of a part of a template without resources, or None.
Resolve = Callable[[Any], Any]

_LEAST, _MOST = 2, 10


def evaluate_conditions(template: Mapping[str, Any], resolve: Resolve) -> dict[str, bool]:
    """Raises ValueError for a condition that AWS refuses, or that cannot be evaluated."""
    conditions = _Conditions(
        template.get("Conditions") or {}, resolve, PSEUDO | (template.get("Parameters") or {}).keys()
    )
    return {name: conditions.value_of(name) for name in conditions.defined}


@dataclass
class _Conditions:
    defined: Mapping[str, Any]
    resolve: Resolve
    values: frozenset[str]
    known: dict[str, bool] = field(default_factory=dict)
    open: list[str] = field(default_factory=list)

    def value_of(self, name: object) -> bool:
        if not isinstance(name, str) or name not in self.defined:
            raise ValueError(
                f"Template format error: Unresolved condition dependency {name} in the Conditions block of the template"
            )
        if name in self.open:
            raise ValueError(f"Circular dependency between conditions: [{', '.join(sorted(self.open))}]")
        if name not in self.known:
            self.open.append(name)
            self.known[name] = self._evaluate(self.defined[name])
            self.open.remove(name)
        return self.known[name]

    def _evaluate(self, expression: Any) -> bool:
        is_call = isinstance(expression, dict) and len(expression) == 1
        function, argument = next(iter(expression.items())) if is_call else ("", None)
        if function == "Condition":
            return self.value_of(argument)
        parts = argument if isinstance(argument, list) else []
        if function == "Fn::Equals" and len(parts) == _LEAST:
            return self._text(parts[0]) == self._text(parts[1])
        if function == "Fn::Not" and len(parts) == 1:
            return not self._evaluate(parts[0])
        if function in ("Fn::And", "Fn::Or") and _LEAST <= len(parts) <= _MOST:
            values = [self._evaluate(part) for part in parts]
            return all(values) if function == "Fn::And" else any(values)
        raise ValueError(
            "Template format error: Every Conditions member must be a condition function with its arguments."
        )

    def _text(self, value: object) -> str:
        for name in _names(value):
            if name not in self.values:
                raise ValueError(
                    f"Template format error: Unresolved dependencies [{name}]. Cannot reference resources in the"
                    " Conditions block of the template"
                )
        found = self.resolve(value)
        if found is None or isinstance(found, (dict, list)):
            raise ValueError("Template format error: Fn::Equals cannot be evaluated here: a part of it is not a text.")
        return text_of(found)


def _names(value: object) -> list[str]:
    if isinstance(value, list):
        return [name for part in value for name in _names(part)]
    if not isinstance(value, dict):
        return []
    own = [str(value["Ref"])] if "Ref" in value else []
    return own + [name for part in value.values() for name in _names(part)]
