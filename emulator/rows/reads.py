"""GetItem, Query, Scan, BatchGetItem and TransactGetItems: everything is checked before anything is read."""

from collections.abc import Callable
from typing import Any

from emulator import engine
from emulator.expressions.errors import Invalid
from emulator.expressions.requests import GET, QUERY, SCAN, Parameters, Prepared, check_keys, read
from emulator.rows import pages, start_keys
from emulator.rows.preparation import (
    Answer,
    Data,
    Run,
    Table,
    earlier_error,
    prepared_request,
    refusal,
    require,
    schema_of,
    table_of,
    with_programs,
    wrap,
)
from emulator.rows.programs import ProjectionProgram
from emulator.rows.selection import check_selection, fetches

StartCheck = Callable[[Data, Prepared, Table], None]


def apply() -> None:
    wrap("_get_item", _get_item)
    wrap("_query", _query)
    wrap("_scan", _scan)
    wrap("_batch_get_item", _batch_get_item)
    wrap("_transact_get_items", _transact_get_items)


def _get_item(data: Data, run: Run) -> Answer:
    try:
        require(data, "Key", "key")
        request, _ = prepared_request(data, GET, table_of(data))
    except Invalid as failure:
        return earlier_error(data, None) or refusal(failure)
    return run(request)


def _query(data: Data, run: Run) -> Answer:
    return _search(data, run, QUERY, start_keys.check_query)


def _scan(data: Data, run: Run) -> Answer:
    return _search(data, run, SCAN, start_keys.check_scan)


def _search(data: Data, run: Run, parameters: Parameters, check_start: StartCheck) -> Answer:
    table = table_of(data)
    schema = schema_of(table, data.get("IndexName")) if table is not None else None
    try:
        prepared = read(data, parameters)
        if table is None or schema is None:
            return run(with_programs(data, prepared))
        start_keys.check_form(data, table)
        check_keys(prepared, data, parameters, schema)
        check_selection(data, prepared, table)
        check_start(data, prepared, table)
    except Invalid as failure:
        return earlier_error(data, None) or refusal(failure)
    pages.last.fetches = fetches(data, prepared, table)
    return run(with_programs(data, prepared))


def _batch_get_item(data: Data, run: Run) -> Answer:
    tables = data.get("RequestItems")
    if not isinstance(tables, dict):
        return run(data)
    try:
        prepared = {name: _projected(name, part) for name, part in tables.items()}
    except Invalid as failure:
        return engine.dynamodb._batch_members_error(data, tables, write=False) or refusal(failure)
    return run({**data, "RequestItems": prepared})


def _projected(table_name: str, part: Any) -> Any:
    if not isinstance(part, dict):
        return part
    require(part, "Keys", f"requestItems.{table_name}.member.keys")
    request, _ = prepared_request(part, GET, table_of({"TableName": table_name}))
    return request


def _transact_get_items(data: Data, run: Run) -> Answer:
    members = data.get("TransactItems")
    if not isinstance(members, list) or len(members) > engine.dynamodb._DDB_TXN_GET_MAX_ITEMS:
        return run(data)
    try:
        prepared = [_projected_member(member) for member in members]
    except Invalid as failure:
        return refusal(failure)
    return run({**data, "TransactItems": prepared})


def _projected_member(member: Any) -> Any:
    get = member.get("Get") if isinstance(member, dict) else None
    if not isinstance(get, dict):
        return member
    request, prepared = prepared_request(get, GET, table_of(get))
    if prepared.projection is not None:
        request["ProjectionExpression"] = ProjectionProgram.of(prepared.projection)
    return {**member, "Get": request}
