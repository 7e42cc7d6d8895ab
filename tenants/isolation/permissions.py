"""What a person may do, as a table in plain words: a row for each thing to do, a column for whose rows they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tenants.domain.keys import PUBLIC_SPACE
from tenants.isolation.explain import Policies, Tags, Verdict

# An organisation that nobody is in, in place of any other one.
_ANOTHER_ORG = "00000000-0000-4000-8000-000000000000"
_COLLECTION = "collection"


@dataclass(frozen=True, slots=True)
class Line:
    """`calls` are the names of AWS's operations. A verdict is None where there are no such rows: `own`, for somebody
    without an organisation, and `public`, of the API.
    """

    words: str
    calls: str
    own: Verdict | None
    public: Verdict | None
    another: Verdict | None


@dataclass(frozen=True, slots=True)
class _Deed:
    """Something to do to rows. All its `actions` are asked about; a no to one of them is a no."""

    words: str
    calls: str
    actions: tuple[str, ...]
    has_key: bool = True
    index: bool = False


_DEEDS = (
    _Deed("Read a record", "GetItem, BatchGetItem, TransactGetItems", ("GetItem", "BatchGetItem")),
    _Deed("List records", "Query", ("Query",)),
    _Deed("Create or replace a record", "PutItem", ("PutItem",)),
    _Deed("Edit a record", "UpdateItem", ("UpdateItem",)),
    _Deed("Delete a record", "DeleteItem", ("DeleteItem",)),
    _Deed("Write or delete many at once", "BatchWriteItem", ("BatchWriteItem",)),
    _Deed("Check a record in a transaction", "ConditionCheck of TransactWriteItems", ("ConditionCheckItem",)),
    _Deed("List through an index", "Query with IndexName", ("Query",), index=True),
    _Deed("Read the whole table", "Scan", ("Scan",), has_key=False),
    _Deed("Read with PartiQL", "ExecuteStatement: SELECT", ("PartiQLSelect",)),
    _Deed(
        "Write with PartiQL",
        "ExecuteStatement: INSERT, UPDATE, DELETE",
        ("PartiQLInsert", "PartiQLUpdate", "PartiQLDelete"),
    ),
)


def lines_for(policies: Policies, tags: Tags) -> list[Line]:
    rows = [
        Line(deed.words, deed.calls, *(_on_rows(policies, tags, deed, prefix) for prefix in _prefixes(tags)))
        for deed in _DEEDS
    ]
    return [*rows, *_paths(policies, tags)] if policies.stack.api_url else rows


def _prefixes(tags: Tags) -> tuple[str, str, str]:
    """Of own, public and another organisation's rows."""
    return tags.org, PUBLIC_SPACE.prefix, _ANOTHER_ORG


def _on_rows(policies: Policies, tags: Tags, deed: _Deed, prefix: str) -> Verdict | None:
    if not prefix:
        return None
    keys = [f"{prefix}#{_COLLECTION}"] if deed.has_key else None
    return _all([policies.on_rows(tags, action, keys=keys, index=deed.index) for action in deed.actions])


def _paths(policies: Policies, tags: Tags) -> list[Line]:
    def on_paths(org: str, methods: Sequence[str]) -> Verdict | None:
        return _all([policies.on_path(tags, method, f"/{org}/profile") for method in methods]) if org else None

    return [
        Line(words, ", ".join(methods), on_paths(tags.org, methods), None, on_paths(_ANOTHER_ORG, methods))
        for words, methods in (
            ("Read a path of the API", ["GET"]),
            ("Change by the API", ["POST", "PUT", "PATCH", "DELETE"]),
        )
    ]


def _all(verdicts: Sequence[Verdict]) -> Verdict:
    return next((verdict for verdict in verdicts if not verdict.allowed), verdicts[0])
