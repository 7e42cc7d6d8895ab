"""Applies a bound update to an item. Every operand is evaluated on the item as it was before the update."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from emulator.expressions import numbers
from emulator.expressions.errors import Invalid
from emulator.expressions.paths import child, find
from emulator.expressions.set_values import WRONG_TYPE, MissingAttribute, set_value
from emulator.expressions.syntax import Action, Literal, Path, Update
from emulator.expressions.values import Item, Value, keys_of, member_key, type_of

BAD_PATH = "The document path provided in the update expression is invalid for update"
_LEGACY_MISMATCH = "Type mismatch for attribute to update"


@dataclass(frozen=True, slots=True)
class _Write:
    """What is stored at the path; None removes it."""

    path: Path
    value: Value | None


def creates_item(update: Update) -> bool:
    """REMOVE and DELETE alone make no item where there is none."""
    return not update.actions or any(action.clause in ("SET", "ADD") for action in update.actions)


def apply_update(update: Update, item: Item, *, legacy: bool = False) -> dict[str, Value]:
    """Returns a new item that shares unchanged values with the old one. `legacy` only changes a message."""
    _check_parents(update.actions, item)
    mismatch = _LEGACY_MISMATCH if legacy else WRONG_TYPE
    planned = [(action, _planned(action, item, mismatch)) for action in update.actions]
    for clause in reversed(update.clauses):
        _check_clause([pair for pair in planned if pair[0].clause == clause], item)
    writes: dict[str, list[_Write]] = {}
    for _, write in planned:
        if isinstance(write, _Write):
            writes.setdefault(str(write.path.parts[0]), []).append(write)
    new = dict(item)
    for head, below in writes.items():
        _rewrite(new, head, below)
    return new


def _planned(action: Action, item: Item, mismatch: str) -> _Write | MissingAttribute | None:
    path = _bound(action.path)
    match action.clause:
        case "SET":
            assert action.operand is not None  # noqa: S101 - the parser gives every SET an operand
            try:
                value = set_value(action.operand, item)
            except MissingAttribute as failure:
                return failure
            return _Write(path, value)
        case "REMOVE":
            return _Write(path, None)
        case "ADD":
            return _Write(path, _added(find(path, item), _given(action), mismatch))
        case _:
            return _deletion(path, find(path, item), _given(action), mismatch)


def _added(old: Value | None, given: Value, mismatch: str) -> Value:
    kind = type_of(given)
    if old is None:
        return given
    if type_of(old) != kind:
        raise Invalid(mismatch)
    if kind == "N":
        total = numbers.add(numbers.parse(old["N"]), numbers.parse(given["N"]))
        return {"N": numbers.text_of(total)}
    if kind == "L":
        return {"L": [*old["L"], *given["L"]]}
    known = keys_of(kind, old)
    return {kind: [*old[kind], *(each for each in given[kind] if member_key(kind, each) not in known)]}


def _deletion(path: Path, old: Value | None, given: Value, mismatch: str) -> _Write | None:
    if old is None:
        return None
    kind = type_of(given)
    if type_of(old) != kind:
        raise Invalid(mismatch)
    removed = keys_of(kind, given)
    left = [each for each in old[kind] if member_key(kind, each) not in removed]
    return _Write(path, {kind: left} if left else None)


def _check_parents(actions: Iterable[Action], item: Item) -> None:
    """AWS first reports a parent of the wrong type, and only later a parent that is missing."""
    for action in actions:
        parent = _parent(_bound(action.path), item)
        if parent is not None and not _accepts(parent, _bound(action.path)):
            raise Invalid(BAD_PATH)


def _check_clause(pairs: list[tuple[Action, _Write | MissingAttribute | None]], item: Item) -> None:
    for action, _ in pairs:
        path = _bound(action.path)
        if len(path.parts) > 1 and _parent(path, item) is None:
            raise Invalid(BAD_PATH)
    for _, outcome in pairs:
        if isinstance(outcome, MissingAttribute):
            raise outcome


def _parent(path: Path, item: Item) -> Value | None:
    return find(Path(path.parts[:-1]), item) if len(path.parts) > 1 else None


def _accepts(parent: Value, path: Path) -> bool:
    return ("L" if isinstance(path.parts[-1], int) else "M") in parent


def _rewrite(container: dict[str, Value], name: str, writes: list[_Write]) -> None:
    if len(writes[0].path.parts) > 1:
        container[name] = _changed(container[name], writes, 1)
    elif (value := writes[0].value) is None:
        container.pop(name, None)
    else:
        container[name] = value


def _changed(value: Value, writes: list[_Write], depth: int) -> Value:
    """`writes` lie below `value`, which is their path's first `depth` parts."""
    by_part: dict[str | int, list[_Write]] = {}
    for write in writes:
        by_part.setdefault(write.path.parts[depth], []).append(write)
    new: dict[Any, Value | None] = {}
    for part, below in by_part.items():
        ends = len(below[0].path.parts) == depth + 1
        inner = child(value, part)
        new[part] = below[0].value if ends or inner is None else _changed(inner, below, depth + 1)
    return _changed_list(value["L"], new) if "L" in value else _changed_map(value["M"], new)


def _changed_map(entries: Item, new: Mapping[str, Value | None]) -> Value:
    merged = {**entries, **new}
    return {"M": {name: value for name, value in merged.items() if value is not None}}


def _changed_list(members: list[Value], new: Mapping[int, Value | None]) -> Value:
    """Indexes are those of the old list. Values beyond its end are appended in the order of their indexes."""
    kept = [new.get(place, value) if place in new else value for place, value in enumerate(members)]
    appended = [new[place] for place in sorted(new) if place >= len(members)]
    return {"L": [value for value in [*kept, *appended] if value is not None]}


def _bound(path: object) -> Path:
    assert isinstance(path, Path)  # noqa: S101 - binding has replaced the other kind
    return path


def _given(action: Action) -> Value:
    assert isinstance(action.operand, Literal)  # noqa: S101 - the parser takes nothing else
    return action.operand.value
