"""Texts that people type about organisations and themselves: names, slugs, reasons, languages.

Each function returns the text as it is stored and compared; applying it to its own result changes nothing. It raises
InvalidInput with a message that says what to change. Invisible characters are refused, not removed: otherwise two
names could look alike and differ, or a text could hold more than the person meant to type.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache

from tenants.domain.errors import InvalidInput
from tenants.domain.letters import oddity, skeleton

MOST_NAME_CHARACTERS = 120
MOST_REASON_CHARACTERS = 500
# A suggestion leaves room for a number within the 40 characters of a slug.
_MOST_SUGGESTED = 30
_MOST_MARKS_TOGETHER = 3

_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?")
_LANGUAGE = re.compile(r"[a-z]{2,3}(?:-[a-z]{4})?(?:-(?:[a-z]{2}|[0-9]{3}))?")

# Paths of the portal, now or later, and names that people would take for the platform's own.
RESERVED_SLUGS = frozenset({
    "about", "abuse", "access", "account", "accounts", "activity", "admin", "admins", "api", "app", "apps", "assets",
    "auth", "aws", "billing", "blog", "cognito", "collections", "columns", "contact", "demo", "direct", "docs",
    "email", "emulator", "export", "favicon", "health", "help", "import", "imports", "invitation", "invitations",
    "invite", "join", "leave", "legal", "livez", "login", "logout", "mail", "media", "members", "metrics", "new",
    "no-reply", "noreply", "null", "oidc", "operator", "operators", "org", "organisation", "organisations",
    "organization", "organizations", "owner", "owners", "plans", "portal", "postmaster", "pricing", "privacy",
    "public", "readyz", "records", "recover", "recovery", "root", "security", "settings", "sign-in", "sign-out",
    "sign-up", "signin", "signout", "signup", "static", "status", "support", "system", "tenant", "tenants", "terms",
    "test", "undefined", "webhooks", "welcome", "well-known", "www",
})  # fmt: skip

# Blank on a page although Unicode calls them neither control nor format: fillers, joiners, replacement characters.
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0\ufffc\ufffd")
_INVISIBLE = frozenset({"Cc", "Cf", "Co", "Cn", "Cs"})
_MARKS = frozenset({"Mn", "Mc", "Me"})
_SPACES = " \t\r\n\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
_BREAKS = frozenset("\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029")
_TYPED_CONTROLS = frozenset("\t\n\r")
_JOINERS = frozenset("\u200c\u200d")
_VIRAMA = 9
# Unicode does not decompose these letters.
_PLAIN_LETTERS = str.maketrans({"ø": "o", "ł": "l", "æ": "ae", "œ": "oe", "đ": "d", "ð": "d", "þ": "th", "ı": "i"})


def display_name(text: str, *, field: str, most: int = MOST_NAME_CHARACTERS) -> str:
    """The name of an organisation or a person, in any script: NFC, one space between words. `most` counts code points.

    Characters newer than Python's Unicode tables, such as the latest emoji, are refused as unassigned.
    """
    _check_length(text, 8 * most, f"A name has at most {most} characters.", field)
    name = _one_space_between_words(unicodedata.normalize("NFC", trimmed(text)))
    if not name:
        raise InvalidInput("Enter a name.", field=field)
    _check_length(name, most, f"A name has at most {most} characters; this one has {len(name)}.", field)
    if not _BREAKS.isdisjoint(name):
        raise InvalidInput("Enter the name on a single line.", field=field)
    check_visible(name, field)
    return name


def reason(text: str, *, field: str = "reason") -> str:
    """Why something is done: 1 to 500 characters. Lines stay, separated by a line feed."""
    most = MOST_REASON_CHARACTERS
    _check_length(text, 8 * most, f"A reason has at most {most} characters.", field)
    composed = unicodedata.normalize("NFC", text).replace("\r\n", "\n").replace("\r", "\n")
    lines = [_one_space_between_words(line) for line in trimmed(composed).split("\n")]
    whole = "\n".join(lines)
    if not whole:
        raise InvalidInput("Enter a reason. It is kept in the audit trail.", field=field)
    _check_length(whole, most, f"A reason has at most {most} characters; this one has {len(whole)}.", field)
    for line in lines:
        check_visible(line, field)
    return whole


def reason_if_given(text: str) -> str:
    """An optional reason: "" if nothing was entered."""
    return reason(text) if trimmed(text) else ""


def slug(text: str) -> str:
    """The short name in addresses. Capitals become small letters; anything else is refused."""
    short = trimmed(text)
    short = short.lower() if short.isascii() else short
    if not short:
        raise InvalidInput("Enter a short name.", field="slug")
    if not _SLUG.fullmatch(short) or "--" in short:
        raise InvalidInput(
            "A short name has at most 40 small letters from a to z, digits, and single hyphens between them.",
            field="slug",
        )
    if _is_reserved(short):
        raise InvalidInput(
            f"The short name “{short}” is reserved, or looks like one that is. Choose another one.", field="slug"
        )
    return short


def slug_from(name: str) -> str:
    """Suggests a slug of at most 30 characters that `slug` accepts; "my-org" if the name has no Latin letter or digit.

    Does not check whether another tenant has it.
    """
    decomposed = unicodedata.normalize("NFKD", name.casefold().translate(_PLAIN_LETTERS))
    plain = "".join(character for character in decomposed if unicodedata.category(character) not in _MARKS)
    short = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:_MOST_SUGGESTED].strip("-")
    if not short:
        return "my-org"
    return f"{short}-org" if _is_reserved(short) else short


def readable_address(address: str) -> str:
    """An e-mail address for people to read: with the letters of its domain instead of their ASCII form (xn--).

    Not where they could be taken for the letters of another domain.
    """
    local, at, domain = address.rpartition("@")
    return f"{local}{at}{'.'.join(map(_readable_label, domain.split('.')))}" if "xn--" in domain else address


def language(text: str) -> str:
    """The language of a person's pages and mail, such as `en`, `pt-br` or `zh-hant`: BCP 47 as Django uses it."""
    code = trimmed(text)
    if not code.isascii() or not _LANGUAGE.fullmatch(code.lower()):
        raise InvalidInput("Enter a language as a code, such as en, en-gb or pt-br.", field="language")
    return code.lower()


