"""Cuts the text of an expression into tokens. Words are case-insensitive where they are operators."""

import re
from dataclasses import dataclass
from typing import Final

KEYWORDS: Final = frozenset({"AND", "OR", "NOT", "BETWEEN", "IN", "SET", "REMOVE", "ADD", "DELETE"})
COMPARATORS: Final = frozenset({"=", "<>", "<", "<=", ">", ">="})
END: Final = "<EOF>"

_TOKEN = re.compile(
    r"[ \t\r\n]*(?:(?P<word>[A-Za-z]\w*)|(?P<alias>#\w+)|(?P<value>:\w+)|(?P<integer>0|[1-9]\d*)"
    r"|(?P<sign><>|<=|>=|[=<>()\[\],.+-])|(?P<end>\Z)|(?P<unknown>[^ \t\r\n]))",
    re.ASCII | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Token:
    """`kind` is "word", "alias", "value", "integer", "unknown", or else the sign or the keyword in capitals itself."""

    kind: str
    text: str
    start: int
    end: int


def tokens_of(text: str) -> list[Token]:
    """The last token is `END`."""
    found: list[Token] = []
    place = 0
    while True:
        match = _TOKEN.match(text, place)
        if match is None or match.lastgroup == "end":
            return [*found, Token(END, END, len(text), len(text))]
        place = match.end()
        group = str(match.lastgroup)
        content = match[group]
        found.append(Token(_kind(group, content), content, match.start(group), place))


def _kind(group: str, content: str) -> str:
    if group == "sign":
        return content
    upper = content.upper()
    return upper if group == "word" and upper in KEYWORDS else group
