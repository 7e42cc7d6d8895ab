"""The fields of the two search forms of a collection as HTML. A template would take longer than all the rows.

All text of a person goes through `escape`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from html import escape

from django.utils.safestring import SafeString

from tenants.domain.record_filters import FILTER_OPERATORS
from tenants.domain.record_query import KEY_OPERATORS, PAGE_SIZES, RecordQuery
from tenants.domain.values import TYPE_NAMES

# They are sent with the form, in an address.
MOST_SUGGESTED, LONGEST_SUGGESTED = 40, 60
_Choices = tuple[tuple[str, str], ...]
_KEY_OPERATORS: _Choices = tuple(KEY_OPERATORS.items())
_FILTER_OPERATORS: _Choices = tuple(FILTER_OPERATORS.items())
_TYPES: _Choices = (("", "as it is here"), *TYPE_NAMES.items())
_ORDERS: _Choices = (("asc", "first to last"), ("desc", "last to first"))
_SIZES: _Choices = tuple((str(size), str(size)) for size in PAGE_SIZES)
_SUGGESTIONS = ' list="attributes"'
_AS_TYPED = 'autocomplete="off" autocapitalize="off" spellcheck="false" dir="auto"'
FIELDS = frozenset({"key", "key_to", "fa", "fo", "ft", "fv", "fw"})


def key_fields(query: RecordQuery, wrong: str = "") -> SafeString:
    """`wrong` is the name of the field that has a problem, which the page says in an element with the id `problem`."""
    condition = query.condition
    return SafeString(
        f'<div class="field of-key{_wrong("key", wrong)}"><label for="key">Key</label>'
        '<span id="waiting" class="waiting" aria-hidden="true">Loading…</span><span class="joined">'
        f'<select id="op" name="op" aria-label="How to compare the key">'
        f"{_options(_KEY_OPERATORS, condition.operator)}</select>{_input('key', condition.key, wrong)}</span></div>"
        f"{_text('key_to', 'and', condition.key_to, wrong, 'key-to')}"
        f"{_select('order', 'Order', _ORDERS, 'desc' if query.descending else 'asc', wrong)}"
        f"{_select('size', 'Page size', _SIZES, str(query.size), wrong)}"
    )


def filter_fields(kinds: Mapping[str, str], typed: Mapping[str, str], wrong: str = "") -> SafeString:
    """`kinds` are attributes to suggest, with their types, and `typed` is what stands in the fields already."""
    suggested = [(name, kind) for name, kind in kinds.items() if len(name) <= LONGEST_SUGGESTED][:MOST_SUGGESTED]
    known = "".join([f'<option value="{escape(name)}">' for name, _ in suggested])
    types = escape(json.dumps(dict(suggested), ensure_ascii=False, separators=(",", ":")))
    text = typed.get
    return SafeString(
        f"{_text('fa', 'Attribute', text('fa', ''), wrong, more=_SUGGESTIONS)}"
        f'<datalist id="attributes">{known}</datalist><input type="hidden" name="types" value="{types}">'
        f"{_select('fo', 'Compare', _FILTER_OPERATORS, text('fo', ''), wrong)}"
        f"{_select('ft', 'Type', _TYPES, text('ft', ''), wrong)}"
        f"{_text('fv', 'Value', text('fv', ''), wrong)}{_text('fw', 'and', text('fw', ''), wrong, 'to-value')}"
    )


def hidden_fields(asked: Sequence[tuple[str, str]]) -> SafeString:
    return SafeString(
        "".join([f'<input type="hidden" name="{name}" value="{escape(value)}">' for name, value in asked])
    )


def column_fields(shown: Sequence[str], left_out: Sequence[str]) -> SafeString:
    """For each attribute whether it is a column, and its place among them."""
    ticked = [_column(name, place) for place, name in enumerate(shown, 1)]
    return SafeString("".join(ticked + [_column(name, 0) for name in left_out]))


def _column(name: str, place: int) -> str:
    named = escape(name)
    return (
        f'<li><label class="check"><input type="checkbox" name="show" value="{named}"{" checked" if place else ""}>'
        f'<bdi title="{named}">{named}</bdi></label><input type="hidden" name="name" value="{named}">'
        f'<input type="number" name="at" min="1" max="999" value="{place or ""}" aria-label="Place of {named}"></li>'
    )


def _text(name: str, label: str, value: str, wrong: str, kind: str = "", more: str = "") -> str:
    classes = f"field {kind}" if kind else "field"
    field = _input(name, value, wrong, more)
    return f'<div class="{classes}{_wrong(name, wrong)}"><label for="{name}">{label}</label>{field}</div>'


def _input(name: str, value: str, wrong: str, more: str = "") -> str:
    said = ' aria-invalid="true" aria-describedby="problem"' if name == wrong else ""
    return f'<input id="{name}" name="{name}" value="{escape(value)}" {_AS_TYPED}{more}{said}>'


def _select(name: str, label: str, choices: _Choices, chosen: str, wrong: str) -> str:
    return (
        f'<div class="field narrow{_wrong(name, wrong)}"><label for="{name}">{label}</label>'
        f'<select id="{name}" name="{name}">{_options(choices, chosen)}</select></div>'
    )


def _wrong(name: str, wrong: str) -> str:
    return " wrong" if name == wrong else ""


def _options(choices: _Choices, chosen: str) -> str:
    """The first is chosen where there is no such choice."""
    return _written_options(choices, chosen if any(value == chosen for value, _ in choices) else choices[0][0])


@cache
def _written_options(choices: _Choices, chosen: str) -> str:
    marks = ((value, label, " selected" if value == chosen else "") for value, label in choices)
    return "".join(f'<option value="{escape(value)}"{mark}>{escape(label)}</option>' for value, label, mark in marks)
