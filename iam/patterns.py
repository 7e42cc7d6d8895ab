"""Text in policies: wildcards, policy variables, and their escapes.

A template is parsed once. A request's values are inserted as plain text, so a `*` in a value is never a wildcard. Knows
nothing of statements or operators. Follows "IAM policy elements: Variables and tags" in the IAM User Guide.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

from iam.failures import UnsupportedPolicy
from iam.request import Context

Test = Callable[[str], bool]


class Wildcard(Enum):
    ANY_TEXT = "*"
    ANY_CHARACTER = "?"


@dataclass(frozen=True, slots=True)
class Variable:
    """`${key}` or `${key, 'default'}`. `key` is lower-case; `written` is the key as the policy has it."""

    key: str
    default: str | None
    written: str

    def value(self, context: Context) -> str | None:
        """The text to insert. None for a multivalued key, and for an absent or empty value without a default."""
        found = context.get(self.key)
        if not found:
            return self.default
        return found if isinstance(found, str) else None


Token = str | Wildcard | Variable
Resolved = tuple[str | Wildcard, ...]

KEY = r"[\w.\-/]+:[\w .:/=+\-@]+"
_VARIABLE = re.compile(rf"\$\{{(?:(?P<escape>[*?$])|(?P<key>{KEY})(?:, '(?P<default>[^'}}]*)')?)\}}")
_WILDCARD_KEPT = re.compile(r"([*?])")
_WILDCARD = re.compile(r"[*?]")
_WILDCARD_OR_VARIABLE = re.compile(r"\$\{[^}]*\}?|[*?]")


@dataclass(frozen=True)
class Glob:
    """A compiled pattern. `pieces` are the parts between `*`s, each split at its `?`s."""

    pieces: tuple[tuple[str, ...], ...]

    def matches(self, value: str) -> bool:
        """Whether all of `value` matches. `*` matches anything, including `:`, `/` and newlines.

        Each piece takes its leftmost match, so the time is bounded.
        """
        first, last = self.pieces[0], self.pieces[-1]
        if len(self.pieces) == 1:
            return _length(first) == len(value) and _fits(first, value, 0)
        position, end = _length(first), len(value) - _length(last)
        if position > end or not _fits(first, value, 0) or not _fits(last, value, end):
            return False
        for piece in self.pieces[1:-1]:
            found = _find(piece, value, position, end)
            if found < 0:
                return False
            position = found + _length(piece)
        return True


def _length(piece: tuple[str, ...]) -> int:
    return sum(map(len, piece)) + len(piece) - 1


def _fits(piece: tuple[str, ...], value: str, position: int) -> bool:
    for part in piece:
        if not value.startswith(part, position):
            return False
        position += len(part) + 1
    return True


def _find(piece: tuple[str, ...], value: str, start: int, end: int) -> int:
    if len(piece) == 1:
        return value.find(piece[0], start, end)
    starts = range(start, end - _length(piece) + 1)
    return next((position for position in starts if _fits(piece, value, position)), -1)


@lru_cache(maxsize=4096)
def matcher(tokens: Resolved) -> Test:
    """The fastest test for these tokens. Most patterns are plain text, or text with a final `*`."""
    pieces = _pieces(tokens)
    match pieces:
        case ((text,),):
            return text.__eq__
        case ((prefix,), ("",)):
            return lambda value: value.startswith(prefix)
        case _:
            return Glob(pieces).matches


def _pieces(tokens: Resolved) -> tuple[tuple[str, ...], ...]:
    pieces = [[""]]
    for token in tokens:
        if token is Wildcard.ANY_TEXT:
            pieces.append([""])
        elif token is Wildcard.ANY_CHARACTER:
            pieces[-1].append("")
        else:
            pieces[-1][-1] += str(token)
    return tuple(map(tuple, pieces))


class Template:
    """One string of a policy, parsed. Without variables its pattern is compiled only once."""

    __slots__ = ("_fixed", "_literal", "_test", "tokens", "written")

    def __init__(self, written: str, tokens: tuple[Token, ...]) -> None:
        self.written = written
        self.tokens = tokens
        resolved = tuple(token for token in tokens if not isinstance(token, Variable))
        self._fixed = len(resolved) == len(tokens)
        self._test = matcher(resolved) if self._fixed else None
        self._literal = _text(resolved) if self._fixed else None

    def test(self, context: Context) -> Test | None:
        """The comparison for this request. None if a variable has no value; then nothing matches."""
        if self._fixed:
            return self._test
        resolved = self._resolve(context)
        return None if resolved is None else matcher(resolved)

    def literal(self, context: Context) -> str | None:
        """The text for this request. None if a variable has no value."""
        if self._fixed:
            return self._literal
        resolved = self._resolve(context)
        return None if resolved is None else _text(resolved)

    def show(self, context: Context) -> str:
        """The text for a person: with values inserted, or as written if a variable has no value."""
        resolved = self._resolve(context)
        if resolved is not None:
            return f'"{_text(resolved)}"'
        empty = [token.written for token in self.variables() if token.value(context) is None]
        return f'"{self.written}" (no value for {" and ".join(dict.fromkeys(empty))})'

    def variables(self) -> list[Variable]:
        return [token for token in self.tokens if isinstance(token, Variable)]

    def split(self, count: int) -> list["Template"]:
        """Splits at the first `count` colons of the policy's own text. A colon in a variable's value does not split."""
        parts: list[list[Token]] = [[]]
        for token in self.tokens:
            if not isinstance(token, str):
                parts[-1].append(token)
                continue
            head, *rest = token.split(":", count + 1 - len(parts))
            parts[-1].append(head)
            parts.extend([text] for text in rest)
        return [Template(self.written, tuple(part)) for part in parts]

    def _resolve(self, context: Context) -> Resolved | None:
        resolved: list[str | Wildcard] = []
        for token in self.tokens:
            value = token.value(context) if isinstance(token, Variable) else token
            if value is None:
                return None
            resolved.append(value)
        return tuple(resolved)


def _text(tokens: Resolved) -> str:
    return "".join(token if isinstance(token, str) else token.value for token in tokens)


def parse_template(written: str, *, variables: bool, wildcards: bool = True) -> Template:
    """`variables` is False for policies of version 2008-10-17, in which `${` is plain text."""
    special = _WILDCARD_OR_VARIABLE if variables else _WILDCARD
    tokens: list[Token] = []
    position = 0
    for match in special.finditer(written):
        tokens += [written[position : match.start()], _token(match.group(), wildcards=wildcards)]
        position = match.end()
    tokens.append(written[position:])
    return Template(written, tuple(token for token in tokens if token != ""))


def parse_pattern(written: str) -> Test:
    """Parses a pattern without variables, such as an Action."""
    return matcher(tuple(Wildcard(part) if part in ("*", "?") else part for part in _WILDCARD_KEPT.split(written)))


def _token(special: str, *, wildcards: bool) -> Token:
    if len(special) == 1:
        return Wildcard(special) if wildcards else special
    match = _VARIABLE.fullmatch(special)
    if match is None:
        raise UnsupportedPolicy(f"malformed policy variable {special}")
    if match["escape"]:
        return match["escape"]
    return Variable(match["key"].lower(), match["default"], match["key"])