def _is_reserved(short: str) -> bool:
    """Also `adm1n` and `rnembers`."""
    return skeleton(short) in _reserved_skeletons()


@cache
def _reserved_skeletons() -> frozenset[str]:
    return frozenset(map(skeleton, RESERVED_SLUGS))


def trimmed(text: str) -> str:
    """Without spaces and ends of lines around it. Unlike `strip`, it keeps control characters, which are refused."""
    return text.strip(_SPACES)


def check_visible(line: str, field: str) -> None:
    """Raises InvalidInput for invisible characters, NUL and line breaks too, and for accents that hide others."""
    marks, before = 0, " "
    for place, character in enumerate(line):
        kind = unicodedata.category(character)
        if _is_hidden(line, place):
            raise InvalidInput(
                f"The character at place {place + 1} is invisible or unusable (U+{ord(character):04X}). "
                "Type the text instead of pasting it.",
                field=field,
            )
        marks = marks + 1 if kind in _MARKS else 0
        if marks > _MOST_MARKS_TOGETHER or (marks and before == " "):
            raise InvalidInput(
                f"At place {place + 1}, accents have no letter or too many share one. Remove them.",
                field=field,
            )
        before = character


def hidden_character(text: str) -> str:
    """The first that is invisible or unusable, such as U+202E; "" where there is none. Tabs and line breaks may be."""
    for place, character in enumerate(text):
        if character not in _TYPED_CONTROLS and _is_hidden(text, place):
            return f"U+{ord(character):04X}"
    return ""


def _is_hidden(line: str, place: int) -> bool:
    character = line[place]
    return character in _BLANK or (unicodedata.category(character) in _INVISIBLE and not _joins(line, place))


def _readable_label(label: str) -> str:
    if not label.startswith("xn--"):
        return label
    try:
        letters = label.removeprefix("xn--").encode("ascii").decode("punycode")
        check_visible(letters, "")
    except (UnicodeError, InvalidInput):
        return label
    return label if oddity(letters) or letters.isascii() else letters


def _check_length(text: str, most: int, message: str, field: str) -> None:
    if len(text) > most:
        raise InvalidInput(message, field=field)


def _one_space_between_words(line: str) -> str:
    """Replaces white space of any width, tabs included. Line breaks stay."""
    return re.sub(r"[^\S\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029\x1f]+", " ", line).strip(_SPACES)


def _joins(line: str, place: int) -> bool:
    """Whether this is a joiner that the script needs; elsewhere it would hide a difference (RFC 5892, A.1 and A.2).

    Indic scripts need one after a virama, Persian a non-joiner between Arabic letters, emoji a joiner between two.
    """
    if line[place] not in _JOINERS or place == 0:
        return False
    before, after = line[place - 1], line[place + 1 : place + 2]
    if unicodedata.combining(before) == _VIRAMA:
        return True
    if line[place] == "\u200c":
        return _is_arabic(before) and _is_arabic(after)
    return _is_emoji(before) and unicodedata.category(after or " ") == "So"


def _is_arabic(character: str) -> bool:
    return bool(character) and unicodedata.name(character, "").startswith("ARABIC LETTER")


def _is_emoji(character: str) -> bool:
    """An emoji, its skin tone, or the variation selector of its picture."""
    return character == "\ufe0f" or unicodedata.category(character) in ("So", "Sk")
