"""Says whether a bound condition holds for an item. Operands that find nothing make comparisons false, but <> true."""

from collections.abc import Callable
from typing import Any, Final

from emulator.expressions import values
from emulator.expressions.paths import find
from emulator.expressions.syntax import And, Between, Call, Comparison, Condition, In, Literal, Not, Operand, Or, Path
from emulator.expressions.values import Item, Value


def holds(condition: Condition, item: Item) -> bool:
    return _HOLDS[type(condition)](condition, item)


def operand_value(operand: Operand, item: Item) -> Value | None:
    if isinstance(operand, Literal):
        return operand.value
    if isinstance(operand, Path):
        return find(operand, item)
    return _size(operand, item) if isinstance(operand, Call) and operand.name == "size" else None


def _size(call: Call, item: Item) -> Value | None:
    value = operand_value(call.arguments[0], item)
    size = values.size_of(value) if value is not None else None
    return None if size is None else {"N": str(size)}


def _and(condition: And, item: Item) -> bool:
    return all(holds(each, item) for each in condition.conditions)


def _or(condition: Or, item: Item) -> bool:
    return any(holds(each, item) for each in condition.conditions)


def _not(condition: Not, item: Item) -> bool:
    return not holds(condition.condition, item)


def _comparison(condition: Comparison, item: Item) -> bool:
    left, right = operand_value(condition.left, item), operand_value(condition.right, item)
    operator = condition.operator
    if left is None or right is None:
        return operator == "<>"
    if operator in ("=", "<>"):
        return values.equal(left, right) is (operator == "=")
    order = values.order(left, right)
    return order is not None and _ORDERS[operator](order)


def _between(condition: Between, item: Item) -> bool:
    value = operand_value(condition.operand, item)
    low, high = operand_value(condition.low, item), operand_value(condition.high, item)
    if value is None or low is None or high is None:
        return False
    above, below = values.order(value, low), values.order(value, high)
    return above is not None and below is not None and above >= 0 >= below


def _in(condition: In, item: Item) -> bool:
    value = operand_value(condition.operand, item)
    if value is None:
        return False
    candidates = (operand_value(each, item) for each in condition.candidates)
    return any(candidate is not None and values.equal(value, candidate) for candidate in candidates)


def _call(condition: Call, item: Item) -> bool:
    found = operand_value(condition.arguments[0], item)
    if condition.name == "attribute_not_exists":
        return found is None
    if found is None or condition.name == "attribute_exists":
        return found is not None
    given = operand_value(condition.arguments[1], item)
    if given is None:
        return False
    if condition.name == "attribute_type":
        return given == {"S": values.type_of(found)}
    return (values.begins_with if condition.name == "begins_with" else values.contains)(found, given)


_ORDERS: Final[dict[str, Callable[[int], bool]]] = {
    "<": lambda order: order < 0,
    "<=": lambda order: order <= 0,
    ">": lambda order: order > 0,
    ">=": lambda order: order >= 0,
}
_HOLDS: Final[dict[type, Callable[[Any, Item], bool]]] = {
    And: _and,
    Or: _or,
    Not: _not,
    Comparison: _comparison,
    Between: _between,
    In: _in,
    Call: _call,
}
