"""Texts that people type about organisations and themselves: names, slugs, addresses, reasons, languages.

Each function returns the text as it is stored and compared; applying it to its own result changes nothing. It raises
InvalidInput with a message that says what to change. Invisible characters are refused, not removed: otherwise two
names could look alike and differ, or a text could hold more than the person meant to type.
"""

from __future__ import annotations

import re
import unicodedata

from tenants.domain.errors import InvalidInput

MOST_NAME_CHARACTERS = 120
MOST_REASON_CHARACTERS = 500
# RFC 5321, 4.5.3.1.
MOST_LOCAL_CHARACTERS = 64
# RFC 5321 allows 254, but the address is the user name in Cognito, which has at most 128:
# https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_AdminCreateUser.html
MOST_EMAIL_CHARACTERS = 128
# A suggestion leaves room for a number within the 40 characters of a slug.
_MOST_SUGGESTED = 30
_MOST_MARKS_TOGETHER = 3

_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?")
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_LOCAL_PART = re.compile(r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_ADDRESS_TOO_LONG = f"Enter an e-mail address with at most {MOST_EMAIL_CHARACTERS} characters."
_ENTER_A_DOMAIN = "After the @, enter a domain such as example.com."
_LANGUAGE = re.compile(r"[a-z]{2,3}(?:-[a-z]{4})?(?:-(?:[a-z]{2}|[0-9]{3}))?")

# Paths of the portal, now or later, and names that people would take for the platform's own.
RESERVED_SLUGS = frozenset({
    "access", "account", "accounts", "admin", "api", "app", "apps", "assets", "auth", "billing", "blog", "demo",
    "docs", "email", "emulator", "favicon", "health", "help", "livez", "login", "logout", "mail", "media", "members",
    "metrics", "new", "null", "oidc", "operator", "operators", "org", "organisation", "organisations", "organization",
    "organizations", "portal", "public", "readyz", "records", "root", "security", "settings", "sign-in", "sign-out",
    "sign-up", "signin", "signout", "signup", "static", "status", "support", "system", "tenant", "tenants", "test",
    "undefined", "webhooks", "well-known", "www",
})  # fmt: skip

# Blank on a page although Unicode calls them neither control nor format: fillers, joiners, replacement characters.
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0\ufffc\ufffd")
_INVISIBLE = frozenset({"Cc", "Cf", "Co", "Cn", "Cs"})
_MARKS = frozenset({"Mn", "Mc", "Me"})
_BREAKS = frozenset("\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029")
_JOINERS = frozenset("\u200c\u200d")
_VIRAMA = 9
# Unicode does not decompose these letters.
_PLAIN_LETTERS = str.maketrans({"ø": "o", "ł": "l", "æ": "ae", "œ": "oe", "đ": "d", "ð": "d", "þ": "th", "ı": "i"})
# IDNA 2003, which the standard library implements, maps these to another domain; IDNA 2008 does not.
_DIFFERS_BETWEEN_STANDARDS = frozenset("ßẞς\u200c\u200d")


def display_name(text: str, *, field: str, most: int = MOST_NAME_CHARACTERS) -> str:
    """The name of an organisation or a person, in any script: NFC, one space between words. `most` counts code points.

    Characters newer than Python's Unicode tables, such as the latest emoji, are refused as unassigned.
    """
    _check_length(text, 8 * most, f"A name has at most {most} characters.", field)
    name = _one_space_between_words(unicodedata.normalize("NFC", text.strip()))
    if not name:
        raise InvalidInput("Enter a name.", field=field)
    _check_length(name, most, f"A name has at most {most} characters; this one has {len(name)}.", field)
    if not _BREAKS.isdisjoint(name):
        raise InvalidInput("Enter the name on a single line.", field=field)
    _check_visible(name, field)
    return name


def reason(text: str, *, field: str = "reason") -> str:
    """Why something is done: 1 to 500 characters. Lines stay, separated by a line feed."""
    most = MOST_REASON_CHARACTERS
    _check_length(text, 8 * most, f"A reason has at most {most} characters.", field)
    composed = unicodedata.normalize("NFC", text).replace("\r\n", "\n").replace("\r", "\n")
    lines = [_one_space_between_words(line) for line in composed.strip().split("\n")]
    whole = "\n".join(lines)
    if not whole:
        raise InvalidInput("Enter a reason. It is kept in the audit trail.", field=field)
    _check_length(whole, most, f"A reason has at most {most} characters; this one has {len(whole)}.", field)
    for line in lines:
        _check_visible(line, field)
    return whole


def reason_if_given(text: str) -> str:
    """An optional reason: "" if nothing was entered."""
    return reason(text) if text.strip() else ""


def slug(text: str) -> str:
    """The short name in addresses. Capitals become small letters; anything else is refused."""
    short = text.strip()
    short = short.lower() if short.isascii() else short
    if not short:
        raise InvalidInput("Enter a short name.", field="slug")
    if not _SLUG.fullmatch(short) or "--" in short:
        raise InvalidInput(
            "A short name has at most 40 small letters from a to z, digits, and single hyphens between them.",
            field="slug",
        )
    if short in RESERVED_SLUGS:
        raise InvalidInput(f"The short name “{short}” is reserved. Choose another one.", field="slug")
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
    return f"{short}-org" if short in RESERVED_SLUGS else short


def email_address(text: str) -> str:
    """Small letters only, the domain in its ASCII form (punycode): stored, sent to AWS and compared like this.

    The user pool ignores case, so all spellings of an address are one person's. Before the @ only unquoted ASCII is
    accepted: Amazon SES, which sends for Cognito, delivers to nothing else, and addresses that differ in an accent are
    different mailboxes. Does not check whether the mailbox exists.
    """
    _check_length(text, 4 * MOST_EMAIL_CHARACTERS, _ADDRESS_TOO_LONG, "email")
    address = text.strip()
    if not address:
        raise InvalidInput("Enter an e-mail address.", field="email")
    local, at, domain = address.partition("@")
    if not at or "@" in domain:
        raise _invalid_address("Enter an e-mail address with one @.")
    if len(local) > MOST_LOCAL_CHARACTERS:
        raise _invalid_address(f"An e-mail address has at most {MOST_LOCAL_CHARACTERS} characters before the @.")
    if not local.isascii() or not _LOCAL_PART.fullmatch(local.lower()):
        raise _invalid_address(
            "Before the @, use only letters from a to z, digits, signs, and single dots between them."
        )
    folded = f"{local.lower()}@{_domain(unicodedata.normalize('NFC', domain))}"
    _check_length(folded, MOST_EMAIL_CHARACTERS, _ADDRESS_TOO_LONG, "email")
    return folded


def language(text: str) -> str:
    """The language of a person's pages and mail, such as `en`, `pt-br` or `zh-hant`: BCP 47 as Django uses it."""
    code = text.strip()
    if not code.isascii() or not _LANGUAGE.fullmatch(code.lower()):
        raise InvalidInput("Enter a language as a code, such as en, en-gb or pt-br.", field="language")
    return code.lower()


def _domain(text: str) -> str:
    if not _DIFFERS_BETWEEN_STANDARDS.isdisjoint(text):
        raise _invalid_address("This domain is ambiguous. Enter it in its ASCII form, which begins with xn--.")
    try:
        domain = text if text.isascii() else text.encode("idna").decode("ascii")
    except UnicodeError as error:
        raise _invalid_address(_ENTER_A_DOMAIN) from error
    labels = domain.lower().split(".")
    if len(labels) < 2 or labels[-1].isdecimal() or not all(_LABEL.fullmatch(label) for label in labels):
        raise _invalid_address(_ENTER_A_DOMAIN)
    return ".".join(labels)


def _invalid_address(message: str) -> InvalidInput:
    return InvalidInput(message, field="email")


def _check_length(text: str, most: int, message: str, field: str) -> None:
    if len(text) > most:
        raise InvalidInput(message, field=field)


def _one_space_between_words(line: str) -> str:
    """Replaces white space of any width, tabs included. Line breaks stay."""
    return re.sub(r"[^\S\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029\x1f]+", " ", line).strip()


def _check_visible(line: str, field: str) -> None:
    """Raises InvalidInput for invisible characters and for accents that a page would draw over others."""
    marks, before = 0, " "
    for place, character in enumerate(line):
        kind = unicodedata.category(character)
        if character in _BLANK or (kind in _INVISIBLE and not _joins(line, place)):
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
