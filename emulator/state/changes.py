"""Tracks which rows have changed since the last save, and whether anything else may have changed.

`rows.row_writes` reports every write of a row, and the server every answered call. Tracking starts after the state was
restored.
"""

from collections.abc import Mapping
from typing import Any

# These calls change nothing but rows, and each row is tracked separately.
_CHANGES_ONLY_ROWS = frozenset(
    [f"DynamoDB.{name}" for name in (
        "GetItem", "Query", "Scan", "BatchGetItem", "TransactGetItems", "PutItem", "UpdateItem", "DeleteItem",
        "BatchWriteItem", "TransactWriteItems", "ExecuteStatement", "BatchExecuteStatement", "ExecuteTransaction",
        "DescribeTable", "DescribeTimeToLive", "DescribeContinuousBackups", "ListTables", "DescribeEndpoints",
    )]
    + [f"CognitoIdentityProvider.{name}" for name in (
        "GetUser", "AdminGetUser", "ListUsers", "DescribeUserPool", "DescribeUserPoolClient", "ListUserPools",
    )]
    + [f"IAM.{name}" for name in ("GetRole", "GetPolicy", "GetPolicyVersion", "ListPolicyVersions")]
    + ["STS.GetCallerIdentity", "openid-configuration", "oauth2.userInfo"]
)  # fmt: skip

Row = tuple[str, str, str]


class ChangeTracker:
    """Rows by table id, partition key and sort key; and the ids of tables whose rows were all replaced."""

    def __init__(self) -> None:
        self._active = False
        self._rows: set[Row] = set()
        self._tables: set[str] = set()
        self._other = False

    def start(self) -> None:
        self._active = True

    def row_changed(self, table: Mapping[str, Any], partition: str, sort: str) -> None:
        if self._active:
            self._rows.add((table["TableId"], partition, sort))

    def table_replaced(self, table: Mapping[str, Any]) -> None:
        if self._active:
            self._tables.add(table["TableId"])

    def call_answered(self, operation: str) -> None:
        """`operation` is the name in faults and counters.

        An operation that is not listed above may have changed anything.
        """
        if operation not in _CHANGES_ONLY_ROWS:
            self._other = self._active

    def __bool__(self) -> bool:
        return bool(self._rows or self._tables or self._other)

    def take(self) -> tuple[set[Row], set[str], bool]:
        """Returns the changed rows, the replaced tables, and whether anything else may have changed.

        Then starts again empty.
        """
        taken = self._rows, self._tables, self._other
        self._rows, self._tables, self._other = set(), set(), False
        return taken

    def put_back(self, rows: set[Row], tables: set[str], *, other: bool) -> None:
        """Restores changes that were taken but could not be saved."""
        self._rows |= rows
        self._tables |= tables
        self._other |= other


tracker = ChangeTracker()
