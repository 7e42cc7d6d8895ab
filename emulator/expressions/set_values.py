"""The value that a SET writes."""

from typing import Final

from emulator.expressions import numbers
from emulator.expressions.errors import Invalid
from emulator.expressions.paths import find
from emulator.expressions.syntax import Arithmetic, Call, Literal, Operand, Path
from emulator.expressions.values import Item, Value

WRONG_TYPE: Final = "An operand in the update expression has an incorrect data type"


class MissingAttribute(Invalid):
    """A SET reads an attribute that the item lacks."""

    def __init__(self) -> None:
        super().__init__("The provided expression refers to an attribute that does not exist in the item")


def set_value(operand: Operand, item: Item) -> Value:
    """Raises `Invalid` for a wrong type, and `MissingAttribute` only where no operand has a wrong type."""
    match operand:
        case Literal(value):
            return value
        case Path():
            found = find(operand, item)
            if found is None:
                raise MissingAttribute
            return found
        case Arithmetic(sign, left, right):
            first, second = _both((left, right), "N", item)
            return _sum(first["N"], second["N"], sign)
        case Call("if_not_exists", (Path() as path, default)):
            found = find(path, item)
            return set_value(default, item) if found is None else found
        case Call(_, arguments):
            first, second = _both((arguments[0], arguments[1]), "L", item)
            return {"L": [*first["L"], *second["L"]]}
        case _:
            raise Invalid(WRONG_TYPE)


def _both(operands: tuple[Operand, Operand], kind: str, item: Item) -> tuple[Value, Value]:
    found: list[Value | MissingAttribute] = []
    for operand in operands:
        try:
            value = set_value(operand, item)
        except MissingAttribute as failure:
            found.append(failure)
            continue
        if kind not in value:
            raise Invalid(WRONG_TYPE)
        found.append(value)
    for each in found:
        if isinstance(each, MissingAttribute):
            raise each
    return found[0], found[1]  # type: ignore[return-value]


def _sum(left: str, right: str, sign: str) -> Value:
    second = numbers.parse(right)
    total = numbers.add(numbers.parse(left), second if sign == "+" else second.copy_negate())
    return {"N": numbers.text_of(total)}
