"""How the database would find the rows of a query: which indexes it names."""

from __future__ import annotations

from collections.abc import Callable

from django.db import connection
from django.test.utils import CaptureQueriesContext


def gather_statistics() -> None:
    """PostgreSQL gathers them by itself in time. SQLite has none."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE tenants_member, tenants_person, tenants_auditevent")


def plans_of(call: Callable[[], object], *, about: str, sorted_by_index: bool = False) -> list[str]:
    """The plans of the statements that `call` makes and that contain `about`.

    PostgreSQL reads a small table whole, so it is told not to. With `sorted_by_index` it is also told not to sort,
    which it does with a few hundred rows.
    """
    with CaptureQueriesContext(connection) as captured:
        call()
    asked = [query["sql"] for query in captured if query["sql"].startswith("SELECT") and about in query["sql"]]
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(
                f"SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = {'off' if sorted_by_index else 'on'}"
            )
        plans = [_plan_of(cursor, sql) for sql in asked]
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL enable_seqscan = on; SET LOCAL enable_sort = on")
    return plans


def _plan_of(cursor: object, sql: str) -> str:
    explain = "EXPLAIN QUERY PLAN" if connection.vendor == "sqlite" else "EXPLAIN"
    cursor.execute(f"{explain} {sql}")  # type: ignore[attr-defined]
    return "\n".join(str(row[-1]) for row in cursor.fetchall())  # type: ignore[attr-defined]
