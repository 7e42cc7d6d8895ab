"""What a form of a record carries: the record as it was opened, signed, so that nothing has to be kept meanwhile."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from django.core import signing

from tenants.domain.entered_values import read_item
from tenants.domain.errors import InvalidInput
from tenants.domain.values import Item, as_json
from tenants.sign_in.sessions import SignedIn

_DOES_NOT_FIT = "This form does not belong to this page any more. Open the page again."


def seal_item(item: Item, *, who: SignedIn, place: Sequence[str]) -> str:
    """`place` is what it is for, and the partition and the key: it opens for this person and this place only."""
    return seal({name: as_json(value) for name, value in item.items()}, who=who, place=place)


def open_item(sealed: str, *, who: SignedIn, place: Sequence[str]) -> Item:
    """Raises InvalidInput."""
    return read_item(json.dumps(unseal(sealed, who=who, place=place)))


def seal(content: Any, *, who: SignedIn, place: Sequence[str]) -> str:
    return signing.dumps(content, salt=_salt(who, place), compress=True)


def unseal(sealed: str, *, who: SignedIn, place: Sequence[str]) -> Any:
    """Raises InvalidInput."""
    try:
        return signing.loads(sealed, salt=_salt(who, place))
    except signing.BadSignature as error:
        raise InvalidInput(_DOES_NOT_FIT) from error


def _salt(who: SignedIn, place: Sequence[str]) -> str:
    """As JSON, so that no two places have the same: a key may hold whatever could stand between its parts."""
    return json.dumps(["record", who.claims.sub, who.claims.org, *place])
