"""The same form sent several times is done once: by a double click, a retry, or a browser that sends it again.

It is the same if the same person sends the same content to the same address from the same page. Django gives every page
another CSRF token (the secret of the cookie, masked anew), so a form of a page that was opened later is another one.
Where the first one led is kept sealed: the address can hold the key of a link, of which only a hash may be kept.
"""

from __future__ import annotations

import hashlib
import json
import time
from base64 import b64decode, b64encode
from datetime import timedelta

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone

from tenants.domain.errors import NotNow
from tenants.models import MOST_SEALED_ADDRESS, SentForm
from tenants.sign_in.sealing import CannotOpen
from tenants.sign_in.sessions import SignedIn
from tenants.sign_in.wiring import sealer

KEPT = timedelta(minutes=10)
# After that, the process that carried it out was probably killed.
GIVEN_UP_AFTER = timedelta(seconds=30)
WAIT_SECONDS = 5
_PAUSE_SECONDS = 0.1
# https://docs.djangoproject.com/en/5.2/ref/csrf/#how-it-works
_MASKED_TOKEN_LENGTH = 64
_DONE_BEFORE = "You had sent this form already. It was done once."
_UNDER_WAY = (
    "You have just sent this form. It is still being carried out, or it was interrupted. Look at the result in a "
    "moment. If something is missing there, send it again."
)


def answer_of_first(request: HttpRequest, who: SignedIn | None) -> HttpResponse | None:
    """None for the first, which the caller has to carry out and then `finish`. Waits for a first that is under way.

    Raises NotNow if that takes too long.
    """
    key = _key(request, who)
    until = time.monotonic() + WAIT_SECONDS
    while key and not _begin(key):
        first = SentForm.objects.filter(pk=key).first()
        if first is not None and first.address:
            address = _opened(first)
            if who is not None:
                # Visitors may have no session, or the first has just ended it.
                messages.success(request, _DONE_BEFORE)
            return HttpResponseRedirect(address)
        if time.monotonic() > until:
            raise NotNow(_UNDER_WAY)
        time.sleep(_PAUSE_SECONDS)
    request.sent_form = key  # type: ignore[attr-defined]
    return None


def finish(request: HttpRequest, response: HttpResponse) -> None:
    """A form that led nowhere was refused or needs a correction, and may be sent again.

    So may one that led to an address too long to be kept.
    """
    key = getattr(request, "sent_form", "")
    if not key:
        return
    begun = SentForm.objects.filter(pk=key)
    sealed = _sealed(response.url, key) if isinstance(response, HttpResponseRedirect) else ""
    if sealed and len(sealed) <= MOST_SEALED_ADDRESS:
        begun.update(address=sealed)
    else:
        begun.delete()


def _sealed(address: str, key: str) -> str:
    return b64encode(sealer().seal(address, bound_to=_place(key))).decode()


def _opened(first: SentForm) -> str:
    """Raises NotNow where it does not open, since the key that sealed it is no longer in the settings."""
    try:
        return sealer().open(b64decode(first.address), bound_to=_place(first.key))
    except (CannotOpen, ValueError) as error:
        raise NotNow(_DONE_BEFORE) from error


def _place(key: str) -> str:
    return f"where the form {key} led"


def _key(request: HttpRequest, who: SignedIn | None) -> str:
    """ "" for what is no form of a page."""
    token = request.POST.get("csrfmiddlewaretoken", "") if request.method == "POST" else ""
    if len(token) != _MASKED_TOKEN_LENGTH:
        return ""
    files = [(name, file.name, file.size) for name in request.FILES for file in request.FILES.getlist(name)]
    person = who.actor.id if who else ""
    sent = {"person": person, "to": request.get_full_path(), "fields": dict(request.POST.lists()), "files": files}
    return hashlib.sha256(json.dumps(sent).encode()).hexdigest()


def _begin(key: str) -> bool:
    """Whether nobody has begun it yet. Of several at once, one has."""
    now, unfinished = timezone.now(), SentForm.objects.filter(pk=key, begun_at__gt=timezone.now() - GIVEN_UP_AFTER)
    if unfinished.exists():
        return False
    SentForm.objects.filter(begun_at__lt=now - KEPT).delete()
    SentForm.objects.filter(pk=key, address="", begun_at__lt=now - GIVEN_UP_AFTER).delete()
    return SentForm.objects.get_or_create(pk=key)[1]
