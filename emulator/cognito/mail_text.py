"""The plain text of an HTML mail, as a mail program without HTML would show it."""

import re
from html.parser import HTMLParser

_LINES = frozenset({"p", "br", "div", "li", "tr", "h1", "h2", "h3"})
_NOT_SHOWN = frozenset({"head", "style", "script", "title"})
_TAG = re.compile(r"<[a-zA-Z/!][^>]*>")


def looks_like_html(text: str) -> bool:
    return bool(_TAG.search(text))


def text_of(html: str) -> str:
    """One line for each paragraph. The address of a link follows its words, unless they are the address."""
    parser = _Text()
    parser.feed(html)
    parser.close()
    lines = (" ".join(line.split()) for line in "".join(parser.parts).split("\n"))
    return "\n".join(line for line in lines if line)


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []
        self._hidden: list[str] = []
        self._link, self._words = "", ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _NOT_SHOWN:
            self._hidden.append(tag)
        elif tag in _LINES:
            self.parts.append("\n")
        elif tag == "a":
            self._link, self._words = dict(attrs).get("href") or "", ""

    def handle_endtag(self, tag: str) -> None:
        if self._hidden and tag == self._hidden[-1]:
            self._hidden.pop()
        elif tag in _LINES:
            self.parts.append("\n")
        elif tag == "a":
            if self._link and self._link != self._words.strip():
                self.parts.append(f" ({self._link})")
            self._link = ""

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.parts.append(data.replace("\n", " "))
            self._words += data
