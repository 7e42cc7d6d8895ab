"""Which addresses a redirect may lead to: pages of this portal, and no other."""

from __future__ import annotations

from django.conf import settings


def own_page(address: str) -> str | None:
    """The address as a path of the portal, or None where it is none. Pages of signing in and out are none either.

    Browsers take a backslash for a slash and leave control characters out, so that `/\\evil` is another host.
    """
    path = address.removeprefix(settings.PORTAL_URL)
    is_path = path.startswith("/") and not path.startswith(("//", "/oidc/"))
    return path if is_path and path.isprintable() and not set(path) & {"\\", " "} else None
