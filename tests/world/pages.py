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
