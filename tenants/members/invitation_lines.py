"""Reads addresses that somebody pasted or uploaded: one person a line or several, with a name and a role or without.

Nothing is checked here. A line that cannot be understood is kept as it is, and the check of its address says why.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tenants.domain.errors import InvalidInput
from tenants.domain.roles import IN_AN_ORGANISATION

MOST_LINES = 5_000
MOST_BYTES = 2_000_000
_ENDINGS = (".csv", ".tsv", ".txt")
# A separator between people, but not inside quotes or angle brackets: "Byron, Ada" <ada@example.com>.
# No "<" inside brackets: otherwise each one that is not closed would read the rest of the line again.
_PIECE = re.compile(r'(?:"[^"]*"|<[^<>]*>|[^,;\t"<]|["<])+')
_SEPARATOR = re.compile(r"[,;\t]")
_NAMED = re.compile(r"(?P<name>[^<>]*)<(?P<email>[^<>]*)>", re.DOTALL)
_HEADERS = {
    "email": "email", "e-mail": "email", "mail": "email", "email address": "email", "e-mail address": "email",
    "name": "name", "full name": "name", "role": "role",
}  # fmt: skip
_COLUMNS = ("email", "name", "role")


@dataclass(frozen=True, slots=True)
class NewInvitation:
    """Somebody to invite, as they were typed. `role` is "" where the line has none."""

    email: str
    name: str = ""
    role: str = ""

    @property
    def as_line(self) -> str:
        """As `pasted` reads it again, with quotes only where it needs them."""
        cells = [self.email, self.name, self.role]
        while cells and not cells[-1]:
            cells.pop()
        plain = ", ".join(cells)
        if list(_of_line(plain)) == [self]:
            return plain
        return ", ".join(f'"{cell}"' if _SEPARATOR.search(cell) else cell for cell in cells)


def pasted(text: str) -> list[NewInvitation]:
    """From addresses between commas, semicolons or line breaks, `Name <address>`, or lines of address, name and role.

    Raises InvalidInput where there is nobody, or more than MOST_LINES.
    """
    found = [one for line in re.split(r"\r\n|\r|\n", text) for one in _of_line(line)]
    return _checked(found, field="people")


def uploaded(content: bytes) -> list[NewInvitation]:
    """From a CSV file with columns for address, name and role, in this order or as its first row names them.

    Raises InvalidInput for what is no text in UTF-8 and no CSV.
    """
    if len(content) > MOST_BYTES:
        raise InvalidInput(f"The file is larger than {MOST_BYTES // 1_000_000} MB.", field="file")
    text = _decoded(content)
    first = text.lstrip().partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    try:
        rows = [row for row in csv.reader(io.StringIO(text), delimiter=delimiter) if any(map(str.strip, row))]
    except csv.Error as error:
        raise InvalidInput(f"The file is not valid CSV: {error}.", field="file") from error
    return _checked(list(_of_rows(rows)), field="file")


def check_file_name(name: str) -> None:
    """The name is used for nothing else. Raises InvalidInput for one that is no text file's."""
    if not name.lower().endswith(_ENDINGS):
        raise InvalidInput(f"Choose a file whose name ends with {', '.join(_ENDINGS)}.", field="file")


def _checked(found: list[NewInvitation], *, field: str) -> list[NewInvitation]:
    if not found:
        raise InvalidInput("Enter at least one e-mail address.", field=field)
    if len(found) > MOST_LINES:
        message = f"Invite at most {MOST_LINES:,} people at a time. These are {len(found):,}."
        raise InvalidInput(message, field=field)
    return found


def _of_line(line: str) -> Iterator[NewInvitation]:
    pieces = [piece.strip() for piece in _PIECE.findall(line) if piece.strip()]
    with_address = ["@" in piece for piece in pieces]
    if len(pieces) > 1 and not any(with_address[1:]) and not _is_person_and_rest(pieces):
        yield _of_cells(pieces, line)
        return
    family_name = ""
    for piece in pieces:
        if "@" not in piece:
            yield from (NewInvitation(text) for text in [family_name] if text)
            family_name = _unquoted(piece)
        elif named := _NAMED.fullmatch(piece):
            # Byron, Ada <ada@example.com>
            name = ", ".join(filter(None, [family_name, _unquoted(named["name"])]))
            yield NewInvitation(named["email"].strip(), name)
            family_name = ""
        else:
            yield from (NewInvitation(text) for text in [family_name] if text)
            yield from _addresses(piece)
            family_name = ""
    if family_name:
        yield NewInvitation(family_name)


def _is_person_and_rest(pieces: Sequence[str]) -> bool:
    """`Ada <ada@example.com>` with something behind it that is no role: a mistake of its own."""
    return bool(_NAMED.fullmatch(pieces[0])) and _unquoted(pieces[1]).casefold() not in IN_AN_ORGANISATION


def _of_cells(cells: Sequence[str], line: str) -> NewInvitation:
    """Address, name and role; or address and role. Whatever else it is, it is kept as one line."""
    email, name = cells[0], ""
    if named := _NAMED.fullmatch(email):
        email, name = named["email"].strip(), _unquoted(named["name"])
    more = [_unquoted(cell) for cell in cells[1:]]
    if more[0].casefold() in IN_AN_ORGANISATION or name:
        more = [name, *more]
    if "@" not in email or len(email.split()) > 1 or len(more) > 2:
        return NewInvitation(line.strip())
    return NewInvitation(_unquoted(email), *more)


def _addresses(piece: str) -> Iterator[NewInvitation]:
    words = piece.split()
    if len(words) > 1 and all("@" in word for word in words):
        yield from (NewInvitation(word) for word in words)
    else:
        yield NewInvitation(_unquoted(piece))


def _unquoted(text: str) -> str:
    return text.strip().strip('"').strip()


def _of_rows(rows: Sequence[Sequence[str]]) -> Iterator[NewInvitation]:
    header = [_HEADERS.get(cell.strip().casefold(), "") for cell in rows[0]] if rows else []
    columns = header if "email" in header else _COLUMNS
    for row in rows[1:] if "email" in header else rows:
        cells: Mapping[str, str] = {name: cell.strip() for name, cell in zip(columns, row, strict=False) if name}
        email, name = cells.get("email", ""), cells.get("name", "")
        if named := _NAMED.fullmatch(email):
            email, name = named["email"].strip(), name or _unquoted(named["name"])
        yield NewInvitation(email, name, cells.get("role", ""))


def _decoded(content: bytes) -> str:
    encoding = "utf-16" if content.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        message = "The file is not text in UTF-8. In a spreadsheet, save it as “CSV UTF-8”."
        raise InvalidInput(message, field="file") from error
