"""Puts the request's names and values into a parsed expression, and checks the operands' types and numbers.

Operands are visited before their operator, in the order in which AWS reports mistakes.
"""

from collections.abc import Iterable
from typing import Final

from emulator.expressions.errors import Invalid
from emulator.expressions.operand_checks import (
    check_between,
    check_call,
    check_distinct,
    check_in,
    check_kinds,
    kind_of,
)
from emulator.expressions.paths import check_apart
from emulator.expressions.placeholders import Placeholders
from emulator.expressions.syntax import (
    Action,
    And,
    Arithmetic,
    Between,
    Call,
    Comparison,
    Condition,
    In,
    Literal,
    Not,
    Operand,
    Or,
    Path,
    PathText,
    Projection,
    Update,
    ValueName,
)

_UPDATE: Final = "UpdateExpression"
_PROJECTION: Final = "ProjectionExpression"
_DEEPEST = 32
_ORDERED: Final = frozenset({"<", "<=", ">", ">="})
_ADDED: Final = {"ADD": ("N", "SS", "NS", "BS"), "DELETE": ("SS", "NS", "BS")}
_LONG_NAMES: Final = {
    "S": "STRING", "N": "NUMBER", "B": "BINARY", "BOOL": "BOOLEAN", "NULL": "NULL", "L": "LIST", "M": "MAP",
    "SS": "STRING_SET", "NS": "NUMBER_SET", "BS": "BINARY_SET",
}  # fmt: skip


def bind_condition(condition: Condition, placeholders: Placeholders, slot: str) -> Condition:
    return _Binder(placeholders, slot).condition(condition)


def bind_update(update: Update, placeholders: Placeholders) -> Update:
    """AWS compares the paths before it looks at values, and then checks the actions from the last to the first."""
    binder = _Binder(placeholders, _UPDATE)
    check_apart([binder.path(action.path) for action in update.actions], _UPDATE)
    for action in reversed(update.actions):
        binder.check_names(action.operand)
    bound = [binder.action(action) for action in reversed(update.actions)]
    return Update(update.clauses, tuple(reversed(bound)))


def bind_projection(projection: Projection, placeholders: Placeholders) -> Projection:
    binder = _Binder(placeholders, _PROJECTION)
    paths = tuple(binder.path(path) for path in projection.paths)
    check_apart(paths, _PROJECTION)
    return Projection(paths)


class _Binder:
    def __init__(self, placeholders: Placeholders, slot: str) -> None:
        self._placeholders = placeholders
        self._slot = slot

    def condition(self, condition: Condition) -> Condition:
        match condition:
            case And(conditions):
                return And(tuple(map(self.condition, conditions)))
            case Or(conditions):
                return Or(tuple(map(self.condition, conditions)))
            case Not(inner):
                return Not(self.condition(inner))
            case Comparison(operator, left, right):
                return self._comparison(operator, self.operand(left), self.operand(right))
            case Between(operand, low, high):
                bound = Between(self.operand(operand), self.operand(low), self.operand(high))
                check_between(bound, self._slot)
                return bound
            case In(operand, candidates):
                within = In(self.operand(operand), self._operands(candidates))
                check_in(within, self._slot)
                return within
            case Call():
                return self._call(condition)

    def operand(self, operand: Operand) -> Operand:
        match operand:
            case PathText() | Path():
                return self.path(operand)
            case ValueName(name):
                return Literal(self._placeholders.value(name, self._slot))
            case Call():
                return self._call(operand)
            case Arithmetic(sign, left, right):
                first, second = self.operand(left), self.operand(right)
                check_kinds(sign, (first, second), ("N",), self._slot)
                return Arithmetic(sign, first, second)
            case _:
                return operand

    def path(self, path: PathText | Path) -> Path:
        if isinstance(path, Path):
            return path
        parts = tuple(
            int(part[1:-1]) if part[0] == "[" else self._placeholders.name(part, self._slot) for part in path.parts
        )
        if len(parts) > _DEEPEST:
            raise Invalid(
                f"Invalid {self._slot}: The document path has too many nesting levels; nesting levels: {len(parts)}"
            )
        return Path(parts)

    def action(self, action: Action) -> Action:
        path = self.path(action.path)
        if action.operand is None:
            return Action(action.clause, path, None)
        operand = self.operand(action.operand)
        kind = kind_of(operand)
        if action.clause in _ADDED and kind not in _ADDED[action.clause]:
            raise Invalid(
                f"Invalid {_UPDATE}: Incorrect operand type for operator or function; operator: {action.clause}, "
                f"operand type: {_LONG_NAMES[str(kind)]}, typeSet: ALLOWED_FOR_{action.clause}_OPERAND"
            )
        return Action(action.clause, path, operand)

    def check_names(self, operand: Operand | None) -> None:
        match operand:
            case PathText():
                self.path(operand)
            case Call(_, arguments):
                for argument in arguments:
                    self.check_names(argument)
            case Arithmetic(_, left, right):
                self.check_names(left)
                self.check_names(right)

    def _comparison(self, operator: str, left: Operand, right: Operand) -> Comparison:
        check_distinct(operator, left, (right,), self._slot)
        if operator in _ORDERED:
            check_kinds(operator, (left, right), ("S", "N", "B"), self._slot)
        return Comparison(operator, left, right)

    def _call(self, call: Call) -> Call:
        bound = Call(call.name, self._operands(call.arguments))
        check_call(bound, self._slot)
        return bound

    def _operands(self, operands: Iterable[Operand]) -> tuple[Operand, ...]:
        return tuple(map(self.operand, operands))
