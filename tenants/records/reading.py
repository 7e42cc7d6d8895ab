"""Reading records: the collections, a page of a collection, one record. Each is one call to DynamoDB.

`Space` says whose rows are asked for. IAM decides whether the person's credentials reach them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from tenants.aws.failures import CredentialsExpired
from tenants.aws.records_table import RawAnswer, RecordsTable
from tenants.domain.credentials import Credentials
from tenants.domain.errors import RecordNotFound
from tenants.domain.keys import Space, checked_partition_key, checked_record_key
from tenants.domain.values import Item
from tenants.sign_in.federation import Federation
from tenants.sign_in.sessions import SignedIn

PAGE_SIZE = 25
COLLECTIONS_A_PAGE = 100
TRIED_ROWS = 5

_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class RecordPage:
    """`after` leads to the next page and `before` to the previous one: sort keys, None where there is no such page."""

    items: Sequence[Item]
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class Records:
    table: RecordsTable
    federation: Federation

    def collections(self, who: SignedIn, space: Space, *, after: str | None = None) -> RecordPage:
        """The catalogue: items whose `sk` is a collection's name. Raises InvalidInput for an impossible `after`."""
        if after:
            checked_record_key(after)
        return self._page(who, space.catalogue, limit=COLLECTIONS_A_PAGE, after=after)

    def page(
        self,
        who: SignedIn,
        space: Space,
        collection: str,
        *,
        after: str | None = None,
        before: str | None = None,
        prefix: str = "",
    ) -> RecordPage:
        """At most `PAGE_SIZE` records whose keys begin with `prefix`. Raises InvalidInput for impossible keys."""
        for key in filter(None, (after, before, prefix)):
            checked_record_key(key)
        return self._page(who, space.collection(collection), limit=PAGE_SIZE, after=after, before=before, prefix=prefix)

    def record(self, who: SignedIn, space: Space, collection: str, key: str) -> Item:
        """Raises RecordNotFound."""
        partition_key, sort_key = space.collection(collection), checked_record_key(key)
        item = self._with_credentials(who, lambda held: self.table.row(held, partition_key, sort_key))
        if item is None:
            raise RecordNotFound(collection, key)
        return item

    def try_key(self, who: SignedIn, partition_key: str) -> RawAnswer:
        """Asks for any partition with the person's own credentials, and returns the answer of AWS as it came."""
        checked_partition_key(partition_key)
        return self._with_credentials(who, lambda held: self.table.try_partition(held, partition_key, limit=TRIED_ROWS))

    def _page(
        self,
        who: SignedIn,
        partition_key: str,
        *,
        limit: int,
        after: str | None = None,
        before: str | None = None,
        prefix: str = "",
    ) -> RecordPage:
        rows = self._with_credentials(
            who,
            lambda held: self.table.rows(held, partition_key, limit=limit, after=after, before=before, prefix=prefix),
        )
        if not rows.items:
            return RecordPage((), before=None, after=None)
        backwards = before is not None
        more_before = rows.more if backwards else after is not None
        more_after = True if backwards else rows.more
        return RecordPage(
            rows.items,
            before=rows.items[0]["sk"]["S"] if more_before else None,
            after=rows.items[-1]["sk"]["S"] if more_after else None,
        )

    def _with_credentials(self, who: SignedIn, call: Callable[[Credentials], _Result]) -> _Result:
        try:
            return call(self.federation.credentials_for(who))
        except CredentialsExpired:
            # They were revoked, or a clock jumped. New ones are tried once.
            self.federation.drop(who)
            return call(self.federation.credentials_for(who))
