"""The rows of the form of a record: a name, a type and a text each. Nothing typed is lost, and nothing else changed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from django.http import QueryDict

from tenants.domain.entered_values import entered_again, entered_value, fits_a_form, text_of
from tenants.domain.errors import InvalidInput
from tenants.domain.keys import KeyNames
from tenants.domain.record_edits import check_own_name
from tenants.domain.value_limits import check_name
from tenants.domain.values import TYPE_NAMES, AttributeValue, Item, ValueView, show

# More fields than this do not fit into a request.
MOST_ROWS = 150
BLANK_ROWS = 3
MORE_ROWS = 5
_NAMED = re.compile(r"name_(\d{1,4})")
_MOST_LINES, _LETTERS_A_LINE = 24, 60


@dataclass(frozen=True, slots=True)
class FormRow:
    """`was` is the attribute that it began as, "" for a new one. A `kept` value is shown only, since a browser would
    change its text. `wrong` is the part that the error is about: name, kind or value.
    """

    number: int = 0
    name: str = ""
    was: str = ""
    kind: str = "S"
    text: str = ""
    removed: bool = False
    kept: ValueView | None = None
    error: str = ""
    wrong: str = ""

    @property
    def lines(self) -> int:
        return min(self.text.count("\n") + len(self.text) // _LETTERS_A_LINE + 1, _MOST_LINES)

    @property
    def types(self) -> list[tuple[str, str]]:
        return [*TYPE_NAMES.items()]

    @property
    def is_blank(self) -> bool:
        return not (self.name or self.was or self.text.strip())


@dataclass(frozen=True, slots=True)
class Problem:
    """As the list of problems on a page takes it: `name` is the id of the field."""

    name: str
    error: str


def rows_of(attributes: Item) -> list[FormRow]:
    return [_row_of(name, value) for name, value in attributes.items()]


def with_blank_rows(rows: Sequence[FormRow], blank: int = BLANK_ROWS) -> list[FormRow]:
    """In order, numbered, with empty ones for new attributes at the end."""
    used = [row for row in rows if not row.is_blank]
    blanks = [FormRow() for _ in range(min(blank, MOST_ROWS - len(used)))]
    return [replace(row, number=number) for number, row in enumerate([*used, *blanks])]


def rows_sent(form: QueryDict, opened: Item) -> list[FormRow]:
    """As they were sent; rows that were left blank are left out. Raises InvalidInput for more than `MOST_ROWS`."""
    numbers = sorted(int(match[1]) for name in form if (match := _NAMED.fullmatch(name)))
    if len(numbers) > MOST_ROWS:
        raise InvalidInput(f"A form has at most {MOST_ROWS} attributes. Edit this record as JSON.")
    rows = [_row_sent(form, number, opened) for number in numbers]
    return [replace(row, number=number) for number, row in enumerate(rows) if not row.is_blank]


def more_blank_rows(form: QueryDict, used: Sequence[FormRow]) -> int:
    """How many to show next: always more than were sent."""
    sent = sum(bool(_NAMED.fullmatch(name)) for name in form) - len(used)
    return MORE_ROWS * (sent // MORE_ROWS + 1)


def read_rows(rows: Sequence[FormRow], opened: Item, keys: KeyNames) -> tuple[Item, list[FormRow]]:
    """The attributes that the rows describe, and the rows with what is wrong with each."""
    attributes, answered = dict[str, AttributeValue](), []
    for row in rows:
        if row.removed:
            answered.append(row)
            continue
        try:
            _check_row_name(row, attributes, keys)
            attributes[row.name] = _value(row, opened)
        except InvalidInput as error:
            answered.append(replace(row, error=error.message, wrong=error.field or "value"))
        else:
            answered.append(row)
    return attributes, answered


def about_attribute(rows: Sequence[FormRow], error: InvalidInput) -> list[FormRow]:
    """The rows, with an error of the whole record at the attribute that it is about."""
    return [
        replace(row, error=error.message, wrong="value") if row.name == error.attribute and not row.removed else row
        for row in rows
    ]


def problems_in(rows: Sequence[FormRow]) -> list[Problem]:
    return [Problem(f"{row.wrong}_{row.number}", _with_name(row)) for row in rows if row.error]


def _with_name(row: FormRow) -> str:
    """An error of a whole record, and one about the name, has the name in it."""
    return row.error if row.name[:60] in row.error else f"{row.name}: {row.error}"


def _row_of(name: str, value: AttributeValue) -> FormRow:
    (kind,) = value
    if fits_a_form(value) and fits_an_input(name):
        return FormRow(name=name, was=name, kind=kind, text=text_of(value))
    return FormRow(name=name, was=name, kind=kind, kept=show(value))


def fits_an_input(text: str) -> bool:
    """An input of one line loses line breaks too."""
    return not any(ord(letter) < 32 for letter in text)


def _row_sent(form: QueryDict, number: int, opened: Item) -> FormRow:
    parts: Mapping[str, str] = {part: form.get(f"{part}_{number}", "") for part in ("name", "was", "kind", "value")}
    was = parts["was"] if parts["was"] in opened else ""
    removed = f"remove_{number}" in form
    if was and f"value_{number}" not in form:
        return replace(_row_of(was, opened[was]), removed=removed)
    text = parts["value"].replace("\r\n", "\n")
    return FormRow(name=parts["name"], was=was, kind=parts["kind"], text=text, removed=removed)


def _check_row_name(row: FormRow, attributes: Item, keys: KeyNames) -> None:
    try:
        check_name(row.name)
        check_own_name(row.name, keys)
    except InvalidInput as error:
        raise InvalidInput(error.message, field="name") from error
    if row.name in attributes:
        raise InvalidInput(f"The name “{row.name[:60]}” is there twice.", field="name")


def _value(row: FormRow, opened: Item) -> AttributeValue:
    if row.kept is not None:
        return opened[row.was]
    if row.was:
        return entered_again(row.kind, row.text, opened[row.was])
    if row.kind not in TYPE_NAMES:
        raise InvalidInput("Choose a type.", field="kind")
    return entered_value(row.kind, row.text)
