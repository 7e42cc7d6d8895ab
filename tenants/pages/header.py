"""What the frame of every page needs: the signed-in person, the stack, and the pages this person may open."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import get_script_prefix, get_urlconf, reverse
from django.utils.safestring import SafeString

from tenants.domain.permissions import MANAGERS
from tenants.domain.roles import IN_AN_ORGANISATION, Role
from tenants.domain.tenant_permissions import SETTINGS_READERS
from tenants.sign_in.access import unchecked_person
from tenants.sign_in.sessions import SignedIn
from tenants.sign_in.standing import may_enter


@dataclass(frozen=True, slots=True)
class Link:
    label: str
    address: str
    here: bool


# The operators' navigation. Timelines are missing because each belongs to one tenant.
_SECTIONS = (
    ("Overview", "operators:overview"),
    ("Tenants", "operators:tenants"),
    ("Members", "operators:members"),
    ("Drift", "operators:drift"),
    ("Audit", "operators:audit"),
)


def header(request: HttpRequest) -> dict[str, object]:
    """Context processor: `who` (SignedIn or None), `places` (HTML), `sections` (of Link), `stack`, `support`, what is
    on.
    """
    who = _who(request)
    return {
        "who": who,
        "places": _places(request, who),
        "sections": _sections(request, who),
        "stack": _stack(),
        "public_reads": settings.PUBLIC_READS,
        "browser_reads": bool(settings.COGNITO_BROWSER_CLIENT_ID),
        "support": _support(),
    }


def _who(request: HttpRequest) -> SignedIn | None:
    if hasattr(request, "signed_in"):
        signed_in: SignedIn | None = request.signed_in
        return signed_in
    # The request was refused before its view, perhaps so early that it has no session yet.
    return unchecked_person(request) if hasattr(request, "session") else None


def _places(request: HttpRequest, who: SignedIn | None) -> SafeString:
    names = [("Home", "home")]
    if who and may_enter(who.standing):
        if who.standing.role in IN_AN_ORGANISATION:
            names.append(("Records", "collections"))
        if who.standing.role in MANAGERS:
            names.append(("Members", "members"))
        if who.standing.role in IN_AN_ORGANISATION:
            names.append(("Activity", "activity"))
        if not who.break_glass:
            names += [("Public records", "public_collections"), ("Access", "access"), *_direct()]
        if who.standing.role in SETTINGS_READERS:
            names.append(("Settings", "settings"))
        if who.standing.role == Role.OPERATOR:
            names.append(("Operators", "operators:overview"))
    if who is None:
        names.append(("Create an organisation", "sign_up"))
        names += [*([("Public records", "public_collections")] if settings.PUBLIC_READS else []), *_direct()]
    return _list_of(tuple(_links(request, names)))


def _direct() -> list[tuple[str, str]]:
    return [("Direct", "direct")] if settings.COGNITO_BROWSER_CLIENT_ID else []


@lru_cache(maxsize=256)
def _list_of(places: tuple[Link, ...]) -> SafeString:
    """Kept, since it depends on the role and the page only and is a tenth of the time of a short page."""
    return render_to_string("pages/parts/places.html", {"places": places})


def _addresses_of(views: tuple[str, ...]) -> tuple[str, ...]:
    return _reversed(views, get_urlconf() or settings.ROOT_URLCONF, get_script_prefix())


@lru_cache(maxsize=256)
def _reversed(views: tuple[str, ...], _urlconf: str, _prefix: str) -> tuple[str, ...]:
    return tuple(reverse(view) for view in views)


def _sections(request: HttpRequest, who: SignedIn | None) -> list[Link]:
    addresses = _addresses_of(tuple(name for _, name in _SECTIONS))
    index = addresses[0]
    if who is None or who.standing.role != Role.OPERATOR or not request.path.startswith(index):
        return []
    links = zip((label for label, _ in _SECTIONS), addresses, strict=True)
    return [Link(label, at, request.path == at if at == index else request.path.startswith(at)) for label, at in links]


def _links(request: HttpRequest, names: Sequence[tuple[str, str]]) -> Iterator[Link]:
    addresses = _addresses_of(tuple(name for _, name in names))
    for (label, _), address in zip(names, addresses, strict=True):
        here = request.path == address if address == "/" else request.path.startswith(address)
        yield Link(label, address, here)


def _support() -> Link | None:
    """Whom people write to; None where the settings name nobody."""
    contact = settings.SUPPORT_CONTACT
    if not contact:
        return None
    address = contact if contact.startswith("https://") else f"mailto:{contact}"
    return Link(contact.removeprefix("https://"), address, here=False)


def _stack() -> str:
    if settings.AWS_ENDPOINT_URL:
        return f"local AWS at {urlsplit(settings.AWS_ENDPOINT_URL).netloc}"
    return f"AWS {settings.AWS_REGION}"
