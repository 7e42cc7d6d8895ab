"""Carries expressions that were read and checked before into the engine, and evaluates them there.

The engine expects texts. It gets a text that means nothing, with the bound tree attached. Everything it would do with
the text itself is replaced here.
"""

import decimal
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from emulator import engine
from emulator.expressions import numbers
from emulator.expressions.charges import update_charge
from emulator.expressions.errors import Invalid
from emulator.expressions.evaluation import holds
from emulator.expressions.key_conditions import KeyTerm
from emulator.expressions.projections import project
from emulator.expressions.set_values import WRONG_TYPE, set_value
from emulator.expressions.syntax import And, Arithmetic, Condition, Literal, Path, Projection, Update
from emulator.expressions.updates import apply_update
from emulator.expressions.value_checks import NESTING, normal_value

Data = dict[str, Any]

# Reads like a condition, a projection and, with SET, like an update to the engine's own checks.
_NEUTRAL, _NEUTRAL_UPDATE = "x", "SET"


class ConditionProgram(str):
    condition: Condition

    @classmethod
    def of(cls, condition: Condition, text: str = _NEUTRAL) -> "ConditionProgram":
        program = cls(text)
        program.condition = condition
        return program


class ProjectionProgram(str):
    projection: Projection

    @classmethod
    def of(cls, projection: Projection, text: str = _NEUTRAL) -> "ProjectionProgram":
        program = cls(text)
        program.projection = projection
        return program


class UpdateProgram(str):
    update: Update
    is_legacy: bool

    @classmethod
    def of(cls, update: Update, text: str = _NEUTRAL_UPDATE, *, is_legacy: bool = False) -> "UpdateProgram":
        program = cls(text)
        program.update, program.is_legacy = update, is_legacy
        return program


class KeyConditions(dict[str, Mapping[str, Any]]):
    """A Query's conditions as the engine reads KeyConditions. `condition` is what each row has to satisfy."""

    condition: Condition

    @classmethod
    def of(cls, terms: Sequence[KeyTerm]) -> "KeyConditions":
        spelled = {
            term.name: {"ComparisonOperator": term.operator, "AttributeValueList": list(term.values)} for term in terms
        }
        conditions = cls(spelled)
        conditions.condition = And(tuple(term.condition for term in terms))
        return conditions


def apply() -> None:
    """Replaces the engine's evaluation."""
    for function in (
        _evaluate_condition,
        _apply_update_expression,
        _update_request_charge,
        _project_item,
        _evaluate_key_conditions_item,
        _diff_attributes,
        _attribute_value_error,
        _ddb_canonicalize_number,
        _extract_key_val,
    ):
        setattr(engine.dynamodb, function.__name__, function)
    _calculate_exactly_in_statements()


def _calculate_exactly_in_statements() -> None:
    """Gives PartiQL's literals, + and - all digits. The rest of a statement is the engine's."""
    for context in (decimal.DefaultContext, decimal.getcontext()):
        context.prec = numbers.DIGITS
    evaluate: Callable[[Any, Data], Any] = engine.dynamodb._pq_eval

    def evaluate_exactly(node: Any, item: Data) -> Any:
        if node[0] != "arith":
            return evaluate(node, item)
        sides = [evaluate_exactly(side, item) for side in node[2:4]]
        if any(side is None or "N" not in side for side in sides):
            raise Invalid(WRONG_TYPE)
        return set_value(Arithmetic(node[1], Literal(sides[0]), Literal(sides[1])), item)

    engine.dynamodb._pq_eval = evaluate_exactly


def _evaluate_condition(expr: ConditionProgram, item: Data, *_texts: object, **_slot: object) -> bool:
    return holds(expr.condition, item)


def _evaluate_key_conditions_item(item: Data, key_conditions: KeyConditions, _pk_name: str) -> bool:
    return holds(key_conditions.condition, item)


def _apply_update_expression(
    item: Data, expr: UpdateProgram, _values: object, _names: object, updated_attrs: set[Any] | None = None
) -> tuple[Data, set[Any]]:
    updated = set() if updated_attrs is None else updated_attrs
    updated.update(action.path.parts for action in expr.update.actions)
    return apply_update(expr.update, item, legacy=expr.is_legacy), updated


def _update_request_charge(expr: UpdateProgram, _values: object, _names: object, item_before: Data) -> int:
    return 0 if expr.is_legacy else update_charge(expr.update, item_before)


def _project_item(item: Data, proj_expr: ProjectionProgram, _names: object) -> Data:
    return project(proj_expr.projection, item)


def _diff_attributes(
    old_item: Data, new_item: Data, updated_attrs: Iterable[tuple[Any, ...]], return_old: bool = True
) -> Data:
    paths = tuple(Path(parts) for parts in updated_attrs)
    return project(Projection(paths), old_item if return_old else new_item)


def _attribute_value_error(value: object) -> str | None:
    try:
        normal_value(value)
    except Invalid as failure:
        text = str(failure)
        return None if text == NESTING else text  # the engine counts levels itself
    return None


def _ddb_canonicalize_number(s: object) -> str | None:
    try:
        return numbers.canonical(s)
    except Invalid:
        return None


def _extract_key_val(attr: Any) -> str:
    """The text under which rows are stored: 1000 and 1e3 are one key."""
    if not attr:
        return ""
    if isinstance(attr, dict):
        if "S" in attr:
            return str(attr["S"])
        if "N" in attr:
            return numbers.canonical(attr["N"])
        if "B" in attr:
            return str(attr["B"])
    return str(attr)
