"""What a person typed into a form that was refused: the refusal's page shows it, and can send it again.

A page that sends a form again carries a fresh CSRF token. It is offered only to a form that came from the portal's own
pages. Otherwise another site's form would need nothing but a click on our page to pass the check.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from django.conf import settings
from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest
from django.http.multipartparser import MultiPartParserError

# In characters, of all fields together: a page of an invitation with its longest list.
MOST_KEPT = 1_000_000
MOST_FIELDS = 700
# Never in a page. The person types them again.
_SECRET = {"key", "password", "code", "token", "secret"}
# Fields that nobody types, and boxes that were ticked. They are sent again as they were.
_HIDDEN = {"chosen", "list", "over", "opened", "terms", "form", "shown", "query"}
# The same of a record's form, whose fields are numbered.
_HIDDEN_IN_ROWS = re.compile(r"(?:was|kind|remove)_\d+")
# For people to copy, where the form cannot be sent again. These are quick to choose again.
_CHOICES = {"role", "plan"}
_FORMS = {"application/x-www-form-urlencoded", "multipart/form-data"}


@dataclass(frozen=True, slots=True)
class KeptField:
    """`is_hidden`: nobody typed it. `is_secret`: its value was not kept."""

    name: str
    value: str
    is_hidden: bool = False
    is_secret: bool = False

    @property
    def label(self) -> str:
        return self.name.replace("_", " ").capitalize()

    @property
    def lines(self) -> int:
        return min(self.value.count("\n") + len(self.value) // 60 + 1, 12)

    @property
    def is_worth_copying(self) -> bool:
        return bool(self.value) and not self.is_hidden and self.name not in _CHOICES


@dataclass(frozen=True, slots=True)
class KeptForm:
    """`may_be_sent`: again, to the address that it was sent to. `files` are the names of files, which are not kept."""

    fields: tuple[KeptField, ...] = ()
    files: tuple[str, ...] = ()
    may_be_sent: bool = False
    is_too_long: bool = False

    @property
    def has_text(self) -> bool:
        return any(not field.is_hidden for field in self.fields)


def kept_form(request: HttpRequest, *, may_be_sent: bool = True) -> KeptForm | None:
    """None for a request that is no form, or a form of another site."""
    if request.method != "POST" or request.content_type not in _FORMS or _is_from_elsewhere(request):
        return None
    try:
        pairs = [(name, value) for name, values in request.POST.lists() for value in values]
        files = tuple(file.name or "" for name in request.FILES for file in request.FILES.getlist(name))
    except (SuspiciousOperation, MultiPartParserError, OSError):
        # Too long or broken, or the connection broke off.
        return KeptForm(is_too_long=True)
    if len(pairs) > MOST_FIELDS or sum(len(name) + len(value) for name, value in pairs) > MOST_KEPT:
        return KeptForm(is_too_long=True)
    fields = tuple(_field(name, value) for name, value in pairs if name != "csrfmiddlewaretoken")
    return KeptForm(fields, files, may_be_sent=may_be_sent and _is_from_here(request))


def _field(name: str, value: str) -> KeptField:
    if name in _SECRET:
        return KeptField(name, "", is_secret=True)
    return KeptField(name, value, is_hidden=_is_hidden(name) or not value)


def _is_hidden(name: str) -> bool:
    return name in _HIDDEN or _HIDDEN_IN_ROWS.fullmatch(name) is not None


def _is_from_here(request: HttpRequest) -> bool:
    """Whether the browser says that a page of the portal sent the form. Without a word from it: no."""
    origin, site = request.headers.get("Origin"), request.headers.get("Sec-Fetch-Site")
    if origin is None:
        return site == "same-origin"
    return origin == settings.PORTAL_URL and site in {None, "same-origin"}


def _is_from_elsewhere(request: HttpRequest) -> bool:
    says_something = {"Origin", "Sec-Fetch-Site"} & set(request.headers)
    return bool(says_something) and not _is_from_here(request)
