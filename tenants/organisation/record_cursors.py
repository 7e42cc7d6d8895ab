"""Places in a list as texts for an address. They are signed, and each opens in its own list only.

A key in an address that anybody could write would let an address begin anywhere, and a count claim anything.
"""

from __future__ import annotations

from dataclasses import astuple
from typing import Any

from django.core.signing import BadSignature, Signer

from tenants.domain.errors import InvalidInput
from tenants.domain.record_query import Parameters, RecordQuery, place_in
from tenants.records.reading import Counted, Start


def start_text(start: Start, partition_key: str, query: RecordQuery) -> str:
    return _signer("before" if start.backwards else "after", partition_key, query).sign_object(
        [start.key, start.number]
    )


def read_start(parameters: Parameters, partition_key: str, query: RecordQuery) -> Start:
    """Of `before` or `after` in an address. Raises InvalidInput."""
    for name in ("before", "after"):
        text = next(iter(parameters.get(name, ())), "")
        if text:
            key, number = _opened(text, name, partition_key, query)
            return Start(key, number, backwards=name == "before")
    return Start()


def counted_text(counted: Counted, partition_key: str, query: RecordQuery) -> str:
    return _signer("count", partition_key, query).sign_object(list(astuple(counted)))


def read_counted(text: str, partition_key: str, query: RecordQuery) -> Counted:
    """Raises InvalidInput. “1” begins a count."""
    return Counted() if text == "1" else Counted(*_opened(text, "count", partition_key, query))


def _opened(text: str, name: str, partition_key: str, query: RecordQuery) -> Any:
    try:
        return _signer(name, partition_key, query).unsign_object(text)
    except (BadSignature, ValueError) as error:
        raise InvalidInput(
            "This address is not of this list: it was changed, or its key, filters or order were. Begin at the first "
            "page.",
            field=name,
        ) from error


def _signer(name: str, partition_key: str, query: RecordQuery) -> Signer:
    return Signer(salt=f"records {name} {partition_key} {place_in(query)}")
