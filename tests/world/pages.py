"""Reads pages."""

from __future__ import annotations

import re
from html import unescape
from typing import Any


def text_of(page: Any) -> str:
    return unescape(page.content.decode())


def errors_in(page: Any) -> dict[str, str]:
    """Error messages by field."""
    found = re.findall(r'<p class="error" id="(\w+)-error"><span[^>]*>Error:</span> ([^<]*)</p>', page.content.decode())
    return {field: unescape(message) for field, message in found}


def form_in(page: Any, *, of: str) -> dict[str, list[str]]:
    """What a browser would send with the form inside the element of this class: values by name."""
    found = re.search(rf'class="{of}".*?</form>', page.content.decode(), re.DOTALL)
    assert found, f"no form in {of}"
    sent: dict[str, list[str]] = {}
    for tag, text in re.findall(r"<(?:input|textarea)\b([^>]*)>(?:\n([^<]*)</textarea>)?", found[0]):
        about = {name: unescape(value) for name, value in re.findall(r'(\w+)="([^"]*)"', tag)}
        sent.setdefault(about["name"], []).append(unescape(text) or about.get("value", ""))
    return sent
