"""Checks the indexes that a table is to have."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from emulator.expressions.errors import invalid_parameter
from emulator.tables.key_schemas import Keys

Index = Mapping[str, Any]

MOST_GLOBAL: Final = 20
_MOST_LOCAL, _MOST_PROJECTED = 5, 100


def check_projection(index: Index) -> None:
    projection = index["Projection"]
    kind, names = projection.get("ProjectionType"), projection.get("NonKeyAttributes")
    if kind is None:
        raise invalid_parameter("Unknown ProjectionType: null")
    if kind == "INCLUDE" and not names:
        raise invalid_parameter("ProjectionType is INCLUDE, but NonKeyAttributes is not specified")
    if kind != "INCLUDE" and names:
        raise invalid_parameter(f"ProjectionType is {kind}, but NonKeyAttributes is specified")
    repeated = next((name for place, name in enumerate(names or ()) if name in names[:place]), None)
    if repeated is not None:
        raise invalid_parameter(f"Duplicate element in NonKeyAttributes: {repeated}")


def check_projected_total(indexes: Iterable[Index]) -> None:
    """AWS counts an attribute once for each index that names it. The text is not published."""
    total = sum(len(index["Projection"].get("NonKeyAttributes") or ()) for index in indexes)
    if total > _MOST_PROJECTED:
        raise invalid_parameter(
            f"The total number of NonKeyAttributes of all indexes exceeds the limit of {_MOST_PROJECTED}"
        )


def check_local(indexes: Sequence[Index], table: Keys) -> None:
    """Checks local indexes against the table's key. Each index's own key was checked before."""
    if len(table) < 2:
        raise invalid_parameter(
            "Table KeySchema does not have a range key, which is required when specifying a LocalSecondaryIndex"
        )
    for index in indexes:
        keys, name = index["KeySchema"], index["IndexName"]
        if len(keys) < 2:
            raise invalid_parameter(f"Index KeySchema does not have a range key for index: {name}")
        if keys[0]["AttributeName"] != table[0]["AttributeName"]:
            raise invalid_parameter(
                f"Index KeySchema does not have the same leading hash key as table KeySchema for index: {name}. "
                f"index hash key: {keys[0]['AttributeName']}, table hash key: {table[0]['AttributeName']}"
            )


def check_names(indexes: Iterable[Index]) -> None:
    seen: set[str] = set()
    for index in indexes:
        if index["IndexName"] in seen:
            raise invalid_parameter(f"Duplicate index name: {index['IndexName']}")
        seen.add(index["IndexName"])


def check_counts(local: Sequence[Index] | None, for_all: Sequence[Index] | None) -> None:
    """Empty lists are refused, missing ones are not."""
    for name, indexes in (("LocalSecondaryIndexes", local), ("GlobalSecondaryIndexes", for_all)):
        if indexes is not None and not indexes:
            raise invalid_parameter(f"List of {name} is empty")
    if len(local or ()) > _MOST_LOCAL:
        raise invalid_parameter(f"Number of LocalSecondaryIndexes exceeds per-table limit of {_MOST_LOCAL}")
    if len(for_all or ()) > MOST_GLOBAL:
        raise invalid_parameter(f"GlobalSecondaryIndex count exceeds the per-table limit of {MOST_GLOBAL}")
