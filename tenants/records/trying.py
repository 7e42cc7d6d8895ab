"""Trying a call with the person's own credentials. No row is changed: `tenants.aws.table_trials` says how."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tenants.aws.table_trials import RawAnswer, TableTrials
from tenants.domain.errors import InvalidInput
from tenants.domain.keys import checked_partition_key, checked_record_key
from tenants.records.reading import Records
from tenants.sign_in.sessions import SignedIn

TRIED_ROWS = 5


@dataclass(frozen=True, slots=True)
class Operation:
    """`name` is AWS's, `action` what IAM is asked about. Without `of_a_record` no record key is needed."""

    name: str
    words: str
    action: str
    of_a_record: bool = True
    of_a_partition: bool = True
    writes: bool = False


OPERATIONS = {
    operation.name: operation
    for operation in (
        Operation("Query", "List records", "Query", of_a_record=False),
        Operation("GetItem", "Read a record", "GetItem"),
        Operation("BatchGetItem", "Read records in a batch", "BatchGetItem"),
        Operation("TransactGetItems", "Read in a transaction", "GetItem"),
        Operation("PutItem", "Create or replace a record", "PutItem", writes=True),
        Operation("UpdateItem", "Edit a record", "UpdateItem", writes=True),
        Operation("DeleteItem", "Delete a record", "DeleteItem", writes=True),
        Operation("TransactWriteItems", "Put in a transaction", "PutItem", writes=True),
        Operation("Scan", "Read the whole table", "Scan", of_a_record=False, of_a_partition=False),
        Operation("ExecuteStatement", "Read with PartiQL", "PartiQLSelect", of_a_record=False),
    )
}
USUAL = OPERATIONS["Query"]


@dataclass(frozen=True, slots=True)
class Trials:
    records: Records
    table: TableTrials

    def make(self, who: SignedIn, operation: Operation, partition_key: str, sort_key: str) -> RawAnswer:
        """Raises InvalidInput for an impossible key, whose `field` is pk or sk, and what `TableTrials` raises."""
        if operation.of_a_partition:
            _check("pk", checked_partition_key, partition_key)
        if operation.of_a_record:
            _check("sk", checked_record_key, sort_key)
        return self.records.with_credentials(
            who, lambda held: self.table.make(held, operation.name, partition_key, sort_key, limit=TRIED_ROWS)
        )


def _check(field: str, check: Callable[[str], str], text: str) -> None:
    try:
        check(text)
    except InvalidInput as problem:
        raise InvalidInput(problem.message, field=field) from problem
