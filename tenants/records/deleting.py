"""Deleting a record and taking that back for ten minutes. The row really goes; a copy is kept in the same transaction.

The copy holds the whole row in one compressed attribute, so that its bytes, and 32 levels of nesting, come back as they
were. DynamoDB deletes expired copies within some days. Until then the time decides, not that the copy is there.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from tenants.audit import record as record_entry
from tenants.audit.actions import Action
from tenants.aws.records_writes import Delete, PutNew, RowKey
from tenants.domain.entered_values import read_item
from tenants.domain.errors import InvalidInput, NotNow, RecordChanged
from tenants.domain.keys import Space
from tenants.domain.record_edits import VERSION, RecordPlace, next_version, without_key
from tenants.domain.value_limits import MAX_ITEM_BYTES, item_size
from tenants.domain.values import AttributeValue, Item, as_json
from tenants.records.editing import Editing, row_key
from tenants.sign_in.sessions import SignedIn

KEPT = timedelta(minutes=10)
EXPIRES_AT = "_expires_at"
# No table has a key by these names.
_COLLECTION, _KEY, _ROW = "_deleted_collection", "_deleted_key", "_deleted_row"
_AT, _BY = "_deleted_at", "_deleted_by"
MOST_LISTED = 100
# A copy is far shorter, unless somebody wrote it by hand.
_MOST_BYTES = 16 * MAX_ITEM_BYTES
_OVER = "The ten minutes are over: this record cannot be brought back."


@dataclass(frozen=True, slots=True)
class DeletedCopy:
    """`id` is its sort key; it can be restored until `until`."""

    id: str
    collection: str
    key: str
    deleted_at: str
    deleted_by: str
    until: datetime


@dataclass(frozen=True, slots=True)
class Deleting:
    editing: Editing

    def can_be_undone(self, who: SignedIn, place: RecordPlace, item: Item) -> bool:
        """Whether its copy fits into one record."""
        return item_size(self._copy(who, place, item, copy_id_of(place, self._now()))[1]) <= MAX_ITEM_BYTES

    def delete(self, who: SignedIn, place: RecordPlace, *, shown: str) -> bool:
        """Deletes a record that is as `shown`, a digest. Returns whether a copy was kept.

        Raises RecordNotFound and RecordChanged. Recorded without the key.
        """
        item = self.editing.unchanged(who, place, shown)
        is_kept = self.delete_row(who, place, item, copy_id=copy_id_of(place, self._now()))
        record_entry(Action.RECORDS_DELETED, by=who.actor, org=who.org, target=place.collection, after={"rows": 1})
        return is_kept

    def delete_row(self, who: SignedIn, place: RecordPlace, item: Item, *, copy_id: str) -> bool:
        """Deletes `item`, as it was just read, with a copy by this id if it fits. Raises RecordChanged."""
        key, copy = self._copy(who, place, item, copy_id)
        fits = item_size(copy) <= MAX_ITEM_BYTES
        kept = [PutNew(key, without_key(copy, self.editing.keys))] if fits else []
        self.editing.write(who, [Delete(row_key(place), self.editing.whole(item)), *kept])
        return fits

    def deleted(self, who: SignedIn, space: Space, collection: str) -> Sequence[DeletedCopy]:
        """Those that can still be restored, the latest first, at most a hundred."""
        space.collection(collection)
        latest = self.editing.records.with_credentials(
            who,
            lambda held: self.editing.writes.latest(
                held,
                space.deleted,
                prefix=_begin(collection),
                names=(_COLLECTION, _KEY, _AT, _BY, EXPIRES_AT),
                most=MOST_LISTED,
            ),
        )
        copies = [_read(self.editing.keys.sort_key(row), row) for row in latest]
        return [copy for copy in copies if copy and self._is_open(copy) and copy.collection == collection]

    def restore(self, who: SignedIn, space: Space, collection: str, copy_id: str) -> RecordPlace:
        """Brings the record back as it was, with its version raised. Raises NotNow if that cannot be done any more."""
        copy_key = RowKey(space.deleted, copy_id)
        if not copy_id.startswith(_begin(collection)) or len(copy_id.encode()) > 200:
            raise InvalidInput("This is no deleted record of this collection.")
        row = self.editing.row(who, copy_key)
        copy = _read(copy_id, row) if row else None
        if row is None or copy is None or copy.collection != collection:
            raise NotNow("This record has been brought back already, or the ten minutes are over.")
        if not self._is_open(copy):
            raise NotNow(_OVER)
        place = RecordPlace(space, collection, copy.key)
        self._put_back(who, place, _unpacked(row), copy_key)
        record_entry(Action.RECORDS_RESTORED, by=who.actor, org=who.org, target=collection, after={"rows": 1})
        return place

    def is_copied(self, who: SignedIn, space: Space, copy_id: str) -> bool:
        return self.editing.row(who, RowKey(space.deleted, copy_id)) is not None

    def _is_open(self, copy: DeletedCopy) -> bool:
        """No copy of the portal's ends much later, whatever the clocks of its hosts say."""
        return self._now() < copy.until < self._now() + 2 * KEPT

    def _put_back(self, who: SignedIn, place: RecordPlace, item: Item, copy_key: RowKey) -> None:
        raised = {VERSION: next_version(item)} if VERSION in item else {}
        attributes = {**without_key(item, self.editing.keys), **raised}
        # An editor of the organisation can write any copy.
        self.editing.check(place, attributes)
        listed = self.editing.listed(who, place, had_records=True)
        writes = [PutNew(row_key(place), attributes), Delete(copy_key, {}), *listed]
        try:
            self.editing.write(who, writes)
        except RecordChanged as error:
            why = "there is a new record with this key" if error.at == 0 else "somebody else has just done it"
            raise NotNow(f"The deleted record was not brought back: {why}.") from error

    def _copy(self, who: SignedIn, place: RecordPlace, item: Item, copy_id: str) -> tuple[RowKey, Item]:
        """Its key, and the whole row."""
        now, key = self._now(), RowKey(place.space.deleted, copy_id)
        attributes: dict[str, AttributeValue] = {
            _COLLECTION: {"S": place.collection},
            _KEY: {"S": place.key},
            _ROW: {"B": _packed(item)},
            _AT: {"S": now.isoformat(timespec="milliseconds")},
            _BY: {"S": who.claims.sub},
            EXPIRES_AT: {"N": str(int((now + KEPT).timestamp()))},
        }
        return key, {**self.editing.keys.key(key.partition, key.sort), **attributes}

    def _now(self) -> datetime:
        return self.editing.now()


