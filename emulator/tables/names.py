"""The names of tables in operations on rows."""

from collections.abc import Callable

from emulator import engine
from emulator.access.request_constraints import report
from emulator.tables.constraints import table_name_violations

Answer = tuple[int, dict[str, str], bytes]


def apply() -> None:
    check: Callable[[object], Answer | None] = engine.dynamodb._validate_data_plane_table_name

    def checked_name(name: object) -> Answer | None:
        found = list(table_name_violations(name)) if isinstance(name, str) and not check(name) else []
        if not found:
            return check(name)
        refused: Answer = engine.dynamodb.error_response_json("ValidationException", report(found[:1]), 400)
        return refused

    engine.dynamodb._validate_data_plane_table_name = checked_name
