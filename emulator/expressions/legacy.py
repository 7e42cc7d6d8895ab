"""Turns the legacy parameters into the syntax tree of expressions, after AWS's checks of them.

"Legacy conditional parameters" of the developer guide lists them. An attribute's name is one name here: dots in it mean
nothing.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from emulator.expressions.errors import Invalid, has_older_words, invalid_parameter
from emulator.expressions.placeholders import check_attribute_names
from emulator.expressions.syntax import (
    Action,
    And,
    Between,
    Call,
    Comparison,
    Condition,
    In,
    Literal,
    Not,
    Or,
    Path,
    Projection,
    Update,
)
from emulator.expressions.value_checks import normal_value
from emulator.expressions.values import SETS, Value, order, type_of

_COMPARISONS: Final = {"EQ": "=", "NE": "<>", "LE": "<=", "LT": "<", "GE": ">=", "GT": ">"}
_SCALARS: Final = ("S", "N", "B")
_ACCEPTED: Final[dict[str, Collection[str]]] = {
    **dict.fromkeys(("LE", "LT", "GE", "GT", "BETWEEN", "IN", "CONTAINS", "NOT_CONTAINS"), _SCALARS),
    "BEGINS_WITH": ("S", "B"),
}
_COUNTS: Final = {"NULL": (0, 0), "NOT_NULL": (0, 0), "BETWEEN": (2, 2), "IN": (1, 2**31)}
OPERATORS: Final = (
    "IN", "NULL", "BETWEEN", "LT", "NOT_CONTAINS", "EQ", "GT", "NOT_NULL", "NE", "LE", "BEGINS_WITH", "GE", "CONTAINS"
)  # fmt: skip
_ADDABLE: Final = SETS | {"N", "L"}
_ACTIONS: Final = ("ADD", "PUT", "DELETE")

Conditions = Mapping[str, Mapping[str, Any]]


def filter_condition(conditions: Conditions, parameter: str, operator: str | None) -> Condition | None:
    """For QueryFilter and ScanFilter; None if there are no conditions. `operator` is the ConditionalOperator."""
    check_conditional_operator(operator, len(conditions))
    terms = [
        _term(name, _operator(parameter, name, given), _values(given)) for name, given in checked(conditions).items()
    ]
    return joined(terms, operator)


def expected_condition(expected: Conditions, operator: str | None) -> Condition | None:
    check_conditional_operator(operator, len(expected))
    terms = [_expectation(name, given) for name, given in checked(expected).items()]
    return joined(terms, operator)


def attribute_updates(updates: Conditions) -> Update:
    check_attribute_names(updates)
    actions = tuple(_action(name, update) for name, update in updates.items())
    return Update(tuple(dict.fromkeys(action.clause for action in actions)), actions)


def attributes_to_get(names: Sequence[str]) -> Projection:
    if not names:
        raise Invalid(
            "1 validation error detected: Value '[]' at 'attributesToGet' failed to satisfy constraint: "
            "Member must have length greater than or equal to 1"
        )
    check_attribute_names(names)
    for name, count in Counter(names).items():
        if count > 1:
            raise invalid_parameter(f"Duplicate value in attribute name: {name}")
    return Projection(tuple(Path((name,)) for name in names))


def key_condition(conditions: Conditions) -> list[tuple[str, str, tuple[Value, ...]]]:
    """(attribute, operator, values) of each of the KeyConditions."""
    return [
        (name, _operator("keyConditions", name, given), _checked_values(_operator("", name, given), _values(given)))
        for name, given in checked(conditions).items()
    ]


def checked(conditions: Conditions) -> Conditions:
    check_attribute_names(conditions)
    return conditions


def check_conditional_operator(operator: str | None, count: int) -> None:
    if operator is None:
        return
    if operator not in ("AND", "OR") and not has_older_words():
        raise Invalid("Failed to satisfy constraint: Member must satisfy enum value set: [ALL, OR]")
    if operator not in ("AND", "OR"):
        raise Invalid(
            f"1 validation error detected: Value '{operator}' at 'conditionalOperator' failed to satisfy constraint: "
            "Member must satisfy enum value set: [OR, AND]"
        )
    if not count:
        raise Invalid("ConditionalOperator cannot be used without Filter or Expected")
    if count == 1:
        raise Invalid("ConditionalOperator can only be used when Filter or Expected has two or more elements")


def joined(terms: Sequence[Condition], operator: str | None) -> Condition | None:
    if len(terms) < 2:
        return terms[0] if terms else None
    return Or(tuple(terms)) if operator == "OR" else And(tuple(terms))


def _operator(parameter: str, name: str, given: Mapping[str, Any]) -> str:
    operator = given.get("ComparisonOperator")
    if operator in OPERATORS:
        return str(operator)
    constraint = f"Member must satisfy enum value set: [{', '.join(OPERATORS)}]"
    shown = "null" if operator is None else f"'{operator}'"
    if operator is None:
        constraint = "Member must not be null"
    member = f"{parameter}.{name}.member.comparisonOperator"
    raise Invalid(
        f"1 validation error detected: Value {shown} at '{member}' failed to satisfy constraint: {constraint}"
    )


def _values(given: Mapping[str, Any]) -> list[Value]:
    return [normal_value(value) for value in given.get("AttributeValueList") or ()]


def _checked_values(operator: str, values: Sequence[Value]) -> tuple[Value, ...]:
    least, most = _COUNTS.get(operator, (1, 1))
    if not least <= len(values) <= most:
        raise invalid_parameter(f"Invalid number of argument(s) for the {operator} ComparisonOperator")
    kinds = [type_of(value) for value in values]
    if len(set(kinds)) > 1:
        raise invalid_parameter("AttributeValues inside AttributeValueList must be of same type")
    for kind in kinds:
        if kind not in _ACCEPTED.get(operator, (kind,)):
            raise invalid_parameter(f"ComparisonOperator {operator} is not valid for {kind} AttributeValue type")
    if operator == "BETWEEN" and (order(values[0], values[1]) or 0) > 0:
        raise Invalid(
            "The BETWEEN condition was provided a range where the lower bound is greater than the upper bound"
        )
    return tuple(values)


def _term(name: str, operator: str, given: Sequence[Value]) -> Condition:
    path = Path((name,))
    values = tuple(map(Literal, _checked_values(operator, given)))
    if operator in _COMPARISONS:
        return Comparison(_COMPARISONS[operator], path, values[0])
    match operator:
        case "BETWEEN":
            return Between(path, values[0], values[1])
        case "IN":
            return In(path, values)
        case "NULL":
            return Call("attribute_not_exists", (path,))
        case "NOT_NULL":
            return Call("attribute_exists", (path,))
        case "BEGINS_WITH":
            return Call("begins_with", (path, values[0]))
        case "CONTAINS":
            return Call("contains", (path, values[0]))
        case _:
            absent = Not(Call("contains", (path, values[0])))
            return And((Call("attribute_exists", (path,)), absent))


def _expectation(name: str, given: Mapping[str, Any]) -> Condition:
    if "Value" in given and "AttributeValueList" in given:
        raise invalid_parameter(f"Value and AttributeValueList cannot be used together for Attribute: {name}")
    if "ComparisonOperator" in given:
        return _compared_expectation(name, given)
    if "AttributeValueList" in given:
        raise invalid_parameter(f"AttributeValueList can only be used with a ComparisonOperator for Attribute: {name}")
    exists, path = given.get("Exists"), Path((name,))
    if exists is False:
        if "Value" in given:
            raise invalid_parameter(f"Value cannot be used when Exists is false for Attribute: {name}")
        return Call("attribute_not_exists", (path,))
    if "Value" not in given:
        shown = "null" if exists is None else "true"
        raise invalid_parameter(f"Value must be provided when Exists is {shown} for Attribute: {name}")
    return Comparison("=", path, Literal(normal_value(given["Value"])))


def _compared_expectation(name: str, given: Mapping[str, Any]) -> Condition:
    operator = _operator("expected", name, given)
    if "Exists" in given:
        raise invalid_parameter(f"Exists and ComparisonOperator cannot be used together for Attribute: {name}")
    if operator not in ("NULL", "NOT_NULL") and not given.keys() & {"Value", "AttributeValueList"}:
        raise invalid_parameter(
            f"Value or AttributeValueList must be used with ComparisonOperator: {operator} for Attribute: {name}"
        )
    return _term(name, operator, [normal_value(given["Value"])] if "Value" in given else _values(given))


def _action(name: str, update: Mapping[str, Any]) -> Action:
    action, path = update.get("Action", "PUT"), Path((name,))
    if action not in _ACTIONS:
        raise Invalid(
            f"1 validation error detected: Value '{action}' at 'attributeUpdates.{name}.member.action' failed to "
            f"satisfy constraint: Member must satisfy enum value set: [{', '.join(_ACTIONS)}]"
        )
    if update.get("Value") is None:
        if action != "DELETE":
            raise invalid_parameter("Only DELETE action is allowed when no attribute value is specified")
        return Action("REMOVE", path, None)
    value = normal_value(update["Value"])
    kind = type_of(value)
    if action == "DELETE" and kind not in SETS:
        raise invalid_parameter(f"DELETE action with value is not supported for the type {kind}")
    if action == "ADD" and kind not in _ADDABLE:
        raise invalid_parameter(f"ADD action is not supported for the type {kind}")
    return Action("SET" if action == "PUT" else action, path, Literal(value))
