"""Reads the records table with a person's credentials, which every method takes and none keeps.

Which rows they may read is IAM's decision. Nothing here compares an org.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from tenants.aws.failures import RECORDS, aws_error, translate_errors
from tenants.aws.raw_bodies import capture_bodies
from tenants.aws.signing import signing_as
from tenants.domain.credentials import Credentials
from tenants.domain.values import Item

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@dataclass(frozen=True, slots=True)
class Rows:
    """Items in order of their sort key. `more` says whether others follow in the direction of reading."""

    items: Sequence[Item]
    more: bool


@dataclass(frozen=True, slots=True)
class RawAnswer:
    """AWS's answer, a refusal or rows. `body` is its JSON, only indented, and `rows` how many it holds."""

    allowed: bool
    status: int
    code: str
    request_id: str
    body: str
    rows: int = 0


@dataclass(frozen=True, slots=True)
class RecordsTable:
    client: DynamoDBClient
    name: str

    def rows(
        self,
        credentials: Credentials,
        partition_key: str,
        *,
        limit: int,
        after: str | None = None,
        before: str | None = None,
        prefix: str = "",
    ) -> Rows:
        """Up to `limit` rows after (or before) a sort key, exclusive, whose sort keys begin with `prefix`. One call.

        Raises DeniedByAws, CredentialsExpired, Throttled, Unreachable, InvalidInput or Misconfigured.
        """
        backwards = before is not None
        start = before if backwards else after
        request: dict[str, Any] = {**_key_condition(partition_key, prefix), "ScanIndexForward": not backwards}
        if start is not None:
            request["ExclusiveStartKey"] = _key(partition_key, start)
        with translate_errors(RECORDS), signing_as(credentials):
            # Asks for one row more: LastEvaluatedKey may be set although nothing follows.
            answer = self.client.query(TableName=self.name, Limit=limit + 1, **request)
        items: list[Item] = list(answer["Items"])
        page = items[:limit]
        # A page of large rows ends early, at one megabyte, with a LastEvaluatedKey.
        more = len(items) > limit or "LastEvaluatedKey" in answer
        return Rows(page[::-1] if backwards else page, more)

    def row(self, credentials: Credentials, partition_key: str, sort_key: str) -> Item | None:
        with translate_errors(RECORDS), signing_as(credentials):
            answer = self.client.get_item(TableName=self.name, Key=_key(partition_key, sort_key))
        return answer.get("Item")

    def try_partition(self, credentials: Credentials, partition_key: str, *, limit: int) -> RawAnswer:
        """Queries any partition and returns AWS's answer, even if it is a refusal.

        Raises Unreachable, Throttled, CredentialsExpired or Misconfigured if there is no such answer.
        """
        with translate_errors(RECORDS), signing_as(credentials), capture_bodies() as bodies:
            try:
                answer = self.client.query(TableName=self.name, Limit=limit, **_key_condition(partition_key, ""))
            except ClientError as error:
                refusal = aws_error(error, RECORDS)
                if refusal.code not in {"AccessDeniedException", "ValidationException"}:
                    raise
                return RawAnswer(False, refusal.status, refusal.code, refusal.request_id, _indented(bodies))
            metadata = answer["ResponseMetadata"]
            status, request_id = metadata["HTTPStatusCode"], metadata["RequestId"]
            return RawAnswer(True, status, "", request_id, _indented(bodies), rows=answer["Count"])


def _indented(bodies: Sequence[bytes]) -> str:
    """The last body: the others were retried."""
    return json.dumps(json.loads(bodies[-1]), indent=2, ensure_ascii=False)


def _key(partition_key: str, sort_key: str) -> dict[str, Any]:
    return {"pk": {"S": partition_key}, "sk": {"S": sort_key}}


def _key_condition(partition_key: str, prefix: str) -> dict[str, Any]:
    if not prefix:
        return {
            "KeyConditionExpression": "pk = :pk",
            "ExpressionAttributeValues": {":pk": {"S": partition_key}},
        }
    return {
        "KeyConditionExpression": "pk = :pk AND begins_with(sk, :prefix)",
        "ExpressionAttributeValues": {":pk": {"S": partition_key}, ":prefix": {"S": prefix}},
    }
