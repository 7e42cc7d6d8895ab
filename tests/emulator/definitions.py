"""Definitions of tables, for tests of what a definition may be."""

from typing import Any


def keys(*names: str) -> list[dict[str, str]]:
    """A HASH and RANGE attributes. Names that begin with a capital are HASH attributes too."""
    return [
        {"AttributeName": name, "KeyType": "HASH" if place == 0 or name[0].isupper() else "RANGE"}
        for place, name in enumerate(names)
    ]


def attributes(*names: str, kind: str = "S") -> list[dict[str, str]]:
    return [{"AttributeName": name, "AttributeType": kind} for name in names]


def index(name: str, *names: str, **more: Any) -> dict[str, Any]:
    return {"IndexName": name, "KeySchema": keys(*names), "Projection": {"ProjectionType": "ALL"}, **more}


def table(*names: str, defined: tuple[str, ...] = (), **more: Any) -> dict[str, Any]:
    """A request to CreateTable, with capacity on demand unless `more` says otherwise."""
    request = {
        "TableName": "defined",
        "BillingMode": "PAY_PER_REQUEST",
        "KeySchema": keys(*names),
        "AttributeDefinitions": attributes(*(defined or names)),
        **more,
    }
    return {name: value for name, value in request.items() if value is not None}


def units(read: int, write: int) -> dict[str, int]:
    return {"ReadCapacityUnits": read, "WriteCapacityUnits": write}
