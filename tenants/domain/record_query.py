"""What a person asks of a collection: conditions, order, page size, columns. It is read from an address, and written
into one.

`query_parameters` makes a Query of DynamoDB from it. Whose rows are read, the partition key says.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tenants.domain.errors import InvalidInput
from tenants.domain.keys import KeyNames, checked_record_key
from tenants.domain.record_filters import MOST_FILTERS, Filter, Placeholders, checked_filter, kind_for, read_filter
from tenants.domain.values import TYPE_NAMES

Parameters = Mapping[str, Sequence[str]]

# As they are written in an address, and as they are read.
KEY_OPERATORS: Mapping[str, str] = {
    "begins": "begins with",
    "eq": "is",
    "between": "is between",
    "lt": "is before",
    "le": "is at most",
    "gt": "is after",
    "ge": "is at least",
}
_SIGNS = {"eq": "=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
# A Query answers with a megabyte at most, however many records are asked for.
PAGE_SIZES = (25, 50, 100, 250, 500, 1000)
VIEWS = ("table", "json")
MOST_COLUMNS = 20
MAX_COLUMN_BYTES = 255


@dataclass(frozen=True, slots=True)
class KeyCondition:
    """A condition on the sort key; none where `key` is empty."""

    operator: str = "begins"
    key: str = ""
    key_to: str = ""

    @property
    def words(self) -> str:
        """For a person; "" for none."""
        if not self.key:
            return ""
        return f"{KEY_OPERATORS[self.operator]} “{self.key}”" + (f" and “{self.key_to}”" if self.key_to else "")


@dataclass(frozen=True, slots=True)
class RecordQuery:
    """`columns` are in order; with none, the first attributes of the page are shown. `any_of` joins filters with OR."""

    condition: KeyCondition = KeyCondition()
    filters: Sequence[Filter] = ()
    any_of: bool = False
    descending: bool = False
    consistent: bool = False
    size: int = PAGE_SIZES[0]
    columns: Sequence[str] = ()
    view: str = VIEWS[0]

    @property
    def narrows(self) -> bool:
        return bool(self.condition.key or self.filters)

    def conditions(self) -> list[tuple[str, str]]:
        """The part of the address that says which records there are, in which order: a place in it is a place here."""
        operator, key, key_to = self.condition.operator, self.condition.key, self.condition.key_to
        said: list[tuple[str, str]] = []
        if key and operator == "begins":
            said.append(("prefix", key))
        elif key:
            said += [("op", operator), ("key", key)]
            said += [("key_to", key_to)] if operator == "between" else []
        said += [("f", one.as_text()) for one in self.filters]
        said += [("any", "1")] if self.any_of and len(self.filters) > 1 else []
        said += [("order", "desc")] if self.descending else []
        return said

    def in_address(self) -> list[tuple[str, str]]:
        """Reads as the same query. What is as usual is left out."""
        said = self.conditions()
        said += [("consistent", "1")] if self.consistent else []
        said += [("size", str(self.size))] if self.size != PAGE_SIZES[0] else []
        said += [("view", self.view)] if self.view != VIEWS[0] else []
        return said + [("c", column) for column in self.columns]


_ALL = RecordQuery()


def read_query(parameters: Parameters, keys: KeyNames) -> RecordQuery:
    """The query of an address, without the filter of `read_new_filter`. Raises InvalidInput with the form's field."""
    if not parameters:
        return _ALL
    texts = list(dict.fromkeys(text for text in parameters.get("f", ()) if text))
    filters = list(dict.fromkeys(read_filter(text, keys) for text in texts))
    check_count(filters)
    return RecordQuery(
        condition=_condition(parameters),
        filters=tuple(filters),
        any_of=_is_on(parameters, "any") and len(filters) > 1,
        descending=_one_of(parameters, "order", ("asc", "desc")) == "desc",
        consistent=_is_on(parameters, "consistent"),
        size=int(_one_of(parameters, "size", tuple(map(str, PAGE_SIZES)))),
        columns=checked_columns(parameters.get("c", ())),
        view=_one_of(parameters, "view", VIEWS),
    )


def read_what_can_be_read(parameters: Parameters, keys: KeyNames) -> RecordQuery:
    """As `read_query`, without the parts that it refuses: for a page that says what is wrong and keeps the rest."""
    readable: dict[str, list[str]] = {}
    query = _ALL
    for part in _parts(parameters):
        tried = {**readable, **{name: [*readable.get(name, ()), *values] for name, values in part.items()}}
        try:
            query, readable = read_query(tried, keys), tried
        except InvalidInput:
            continue
    return query


def _parts(parameters: Parameters) -> Iterator[dict[str, Sequence[str]]]:
    """What stands or falls together: each filter and each column by itself."""
    condition = {name: parameters[name] for name in ("op", "key", "key_to", "prefix") if name in parameters}
    yield condition
    for name in ("any", "order", "consistent", "size", "view"):
        yield {name: parameters.get(name, ())}
    for name, most in (("f", MOST_FILTERS), ("c", MOST_COLUMNS)):
        for value in list(dict.fromkeys(parameters.get(name, ())))[:most]:
            yield {name: [value]}


