"""Tenants and members as commands print them: facts for `--json`, columns and sentences for people."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from shutil import get_terminal_size
from textwrap import TextWrapper
from typing import Any

from django.core.management.base import OutputWrapper
from django.db.models import Count

from tenants.domain.dates import formatted
from tenants.health.blockers import blockers
from tenants.lifecycle.suspension import Rings, rings
from tenants.members.invitation_state import invitation_state
from tenants.members.recovery import open_recovery
from tenants.models import Closing, Member, Provisioning, Suspension, Tenant

_DATES = ("created_at", "activated_at", "suspended_at", "closing_at", "purge_after", "closed_at")


def tenant_facts(tenant: Tenant) -> dict[str, Any]:
    return {
        "org": str(tenant.org_id),
        "slug": tenant.slug,
        "name": tenant.name,
        "state": tenant.state,
        "external_id": tenant.external_id,
        "name_warning": tenant.name_warning,
        "plan": tenant.plan,
        "reason": tenant.reason,
        "metadata": tenant.metadata,
        "contact": tenant.contact,
        "invitation_domains": tenant.invitation_domains,
        **{name: _iso(getattr(tenant, name)) for name in _DATES},
    }


def tenant_details(tenant: Tenant) -> dict[str, Any]:
    """With the number of its members, and the progress of its suspension and its closing."""
    suspension, closing = _suspension(tenant), _closing(tenant)
    return {
        **recovery_facts(tenant),
        "members": count_members(tenant),
        "suspension": ring_facts(rings(suspension), blockers(suspension)) if suspension else None,
        "closing": _closing_facts(closing) if closing else None,
    }


def recovery_facts(tenant: Tenant) -> dict[str, Any]:
    """With the owner recovery that waits, None where none does."""
    waiting = open_recovery(tenant)
    facts = {
        "email": waiting.email,
        "reason": waiting.reason,
        "asked_by": waiting.asked_by_name,
        "asked_at": _iso(waiting.asked_at),
        "due_at": _iso(waiting.due_at),
    } if waiting else None  # fmt: skip
    return {**tenant_facts(tenant), "recovery": facts}


def _closing_facts(closing: Closing) -> dict[str, Any]:
    return {
        "began_at": _iso(closing.began_at),
        "closed_by": _closed_by(closing),
        "exported_at": _iso(closing.exported_at),
        "export_url": closing.export_url,
        "rows_exported": closing.rows_exported,
        "purged_at": _iso(closing.purged_at),
        "rows_purged": closing.rows_purged,
        "ended_at": _iso(closing.ended_at),
        "last_error": closing.last_error,
    }


def _closed_by(closing: Closing) -> str:
    return f"its owner {closing.by_owner}" if closing.by_owner else "an operator"


TENANT_HEADS = ("short name", "state", "plan", "created", "name")
MEMBER_HEADS = ("e-mail", "role", "tenant", "access", "provisioning")


def tenant_row(tenant: Tenant) -> tuple[str, ...]:
    return tenant.slug, tenant.state, tenant.plan, f"{tenant.created_at:%Y-%m-%d}", _marked_name(tenant)


def _marked_name(tenant: Tenant) -> str:
    return f"{tenant.name} (check the name: {tenant.name_warning})" if tenant.name_warning else tenant.name


def member_row(member: Member) -> tuple[str, ...]:
    state = "removed" if member.removed else "enabled" if member.enabled else "disabled"
    where = member.tenant.slug if member.tenant else "the platform"
    why = f": {member.last_error}" if member.last_error else ""
    invitation = invitation_state(member).in_words
    name = member.person.email or str(member.person.sub)
    return name, member.role, where, state, f"{member.provisioning}{why}; {invitation}"


def count_members(tenant: Tenant) -> dict[str, Any]:
    counts = tenant.members.order_by().values_list("role", "provisioning").annotate(Count("pk"))
    roles: dict[str, int] = {}
    provisioning: dict[str, int] = {}
    for role, state, count in counts:
        roles[role] = roles.get(role, 0) + count
        provisioning[state] = provisioning.get(state, 0) + count
    return {"all": sum(roles.values()), "roles": roles, "provisioning": provisioning}


def ring_facts(reached: Rings, in_the_way: Sequence[str]) -> dict[str, Any]:
    return {
        "door_at": _iso(reached.portal_at),
        "signed_out_at": _iso(reached.signed_out_at),
        "denied_at": _iso(reached.denied_at),
        "ended_at": _iso(reached.ended_at),
        "members_left": reached.members_left,
        "waits_for_room": reached.waits_for_room,
        "all_reached": reached.all_reached,
        "in_the_way": list(in_the_way),
    }


def member_facts(member: Member) -> dict[str, Any]:
    tenant, invitation = member.tenant, invitation_state(member)
    return {
        "email": member.person.email,
        "sub": str(member.person.sub) if member.person.sub else None,
        "name": member.person.name,
        "org": str(tenant.org_id) if tenant else None,
        "slug": tenant.slug if tenant else None,
        "role": member.role,
        "enabled": member.enabled,
        "removed": member.removed,
        "provisioning": member.provisioning,
        "last_error": member.last_error,
        "invitation": invitation.name,
        "invitation_in_words": invitation.in_words,
        "mailed_at": _iso(member.mailed_at),
        "signed_in_at": _iso(member.signed_in_at),
        "second_factor": member.second_factor,
        "second_factor_seen_at": _iso(member.second_factor_seen_at),
    }


def tenant_lines(tenant: Tenant) -> Iterator[str]:
    yield tenant.name
    yield from in_columns(_about(tenant), indent="  ")
    suspension, closing = _suspension(tenant), _closing(tenant)
    if waiting := open_recovery(tenant):
        who, until = waiting.asked_by_name, _when(waiting.due_at)
        yield from ("", f"{who} asked to make {waiting.email} an owner. Owners and admins can stop it until {until}.")
    if suspension:
        yield from ("", *ring_lines(rings(suspension), blockers(suspension)))
    if closing:
        yield from ("", *_closing_lines(tenant, closing))


def _closing_lines(tenant: Tenant, closing: Closing) -> Iterator[str]:
    yield f"Being closed since {_when(closing.began_at)}, by {_closed_by(closing)}."
    if closing.exported_at:
        yield f"Exported on {_when(closing.exported_at)}: {closing.rows_exported:,} rows, to {closing.export_url}."
    if closing.purged_at:
        yield f"Purged on {_when(closing.purged_at)}: {closing.rows_purged:,} rows."
    if tenant.purge_after and not closing.rows_purged and not closing.ended_at:
        yield f"Can be reopened until {_when(tenant.purge_after)}."
    if closing.last_error:
        yield f"The closing job could not go on: {closing.last_error}"


def ring_lines(reached: Rings, in_the_way: Sequence[str]) -> Iterator[str]:
    yield from reached.sentences
    yield from in_the_way


def _about(tenant: Tenant) -> Iterator[tuple[str, str]]:
    counted = count_members(tenant)
    if tenant.name_warning:
        yield "name", tenant.name_warning
    yield "short name", tenant.slug
    if tenant.external_id:
        yield "external id", tenant.external_id
    yield "org id", str(tenant.org_id)
    yield "state", tenant.state
    if tenant.reason:
        yield "reason", tenant.reason.replace("\n", " / ")
    yield "plan", tenant.plan
    yield "created", _when(tenant.created_at)
    if tenant.activated_at:
        yield "activated", _when(tenant.activated_at)
    if tenant.closed_at:
        yield "closed", _when(tenant.closed_at)
    yield "members", _listed(counted["all"], counted["roles"].items())
    unsettled = {state: count for state, count in counted["provisioning"].items() if state != Provisioning.SETTLED}
    if unsettled:
        yield "provisioning", ", ".join(f"{count:,} {state}" for state, count in unsettled.items())
    if tenant.contact:
        yield "contact", tenant.contact
    if tenant.invitation_domains:
        yield "invites only", ", ".join(tenant.invitation_domains)
    if tenant.metadata:
        yield "metadata", _json(tenant.metadata)


def count_of(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def print_table(out: OutputWrapper, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Nothing for no rows. A terminal gets lines of its own width, a pipe each row on one line."""
    found = list(rows)
    if not found:
        return
    width = get_terminal_size().columns if out.isatty() else None
    for line in in_columns([tuple(head.upper() for head in heads), *found], width=width):
        out.write(line)


