"""Queries of the AWS CLI (JMESPath): every name in one is there in the answer of the operation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jmespath
from botocore.model import ListShape, MapShape, OperationModel, Shape, StructureShape


class WrongCommand(Exception):
    """AWS or its CLI would refuse the command. The message says why."""


def check_query(query: str, operation: OperationModel) -> None:
    """Every name in it is one of the answer, at that place."""
    try:
        tree = jmespath.compile(query).parsed
    except jmespath.exceptions.JMESPathError as error:
        raise WrongCommand(f"the query {query} cannot be read: {error}") from error
    _follow(tree, operation.output_shape)


def _follow(node: Mapping[str, Any], shape: Shape | None) -> Shape | None:
    """What the part of a query finds in a value of this shape. None is a value of any shape."""
    kind, children = node["type"], node["children"]
    if kind == "field":
        return _field(node["value"], shape)
    if kind in ("subexpression", "pipe", "index_expression"):
        for child in children:
            shape = _follow(child, shape)
        return shape
    if kind in ("projection", "filter_projection"):
        # The second child is about each item, and so is the third, a filter's condition.
        _follow_all(children[1:], _items(_follow(children[0], shape)))
        return None
    if kind in ("flatten", "current", "identity"):
        return _follow(children[0], shape) if children else shape
    if kind == "index":
        return _items(shape)
    if kind == "function_expression":
        return _function(children, shape)
    _follow_all(children, shape)
    return None


def _function(arguments: Sequence[Mapping[str, Any]], shape: Shape | None) -> Shape | None:
    """An argument with & is about each item of the first one. What a function makes may be anything."""
    found = [_follow(one, shape) for one in arguments if one["type"] != "expref"]
    for one in arguments:
        if one["type"] == "expref":
            _follow_all(one["children"], _items(found[0]))
    return None


def _follow_all(children: Sequence[Any], shape: Shape | None) -> None:
    for child in children:
        if isinstance(child, dict):
            _follow(child, shape)


def _field(name: str, shape: Shape | None) -> Shape | None:
    if isinstance(shape, MapShape):
        return shape.value
    if not isinstance(shape, StructureShape):
        return None
    if name not in shape.members:
        raise WrongCommand(f"{shape.name} has no {name}")
    member: Shape = shape.members[name]
    return member


def _items(shape: Shape | None) -> Shape | None:
    return shape.member if isinstance(shape, ListShape) else shape if isinstance(shape, StructureShape) else None
