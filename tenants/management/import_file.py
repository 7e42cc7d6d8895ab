"""Reads tenants to import from CSV or JSON Lines, one at a time, and says of each line what is wrong with it."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

from iam.nesting import TooDeep, check_nesting
from tenants.domain import texts
from tenants.domain.errors import InvalidInput
from tenants.lifecycle.details import checked_metadata, checked_plan
from tenants.lifecycle.imports import TenantToImport
from tenants.lifecycle.metadata import DEEPEST
from tenants.members.addresses import address
from tenants.models import MOST_EXTERNAL_ID

REQUIRED = ("external_id", "name", "owner_email")
COLUMNS = (*REQUIRED, "owner_name", "slug", "plan", "metadata")
MOST_LINES = 100_000
# One line of a file, in bytes: metadata alone may have 20,000 characters.
_MOST_BYTES = 200_000
# A line is an object, and metadata are in it.
_DEEPEST = 1 + DEEPEST
_NOT_UTF_8 = "This is not text in UTF-8. Save the file as UTF-8; a spreadsheet calls it “CSV UTF-8”."
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
Values = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Problem:
    """`line` is counted from 1; `column` is "" where the whole line is meant."""

    line: int
    column: str
    why: str

    def __str__(self) -> str:
        return f"Line {self.line}{f', {self.column}' if self.column else ''}: {self.why}"


@dataclass(frozen=True, slots=True)
class Row:
    """What a line holds, not checked yet. `line` is where it begins."""

    line: int
    values: Values


class _Unreadable(Exception):
    """The rest of the file cannot be read either."""

    def __init__(self, line: int, why: str, column: str = "") -> None:
        super().__init__(why)
        self.problem = Problem(line, column, why)


def read_rows(file: BinaryIO, *, as_csv: bool) -> Iterator[Row | Problem]:
    """The rows in their order. After a problem with the file itself nothing follows."""
    try:
        yield from (_csv_rows if as_csv else _json_rows)(file)
    except _Unreadable as error:
        yield error.problem


def check_row(row: Row) -> TenantToImport | list[Problem]:
    """All that is wrong with a row, or the tenant in it. Not checked: what other rows or the database hold."""
    checked: dict[str, Any] = {}
    problems = []
    for column, check in _CHECKS.items():
        try:
            checked[column] = check(row.values.get(column, ""))
        except InvalidInput as error:
            problems.append(Problem(row.line, column, error.message))
    return problems or TenantToImport(**checked)


def _lines(file: BinaryIO) -> Iterator[tuple[int, str]]:
    number = 0
    while raw := file.readline(_MOST_BYTES + 1):
        number += 1
        if number == 1 and raw.startswith(_UTF_16):
            raise _Unreadable(1, _NOT_UTF_8)
        if len(raw) > _MOST_BYTES:
            raise _Unreadable(number, f"This line has more than {_MOST_BYTES:,} bytes.")
        try:
            yield number, raw.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise _Unreadable(number, _NOT_UTF_8) from error


def _csv_rows(file: BinaryIO) -> Iterator[Row | Problem]:
    # A record of CSV may have several lines.
    reader = csv.reader((line for _, line in _lines(file)), strict=True)
    header = None
    for begins, cells in _csv_records(reader):
        if header is None:
            header = _header(begins, cells)
        elif len(cells) != len(header):
            yield Problem(begins, "", f"This line has {len(cells)} columns, but the header has {len(header)}.")
        else:
            yield Row(begins, dict(zip(header, cells, strict=True)))
    if header is None:
        raise _Unreadable(1, f"The file is empty. Its first line names the columns: {', '.join(COLUMNS)}.")


def _csv_records(reader: Any) -> Iterator[tuple[int, list[str]]]:
    """Without empty lines, each with the number of its first line."""
    while True:
        begins = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise _Unreadable(begins, _csv_problem(str(error))) from error
        if any(cells):
            yield begins, cells


def _csv_problem(error: str) -> str:
    if "new-line" in error:
        return "The lines end with a carriage return alone. Save the file with line feeds."
    if "limit" in error or "end of data" in error:
        return "A quotation mark opens here and is not closed, or a text is too long."
    return "After a text in quotation marks comes a comma. A quotation mark inside it is written twice."


def _header(line: int, cells: list[str]) -> list[str]:
    """Raises _Unreadable. A file without its columns has nothing that could be checked."""
    header = [texts.trimmed(cell).lower() for cell in cells]
    if len(header) == 1 and re.search("[;\t]", header[0]):
        raise _Unreadable(line, "The columns are not separated by commas. Save the file as CSV with commas.")
    if unknown := [name for name in header if name not in COLUMNS]:
        raise _Unreadable(line, f"Unknown column {_quoted(unknown[0])}. Columns are {', '.join(COLUMNS)}.")
    if twice := {name for name in header if header.count(name) > 1}:
        raise _Unreadable(line, f"The column “{min(twice)}” is there twice.")
    if missing := [name for name in REQUIRED if name not in header]:
        raise _Unreadable(line, f"The column “{missing[0]}” is missing.")
    return header


def _json_rows(file: BinaryIO) -> Iterator[Row | Problem]:
    for number, line in _lines(file):
        if texts.trimmed(line):
            yield _json_row(number, line)


def _json_row(number: int, line: str) -> Row | Problem:
    try:
        check_nesting(line, deepest=_DEEPEST)
        read = json.loads(line, object_pairs_hook=_each_name_once)
    except json.JSONDecodeError as error:
        return Problem(number, "", f"This is not JSON. Look at column {error.colno}: {error.msg}.")
    except TooDeep as error:
        return Problem(number, "", f"This JSON cannot be read: {error}.")
    except (InvalidInput, ValueError) as error:
        return Problem(number, "", error.message if isinstance(error, InvalidInput) else "This JSON cannot be read.")
    if not isinstance(read, dict):
        return Problem(number, "", 'A line is a JSON object, such as {"external_id": "17", "name": "Acme"}.')
    if unknown := [name for name in read if name not in COLUMNS]:
        return Problem(number, "", f"Unknown name {_quoted(unknown[0])}. Names are {', '.join(COLUMNS)}.")
    given = {name: value for name, value in read.items() if value is not None}
    wrong = [name for name, value in given.items() if not isinstance(value, str) and name != "metadata"]
    return Problem(number, wrong[0], "Write it as text, in quotation marks.") if wrong else Row(number, given)


def _each_name_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    read = dict(pairs)
    if len(read) < len(pairs):
        raise InvalidInput("A name is there twice. Remove one of them.")
    return read


def _quoted(text: str) -> str:
    short = text if len(text) <= 40 else f"{text[:39]}…"
    return f"“{short if short.isprintable() else ascii(short)[1:-1]}”"


def _external_id(text: str) -> str:
    """As it is: other systems tell capitals from small letters."""
    external_id = texts.trimmed(text)
    if not external_id:
        raise InvalidInput("Enter the organisation’s id in the system that it comes from.")
    if len(external_id) > MOST_EXTERNAL_ID:
        raise InvalidInput(f"An external id has at most {MOST_EXTERNAL_ID} characters.")
    texts.check_visible(external_id, "external_id")
    return external_id


def _metadata(value: object) -> Mapping[str, Any] | None:
    if isinstance(value, str):
        return checked_metadata(value) if texts.trimmed(value) else None
    if not isinstance(value, dict):
        raise InvalidInput('Metadata is a JSON object, such as {"contract": "2026-14"}.')
    return checked_metadata(value)


def _if_given(check: Callable[[str], str]) -> Callable[[str], str]:
    return lambda text: check(text) if texts.trimmed(text) else ""


_CHECKS: Mapping[str, Callable[[Any], Any]] = {
    "external_id": _external_id,
    "name": lambda text: texts.display_name(text, field="name"),
    "owner_email": address,
    "owner_name": _if_given(lambda text: texts.display_name(text, field="owner_name")),
    "slug": _if_given(texts.slug),
    "plan": _if_given(lambda text: checked_plan(texts.trimmed(text))),
    "metadata": _metadata,
}
