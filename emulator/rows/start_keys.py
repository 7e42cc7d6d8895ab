"""Checks a Query's or Scan's ExclusiveStartKey, which must be one that an earlier page could have ended with."""

import hashlib
from typing import Any

from emulator import engine
from emulator.expressions.errors import Invalid
from emulator.expressions.evaluation import holds
from emulator.expressions.requests import START_KEY, Prepared, check_start_values
from emulator.expressions.value_checks import normal_item
from emulator.expressions.values import Item, type_of
from emulator.rows.preparation import Data, Table, schema_of

_INVALID = "The provided starting key is invalid"
_MISMATCH = "The provided key element does not match the schema"


def check_form(data: Data, table: Table) -> None:
    """Checks that the key has the attributes of the table's and the index's keys, with their types."""
    check_start_values(data.get(START_KEY) or {})
    start = _start_key(data)
    own, index = schema_of(table), schema_of(table, data.get("IndexName"))
    if start is None or own is None or index is None:
        return
    if set(start) != {*own.names, *index.names}:
        raise Invalid(_INVALID)
    is_query = "KeyConditions" in data or "KeyConditionExpression" in data
    for name, value in start.items():
        if type_of(value) != index.types[name]:
            raise Invalid(_MISMATCH if is_query and name in index.names else f"{_INVALID}: {_MISMATCH}")


def check_query(data: Data, prepared: Prepared, table: Table) -> None:
    start, schema = _start_key(data), schema_of(table, data.get("IndexName"))
    if start is None or schema is None:
        return
    if not data.get("IndexName") and not schema.sort:
        raise Invalid(f"The provided exclusive start key is invalid: ExclusiveStartKey: {_shown(start)}")
    partition = [term for term in prepared.key_terms if term.name in schema.partition]
    if not all(holds(term.condition, start) for term in prepared.key_terms if term not in partition):
        raise Invalid("The provided starting key does not match the range key predicate")
    if not all(holds(term.condition, start) for term in partition):
        raise Invalid("The provided starting key is outside query boundaries based on provided conditions")


def check_scan(data: Data, _prepared: Prepared, table: Table) -> None:
    start = _start_key(data)
    segment, total = data.get("Segment"), data.get("TotalSegments")
    if start is None or not isinstance(segment, int) or not isinstance(total, int) or not 0 <= segment < total:
        return
    schema = schema_of(table, data.get("IndexName"))
    if schema is not None and segment_of(start, schema.partition[0], total) != segment:
        raise Invalid(f"{_INVALID}: Exclusive start key must lie within the segment")


def segment_of(item: Item, partition: str, total: int) -> int:
    """The segment of a parallel Scan in which the engine returns the item."""
    digest = hashlib.sha1(
        str(engine.dynamodb._extract_key_val(item[partition])).encode(), usedforsecurity=False
    ).digest()
    return int.from_bytes(digest[:4], "big") % total


def _shown(start: Item) -> str:
    texts = (f"{name}=AttributeValue: {{{type_of(value)}:{value[type_of(value)]}}}" for name, value in start.items())
    return f"{{{', '.join(texts)}}}"


def _start_key(data: Data) -> Item | None:
    given: Any = data.get(START_KEY)
    return normal_item(given) if given else None
