"""Reads a condition. It keeps its own stack of open parentheses, so deep nesting does not exhaust Python's."""

from dataclasses import dataclass, field

from emulator.expressions.cursor import Cursor
from emulator.expressions.lexer import COMPARATORS
from emulator.expressions.syntax import (
    And,
    Between,
    Call,
    Comparison,
    Condition,
    In,
    Not,
    Operand,
    Or,
    PathText,
    ValueName,
)

# A path or value alone is a term only between parentheses, before an operator.
Term = Condition | Operand


@dataclass(slots=True)
class _Group:
    """What was read since a parenthesis opened: finished alternatives, terms joined by AND, and NOTs to apply."""

    alternatives: list[Condition] = field(default_factory=list)
    terms: list[Condition] = field(default_factory=list)
    negations: int = 0

    @property
    def is_empty(self) -> bool:
        return not (self.alternatives or self.terms or self.negations)

    def add(self, condition: Condition) -> None:
        for _ in range(self.negations):
            condition = Not(condition)
        self.negations = 0
        self.terms.append(condition)

    def close_alternative(self) -> None:
        self.alternatives.append(self.terms[0] if len(self.terms) == 1 else And(tuple(self.terms)))
        self.terms = []

    def close(self) -> Condition:
        self.close_alternative()
        return self.alternatives[0] if len(self.alternatives) == 1 else Or(tuple(self.alternatives))


class ConditionParser(Cursor):
    def condition(self) -> Condition:
        groups = [_Group()]
        while True:
            self._open(groups)
            term: Term = self.simple_operand()
            wrapped = False
            while True:
                term, wrapped = self._compared(term, wrapped=wrapped, may_be_bare=self._may_be_bare(groups))
                if not self._closes(groups):
                    break
                term, wrapped = self._close(groups, term, wrapped=wrapped), True
            if isinstance(term, (PathText, ValueName)):
                self.fail()
            groups[-1].add(term)  # type: ignore[arg-type]
            if self.at("<EOF>") and len(groups) == 1:
                return groups[0].close()
            if not self.at("AND", "OR"):
                self.fail()
            if self.take().kind == "OR":
                groups[-1].close_alternative()

    def _open(self, groups: list[_Group]) -> None:
        while self.at("NOT", "("):
            if self.take().kind == "NOT":
                groups[-1].negations += 1
            else:
                groups.append(_Group())

    def _may_be_bare(self, groups: list[_Group]) -> bool:
        return len(groups) > 1 and groups[-1].is_empty and self.at(")")

    def _closes(self, groups: list[_Group]) -> bool:
        return len(groups) > 1 and self.at(")")

    def _close(self, groups: list[_Group], term: Term, *, wrapped: bool) -> Term:
        group = groups.pop()
        self.take()
        if group.is_empty:
            if wrapped:
                raise self.redundant()
            return term
        group.add(term)  # type: ignore[arg-type]
        return group.close()

    def _compared(self, term: Term, *, wrapped: bool, may_be_bare: bool) -> tuple[Term, bool]:
        """Reads what follows an operand. A condition is returned as it is, with `wrapped`."""
        if not isinstance(term, (PathText, ValueName, Call)):
            return term, wrapped
        if self.at(*COMPARATORS):
            return Comparison(self.take().kind, term, self.operand()), False
        if self.at("BETWEEN"):
            return self._between(term), False
        if self.at("IN"):
            return self._in(term), False
        if not isinstance(term, Call) and not may_be_bare:
            self.fail()
        return term, wrapped

    def _between(self, operand: Operand) -> Between:
        self.take()
        low = self.operand()
        self.expect("AND")
        return Between(operand, low, self.operand())

    def _in(self, operand: Operand) -> In:
        self.take()
        self.expect("(")
        candidates = [self.operand()]
        while self.at(","):
            self.take()
            candidates.append(self.operand())
        self.expect(")")
        return In(operand, tuple(candidates))
