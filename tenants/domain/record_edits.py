"""What an edit does to a record: its own attributes, the difference to what was shown, and three versions compared.

Attributes with a leading underscore are the portal's: the version, and who wrote the record and when.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tenants.domain.errors import InvalidInput
from tenants.domain.keys import KeyNames, Space, checked_record_key
from tenants.domain.texts import check_visible
from tenants.domain.value_limits import checked_number
from tenants.domain.values import AttributeValue, Item, as_json, type_and_content

VERSION, UPDATED_AT, UPDATED_BY = "_version", "_updated_at", "_updated_by"
_PORTALS = "_"
MOST_DESCRIPTION = 200


@dataclass(frozen=True, slots=True)
class RecordPlace:
    space: Space
    collection: str
    key: str

    @property
    def partition(self) -> str:
        """Raises InvalidInput."""
        return self.space.collection(self.collection)

    @property
    def sort(self) -> str:
        """Raises InvalidInput."""
        return checked_record_key(self.key)


@dataclass(frozen=True, slots=True)
class Changes:
    values: Item
    removed: Sequence[str]

    @property
    def names(self) -> Sequence[str]:
        return [*self.values, *self.removed]


@dataclass(frozen=True, slots=True)
class Difference:
    """An attribute that somebody else changed: as it was opened, as it is now, and as the person wants it.

    `conflicts`: the person changed it too, to something else. None is an attribute that is not there.
    """

    name: str
    opened: AttributeValue | None
    now: AttributeValue | None
    yours: AttributeValue | None
    conflicts: bool


def own_attributes(item: Item, keys: KeyNames) -> Item:
    """Without the key and without the portal's attributes."""
    return {name: value for name, value in item.items() if name not in {*keys} and not name.startswith(_PORTALS)}


def without_key(item: Item, keys: KeyNames) -> Item:
    return {name: value for name, value in item.items() if name not in {*keys}}


def check_own_name(name: str, keys: KeyNames) -> None:
    """Raises InvalidInput for a name that a person's attribute cannot have."""
    if name.startswith(_PORTALS):
        raise InvalidInput(f"“{name[:60]}”: names that begin with an underscore are the portal’s.", attribute=name)
    if name in {*keys}:
        raise InvalidInput(f"“{name}” is a part of the key. Change the key on its own page.", attribute=name)


def check_collection_name(name: str) -> None:
    """Of a new collection. Raises InvalidInput."""
    if name != name.strip():
        raise InvalidInput("Take the spaces at the beginning and the end of the name away.", field="collection")
    if name.startswith(_PORTALS):
        raise InvalidInput("Names that begin with an underscore are the portal’s.", field="collection")


def checked_description(text: str) -> str:
    """Of a collection, "" for none. Raises InvalidInput."""
    description = " ".join(text.split())
    if len(description) > MOST_DESCRIPTION:
        raise InvalidInput(
            f"A description has at most {MOST_DESCRIPTION} characters; this one has {len(description)}.",
            field="description",
        )
    check_visible(description, "description")
    return description


def changes_between(before: Item, after: Item) -> Changes:
    values = {name: value for name, value in after.items() if not same(before.get(name), value)}
    return Changes(values, [name for name in before if name not in after])


def same(one: AttributeValue | None, other: AttributeValue | None) -> bool:
    """Whether DynamoDB takes both for the same: the order of a set's entries says nothing."""
    if one is None or other is None:
        return one is other
    return bool(_canonical(one) == _canonical(other))


def compare(opened: Item, now: Item, yours: Item) -> tuple[Item, Sequence[Difference]]:
    """The three versions as one, the person's own where both changed the same, and what somebody else changed."""
    merged, differences = dict[str, AttributeValue](), []
    for name in dict.fromkeys([*yours, *now, *opened]):
        was, is_now, wanted = opened.get(name), now.get(name), yours.get(name)
        changed_by_others, changed_by_person = not same(was, is_now), not same(was, wanted)
        value = wanted if changed_by_person else is_now
        if value is not None:
            merged[name] = value
        if changed_by_others and not same(is_now, wanted):
            differences.append(Difference(name, was, is_now, wanted, conflicts=changed_by_person))
    return merged, differences


def digest(item: Item) -> str:
    """The same for two items that DynamoDB takes for the same, and for no others."""
    text = json.dumps({name: _canonical(value) for name, value in item.items()}, sort_keys=True)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def next_version(item: Mapping[str, AttributeValue]) -> AttributeValue:
    """1 for a record without a version that can be counted on."""
    try:
        return {"N": checked_number(str(Decimal(item[VERSION]["N"]) + 1))}
    except (KeyError, ArithmeticError, InvalidInput):
        return {"N": "1"}


def as_expected(item: Item, names: Collection[str], *, most: int) -> dict[str, AttributeValue | None]:
    """What a write requires of the record: these attributes as they are in `item`, the version first."""
    ordered = sorted(names, key=lambda name: name != VERSION)
    return {name: item.get(name) for name in ordered[:most]}


def _canonical(value: AttributeValue) -> Any:
    kind, content = type_and_content(value)
    if kind == "M":
        return {kind: {name: _canonical(content[name]) for name in sorted(content)}}
    if kind == "L":
        return {kind: [_canonical(part) for part in content]}
    if kind == "N":
        return {kind: checked_number(content)}
    plain = as_json(value)
    return {kind: sorted(plain[kind])} if kind in {"SS", "NS", "BS"} else plain
