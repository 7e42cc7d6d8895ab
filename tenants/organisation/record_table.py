"""The rows of a records table as HTML, without a template: for 25 rows a template takes longer than the query.

All text of a record goes through `escape`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from django.utils.safestring import SafeString

from tenants.domain.entered_values import item_lines
from tenants.domain.keys import KeyNames
from tenants.domain.values import AttributeValue, Item, summary
from tenants.organisation.record_addresses import to_segment

MOST_COLUMNS = 6


@dataclass(frozen=True, slots=True)
class RowSteps:
    """What may be done with a row: addresses, to which its key is added."""

    change: str
    delete: str


@dataclass(frozen=True, slots=True)
class RecordRows:
    """`columns` are attribute names; `left_out` are those that the table leaves out, but not those named `_…`.

    `kinds` has the type of each attribute in the first record that has it.
    """

    columns: Sequence[str]
    left_out: Sequence[str]
    html: SafeString
    kinds: Mapping[str, str]


def record_rows(
    items: Sequence[Item],
    keys: KeyNames,
    address_of: Callable[[str], str],
    *,
    columns: Sequence[str] = (),
    steps: RowSteps | None = None,
) -> RecordRows:
    """One `<tr>` per item: its key as a link, then its attributes. Those named `_…` are there if `columns` has them.

    `steps` puts a checkbox in front, for a form with the id `selected`, and links behind. The box has the key as in an
    address.
    """
    mentioned = dict.fromkeys(name for item in items for name in item)
    names = [name for name in mentioned if name not in {*keys} and not name.startswith("_")]
    shown = columns or names[:MOST_COLUMNS]
    named = [(name, escape(name)) for name in shown]
    html = "".join([_row(item, keys.sort_key(item), named, address_of, steps) for item in items])
    first: dict[str, AttributeValue] = {}
    for item in reversed(items):
        first.update(item)
    kinds = {name: next(iter(first[name])) for name in names}
    return RecordRows(shown, [name for name in names if name not in shown], SafeString(html), kinds)


def records_as_json(items: Sequence[Item]) -> str:
    """An array of DynamoDB's JSON."""
    return f"[{', '.join(map(item_lines, items))}]"


def _row(
    item: Item, key: str, columns: Sequence[tuple[str, str]], address_of: Callable[[str], str], steps: RowSteps | None
) -> str:
    cells, named = "".join([_cell(item.get(name), label) for name, label in columns]), escape(key)
    link = f'<a title="{named}" href="{escape(address_of(key))}">{named}</a>'
    head = f'<th scope="row" role="rowheader">{link}</th>'
    if steps is None:
        return f'<tr role="row">{head}{cells}</tr>'
    return f'<tr role="row">{_box(key, named)}{head}{cells}{_links(key, named, steps)}</tr>'


def _links(key: str, named: str, steps: RowSteps) -> str:
    edit, delete = (escape(f"{begins}{to_segment(key)}/") for begins in (steps.change, steps.delete))
    return (
        f'<td role="cell" class="row-steps"><a href="{edit}" aria-label="Edit {named}">Edit</a> '
        f'<a href="{delete}" aria-label="Delete {named}">Delete…</a></td>'
    )


def _box(key: str, named: str) -> str:
    value = escape(to_segment(key))
    return (
        f'<td role="cell" class="select"><input type="checkbox" form="selected" name="chosen" value="{value}" '
        f'aria-label="Select {named}"></td>'
    )


def _cell(value: AttributeValue | None, label: str) -> str:
    """`label` is escaped."""
    if value is None:
        return f'<td role="cell" class="absent" data-label="{label}">–</td>'
    kind = ' class="number"' if "N" in value else ""
    return f'<td role="cell"{kind} data-label="{label}">{escape(summary(value))}</td>'
