"""Reports the capacity that a request consumes, as `expressions.capacity` counts it.

The engine tells neither how large the rows of a page are nor what a batch reads. The reports of batches and
transactions are added to their answers.
"""

import json
from collections.abc import Callable

from emulator import engine
from emulator.expressions.capacity import Consumed, complete_scan_units, read_units, report, size_or_zero
from emulator.rows import pages
from emulator.rows.preparation import Answer, Data, Run, Table, table_of, wrap


def apply() -> None:
    engine.dynamodb._add_consumed_capacity = _add_consumed_capacity
    wrap("_batch_get_item", _batch_get_item)
    wrap("_transact_get_items", _transact_get_items)
    wrap("_transact_write_items", _transact_write_items)


def _add_consumed_capacity(
    result: Data,
    data: Data,
    table_name: str,
    write: bool = False,
    old_item: Data | None = None,
    new_item: Data | None = None,
    index_name: str | None = None,
) -> None:
    """Has the parameters of the engine's function."""
    detail = data.get("ReturnConsumedCapacity") or "NONE"
    if detail == "NONE":
        return
    table, consumed = engine.dynamodb._tables[table_name], Consumed()
    if write:
        consumed.add_write(old_item, new_item, pages.indexes_of(table))
    elif "Key" in data:
        size = size_or_zero(engine.dynamodb._get_item_by_key(table, data["Key"]))
        consumed.table = read_units(size, consistent=bool(data.get("ConsistentRead")))
    else:
        _add_page(consumed, data, table, index_name, is_complete="LastEvaluatedKey" not in result)
    result["ConsumedCapacity"] = report(table_name, consumed, detail)


def _add_page(consumed: Consumed, data: Data, table: Table, index_name: str | None, *, is_complete: bool) -> None:
    consistent = bool(data.get("ConsistentRead"))
    size = sum(map(size_or_zero, pages.last.entries))
    index = pages.index_of(table, index_name)
    if index is not None:
        consumed.add_index(index, read_units(size, consistent=consistent))
        fetched = pages.last.items if pages.last.fetches else []
        consumed.table = sum(read_units(size_or_zero(item), consistent=consistent) for item in fetched)
        return
    consumed.table = read_units(size, consistent=consistent)
    is_scan = "KeyConditions" not in data
    if is_scan and is_complete and not data.get("ExclusiveStartKey") and data.get("Segment") is None:
        on_demand = (table.get("BillingModeSummary") or {}).get("BillingMode") == "PAY_PER_REQUEST"
        consumed.table = complete_scan_units(size, consistent=consistent, on_demand=on_demand)


# ── Batches and transactions ────────────────────────────────────────────────────────────────────────────────────────


def _batch_get_item(data: Data, run: Run) -> Answer:
    def consumed() -> dict[str, Consumed]:
        return {
            name: Consumed(_batch_units(name, part, consistent=bool(part.get("ConsistentRead"))))
            for name, part in data["RequestItems"].items()
        }

    return _reported(run(data), data, consumed, kind=None)


def _batch_units(name: str, part: Data, *, consistent: bool) -> float:
    table = table_of({"TableName": name})
    return sum(read_units(_stored_size(table, key), consistent=consistent) for key in part["Keys"])


def _transact_get_items(data: Data, run: Run) -> Answer:
    def consumed() -> dict[str, Consumed]:
        found: dict[str, Consumed] = {}
        for member in data["TransactItems"]:
            get = member["Get"]
            size = _stored_size(table_of(get), get["Key"])
            found.setdefault(get["TableName"], Consumed()).table += read_units(size, transactional=True)
        return found

    return _reported(run(data), data, consumed, kind="ReadCapacityUnits")


def _transact_write_items(data: Data, run: Run) -> Answer:
    """The engine counts these writes, but does not tell which of the units are the table's."""
    status, headers, body = run(data)
    if status != 200 or data.get("ReturnConsumedCapacity") != "INDEXES":
        return status, headers, body
    answer = json.loads(body)
    for entry in answer.get("ConsumedCapacity", []):
        if "WriteCapacityUnits" in entry:
            units = entry["WriteCapacityUnits"]
            entry["Table"] = {"CapacityUnits": units, "WriteCapacityUnits": units}
    return _json(answer)


def _reported(answer: Answer, data: Data, consumed: Callable[[], dict[str, Consumed]], *, kind: str | None) -> Answer:
    detail = data.get("ReturnConsumedCapacity") or "NONE"
    if answer[0] != 200 or detail == "NONE":
        return answer
    content = json.loads(answer[2])
    content["ConsumedCapacity"] = [
        report(name, units, detail, kind=kind) for name, units in consumed().items() if table_of({"TableName": name})
    ]
    return _json(content)


def _stored_size(table: Table | None, key: Data) -> int:
    return size_or_zero(engine.dynamodb._get_item_by_key(table, key)) if table is not None else 0


def _json(content: Data) -> Answer:
    answer: Answer = engine.dynamodb.json_response(content)
    return answer
