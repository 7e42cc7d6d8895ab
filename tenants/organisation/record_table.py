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
    with_boxes: bool = False,
) -> RecordRows:
    """One `<tr>` per item: its key as a link, then its attributes. Those named `_…` are there if `columns` has them.

    `with_boxes` puts a checkbox in front, for a form with the id `selected`. It has the key as in an address.
    """
    mentioned = dict.fromkeys(name for item in items for name in item)
    names = [name for name in mentioned if name not in {*keys} and not name.startswith("_")]
    shown = columns or names[:MOST_COLUMNS]
    named = [(name, escape(name)) for name in shown]
    html = "".join([_row(item, keys.sort_key(item), named, address_of, with_boxes) for item in items])
    first: dict[str, AttributeValue] = {}
    for item in reversed(items):
        first.update(item)
    kinds = {name: next(iter(first[name])) for name in names}
    return RecordRows(shown, [name for name in names if name not in shown], SafeString(html), kinds)


def records_as_json(items: Sequence[Item]) -> str:
    """An array of DynamoDB's JSON."""
    return f"[{', '.join(map(item_lines, items))}]"


def _row(
    item: Item, key: str, columns: Sequence[tuple[str, str]], address_of: Callable[[str], str], with_boxes: bool
) -> str:
    cells, named = "".join([_cell(item.get(name), label) for name, label in columns]), escape(key)
    link = f'<a title="{named}" href="{escape(address_of(key))}">{named}</a>'
    box = _box(key, named) if with_boxes else ""
    return f'<tr role="row">{box}<th scope="row" role="rowheader">{link}</th>{cells}</tr>'


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