def copy_id_of(place: RecordPlace, at: datetime) -> str:
    """By collection, then by time. The same again for the same arguments, so that a bulk step finds what it did."""
    return f"{_begin(place.collection)}{at.astimezone(UTC).strftime('%Y%m%dT%H%M%S.%f')}#{_hash(place.key)}"


def _begin(collection: str) -> str:
    return f"{_hash(collection)}#"


def _hash(text: str) -> str:
    """Of names and keys, which may take up all of a sort key."""
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _read(copy_id: str, row: Item) -> DeletedCopy | None:
    """None for a row that the portal did not write."""
    try:
        return DeletedCopy(
            id=copy_id,
            collection=row[_COLLECTION]["S"],
            key=row[_KEY]["S"],
            deleted_at=row[_AT]["S"],
            deleted_by=row[_BY]["S"],
            until=datetime.fromtimestamp(int(row[EXPIRES_AT]["N"]), UTC),
        )
    except (KeyError, ValueError, OverflowError, OSError):
        return None


def _packed(item: Item) -> bytes:
    text = json.dumps({name: as_json(value) for name, value in item.items()}, ensure_ascii=False, separators=(",", ":"))
    return zlib.compress(text.encode(), 6)


def _unpacked(copy: Item) -> Item:
    """Raises InvalidInput for what `_packed` did not write."""
    try:
        text = zlib.decompressobj().decompress(copy[_ROW]["B"], _MOST_BYTES)
        return read_item(text.decode())
    except (KeyError, zlib.error, UnicodeDecodeError) as error:
        raise InvalidInput("The copy of this record is damaged.") from error
