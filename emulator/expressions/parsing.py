"""Reads conditions, updates and projections, and refuses what is wrong in them whatever the request defines.

The parsed trees are kept, because clients send the same few texts again and again.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from emulator.expressions.condition_parser import ConditionParser
from emulator.expressions.cursor import Cursor
from emulator.expressions.errors import Invalid
from emulator.expressions.lexer import COMPARATORS, Token
from emulator.expressions.syntax import Action, Condition, Operand, Projection, Update
from emulator.expressions.word_checks import check_condition, check_paths, check_update

CONDITION: Final = "ConditionExpression"
FILTER: Final = "FilterExpression"
KEY_CONDITION: Final = "KeyConditionExpression"
UPDATE: Final = "UpdateExpression"
PROJECTION: Final = "ProjectionExpression"

LONGEST = 4096
"""In bytes. A longer expression is always refused."""
_MOST_OPERATORS = 300
_COUNTED: Final = COMPARATORS | {"AND", "OR", "NOT", "IN", "+", "-"}


@lru_cache(maxsize=1024)
def parse_condition(text: str, slot: str) -> Condition:
    """For ConditionExpression, FilterExpression and KeyConditionExpression, named by `slot`."""
    _check_length(text, slot)
    parser = ConditionParser(text, slot)
    condition = parser.condition()
    _check_operators(parser.tokens, slot)
    check_condition(condition, slot)
    return condition


@lru_cache(maxsize=1024)
def parse_update(text: str) -> Update:
    _check_length(text, UPDATE)
    cursor = Cursor(text, UPDATE)
    clauses: list[str] = []
    actions: list[Action] = []
    while True:
        if not cursor.at("SET", "REMOVE", "ADD", "DELETE"):
            cursor.fail()
        clauses.append(cursor.take().kind)
        actions += _actions(cursor, clauses[-1])
        if cursor.at("<EOF>"):
            break
    _check_operators(cursor.tokens, UPDATE)
    update = Update(tuple(clauses), tuple(actions))
    check_update(update)
    return update


@lru_cache(maxsize=1024)
def parse_projection(text: str) -> Projection:
    _check_length(text, PROJECTION)
    cursor = Cursor(text, PROJECTION)
    paths = [cursor.path()]
    while cursor.at(","):
        cursor.take()
        paths.append(cursor.path())
    cursor.expect("<EOF>")
    check_paths(paths, PROJECTION)
    return Projection(tuple(paths))


def _actions(cursor: Cursor, clause: str) -> Iterable[Action]:
    yield _action(cursor, clause)
    while cursor.at(","):
        cursor.take()
        yield _action(cursor, clause)


def _action(cursor: Cursor, clause: str) -> Action:
    path = cursor.path()
    if clause == "REMOVE":
        return Action(clause, path, None)
    if clause != "SET":
        return Action(clause, path, cursor.value())
    cursor.expect("=")
    return Action(clause, path, _set_operand(cursor))


def _set_operand(cursor: Cursor) -> Operand:
    return cursor.operand(with_arithmetic=True)


def _check_length(text: str, slot: str) -> None:
    if not text.strip():
        raise Invalid(f"Invalid {slot}: The expression can not be empty;")
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > LONGEST:
        shown = "" if slot == UPDATE else f" expression size: {size}"
        raise Invalid(f"Invalid {slot}: Expression size has exceeded the maximum allowed size;{shown}")


def _check_operators(tokens: Iterable[Token], slot: str) -> None:
    """The AND of BETWEEN counts for BETWEEN. In an update, = is no operator."""
    counted = _COUNTED - {"="} if slot == UPDATE else _COUNTED
    if sum(token.kind in counted for token in tokens) > _MOST_OPERATORS:
        count = _MOST_OPERATORS + 1
        raise Invalid(f"Invalid {slot}: The expression contains too many operators; operator count: {count}")
