"""The e-mail domains of the people whom an organisation may invite: read as typed, and asked for each invitation.

Only invitations are asked about. A member stays, whatever the list says.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from tenants.audit import audit_refusals
from tenants.audit.actions import Action
from tenants.domain import texts
from tenants.domain.actor import Actor
from tenants.domain.errors import InvalidInput
from tenants.members.addresses import address
from tenants.models import Tenant

MOST_DOMAINS = 50
_MOST_CHARACTERS = 300 * MOST_DOMAINS
_MOST_NAMED = 5
_FIELD = "invitation_domains"


def read_domains(text: str) -> list[str]:
    """One a line, or between commas; in ASCII, each once, in the order of the alphabet. Raises InvalidInput."""
    if len(text) > _MOST_CHARACTERS:
        raise _too_many()
    typed = [part for part in map(texts.trimmed, re.split(r"[\n,;]", text.replace("\r", "\n"))) if part]
    domains, wrong = [], []
    for part in typed:
        try:
            domains.append(_domain(part))
        except InvalidInput:
            wrong.append(part)
    if wrong:
        raise InvalidInput(_not_domains(wrong), field=_FIELD)
    if len(set(domains)) > MOST_DOMAINS:
        raise _too_many()
    return sorted(set(domains))


def as_lines(domains: Sequence[str]) -> str:
    return "\n".join(map(readable, domains))


def readable(domain: str) -> str:
    """With the letters of the domain, where they cannot be taken for another one's."""
    return texts.readable_address(f"@{domain}").removeprefix("@")


def why_not_invited(tenant: Tenant | None, email: str) -> str:
    """ "" for an address that may be invited. `email` is in the form that is stored."""
    allowed = tenant.invitation_domains if tenant else []
    domain = email.rpartition("@")[2]
    if not allowed or domain in allowed:
        return ""
    return f"{tenant} invites only addresses at {_named(allowed)}. An owner can change that in its settings."


@audit_refusals(Action.MEMBER_REFUSED)
def check_may_be_invited(tenant: Tenant | None, *, email: str, by: Actor) -> None:  # noqa: ARG001 - for the trail
    """Raises InvalidInput with the field "email"."""
    if why := why_not_invited(tenant, address(email)):
        raise InvalidInput(why, field="email")


def _domain(text: str) -> str:
    """Checked as in an address. `@example.com` is meant as well as typed."""
    return address(f"somebody@{text.removeprefix('@')}").rpartition("@")[2]


def _not_domains(wrong: Sequence[str]) -> str:
    first = [text if len(text) <= 60 else f"{text[:59]}…" for text in wrong[:_MOST_NAMED]]
    named = ", ".join(f"“{text if text.isprintable() else ascii(text)[1:-1]}”" for text in first)
    what = "This is not a domain" if len(wrong) == 1 else f"{len(wrong)} of these are not domains"
    return f"{what}: {named}. Enter domains such as example.com, one a line."


def _named(domains: Sequence[str]) -> str:
    names = [readable(domain) for domain in domains[:_MOST_NAMED]]
    if len(domains) > len(names):
        names.append(f"{len(domains) - len(names)} other domains")
    return f"{', '.join(names[:-1])} or {names[-1]}" if len(names) > 1 else names[0]


def _too_many() -> InvalidInput:
    return InvalidInput(f"Enter at most {MOST_DOMAINS} domains.", field=_FIELD)
