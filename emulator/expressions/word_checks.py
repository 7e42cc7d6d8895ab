"""Checks that need only an expression's own text: reserved words, list indexes, functions and repeated clauses.

They run in the order in which the expression is written, and the first mistake is reported.
"""

from collections.abc import Iterable
from typing import Final

from emulator.expressions.errors import Invalid
from emulator.expressions.functions import misplaced_function, wrong_count
from emulator.expressions.reserved_words import is_reserved
from emulator.expressions.syntax import (
    And,
    Arithmetic,
    Between,
    Call,
    Comparison,
    Condition,
    In,
    Not,
    Operand,
    Or,
    PathText,
    Update,
)

_LARGEST_INDEX: Final = 2**31 - 1
_UPDATE: Final = "UpdateExpression"


def check_condition(condition: Condition, slot: str) -> None:
    match condition:
        case And(conditions) | Or(conditions):
            for each in conditions:
                check_condition(each, slot)
        case Not(inner):
            check_condition(inner, slot)
        case Comparison(_, left, right):
            _check_operands((left, right), slot)
        case Between(operand, low, high):
            _check_operands((operand, low, high), slot)
        case In(operand, candidates):
            _check_operands((operand, *candidates), slot)
        case Call():
            _check_call(condition, slot, as_condition=True)


def check_update(update: Update) -> None:
    """AWS reads all clauses of one kind before it says that the kind is repeated."""
    for clause in dict.fromkeys(update.clauses):
        for action in update.actions:
            if action.clause == clause:
                _check_operands((action.path, *([action.operand] if action.operand else [])), _UPDATE)
        if update.clauses.count(clause) > 1:
            raise Invalid(f'Invalid {_UPDATE}: The "{clause}" section can only be used once in an update expression;')


def check_paths(paths: Iterable[PathText], slot: str) -> None:
    _check_operands(paths, slot)


def _check_operands(operands: Iterable[Operand], slot: str, *, is_nested: bool = False) -> None:
    for operand in operands:
        match operand:
            case PathText(parts):
                for part in parts:
                    _check_part(part, slot)
            case Call():
                _check_call(operand, slot, is_nested=is_nested)
            case Arithmetic(_, left, right):
                _check_operands((left, right), slot)


def _check_call(call: Call, slot: str, *, as_condition: bool = False, is_nested: bool = False) -> None:
    text = misplaced_function(call.name, slot, as_condition=as_condition, is_nested=is_nested)
    # In an update, AWS counts operands after it has looked up the names and values.
    if not text and slot != _UPDATE:
        text = wrong_count(call.name, len(call.arguments))
    if text:
        raise Invalid(f"Invalid {slot}: {text}")
    _check_operands(call.arguments, slot, is_nested=True)


def _check_part(part: str, slot: str) -> None:
    if part[0] == "[":
        if len(part) > 12 or int(part[1:-1]) > _LARGEST_INDEX:
            raise Invalid(f"Invalid {slot}: List index is not within the allowable range; index: {part}")
    elif part[0] != "#" and is_reserved(part):
        raise Invalid(f"Invalid {slot}: Attribute name is a reserved keyword; reserved keyword: {part}")
