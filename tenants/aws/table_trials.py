"""Makes one call to the records table with a person's credentials and returns AWS's answer, even if it is a refusal.

No call here changes a row. One that would write has a condition that no item can meet, so that where IAM lets it
through it ends as a failed condition. Reading the whole table counts one row and returns none.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from tenants.aws.failures import RECORDS, AwsError, aws_error, translate_errors
from tenants.aws.raw_bodies import capture_bodies
from tenants.aws.signing import signing_as
from tenants.domain.credentials import Credentials
from tenants.domain.keys import USUAL_KEYS, KeyNames

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_REFUSED = "AccessDeniedException"
# What AWS answers once IAM has let a call through.
_CONDITION_FAILED = "ConditionalCheckFailedException"
_CANCELLED = "TransactionCanceledException"
_MALFORMED = "ValidationException"


@dataclass(frozen=True, slots=True)
class RawAnswer:
    """AWS's answer, a refusal or rows. `body` is its JSON, only indented, and `rows` how many it holds.

    A failed condition is `allowed` too: IAM let the call through, and nothing was written.
    """

    allowed: bool
    status: int
    code: str
    request_id: str
    body: str
    rows: int = 0


@dataclass(frozen=True, slots=True)
class TableTrials:
    client: DynamoDBClient
    table: str
    keys: KeyNames = USUAL_KEYS

    def make(
        self, credentials: Credentials, operation: str, partition_key: str, sort_key: str, *, limit: int
    ) -> RawAnswer:
        """`operation` is the name of AWS's operation, one of `OPERATIONS`; a list ends after `limit` rows.

        Raises Unreachable, Throttled, CredentialsExpired or Misconfigured if there is no such answer.
        """
        call = _CALLS[operation]
        with translate_errors(RECORDS), signing_as(credentials), capture_bodies() as bodies:
            try:
                answer = call.send(self, partition_key, sort_key, limit)
            except ClientError as error:
                return _failure(error, bodies)
            metadata = answer["ResponseMetadata"]
            status, request_id = metadata["HTTPStatusCode"], metadata["RequestId"]
            return RawAnswer(True, status, "", request_id, _indented(bodies), rows=call.rows(answer))

    @property
    def _never(self) -> dict[str, Any]:
        """A condition that no item meets, whether it is there or not."""
        return {
            "ConditionExpression": "attribute_exists(#pk) AND attribute_not_exists(#pk)",
            "ExpressionAttributeNames": {"#pk": self.keys.partition},
        }

    def get_item(self, pk: str, sk: str, _: int) -> Any:
        return self.client.get_item(TableName=self.table, Key=self._key(pk, sk))

    def query(self, pk: str, _: str, limit: int) -> Any:
        return self.client.query(
            TableName=self.table,
            Limit=limit,
            KeyConditionExpression="#pk = :pk",
            ExpressionAttributeNames={"#pk": self.keys.partition},
            ExpressionAttributeValues={":pk": {"S": pk}},
        )

    def batch_get_item(self, pk: str, sk: str, _: int) -> Any:
        return self.client.batch_get_item(RequestItems={self.table: {"Keys": [self._key(pk, sk)]}})

    def transact_get_items(self, pk: str, sk: str, _: int) -> Any:
        return self.client.transact_get_items(
            TransactItems=[{"Get": {"TableName": self.table, "Key": self._key(pk, sk)}}]
        )

    def put_item(self, pk: str, sk: str, _: int) -> Any:
        return self.client.put_item(TableName=self.table, Item=self._key(pk, sk), **self._never)

    def update_item(self, pk: str, sk: str, _: int) -> Any:
        return self.client.update_item(TableName=self.table, Key=self._key(pk, sk), **self._never)

    def delete_item(self, pk: str, sk: str, _: int) -> Any:
        return self.client.delete_item(TableName=self.table, Key=self._key(pk, sk), **self._never)

    def transact_write_items(self, pk: str, sk: str, _: int) -> Any:
        put: Any = {"TableName": self.table, "Item": self._key(pk, sk), **self._never}
        return self.client.transact_write_items(TransactItems=[{"Put": put}])

    def scan(self, _pk: str, _sk: str, _: int) -> Any:
        return self.client.scan(TableName=self.table, Limit=1, Select="COUNT")

    def partiql_select(self, pk: str, _: str, limit: int) -> Any:
        name = self.keys.partition.replace('"', '""')
        statement = f'SELECT * FROM "{self.table}" WHERE "{name}" = ?'  # noqa: S608 - names of the settings, quoted
        return self.client.execute_statement(Statement=statement, Parameters=[{"S": pk}], Limit=limit)

    def _key(self, pk: str, sk: str) -> Any:
        return self.keys.key(pk, sk)


@dataclass(frozen=True, slots=True)
class _Call:
    """`rows` counts those of an answer."""

    send: Callable[[TableTrials, str, str, int], Any]
    rows: Callable[[Mapping[str, Any]], int] = lambda _: 0


_CALLS = {
    "Query": _Call(TableTrials.query, lambda answer: int(answer["Count"])),
    "GetItem": _Call(TableTrials.get_item, lambda answer: int("Item" in answer)),
    "BatchGetItem": _Call(TableTrials.batch_get_item, lambda answer: sum(map(len, answer["Responses"].values()))),
    "TransactGetItems": _Call(
        TableTrials.transact_get_items, lambda answer: sum("Item" in one for one in answer["Responses"])
    ),
    "PutItem": _Call(TableTrials.put_item),
    "UpdateItem": _Call(TableTrials.update_item),
    "DeleteItem": _Call(TableTrials.delete_item),
    "TransactWriteItems": _Call(TableTrials.transact_write_items),
    "Scan": _Call(TableTrials.scan, lambda answer: int(answer["Count"])),
    "ExecuteStatement": _Call(TableTrials.partiql_select, lambda answer: len(answer["Items"])),
}
OPERATIONS = tuple(_CALLS)


def _failure(error: ClientError, bodies: Sequence[bytes]) -> RawAnswer:
    """Raises the error itself where AWS did not decide, such as a throttled call."""
    failure = aws_error(error, RECORDS)
    if failure.code not in {_REFUSED, _MALFORMED} and not _met_no_condition(failure, error):
        raise error
    allowed = failure.code not in {_REFUSED, _MALFORMED}
    return RawAnswer(allowed, failure.status, failure.code, failure.request_id, _indented(bodies))


def _met_no_condition(failure: AwsError, error: ClientError) -> bool:
    if failure.code == _CANCELLED:
        reasons = error.response.get("CancellationReasons", [])
        return [reason.get("Code") for reason in reasons] == ["ConditionalCheckFailed"]
    return failure.code == _CONDITION_FAILED


def _indented(bodies: Sequence[bytes]) -> str:
    """The last body: the others were retried."""
    return json.dumps(json.loads(bodies[-1]), indent=2, ensure_ascii=False)
