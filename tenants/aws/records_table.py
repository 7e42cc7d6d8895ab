"""Reads the records table with a person's credentials, which every method takes and none keeps.

Which rows they may read is IAM's decision. Nothing here compares an org.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any

from tenants.aws.failures import RECORDS, translate_errors
from tenants.aws.signing import signing_as
from tenants.domain.credentials import Credentials
from tenants.domain.keys import USUAL_KEYS, KeyNames
from tenants.domain.values import Item

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@dataclass(frozen=True, slots=True)
class QueryAnswer:
    """`scanned` are the items before the filter, `count` those after it. Read on after the sort key `last`, if any."""

    items: Sequence[Item]
    count: int
    scanned: int
    last: str | None
    units: float
    milliseconds: float


@dataclass(frozen=True, slots=True)
class RecordsTable:
    client: DynamoDBClient
    name: str
    keys: KeyNames = USUAL_KEYS

    def query(self, credentials: Credentials, parameters: Mapping[str, Any]) -> QueryAnswer:
        """One Query. `parameters` are without the table's name.

        Raises DeniedByAws, CredentialsExpired, Throttled, Unreachable, InvalidInput or Misconfigured.
        """
        begun = perf_counter()
        with translate_errors(RECORDS), signing_as(credentials):
            answer = self.client.query(TableName=self.name, ReturnConsumedCapacity="TOTAL", **parameters)
        last = answer.get("LastEvaluatedKey")
        return QueryAnswer(
            answer.get("Items", ()),
            count=answer["Count"],
            scanned=answer["ScannedCount"],
            last=self.keys.sort_key(last) if last else None,
            units=answer.get("ConsumedCapacity", {}).get("CapacityUnits", 0.0),
            milliseconds=(perf_counter() - begun) * 1000,
        )

    def row(self, credentials: Credentials, partition_key: str, sort_key: str) -> Item | None:
        with translate_errors(RECORDS), signing_as(credentials):
            key: Any = self.keys.key(partition_key, sort_key)
            answer = self.client.get_item(TableName=self.name, Key=key)
        return answer.get("Item")
