"""One step for many records of a collection: each is its own transaction with its own result.

A step that was interrupted can be taken again: what is done counts as done, and is neither done nor copied twice.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from tenants.audit import record as record_entry
from tenants.audit.actions import Action
from tenants.domain.errors import DeniedByAws, InvalidInput, PortalError, RecordChanged, Throttled
from tenants.domain.keys import Space
from tenants.domain.record_edits import RecordPlace, check_own_name, digest, own_attributes, same
from tenants.domain.record_query import RecordQuery
from tenants.domain.value_limits import check_item, check_name, check_value
from tenants.domain.values import AttributeValue, Item
from tenants.records.deleting import Deleting, copy_id_of
from tenants.records.editing import Editing
from tenants.records.reading import Start
from tenants.sign_in.sessions import SignedIn

MOST_SELECTED = 100
# Botocore has retried each of them already.
_MOST_THROTTLED = 3
_MOST_READS = 10
_TOO_LONG = "There was no time left for it."


class Result(StrEnum):
    DONE = "done"
    ALREADY = "already done"
    CHANGED = "changed meanwhile"
    GONE = "gone"
    REFUSED = "refused"
    NOT_DONE = "not done"


@dataclass(frozen=True, slots=True)
class Selected:
    """`digest` is that of the record as the person saw it."""

    key: str
    digest: str


@dataclass(frozen=True, slots=True)
class Line:
    record: Selected
    result: Result
    why: str = ""


@dataclass(frozen=True, slots=True)
class BulkChange:
    """Of one attribute: its new value, or None to remove it."""

    name: str
    value: AttributeValue | None


@dataclass(frozen=True, slots=True)
class Bulk:
    editing: Editing
    deleting: Deleting
    seconds: float = 20
    clock: Callable[[], float] = time.monotonic

    def found(self, who: SignedIn, space: Space, collection: str, keys: Sequence[str]) -> list[tuple[str, Item | None]]:
        """The records of these keys as they are now, None for those that are gone. Raises InvalidInput."""
        check_selection(keys)
        return [(key, self.editing.as_it_is(who, RecordPlace(space, collection, key))) for key in dict.fromkeys(keys)]

    def matching(
        self, who: SignedIn, space: Space, collection: str, query: RecordQuery, *, after: str
    ) -> tuple[Sequence[Item], str]:
        """The next records that match, at most `MOST_SELECTED`, and the key after which to go on; "" at the end.

        There may be none although others follow: a filter looks at no more than `_MOST_READS` megabytes at once.
        """
        asked = replace(query, size=MOST_SELECTED, columns=(), consistent=True)
        items: Sequence[Item] = ()
        for _ in range(_MOST_READS):
            page = self.editing.records.page(who, space, collection, asked, Start(after))
            items, after = page.items, page.after or ""
            if items or not after:
                break
        return items, after

    def selected(self, items: Sequence[Item]) -> list[Selected]:
        """The records as they were read."""
        return [Selected(self.editing.keys.sort_key(item), digest(item)) for item in items]

    def check(self, change: BulkChange) -> None:
        """Raises InvalidInput, with the field `attribute` or `value`."""
        try:
            check_name(change.name)
            check_own_name(change.name, self.editing.keys)
        except InvalidInput as error:
            raise InvalidInput(error.message, field="attribute") from error
        if change.value is not None:
            check_value(change.value)
            _check_size(change.name, change.value)

    def delete(
        self, who: SignedIn, space: Space, collection: str, selected: Sequence[Selected], *, began: datetime
    ) -> list[Line]:
        """`began` is the same when the step is taken again."""
        self._record(Action.RECORDS_DELETED_TOGETHER, who, collection, selected)

        def delete_one(one: Selected) -> Line:
            place = RecordPlace(space, collection, one.key)
            copy_id = copy_id_of(place, began)
            item = self.editing.as_it_is(who, place)
            if item is None:
                is_ours = self.deleting.is_copied(who, space, copy_id)
                return Line(one, Result.ALREADY if is_ours else Result.GONE)
            if digest(item) != one.digest:
                return Line(one, Result.CHANGED)
            is_kept = self.deleting.delete_row(who, place, item, copy_id=copy_id)
            return Line(one, Result.DONE, "" if is_kept else "It was too large to keep a copy.")

        return self._each(selected, delete_one)

    def change(
        self, who: SignedIn, space: Space, collection: str, selected: Sequence[Selected], change: BulkChange
    ) -> list[Line]:
        self.check(change)
        self._record(Action.RECORDS_CHANGED, who, collection, selected)

        def change_one(one: Selected) -> Line:
            place = RecordPlace(space, collection, one.key)
            item = self.editing.as_it_is(who, place)
            if item is None:
                return Line(one, Result.GONE)
            if same(item.get(change.name), change.value):
                return Line(one, Result.ALREADY)
            if digest(item) != one.digest:
                return Line(one, Result.CHANGED)
            self.editing.save(who, place, opened=item, attributes=changed(self.editing, item, change))
            return Line(one, Result.DONE)

        return self._each(selected, change_one)

    def _each(self, selected: Sequence[Selected], do: Callable[[Selected], Line]) -> list[Line]:
        check_selection([one.key for one in selected])
        lines, stopped, throttled, until = list[Line](), "", 0, self.clock() + self.seconds
        for one in selected:
            if not stopped and self.clock() > until:
                stopped = _TOO_LONG
            if stopped:
                lines.append(Line(one, Result.NOT_DONE, stopped))
                continue
            try:
                lines.append(_looking_twice(do, one))
            except RecordChanged:
                lines.append(Line(one, Result.CHANGED))
            except (InvalidInput, DeniedByAws) as error:
                lines.append(Line(one, Result.REFUSED, error.message))
            except Throttled as error:
                throttled += 1
                stopped = error.message if throttled == _MOST_THROTTLED else ""
                lines.append(Line(one, Result.NOT_DONE, error.message))
            except PortalError as error:
                # The session or the credentials have ended, or AWS does not answer: it would be the same for the rest.
                stopped = error.message
                lines.append(Line(one, Result.NOT_DONE, stopped))
        return lines

    def _record(self, action: Action, who: SignedIn, collection: str, selected: Sequence[Selected]) -> None:
        """Before the first record, so that a step which was killed is in the trail too."""
        record_entry(action, by=who.actor, org=who.org, target=collection, after={"rows": len(selected)})


def _looking_twice(do: Callable[[Selected], Line], one: Selected) -> Line:
    """The same step, sent twice, may have done it between the read and the write. Then a second look finds it done."""
    try:
        return do(one)
    except RecordChanged:
        return do(one)


def _check_size(name: str, value: AttributeValue) -> None:
    try:
        check_item({name: value})
    except InvalidInput as error:
        raise InvalidInput(error.message, field="value") from error


def changed(editing: Editing, item: Item, change: BulkChange) -> Item:
    """The person's attributes of the record after the change."""
    own = {name: value for name, value in own_attributes(item, editing.keys).items() if name != change.name}
    return own if change.value is None else {**own, change.name: change.value}


def check_selection(keys: Sequence[str]) -> None:
    """Raises InvalidInput."""
    if len(keys) > MOST_SELECTED:
        raise InvalidInput(f"Select at most {MOST_SELECTED} records at a time. These are {len(keys)}.")
