"""The rows of one organisation for the job that closes it: read page by page, deleted page by page.

Which rows these credentials reach is IAM's decision. A call that fails in a way that passes is made again after a
while, longer each time: to read or delete a row twice changes nothing.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from tenants.aws.failures import RECORDS, CredentialsExpired, translated
from tenants.aws.signing import signing_as
from tenants.aws.tagged_credentials import TaggedCredentials
from tenants.domain.errors import Unavailable
from tenants.domain.keys import Space
from tenants.domain.values import Item

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# A partition takes about a thousand deletions a second; so many at once come near that.
DELETED_AT_ONCE = 16
_KEYS_A_PAGE = 1000
# Somewhat more than a minute altogether, at the most.
_TRIES, _FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 10, 0.1, 20.0

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class RowPage:
    """Items in order of their sort key. `after` fetches the next page; None where there is none."""

    items: Sequence[Item]
    after: str | None


@dataclass(frozen=True, slots=True)
class TenantRows:
    """Every read is consistent. Raises DeniedByAws for a partition that is not the organisation's, Throttled or
    Unreachable where that did not pass, Misconfigured.
    """

    client: DynamoDBClient
    table: str
    credentials: TaggedCredentials
    pause: Callable[[float], None] = time.sleep

    def collections(self, space: Space) -> Iterator[str]:
        """As the catalogue has them."""
        for keys in self._keys(space.catalogue):
            yield from (key["sk"]["S"] for key in keys)

    def pages(self, partition: str, *, after: str | None = None) -> Iterator[RowPage]:
        """Of at most a megabyte each; one at least, and an empty one where there is nothing."""
        while True:
            page = self._page(partition, after)
            yield page
            if page.after is None:
                return
            after = page.after

    def delete_partition(self, partition: str, *, on_page: Callable[[int], None] = lambda _: None) -> None:
        """`on_page` is told how many rows have been deleted since it was told last."""
        with ThreadPoolExecutor(DELETED_AT_ONCE) as pool:
            for keys in self._keys(partition):
                deleted = sum(pool.map(self.delete_row, keys))
                on_page(deleted)

    def is_empty(self, partition: str) -> bool:
        return not self._page(partition, None, Limit=1).items

    def _keys(self, partition: str) -> Iterator[Sequence[Item]]:
        after: str | None = None
        while True:
            page = self._page(partition, after, ProjectionExpression="pk, sk", Limit=_KEYS_A_PAGE)
            yield page.items
            if page.after is None:
                return
            after = page.after

    def _page(self, partition: str, after: str | None, **more: Any) -> RowPage:
        asked: dict[str, Any] = {
            "TableName": self.table,
            "KeyConditionExpression": "pk = :pk",
            "ExpressionAttributeValues": {":pk": {"S": partition}},
            "ConsistentRead": True,
            **more,
        }
        if after is not None:
            asked["ExclusiveStartKey"] = {"pk": {"S": partition}, "sk": {"S": after}}
        answer = self._patiently(lambda: self.client.query(**asked))
        last = answer.get("LastEvaluatedKey")
        return RowPage(answer["Items"], last["sk"]["S"] if last else None)

    def delete_row(self, key: Item) -> int:
        wanted: Any = {"pk": key["pk"], "sk": key["sk"]}
        self._patiently(lambda: self.client.delete_item(TableName=self.table, Key=wanted))
        return 1

    def _patiently(self, call: Callable[[], Answer]) -> Answer:
        for tried in range(1, _TRIES + 1):
            try:
                return self._signed(call)
            except Unavailable:
                if tried == _TRIES:
                    raise
                longest = min(_LONGEST_PAUSE_SECONDS, _FIRST_PAUSE_SECONDS * 2**tried)
                self.pause(random.uniform(0, longest))  # noqa: S311 - jitter
        raise AssertionError("not reached")

    def _signed(self, call: Callable[[], Answer]) -> Answer:
        credentials = self.credentials.get()
        try:
            with translated(RECORDS), signing_as(credentials):
                return call()
        except CredentialsExpired:
            self.credentials.forget(credentials)
            raise
