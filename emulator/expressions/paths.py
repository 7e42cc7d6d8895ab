"""Document paths: how AWS writes them, whether two of them touch the same place, and what they find in an item."""

from collections.abc import Sequence

from emulator.expressions.errors import Invalid
from emulator.expressions.syntax import Path
from emulator.expressions.values import Item, Value


def path_text(path: Path) -> str:
    return "[" + ", ".join(f"[{part}]" if isinstance(part, int) else part for part in path.parts) + "]"


def find(path: Path, item: Item) -> Value | None:
    value = item.get(str(path.parts[0]))
    for part in path.parts[1:]:
        if value is None:
            return None
        value = child(value, part)
    return value


def child(value: Value, part: str | int) -> Value | None:
    if isinstance(part, int):
        members = value.get("L")
        return members[part] if members is not None and part < len(members) else None
    entries = value.get("M")
    return entries.get(part) if entries is not None else None


def check_apart(paths: Sequence[Path], slot: str) -> None:
    """Refuses two paths of which one contains the other, or that use one attribute as a list and as a map."""
    heads: dict[str | int, list[Path]] = {}
    for path in paths:
        for earlier in heads.setdefault(path.parts[0], []):
            if problem := _clash(earlier, path):
                raise Invalid(
                    f"Invalid {slot}: Two document paths {problem} with each other; must remove or rewrite one of "
                    f"these paths; path one: {path_text(earlier)}, path two: {path_text(path)}"
                )
        heads[path.parts[0]].append(path)


def _clash(first: Path, second: Path) -> str | None:
    for one, other in zip(first.parts, second.parts, strict=False):
        if isinstance(one, int) is not isinstance(other, int):
            return "conflict"
        if one != other:
            return None
    return "overlap"
