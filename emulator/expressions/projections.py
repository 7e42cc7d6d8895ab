"""Takes the projected paths out of an item. Members of a list keep their order, without gaps."""

from typing import Any

from emulator.expressions.paths import child
from emulator.expressions.syntax import Projection
from emulator.expressions.values import Item, Value

# What is wanted below a place; empty means all of it.
_Tree = dict[str | int, Any]


def project(projection: Projection, item: Item) -> dict[str, Value]:
    found = {name: _pick(item[name], below) for name, below in _tree(projection).items() if name in item}
    return {name: value for name, value in found.items() if value is not None}


def _tree(projection: Projection) -> dict[str, _Tree]:
    root: dict[Any, _Tree] = {}
    for path in projection.paths:
        place = root
        for part in path.parts:
            place = place.setdefault(part, {})
    return root


def _pick(value: Value, wanted: _Tree) -> Value | None:
    if not wanted:
        return value
    found = {}
    for part, below in wanted.items():
        inner = child(value, part)
        picked = _pick(inner, below) if inner is not None else None
        if picked is not None:
            found[part] = picked
    if not found:
        return None
    return {"M": found} if "M" in value else {"L": [found[place] for place in sorted(found)]}
