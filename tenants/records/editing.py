"""Writing one record with the person's own credentials: create, save, move. Every write is one transaction.

Who may write what is IAM's decision. A write requires that the record still is as it was shown, in every attribute
that it changes: applications write too, and raise no version.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from tenants.audit import record as record_entry
from tenants.audit.actions import Action
from tenants.aws.records_writes import (
    MOST_COMPARED,
    Change,
    Delete,
    Ensure,
    Expected,
    PutNew,
    RecordsWrites,
    RowKey,
    Write,
)
from tenants.domain.errors import InvalidInput, RecordChanged, RecordNotFound
from tenants.domain.keys import MAX_SORT_KEY_BYTES, KeyNames, Space, checked_record_key
from tenants.domain.record_edits import (
    UPDATED_AT,
    UPDATED_BY,
    VERSION,
    RecordPlace,
    as_expected,
    changes_between,
    check_collection_name,
    check_own_name,
    checked_description,
    digest,
    next_version,
    own_attributes,
    without_key,
)
from tenants.domain.value_limits import check_item
from tenants.domain.values import AttributeValue, Item
from tenants.records.reading import Records
from tenants.sign_in.sessions import SignedIn

_KEY_IS_TAKEN = "This collection has a record with this key already."
# A collection that got its first record here says since when it is listed.
_LISTED_SINCE = UPDATED_AT


@dataclass(frozen=True, slots=True)
class Editing:
    records: Records
    writes: RecordsWrites
    now: Callable[[], datetime]

    @property
    def keys(self) -> KeyNames:
        return self.writes.keys

    def as_it_is(self, who: SignedIn, place: RecordPlace) -> Item | None:
        """Read consistently, with its key. Raises InvalidInput for an impossible place."""
        return self.row(who, row_key(place))

    def create(self, who: SignedIn, place: RecordPlace, attributes: Item) -> None:
        """With version 1, and its collection in the catalogue. Raises InvalidInput, with the field `record_key` for a
        key that is taken.
        """
        self.check_own(attributes)
        made = {**attributes, **self.bookkeeping(who, {})}
        self.check(place, made)
        try:
            self.write(who, [PutNew(row_key(place), made), *self.listed(who, place)])
        except RecordChanged as error:
            raise InvalidInput(_KEY_IS_TAKEN, field="record_key") from error

    def save(self, who: SignedIn, place: RecordPlace, *, opened: Item, attributes: Item) -> bool:
        """Makes the person's attributes of the record `attributes`; `opened` is the record as they saw it.

        Writes only what differs, and returns whether anything does. Raises RecordChanged if the version or one of these
        attributes is no longer as in `opened`, or if the record is gone; and InvalidInput.
        """
        self.check_own(attributes)
        changes = changes_between(own_attributes(opened, self.keys), attributes)
        if not changes.names:
            return False
        if len(changes.names) >= MOST_COMPARED:
            raise InvalidInput(
                f"Change fewer than {MOST_COMPARED} attributes at a time. These are {len(changes.names)}."
            )
        written = {**changes.values, **self.bookkeeping(who, opened)}
        left = {name: value for name, value in without_key(opened, self.keys).items() if name not in changes.removed}
        self.check(place, {**left, **written})
        expected = as_expected(opened, [VERSION, *changes.names], most=MOST_COMPARED)
        self.write(who, [Change(row_key(place), written, changes.removed, expected)])
        return True

    def move(self, who: SignedIn, place: RecordPlace, *, to: RecordPlace, shown: str) -> None:
        """Gives a record another key, or another collection of the same space, in one transaction.

        `shown` is the digest of the record as the person saw it. Raises RecordNotFound, RecordChanged and InvalidInput.
        """
        if row_key(to) == row_key(place):
            raise InvalidInput("This is the key that the record has.", field="record_key")
        item = self.unchanged(who, place, shown)
        moved = {**without_key(item, self.keys), **self.bookkeeping(who, item)}
        self.check(to, moved)
        listed = self.listed(who, to, had_records=to.collection == place.collection)
        writes = [PutNew(row_key(to), moved), Delete(row_key(place), self.whole(item)), *listed]
        try:
            self.write(who, writes)
        except RecordChanged as error:
            if error.at == 0:
                raise InvalidInput(_KEY_IS_TAKEN, field="record_key") from error
            raise

    def add_collection(self, who: SignedIn, space: Space, name: str, description: str) -> None:
        """An empty one. Raises InvalidInput, with the field `collection` or `description`."""
        check_collection_name(name)
        about = checked_description(description)
        space.collection(name)
        try:
            self.write_entry(who, space, _checked_entry(name), about)
        except RecordChanged as error:
            raise InvalidInput("There is a collection with this name already.", field="collection") from error
        record_entry(Action.COLLECTION_ADDED, by=who.actor, org=who.org, target=name)

    def write_entry(self, who: SignedIn, space: Space, name: str, description: str) -> None:
        """Into the catalogue. Raises RecordChanged if the name is in it."""
        about: Item = {"description": {"S": description}} if description else {}
        self.write(who, [PutNew(RowKey(space.catalogue, name), {**about, **self.bookkeeping(who, {})})])

    def unchanged(self, who: SignedIn, place: RecordPlace, shown: str) -> Item:
        """The record as it is now. Raises RecordNotFound, and RecordChanged if it is not as it was shown."""
        item = self.as_it_is(who, place)
        if item is None:
            raise RecordNotFound(place.collection, place.key)
        if digest(item) != shown:
            raise RecordChanged
        return item

    def whole(self, item: Item) -> Expected:
        """The condition that nothing of it has changed, as far as one expression can say so."""
        return as_expected(item, without_key(item, self.keys), most=MOST_COMPARED)

    def bookkeeping(self, who: SignedIn, before: Item) -> dict[str, AttributeValue]:
        return {
            VERSION: next_version(before),
            UPDATED_AT: {"S": self.now().isoformat(timespec="milliseconds")},
            UPDATED_BY: {"S": who.claims.sub},
        }

    def check(self, place: RecordPlace, attributes: Item) -> None:
        """Raises InvalidInput for the first attribute of a record, or its size, that DynamoDB would refuse."""
        check_item({**attributes, **self.keys.key(place.partition, place.sort)})

    def check_own(self, attributes: Item) -> None:
        """Raises InvalidInput for a name that a person's attribute cannot have."""
        for name in attributes:
            check_own_name(name, self.keys)

    def listed(self, who: SignedIn, place: RecordPlace, *, had_records: bool = False) -> list[Write]:
        """What puts the record's collection into the catalogue, if it is not there.

        A collection that is there, or that `had_records`, may have any name that an application gave it, also one that
        the catalogue cannot hold. Raises InvalidInput for any other that a new collection cannot have.
        """
        if had_records and len(place.collection.encode()) > MAX_SORT_KEY_BYTES:
            return []
        entry = RowKey(place.space.catalogue, _checked_entry(place.collection))
        if self.row(who, entry) is not None:
            return []
        if not had_records:
            check_collection_name(place.collection)
        return [Ensure(entry, _LISTED_SINCE, self.bookkeeping(who, {})[UPDATED_AT])]

    def write(self, who: SignedIn, writes: Sequence[Write]) -> None:
        self.records.with_credentials(who, lambda held: self.writes.write(held, writes))

    def row(self, who: SignedIn, key: RowKey) -> Item | None:
        return self.records.with_credentials(who, lambda held: self.writes.row(held, key))


def row_key(place: RecordPlace) -> RowKey:
    """Raises InvalidInput."""
    return RowKey(place.partition, place.sort)


def _checked_entry(collection: str) -> str:
    """The catalogue has the name as a sort key, which is shorter than a partition key may be. Raises InvalidInput."""
    try:
        return checked_record_key(collection)
    except InvalidInput as error:
        raise InvalidInput(error.message.replace("record key", "collection’s name"), field="collection") from error