def in_columns(rows: Iterable[Sequence[str]], *, indent: str = "", width: int | None = None) -> Iterator[str]:
    """Only the last column is not padded, so names belong there: in some scripts their width is not their length.

    What is wider than `width` goes on below, where the last column begins, or further left if little room is there.
    """
    whole = [tuple(row) for row in rows]
    widths = [max(map(len, column)) for column in zip(*whole, strict=True)][:-1]
    hanging = min(len(indent) + sum(widths) + 2 * len(widths), (width or 0) // 2)
    for row in whole:
        padded = [cell.ljust(width_) for cell, width_ in zip(row, widths, strict=False)]
        line = f"{indent}{'  '.join([*padded, row[-1]])}".rstrip()
        yield from _wrapped(line, width, hanging) if width and len(line) > width else [line]


def _wrapped(line: str, width: int, hanging: int) -> list[str]:
    # Spaces stay as they are: they are columns.
    wrapper = TextWrapper(width, subsequent_indent=" " * hanging, replace_whitespace=False, break_on_hyphens=False)
    return wrapper.wrap(line)


def _suspension(tenant: Tenant) -> Suspension | None:
    if tenant.closed_at:
        return None
    return Suspension.objects.filter(tenant=tenant, lifted_at=None).select_related("tenant").first()


def _closing(tenant: Tenant) -> Closing | None:
    """The closing under way, or for a closed tenant the one that closed it."""
    ended = {} if tenant.closed_at else {"ended_at": None}
    return Closing.objects.filter(tenant=tenant, **ended).order_by("-pk").first()


def _listed(total: int, counts: Iterable[tuple[str, int]]) -> str:
    each = ", ".join(f"{count:,} {name}" for name, count in counts)
    return f"{total:,} ({each})" if each else "0"


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False)


def _iso(at: datetime | None) -> str | None:
    return at.isoformat() if at else None


def _when(at: datetime) -> str:
    return formatted(at)
