"""Compares values as the API spells them, such as {"N": "1"}: equality, order, size(), begins_with and contains.

Values are expected to have passed `checks.value_checks`, so each has exactly one known type.
"""

from base64 import b64decode
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from emulator.expressions import numbers

Value = Mapping[str, Any]
Item = Mapping[str, Value]

TYPES: Final = ("S", "N", "B", "SS", "NS", "BS", "BOOL", "NULL", "L", "M")
SCALARS: Final = frozenset({"S", "N", "B"})
SETS: Final = frozenset({"SS", "NS", "BS"})
_MEMBERS: Final = {"SS": "S", "NS": "N", "BS": "B"}


def type_of(value: Value) -> str:
    return next(iter(value))


def raw(text: str) -> bytes:
    return b64decode(text)


def sortable(kind: str, content: Any) -> Any:
    """What orders a scalar: its bytes or its number."""
    if kind == "N":
        return numbers.parse(content)
    return raw(content) if kind == "B" else content.encode("utf-8", "surrogatepass")


def order(left: Value, right: Value) -> int | None:
    """Negative, zero or positive; None for values that have no order."""
    kind = type_of(left)
    if kind != type_of(right) or kind not in SCALARS:
        return None
    first, second = sortable(kind, left[kind]), sortable(kind, right[kind])
    return int(first > second) - int(first < second)


def equal(left: Value, right: Value) -> bool:
    kind = type_of(left)
    return kind == type_of(right) and _EQUALITY[kind](left[kind], right[kind])


def size_of(value: Value) -> int | None:
    """What size() returns; None for types that have no size. Texts count UTF-16 units, as in Java."""
    kind = type_of(value)
    content = value[kind]
    if kind == "S":
        return len(content.encode("utf-16-le", "surrogatepass")) // 2
    if kind == "B":
        return len(raw(content))
    return len(content) if kind in SETS or kind in ("L", "M") else None


def order_sets(value: Value) -> None:
    """Puts the members of all sets in place into the order in which AWS returns them: by bytes, numbers by value."""
    kind = type_of(value)
    if kind in SETS:
        value[kind].sort(key=lambda member: sortable(_MEMBERS[kind], member))
    elif kind == "L":
        for member in value["L"]:
            order_sets(member)
    elif kind == "M":
        for member in value["M"].values():
            order_sets(member)


def begins_with(value: Value, prefix: Value) -> bool:
    kind = type_of(value)
    if kind != type_of(prefix) or kind not in ("S", "B"):
        return False
    return bool(sortable(kind, value[kind]).startswith(sortable(kind, prefix[kind])))


def contains(container: Value, wanted: Value) -> bool:
    kind, wanted_kind = type_of(container), type_of(wanted)
    if kind == "L":
        return any(equal(member, wanted) for member in container["L"])
    if kind in SETS:
        return _MEMBERS[kind] == wanted_kind and member_key(kind, wanted[wanted_kind]) in keys_of(kind, container)
    if kind != wanted_kind or kind not in ("S", "B"):
        return False
    return sortable(kind, wanted[kind]) in sortable(kind, container[kind])


def member_key(kind: str, member: str) -> Any:
    """What makes members of a set equal: 1 and 1.0 are one number."""
    if kind == "NS":
        return numbers.canonical(member)
    return raw(member) if kind == "BS" else member


def keys_of(kind: str, value: Value) -> set[Any]:
    return {member_key(kind, member) for member in value[kind]}


def _equal_sets(kind: str) -> Callable[[Sequence[str], Sequence[str]], bool]:
    def equal_sets(left: Sequence[str], right: Sequence[str]) -> bool:
        return keys_of(kind, {kind: left}) == keys_of(kind, {kind: right})

    return equal_sets


def _equal_numbers(left: str, right: str) -> bool:
    return left == right or numbers.parse(left) == numbers.parse(right)


def _equal_bytes(left: str, right: str) -> bool:
    return left == right or raw(left) == raw(right)


def _equal_texts(left: object, right: object) -> bool:
    return left == right


def _equal_lists(left: Sequence[Value], right: Sequence[Value]) -> bool:
    return len(left) == len(right) and all(map(equal, left, right))


def _equal_maps(left: Item, right: Item) -> bool:
    return left.keys() == right.keys() and all(equal(value, right[name]) for name, value in left.items())


_EQUALITY: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "S": _equal_texts,
    "N": _equal_numbers,
    "B": _equal_bytes,
    "BOOL": _equal_texts,
    "NULL": _equal_texts,
    "SS": _equal_sets("SS"),
    "NS": _equal_sets("NS"),
    "BS": _equal_sets("BS"),
    "L": _equal_lists,
    "M": _equal_maps,
}
