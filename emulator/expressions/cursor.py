"""Steps through the tokens of one expression, and reads the operands that all expressions share."""

from typing import Final, NoReturn

from emulator.expressions.errors import Invalid
from emulator.expressions.functions import misplaced_function
from emulator.expressions.lexer import Token, tokens_of
from emulator.expressions.syntax import Arithmetic, Call, Operand, PathText, ValueName

_DEEPEST: Final = 120


class Cursor:
    def __init__(self, text: str, slot: str) -> None:
        self.text = text
        self.slot = slot
        self.tokens = tokens_of(text)
        self._place = 0
        self._depth = 0

    def at(self, *kinds: str) -> bool:
        return self.tokens[self._place].kind in kinds

    def take(self) -> Token:
        token = self.tokens[self._place]
        self._place += 1
        return token

    def expect(self, kind: str) -> Token:
        if not self.at(kind):
            self.fail()
        return self.take()

    def fail(self) -> NoReturn:
        """Names the token here, and the text from the token before it to the one after it."""
        token = self.tokens[self._place]
        first = self.tokens[max(self._place - 1, 0)]
        last = self.tokens[min(self._place + 1, len(self.tokens) - 1)]
        near = self.text[first.start : last.end]
        raise self.invalid(f'Syntax error; token: "{token.text}", near: "{near}"')

    def invalid(self, text: str) -> Invalid:
        return Invalid(f"Invalid {self.slot}: {text}")

    def operand(self, *, with_arithmetic: bool = False) -> Operand:
        """`with_arithmetic` reads one + or -, which only the value of a SET may have."""
        operand, _ = self._operand_in_parentheses(with_arithmetic=with_arithmetic)
        return operand

    def simple_operand(self) -> Operand:
        """An operand that does not begin with a parenthesis."""
        if self.at("value"):
            return self.value()
        if self.at("word") and self.tokens[self._place + 1].kind == "(":
            return self._call()
        return self.path()

    def value(self) -> ValueName:
        return ValueName(self.expect("value").text)

    def path(self) -> PathText:
        parts = [self._name()]
        while self.at(".", "["):
            if self.take().kind == ".":
                parts.append(self._name())
            else:
                parts.append(f"[{self.expect('integer').text}]")
                self.expect("]")
        return PathText(tuple(parts))

    def redundant(self) -> Invalid:
        return self.invalid("The expression has redundant parentheses;")

    def _name(self) -> str:
        if not self.at("word", "alias"):
            self.fail()
        return self.take().text

    def _call(self) -> Call:
        name = self.take().text
        self._depth += 1
        if self._depth > _DEEPEST:
            too_deep = f"Functions are nested more than {_DEEPEST} levels deep"
            raise self.invalid(misplaced_function(name, self.slot, is_nested=True) or too_deep)
        self.expect("(")
        arguments = [self.operand()]
        while self.at(","):
            self.take()
            arguments.append(self.operand())
        self.expect(")")
        self._depth -= 1
        return Call(name, tuple(arguments))

    def _operand_in_parentheses(self, *, with_arithmetic: bool) -> tuple[Operand, bool]:
        """Returns the operand and whether parentheses surround all of it."""
        if self.at("("):
            opened = self._place
            while self.at("("):
                self.take()
            operand, wrapped = self._closed(self._place - opened, with_arithmetic=with_arithmetic)
        else:
            operand, wrapped = self.simple_operand(), False
        if with_arithmetic and self.at("+", "-") and not isinstance(operand, Arithmetic):
            sign = self.take().kind
            right, _ = self._operand_in_parentheses(with_arithmetic=False)
            return Arithmetic(sign, operand, right), False
        return operand, wrapped

    def _closed(self, opened: int, *, with_arithmetic: bool) -> tuple[Operand, bool]:
        operand: Operand = self.simple_operand()
        wrapped = False
        for _ in range(opened):
            if with_arithmetic and self.at("+", "-") and not isinstance(operand, Arithmetic):
                sign = self.take().kind
                right, _right = self._operand_in_parentheses(with_arithmetic=False)
                operand, wrapped = Arithmetic(sign, operand, right), False
            self.expect(")")
            if wrapped:
                raise self.redundant()
            wrapped = True
        return operand, wrapped
