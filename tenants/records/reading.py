"""Reading records: the collections, a page of a collection, one record. Each is one call to DynamoDB.

`Space` says whose rows are asked for. IAM decides whether the person's credentials reach them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from tenants.aws.failures import CredentialsExpired
from tenants.aws.records_table import QueryAnswer, RecordsTable
from tenants.domain.credentials import Credentials
from tenants.domain.errors import RecordNotFound, Unavailable
from tenants.domain.keys import KeyNames, Space, checked_record_key, is_collection
from tenants.domain.record_query import PAGE_SIZES, RecordQuery, query_parameters
from tenants.domain.values import Item
from tenants.sign_in.federation import Federation
from tenants.sign_in.sessions import SignedIn

PAGE_SIZE = PAGE_SIZES[0]
COLLECTIONS_A_PAGE = 100
# Each reads at most a megabyte.
CALLS_OF_A_COUNT = 10

_Result = TypeVar("_Result")
_EVERYTHING = RecordQuery()


@dataclass(frozen=True, slots=True)
class Start:
    """A place between two records: reading begins after `key`, or before it. `number` counts from 1.

    It is the number of the first record of the page that follows, or for `backwards` of the page that was left.
    """

    key: str = ""
    number: int = 1
    backwards: bool = False


@dataclass(frozen=True, slots=True)
class RecordPage:
    """`after` leads to the next page and `before` to the previous one: sort keys, None where there is no such page.

    `first` is the number of the first record. `stopped_early`: a filter read a megabyte and found no full page.
    """

    items: Sequence[Item]
    before: str | None
    after: str | None
    answer: QueryAnswer
    first: int = 1
    stopped_early: bool = False


@dataclass(frozen=True, slots=True)
class Counted:
    """`last` is the sort key where the count stopped; None when all are counted."""

    count: int = 0
    scanned: int = 0
    calls: int = 0
    units: float = 0.0
    milliseconds: float = 0.0
    last: str | None = None

    def plus(self, answer: QueryAnswer) -> Counted:
        return Counted(
            self.count + answer.count,
            self.scanned + answer.scanned,
            self.calls + 1,
            self.units + answer.units,
            self.milliseconds + answer.milliseconds,
            answer.last,
        )


@dataclass(frozen=True, slots=True)
class Records:
    table: RecordsTable
    federation: Federation

    @property
    def keys(self) -> KeyNames:
        return self.table.keys

    def collections(self, who: SignedIn, space: Space, *, after: str | None = None) -> RecordPage:
        """The catalogue: items whose `sk` is a collection's name. Raises InvalidInput for an impossible `after`."""
        start = Start(checked_record_key(after)) if after else Start()
        page = self._page(who, space.catalogue, _EVERYTHING, start, size=COLLECTIONS_A_PAGE)
        return replace(page, items=[item for item in page.items if is_collection(self.keys.sort_key(item))])

    def page(
        self,
        who: SignedIn,
        space: Space,
        collection: str,
        query: RecordQuery = _EVERYTHING,
        start: Start = Start(),
    ) -> RecordPage:
        """At most `query.size` records. Raises InvalidInput for an impossible collection."""
        return self._page(who, space.collection(collection), query, start, size=query.size)

    def parameters(
        self,
        space: Space,
        collection: str,
        query: RecordQuery,
        start: Start = Start(),
    ) -> Mapping[str, Any]:
        """Of a Query that answers with the same page, for somebody who sends it themselves."""
        parameters = {"TableName": self.table.name, **self._parameters(space.collection(collection), query, start)}
        return parameters if query.filters else {**parameters, "Limit": query.size}

    def count(
        self,
        who: SignedIn,
        space: Space,
        collection: str,
        query: RecordQuery,
        so_far: Counted = Counted(),
    ) -> Counted:
        """Goes on where `so_far` stopped, for `CALLS_OF_A_COUNT` calls, or until AWS is away or too busy."""
        partition_key, counted, calls = space.collection(collection), so_far, 0
        while calls < CALLS_OF_A_COUNT and (counted.last or not counted.calls):
            parameters = self._parameters(partition_key, query, Start(counted.last or ""))
            parameters.pop("ProjectionExpression", None)
            try:
                counted = counted.plus(self._query(who, {**parameters, "Select": "COUNT"}))
            except Unavailable:
                if not calls:
                    raise
                break
            calls += 1
        return counted

    def record(self, who: SignedIn, space: Space, collection: str, key: str) -> Item:
        """Raises RecordNotFound."""
        partition_key, sort_key = space.collection(collection), checked_record_key(key)
        item = self._with_credentials(who, lambda held: self.table.row(held, partition_key, sort_key))
        if item is None:
            raise RecordNotFound(collection, key)
        return item

    def is_empty(self, who: SignedIn, partition_key: str) -> bool:
        parameters = {**self._parameters(partition_key, _EVERYTHING, Start()), "Limit": 1}
        return not self._query(who, parameters).items

    def with_credentials(self, who: SignedIn, call: Callable[[Credentials], _Result]) -> _Result:
        """For the other use cases of this room: with the person's own credentials, renewed once if AWS refuses them."""
        return self._with_credentials(who, call)

    def _page(self, who: SignedIn, partition_key: str, query: RecordQuery, start: Start, *, size: int) -> RecordPage:
        parameters = self._parameters(partition_key, query, start)
        if not query.filters:
            # Asks for one row more: LastEvaluatedKey may be set although nothing follows.
            parameters["Limit"] = size + 1
        answer = self._query(who, parameters)
        items = answer.items[:size]
        is_full = len(answer.items) > size
        # A page of large rows ends early too, at one megabyte.
        further = self.keys.sort_key(items[-1]) if is_full else answer.last
        stopped_early = bool(query.filters) and not is_full and answer.last is not None
        if not start.backwards:
            before = self.keys.sort_key(items[0]) if items and start.key else None
            return RecordPage(items, before, further, answer, start.number, stopped_early)
        after = self.keys.sort_key(items[0]) if items else None
        first = max(1, start.number - len(items)) if further else 1
        return RecordPage(items[::-1], further, after, answer, first, stopped_early)

    def _parameters(self, partition_key: str, query: RecordQuery, start: Start) -> dict[str, Any]:
        return query_parameters(query, self.keys, partition_key, start=start.key, backwards=start.backwards)

    def _query(self, who: SignedIn, parameters: Mapping[str, Any]) -> QueryAnswer:
        return self._with_credentials(who, lambda held: self.table.query(held, parameters))

    def _with_credentials(self, who: SignedIn, call: Callable[[Credentials], _Result]) -> _Result:
        try:
            return call(self.federation.credentials_for(who))
        except CredentialsExpired:
            # They were revoked, or a clock jumped. New ones are tried once.
            self.federation.drop(who)
            return call(self.federation.credentials_for(who))
