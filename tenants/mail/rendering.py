"""A mail's subject and its two bodies, from the templates of its kind and from texts that anybody may have typed.

A value cannot add a header, a line or markup. It is cut, and a character that could hide or reorder others is shown as
U+FFFD.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

from django.conf import settings
from django.template import Context, Engine

_MOST_SUBJECT, _MOST_VALUE, _MOST_SENTENCE, _MOST_SENTENCES = 70, 80, 300, 50
# In a subject that has to have room for a verb.
_MOST_IN_SUBJECT = 30
_LISTS = ("reason", "what")
_HARMFUL = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
# Persian, Indic scripts and emoji need them.
_JOINERS = frozenset("\u200c\u200d")
_RIGHT_TO_LEFT = frozenset({"R", "AL"})
_FIRST_LINE = "Subject: "


@dataclass(frozen=True, slots=True)
class Letter:
    """`subject` is one line of at most 70 characters. Both bodies say the same."""

    subject: str
    text: str
    html: str


def render(kind: str, about: Mapping[str, object]) -> Letter:
    """Raises ValueError for a link that leads outside the portal."""
    values = _values(about)
    whole = _fill(f"mail/{kind}.txt", values, autoescape=False)
    first, _, text = whole.partition("\n")
    if not first.startswith(_FIRST_LINE):
        raise ValueError(f"The first line of mail/{kind}.txt is not its subject.")
    subject = cut(first.removeprefix(_FIRST_LINE), _MOST_SUBJECT)
    html = _fill(f"mail/{kind}.html", {**values, "subject": subject}, autoescape=True)
    return Letter(subject, re.sub(r"\n{3,}", "\n\n", text).strip() + "\n", html)


def plain(text: str, most: int) -> str:
    """One line without invisible characters, cut. A text written from right to left cannot reorder its neighbours."""
    visible = "".join("\ufffd" if _is_harmful(character) else character for character in text)
    # Otherwise a mail program would make a link of a name.
    short = cut(" ".join(visible.replace("://", ": //").split()), most)
    if any(unicodedata.bidirectional(character) in _RIGHT_TO_LEFT for character in short):
        return f"\u2068{short}\u2069"
    return short


def cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def _values(about: Mapping[str, object]) -> dict[str, object]:
    lists = {key: [plain(line, _MOST_SENTENCE) for line in _lines(about.get(key, ""))] for key in _LISTS}
    rest = {key: plain(str(value), _MOST_VALUE) for key, value in about.items() if key not in _LISTS}
    in_subject = plain(str(about.get("organisation", "")), _MOST_IN_SUBJECT)
    address = {"portal": settings.PORTAL_URL, "link": _portal_link(str(about.get("link", "")))}
    return {**rest, **lists, **address, "short_name": in_subject}


def _lines(value: object) -> list[str]:
    """A text by its lines, or a list as it is; the last one says how many more there are."""
    lines = list(map(str, value)) if isinstance(value, (list, tuple)) else str(value).splitlines()
    if len(lines) > _MOST_SENTENCES:
        more = len(lines) - _MOST_SENTENCES
        return [*lines[:_MOST_SENTENCES], f"And {more:,} more."]
    return lines


def _portal_link(link: str) -> str:
    """Absolute. A path is one of the portal's, and so is no link: its first page."""
    whole = link if "://" in link else f"{settings.PORTAL_URL}/{link.removeprefix('/')}"
    if (
        not whole.startswith(f"{settings.PORTAL_URL}/")
        or not whole.isascii()
        or not whole.isprintable()
        or " " in whole
    ):
        raise ValueError("A mail links to addresses of the portal only.")
    return whole


def _is_harmful(character: str) -> bool:
    """Whether it is a control character, or may hide or reorder others."""
    if character in "\t\n\r" or character in _JOINERS:
        return False
    return unicodedata.category(character) in _HARMFUL


def _fill(template: str, values: Mapping[str, object], *, autoescape: bool) -> str:
    return Engine.get_default().get_template(template).render(Context(values, autoescape=autoescape))
