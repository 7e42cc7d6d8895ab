"""Shorthand for requests on one table with a text `pk` and a number `sk` as its keys."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from emulator.expressions.errors import Invalid
from emulator.expressions.evaluation import holds
from emulator.expressions.key_conditions import KeySchema
from emulator.expressions.requests import GET, QUERY, UPDATE, WRITE, Parameters, Prepared, prepare
from emulator.expressions.updates import apply_update

KEYS = KeySchema(("pk",), ("sk",), {"pk": "S", "sk": "N", "ix": "S"}, frozenset({"pk", "sk"}))
Value = dict[str, Any]
Item = dict[str, Value]


def text(value: str) -> Value:
    return {"S": value}


def number(value: float | str) -> Value:
    return {"N": str(value)}


def request(parameters: Parameters, values: Mapping[str, Value] | None = None, **data: Any) -> Prepared:
    return prepare({**data, **({"ExpressionAttributeValues": values} if values else {})}, parameters, KEYS)


def condition_holds(expression: str, item: Item, values: Mapping[str, Value] | None = None, **data: Any) -> bool:
    prepared = request(WRITE, values, ConditionExpression=expression, **data)
    assert prepared.condition is not None
    return holds(prepared.condition, item)


def updated(expression: str, item: Item, values: Mapping[str, Value] | None = None, **data: Any) -> Item:
    prepared = request(UPDATE, values, UpdateExpression=expression, **data)
    assert prepared.update is not None
    return {name: dict(value) for name, value in apply_update(prepared.update, item).items()}


def searched(expression: str, values: Mapping[str, Value], **data: Any) -> Prepared:
    return request(QUERY, values, KeyConditionExpression=expression, **data)


def projected_by(expression: str, **data: Any) -> Prepared:
    return request(GET, None, ProjectionExpression=expression, **data)


def refusal_of(call: Callable[..., object], *arguments: Any, **data: Any) -> str:
    with pytest.raises(Invalid) as refused:
        call(*arguments, **data)
    return str(refused.value)
