"""The bytes that values and items count for, in limits and in consumed capacity.

Follows "DynamoDB item sizes and formats". A number counts a byte for two digits, aligned at the decimal point, one more
byte, and one for a minus sign.
"""

from collections.abc import Iterable

from emulator.expressions import numbers
from emulator.expressions.values import Item, Value, raw

LARGEST_ITEM = 400 * 1024
_CONTAINER, _ELEMENT = 3, 1


def item_size(item: Item) -> int:
    return sum(text_size(name) + value_size(value) for name, value in item.items())


def surely_exceeds(values: Iterable[object], limit: int) -> bool:
    """Whether values that nobody has checked yet are larger. Looks at no more of them than it takes to know.

    A number counts the one byte that each has. What is no value counts nothing.
    """
    least, left = 0, list(values)
    while left and least <= limit:
        value = left.pop()
        if not isinstance(value, dict) or len(value) != 1:
            continue
        ((kind, content),) = value.items()
        if kind == "L" and isinstance(content, list):
            least += _CONTAINER + _ELEMENT * len(content)
            left += content
        elif kind == "M" and isinstance(content, dict):
            least += _CONTAINER + _ELEMENT * len(content) + sum(map(text_size, content))
            left += content.values()
        elif isinstance(content, list):
            least += len(content)
        else:
            least += text_size(content) if kind == "S" and isinstance(content, str) else 1
    return least > limit


def value_size(value: Value) -> int:
    ((kind, content),) = value.items()
    match kind:
        case "S":
            return text_size(content)
        case "N":
            return number_size(content)
        case "B":
            return len(raw(content))
        case "SS":
            return sum(map(text_size, content))
        case "NS":
            return sum(map(number_size, content))
        case "BS":
            return sum(len(raw(member)) for member in content)
        case "L":
            return _CONTAINER + sum(_ELEMENT + value_size(member) for member in content)
        case "M":
            return _CONTAINER + sum(_ELEMENT + text_size(name) + value_size(member) for name, member in content.items())
        case _:
            return 1


def text_size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def number_size(text: str) -> int:
    sign, digits, exponent = numbers.shortest(numbers.parse(text)).as_tuple()
    if digits == (0,):
        return 1
    count = len(digits) + int(exponent) % 2
    return 1 + (count + 1) // 2 + sign
