"""The syntax tree of expressions.

The parsers produce it with `PathText` and `ValueName` in it. Binding replaces these by `Path` and `Literal`. The legacy
parameters are turned into the bound form directly.
"""

from dataclasses import dataclass
from typing import Any

from emulator.expressions.values import Value


@dataclass(frozen=True, slots=True)
class PathText:
    """A document path as it is written: names, aliases such as #n, and list indexes as texts of digits in brackets."""

    parts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ValueName:
    name: str


@dataclass(frozen=True, slots=True)
class Path:
    parts: tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Literal:
    value: Value


@dataclass(frozen=True, slots=True)
class Call:
    name: str
    arguments: tuple["Operand", ...]


@dataclass(frozen=True, slots=True)
class Arithmetic:
    sign: str
    left: "Operand"
    right: "Operand"


Operand = PathText | ValueName | Path | Literal | Call | Arithmetic


@dataclass(frozen=True, slots=True)
class Comparison:
    operator: str
    left: Operand
    right: Operand


@dataclass(frozen=True, slots=True)
class Between:
    operand: Operand
    low: Operand
    high: Operand


@dataclass(frozen=True, slots=True)
class In:
    operand: Operand
    candidates: tuple[Operand, ...]


@dataclass(frozen=True, slots=True)
class Not:
    condition: "Condition"


@dataclass(frozen=True, slots=True)
class And:
    conditions: tuple["Condition", ...]


@dataclass(frozen=True, slots=True)
class Or:
    conditions: tuple["Condition", ...]


Condition = Comparison | Between | In | Not | And | Or | Call


@dataclass(frozen=True, slots=True)
class Action:
    """One change of an update. `operand` is None for REMOVE."""

    clause: str
    path: PathText | Path
    operand: Operand | None


@dataclass(frozen=True, slots=True)
class Update:
    """`clauses` are the keywords in the order in which they are written."""

    clauses: tuple[str, ...]
    actions: tuple[Action, ...]


@dataclass(frozen=True, slots=True)
class Projection:
    paths: tuple[PathText | Path, ...]


Node = Any  # an Operand, Condition, Action, Update or Projection
