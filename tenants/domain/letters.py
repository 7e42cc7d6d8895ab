"""What the letters of a text look like: which scripts it mixes, and which other texts it can be taken for.

Follows Unicode's report on security, https://www.unicode.org/reports/tr39/, with the tables of confusable_homoglyphs.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from functools import cache, lru_cache

from confusable_homoglyphs.categories import alias
from confusable_homoglyphs.utils import load

# What is written together in Chinese, Japanese and Korean, Latin included.
_WRITTEN_TOGETHER = (
    frozenset({"Latin", "Han", "Hiragana", "Katakana"}),
    frozenset({"Latin", "Han", "Bopomofo"}),
    frozenset({"Latin", "Han", "Hangul"}),
)
_OF_NO_SCRIPT = frozenset({"Common", "Inherited", "Unknown"})
# In small letters, as I is i there: what is taken for l, and for o.
_LOOKS = str.maketrans("i1|0", "lllo")
_TOGETHER_LOOK = (("rn", "m"), ("vv", "w"))
_LATIN = re.compile("[a-zA-Z0-9]|rn")


def oddity(text: str) -> str:
    """What is odd about its letters, as a sentence; "" where nothing is.

    A text in one script is not odd, unless it is not Latin and each of its letters looks like a Latin one.
    """
    scripts = _scripts(text)
    if len(scripts) > 1:
        if any(scripts <= together for together in _WRITTEN_TOGETHER):
            return ""
        *others, last = sorted(scripts, key=lambda script: (script != "Latin", script))
        return f"Mixes {', '.join(others)} and {last} letters{_example(text) if 'Latin' in scripts else ''}."
    latin = "" if scripts == {"Latin"} else _as_latin(text)
    return f"Looks like “{latin}”, but is written in {next(iter(scripts), 'mathematical')} letters." if latin else ""


def skeleton(text: str) -> str:
    """The same for texts that can be taken for each other, whatever their case, accents, spaces and punctuation."""
    decomposed = unicodedata.normalize("NFKD", _with_likenesses(text).casefold())
    plain = "".join(letter for letter in decomposed if _distinguishes(letter))
    looks = _with_likenesses(plain).casefold().translate(_LOOKS)
    for two, one in _TOGETHER_LOOK:
        looks = looks.replace(two, one)
    return looks


@cache
def lookalikes() -> Mapping[str, str]:
    """By the letter: the Latin letter or digit that it looks like. Read once, when it is first needed."""
    found = {}
    for letter, alike in load("confusables.json").items():
        latin = alike[0]["c"]
        # In the table a letter has the one it is a likeness of; that one has all of its likenesses.
        if len(alike) == 1 and len(letter) == 1 and not letter.isascii() and _LATIN.fullmatch(latin):
            found[letter] = dict(_TOGETHER_LOOK).get(latin, latin)
    return found


def _distinguishes(letter: str) -> bool:
    """Not spaces, punctuation and accents. In some scripts a vowel is a mark, too."""
    kind = unicodedata.category(letter)[0]
    return kind in "LNS" or (kind == "M" and bool(_scripts(letter)))


def _scripts(text: str) -> frozenset[str]:
    return frozenset(map(_script, text)) - _OF_NO_SCRIPT


@lru_cache(maxsize=4096)
def _script(letter: str) -> str:
    return str(alias(letter)).replace("_", " ").title()


def _with_likenesses(text: str) -> str:
    return "".join(lookalikes().get(letter, letter) for letter in text)


def _example(text: str) -> str:
    """ "" where no letter of another script looks like a Latin one."""
    for letter in text:
        if letter in lookalikes() and _scripts(letter) - {"Latin"}:
            return f": “{letter}” looks like “{lookalikes()[letter]}”"
    return ""


def _as_latin(text: str) -> str:
    """The same in Latin letters; "" where a letter has no likeness there, or there is none."""
    letters = [letter for letter in text if unicodedata.category(letter)[0] == "L"]
    return _with_likenesses(text) if letters and all(letter in lookalikes() for letter in letters) else ""
