"""Reads the database as somebody would who has it and nothing else."""

from __future__ import annotations

from collections.abc import Iterator

from django.db import connection


def rows() -> Iterator[str]:
    """Every row of every table, after the table's name."""
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
            for row in cursor.fetchall():
                yield f"{table}: {[bytes(v) if isinstance(v, memoryview) else v for v in row]}"


def tables_with(text: str) -> set[str]:
    return {row.partition(":")[0] for row in rows() if text in row}
