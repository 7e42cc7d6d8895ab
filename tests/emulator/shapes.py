"""Requests made of botocore's shapes: one that is well formed, and for each member of it several that are not."""

from collections.abc import Iterator
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape
from botocore.session import Session

WRONG: dict[str, Any] = {
    "text": "x", "empty": "", "number": 7, "fraction": 1.5, "negative": -1, "truth": True, "list": [],
    "null entry": [None], "map": {}, "nested": {"x": {"y": []}}, "deep list": [[[{}]]], "null": None,
}  # fmt: skip
_DEEPEST = 4
_MODEL = Session().get_service_model("dynamodb")


def input_of(operation: str) -> StructureShape:
    shape = _MODEL.operation_model(operation).input_shape
    assert isinstance(shape, StructureShape)
    return shape


def example(shape: Shape, known: dict[str, Any], level: int = 0) -> Any:
    """A value of the shape. `known` has values for members by name."""
    if isinstance(shape, StructureShape):
        if level > _DEEPEST:
            return {}
        members = {
            name: inner for name, inner in shape.members.items() if name in known or name in shape.required_members
        }
        if shape.name == "AttributeValue":
            return {"S": "x"}
        return {
            name: known[name] if name in known else example(inner, known, level + 1) for name, inner in members.items()
        }
    if isinstance(shape, ListShape):
        return [example(shape.member, known, level + 1)]
    if isinstance(shape, MapShape):
        return {"x": example(shape.value, known, level + 1)}
    enum = getattr(shape, "enum", None)
    return {"string": enum[0] if enum else "xxx", "blob": "eHh4", "boolean": True}.get(shape.type_name, 1)


def paths_of(shape: Shape, level: int = 0) -> Iterator[tuple[str | int, ...]]:
    """Where the members of a shape are, down to a few levels."""
    if level > _DEEPEST:
        return
    if isinstance(shape, StructureShape):
        for name, inner in shape.members.items():
            yield (name,)
            yield from ((name, *rest) for rest in paths_of(inner, level + 1))
    elif isinstance(shape, ListShape):
        yield (0,)
        yield from ((0, *rest) for rest in paths_of(shape.member, level + 1))
    elif isinstance(shape, MapShape):
        yield ("x",)
        yield from (("x", *rest) for rest in paths_of(shape.value, level + 1))


def with_value(request: Any, path: tuple[str | int, ...], value: Any) -> Any:
    """A copy of the request with a value at a path. Missing containers are made."""
    if not path:
        return value
    head, *rest = path
    if isinstance(head, int):
        return [with_value(request[0] if isinstance(request, list) and request else None, tuple(rest), value)]
    found = request if isinstance(request, dict) else {}
    return {**found, head: with_value(found.get(head), tuple(rest), value)}
