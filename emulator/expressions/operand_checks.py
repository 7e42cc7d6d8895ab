"""What operators and functions accept: document paths, values of certain types, and different operands."""

from collections.abc import Collection, Sequence
from typing import Final

from emulator.expressions import functions, values
from emulator.expressions.errors import Invalid
from emulator.expressions.paths import path_text
from emulator.expressions.syntax import Between, Call, In, Literal, Operand, Path
from emulator.expressions.values import Value

_MOST_CANDIDATES = 100
_NEED_PATH: Final = frozenset({"attribute_exists", "attribute_not_exists", "if_not_exists"})
_SIZED: Final = frozenset({"S", "B", "SS", "NS", "BS", "L", "M"})
_SCALARS: Final = ("S", "N", "B")
_TYPE_NAMES: Final = "{B,NULL,SS,BOOL,L,BS,N,NS,S,M}"
_ANY_TYPE: Final = "{NS,SS,L,BS,N,M,B,BOOL,NULL,S}"


def kind_of(operand: Operand) -> str | None:
    """The operand's type if the expression determines it."""
    if isinstance(operand, Literal):
        return values.type_of(operand.value)
    return "N" if isinstance(operand, Call) and operand.name == "size" else None


def check_kinds(operator: str, operands: Sequence[Operand], accepted: Collection[str], slot: str) -> None:
    for operand in operands:
        kind = kind_of(operand)
        if kind is not None and kind not in accepted:
            raise _wrong_kind(operator, kind, slot)


def check_distinct(operator: str, first: Operand, rest: Sequence[Operand], slot: str) -> None:
    if isinstance(first, Path) and first in rest:
        raise Invalid(
            f"Invalid {slot}: The first operand must be distinct from the remaining operands for this operator or "
            f"function; operator: {operator}, first operand: {path_text(first)}"
        )


def check_between(between: Between, slot: str) -> None:
    low, high = between.low, between.high
    check_distinct("BETWEEN", between.operand, (low, high), slot)
    check_kinds("BETWEEN", (between.operand, low, high), _SCALARS, slot)
    if not isinstance(low, Literal) or not isinstance(high, Literal):
        return
    order = values.order(low.value, high.value)
    if order is not None and order <= 0:
        return
    rule = "same data type for lower and upper bounds"
    if order is not None:
        rule = "upper bound to be greater than or equal to lower bound"
    raise Invalid(
        f"Invalid {slot}: The BETWEEN operator requires {rule}; lower bound operand: {_shown(low.value)}, "
        f"upper bound operand: {_shown(high.value)}"
    )


def check_in(within: In, slot: str) -> None:
    count = len(within.candidates)
    if count > _MOST_CANDIDATES:
        raise Invalid(
            f"Invalid {slot}: The IN operator is provided with too many operands; number of operands: {count}"
        )
    check_distinct("IN", within.operand, within.candidates, slot)


def check_call(call: Call, slot: str) -> None:
    if wrong := functions.wrong_count(call.name, len(call.arguments)):
        raise Invalid(f"Invalid {slot}: {wrong}")
    if call.name in _NEED_PATH and not isinstance(call.arguments[0], Path):
        raise Invalid(
            f"Invalid {slot}: Operator or function requires a document path; operator or function: {call.name}"
        )
    if call.name != "list_append":
        check_distinct(call.name, call.arguments[0], call.arguments[1:], slot)
    match call.name:
        case "size":
            check_kinds("size", call.arguments, _SIZED, slot)
        case "begins_with":
            check_kinds("begins_with", call.arguments, ("S", "B"), slot)
        case "list_append":
            check_kinds("list_append", call.arguments, ("L",), slot)
        case "attribute_type":
            _check_type_name(call.arguments[1], slot)


def _check_type_name(operand: Operand, slot: str) -> None:
    kind = kind_of(operand)
    if kind != "S" or not isinstance(operand, Literal):
        raise _wrong_kind("attribute_type", kind or _ANY_TYPE, slot)
    if operand.value["S"] not in values.TYPES:
        raise Invalid(
            f"Invalid {slot}: Invalid attribute type name found; type: {operand.value['S']}, valid types: {_TYPE_NAMES}"
        )


def _wrong_kind(operator: str, kind: str, slot: str) -> Invalid:
    return Invalid(
        f"Invalid {slot}: Incorrect operand type for operator or function; operator or function: {operator}, "
        f"operand type: {kind}"
    )


def _shown(value: Value) -> str:
    kind = values.type_of(value)
    content = value[kind]
    if kind == "B":
        size = len(values.raw(content))
        content = f"java.nio.HeapByteBuffer[pos=0 lim={size} cap={size}]"
    return f"AttributeValue: {{{kind}:{content}}}"