def read_new_filter(parameters: Parameters, keys: KeyNames) -> Filter | None:
    """The filter that a form adds by fields of its own; None where they are empty. Raises InvalidInput.

    Without a type it is the attribute's own, as far as `types` knows it.
    """
    attribute, operator, kind, text, text_to = (_last(parameters, name) for name in ("fa", "fo", "ft", "fv", "fw"))
    if not (attribute or text or text_to):
        return None
    if not kind and operator != "type is":
        kind = kind_for(operator, read_types(parameters).get(attribute, ""))
    return checked_filter((attribute, operator, kind, text, text_to), keys)


def read_types(parameters: Parameters) -> Mapping[str, str]:
    """The types of attributes that the form's page has shown, a JSON object; empty for anything else."""
    try:
        given = json.loads(_last(parameters, "types") or "{}")
        # Half of a surrogate pair can be in JSON and in no page. The error is a ValueError.
        "".join(given).encode()
    except (TypeError, ValueError, RecursionError):
        return {}
    if not isinstance(given, dict):
        return {}
    return {name: kind for name, kind in given.items() if isinstance(kind, str) and kind in TYPE_NAMES}


def check_count(filters: Sequence[Filter]) -> None:
    if len(filters) > MOST_FILTERS:
        raise InvalidInput(f"Use at most {MOST_FILTERS} filters at once.", field="f")


def checked_columns(names: Sequence[str]) -> Sequence[str]:
    """Each once, without empty ones. Raises InvalidInput."""
    columns = tuple(dict.fromkeys(name for name in names if name))
    if len(columns) > MOST_COLUMNS:
        raise InvalidInput(f"Choose at most {MOST_COLUMNS} columns.", field="c")
    for name in columns:
        if len(name.encode("utf-8", "surrogatepass")) > MAX_COLUMN_BYTES:
            raise InvalidInput(f"The name of a column has at most {MAX_COLUMN_BYTES} bytes.", field="c")
    return columns


def _condition(parameters: Parameters) -> KeyCondition:
    key, key_to = _last(parameters, "key"), _last(parameters, "key_to")
    operator = _one_of(parameters, "op", tuple(KEY_OPERATORS))
    if not key and not (key_to and operator == "between"):
        operator, key = "begins", _last(parameters, "prefix")
    if operator == "between" and not (key and key_to):
        # Half a range is one as well.
        operator, key = ("ge", key) if key else ("le", key_to)
    if not key:
        return KeyCondition()
    _check_key(key, "key")
    if operator != "between":
        return KeyCondition(operator, key)
    _check_key(key_to, "key_to")
    if key.encode() > key_to.encode():
        raise InvalidInput("The first key comes after the second in the order of keys.", field="key")
    return KeyCondition(operator, key, key_to)


def _check_key(key: str, name: str) -> None:
    try:
        checked_record_key(key)
    except InvalidInput as error:
        raise InvalidInput(error.message, field=name) from error


def _last(parameters: Parameters, name: str) -> str:
    given = parameters.get(name, ())
    return given[-1] if given else ""


def _is_on(parameters: Parameters, name: str) -> bool:
    return _last(parameters, name) not in {"", "0"}


def _one_of(parameters: Parameters, name: str, known: Sequence[str]) -> str:
    """The first where none is given."""
    given = _last(parameters, name) or known[0]
    if given not in known:
        raise InvalidInput(f"“{given[:60]}” is not a choice here. The choices are {', '.join(known)}.", field=name)
    return given


# ── A Query of DynamoDB ─────────────────────────────────────────────────────────────────────────────────────────────


def query_parameters(
    query: RecordQuery, keys: KeyNames, partition_key: str, *, start: str = "", backwards: bool = False
) -> dict[str, Any]:
    """Without the table's name and a limit. `start` is a sort key, exclusive; `backwards` turns the order round.

    Raises InvalidInput.
    """
    used = Placeholders()
    condition = f"{used.name(keys.partition)} = {used.value({'S': partition_key})}"
    if query.condition.key:
        condition += f" AND {_key_expression(query.condition, keys, used)}"
    parameters: dict[str, Any] = {"KeyConditionExpression": condition}
    if query.filters:
        joined = " OR " if query.any_of else " AND "
        parameters["FilterExpression"] = joined.join(one.expression(used) for one in query.filters)
    if query.columns:
        shown = dict.fromkeys([*keys, *query.columns])
        parameters["ProjectionExpression"] = ", ".join(map(used.name, shown))
    parameters["ExpressionAttributeNames"] = used.names
    parameters["ExpressionAttributeValues"] = used.values
    if query.descending is not backwards:
        parameters["ScanIndexForward"] = False
    if query.consistent:
        parameters["ConsistentRead"] = True
    if start:
        parameters["ExclusiveStartKey"] = keys.key(partition_key, start)
    return parameters


def _key_expression(condition: KeyCondition, keys: KeyNames, used: Placeholders) -> str:
    name, value = used.name(keys.sort), used.value({"S": condition.key})
    if condition.operator == "begins":
        return f"begins_with({name}, {value})"
    if condition.operator == "between":
        return f"{name} BETWEEN {value} AND {used.value({'S': condition.key_to})}"
    return f"{name} {_SIGNS[condition.operator]} {value}"


def place_in(query: RecordQuery) -> str:
    """What a cursor belongs to, besides the partition."""
    return json.dumps(query.conditions())
