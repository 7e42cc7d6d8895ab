"""Django's error pages (DJANGO_DEBUG), without the secrets among the settings.

Django hides settings by their names. A page also shows the variables of each function on the way to the error, where
a library may have put a password into a longer text.
"""

from __future__ import annotations

import base64
import html
from collections.abc import Collection, ItemsView, Iterator
from functools import partial
from types import FrameType
from typing import Any
from urllib.parse import quote, quote_plus

from django.conf import settings
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.views.debug import ExceptionReporter, SafeExceptionReporterFilter

from portal.hidden import STARS, HiddenBytes, HiddenText

# A shorter one is a word that a page has for other reasons.
_SHORTEST = 8
# Texts inside each other, such as the address of a connection in a list in a variable.
_DEPTH = 3


class Filter(SafeExceptionReporterFilter):
    def get_traceback_frame_variables(self, request: HttpRequest | None, tb_frame: FrameType) -> ItemsView[str, Any]:
        secrets = _secrets()
        found = super().get_traceback_frame_variables(request, tb_frame)
        return {name: STARS if _holds(value, secrets) else value for name, value in found}.items()


class Reporter(ExceptionReporter):
    def get_traceback_html(self) -> SafeString:
        return _without_secrets(super().get_traceback_html())

    def get_traceback_text(self) -> SafeString:
        return _without_secrets(super().get_traceback_text())


def _holds(value: object, secrets: Collection[str]) -> bool:
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001 - any object can be a variable, and the page says that it cannot be shown
        return False
    return any(secret in text for secret in secrets)


def _without_secrets(page: str) -> SafeString:
    for secret in sorted(_secrets(), key=len, reverse=True):
        page = page.replace(secret, STARS)
    return SafeString(page)


def _secrets() -> set[str]:
    """Each secret as a page could spell it, also where it is inside a text inside another one."""
    spelt = {part for secret in _hidden(_all_settings()) for part in _parts(secret) if len(part) >= _SHORTEST}
    for _ in range(_DEPTH):
        spelt |= {text for part in spelt for text in _quoted(part)}
    return spelt | {way(part) for part in spelt for way in (html.escape, quote_plus, partial(quote, safe=""))}


def _quoted(text: str) -> set[str]:
    """As Python shows it alone, and as Python and libpq show it in a text that has quotes of both kinds."""
    return {text, repr(text)[1:-1], text.replace("\\", "\\\\").replace("'", "\\'")}


def _parts(secret: str | bytes) -> Iterator[str]:
    if isinstance(secret, bytes):
        yield base64.b64encode(secret).decode()
        yield repr(bytes(secret))[2:-1]
    else:
        yield str(secret)


def _all_settings() -> list[Any]:
    return [getattr(settings, name) for name in dir(settings) if name.isupper()]


def _hidden(value: object) -> Iterator[str | bytes]:
    match value:
        case HiddenText() | HiddenBytes():
            yield value
        case dict():
            for item in value.values():
                yield from _hidden(item)
        case list() | tuple():
            for item in value:
                yield from _hidden(item)
