"""The rows of a table that tests share, as they were at first."""

from typing import Any


class FirstRows:
    """Remembers all rows of a table. `db` is DynamoDB's client with the rights of root."""

    def __init__(self, db: Any, table: str) -> None:
        self._db, self._table = db, table
        self._rows = self._scan()

    def restore(self) -> None:
        now = self._scan()
        schema = self._db.describe_table(TableName=self._table)["Table"]["KeySchema"]
        names = [key["AttributeName"] for key in schema]
        for row in now:
            if row not in self._rows:
                self._db.delete_item(TableName=self._table, Key={name: row[name] for name in names})
        for row in self._rows:
            if row not in now:
                self._db.put_item(TableName=self._table, Item=row)

    def _scan(self) -> list[Any]:
        pages = self._db.get_paginator("scan").paginate(TableName=self._table)
        return [row for page in pages for row in page["Items"]]
