"""Reads and deletes the rows of one organisation, page by page, for the closing job.

Which rows it may reach is IAM's decision. Passing failures are retried with growing pauses, since reading or deleting
a row twice does no harm.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from tenants.aws.failures import RECORDS, CredentialsExpired, translate_errors
from tenants.aws.signing import signing_as
from tenants.aws.tagged_credentials import TaggedCredentials
from tenants.domain.errors import Unavailable
from tenants.domain.keys import USUAL_KEYS, KeyNames, Space, is_collection
from tenants.domain.values import Item

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# A partition takes about a thousand deletions a second. So many at once come close to that.
DELETED_AT_ONCE = 16
_KEYS_A_PAGE = 1000
# All pauses together last little more than a minute.
_TRIES, _FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 10, 0.1, 20.0

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class RowPage:
    """Items in order of their sort key. `after` fetches the next page; None on the last one."""

    items: Sequence[Item]
    after: str | None


@dataclass(frozen=True, slots=True)
class TenantRows:
    """Every read is consistent. Raises DeniedByAws for another organisation's partition, Misconfigured, and after the
    last retry Throttled or Unreachable.
    """

    client: DynamoDBClient
    table: str
    credentials: TaggedCredentials
    keys: KeyNames = USUAL_KEYS
    pause: Callable[[float], None] = time.sleep

    def collections(self, space: Space) -> Iterator[str]:
        """The collections that the catalogue names, without the portal's own partition."""
        return filter(is_collection, self.entries(space))

    def entries(self, space: Space) -> Iterator[str]:
        """All names in the catalogue."""
        for keys in self._keys(space.catalogue):
            yield from map(self.keys.sort_key, keys)

    def pages(self, partition: str, *, after: str | None = None) -> Iterator[RowPage]:
        """Pages of at most a megabyte each; a single empty one if there are no rows."""
        while True:
            page = self._page(partition, after)
            yield page
            if page.after is None:
                return
            after = page.after

    def delete_partition(self, partition: str, *, on_page: Callable[[int], None] = lambda _: None) -> None:
        """Calls `on_page` after every page with the number of rows deleted from it."""
        with ThreadPoolExecutor(DELETED_AT_ONCE) as pool:
            for keys in self._keys(partition):
                deleted = sum(pool.map(self.delete_row, keys))
                on_page(deleted)

    def delete_rows(self, keys: Sequence[Item]) -> int:
        """Returns how many keys there were."""
        with ThreadPoolExecutor(DELETED_AT_ONCE) as pool:
            return sum(pool.map(self.delete_row, keys))

    def delete_row(self, key: Item) -> int:
        """Takes the key out of an item. Returns 1, for sums."""
        wanted: Any = self.keys.key_of(key)
        self._with_retries(lambda: self.client.delete_item(TableName=self.table, Key=wanted))
        return 1

    def is_empty(self, partition: str) -> bool:
        return not self._page(partition, None, Limit=1).items

    def _keys(self, partition: str) -> Iterator[Sequence[Item]]:
        after: str | None = None
        while True:
            page = self._page(partition, after, ProjectionExpression="#pk, #sk", Limit=_KEYS_A_PAGE)
            yield page.items
            if page.after is None:
                return
            after = page.after

    def _page(self, partition: str, after: str | None, **more: Any) -> RowPage:
        names = {"#pk": self.keys.partition}
        if "ProjectionExpression" in more:
            names["#sk"] = self.keys.sort
        request: dict[str, Any] = {
            "TableName": self.table,
            "KeyConditionExpression": "#pk = :pk",
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": {":pk": {"S": partition}},
            "ConsistentRead": True,
            **more,
        }
        if after is not None:
            request["ExclusiveStartKey"] = self.keys.key(partition, after)
        answer = self._with_retries(lambda: self.client.query(**request))
        last = answer.get("LastEvaluatedKey")
        return RowPage(answer["Items"], self.keys.sort_key(last) if last else None)

    def _with_retries(self, call: Callable[[], Result]) -> Result:
        for tried in range(1, _TRIES + 1):
            try:
                return self._signed(call)
            except Unavailable:
                if tried == _TRIES:
                    raise
                longest = min(_LONGEST_PAUSE_SECONDS, _FIRST_PAUSE_SECONDS * 2**tried)
                self.pause(random.uniform(0, longest))  # noqa: S311 - jitter
        raise AssertionError("not reached")

    def _signed(self, call: Callable[[], Result]) -> Result:
        credentials = self.credentials.get()
        try:
            with translate_errors(RECORDS), signing_as(credentials):
                return call()
        except CredentialsExpired:
            self.credentials.discard(credentials)
            raise
