"""What an entry of the audit trail says, as a sentence for a person.

Every action has its sentences here. Of several the first is taken whose every word the entry has: entries of earlier
releases may know less, and are told all the same. Why it was done is not part of it; the entry has that in their words.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from string import Formatter
from typing import Any

from tenants.audit.actions import Action
from tenants.domain.dates import formatted

_PROGRAMS = {"worker": "The worker", "visitor": "Somebody who is not signed in"}
# The use cases of tenants and members that say no, where their names alone make no sentence.
_ASKED = {
    "create_tenant": "create",
    "change_slug": "change the short name of",
    "change_plan": "change the plan of",
    "change_metadata": "change the metadata of",
    "close_for_good": "close for good",
    "add_member": "add",
    "set_role": "change the role of",
    "try_now": "have Cognito tried again for",
}
_ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d.*")

A = Action
# {who} and {target}, and values of what was before and after; the words that are put together are in `_put_together`.
SENTENCES: dict[Action, tuple[str, ...]] = {
    A.TENANT_CREATED: (
        "{who} created {target} with the short name {after.slug}, on the plan {after.plan}.",
        "{who} created {target}.",
    ),
    A.TENANT_ACTIVATED: ("{target} became active: its first owner exists in Cognito.",),
    A.TENANT_RENAMED: (
        "{who} renamed {before.name} to {after.name}.",
        "{who} changed the short name of {target} from {before.slug} to {after.slug}.",
        "{who} renamed {target}.",
    ),
    A.TENANT_PLAN_CHANGED: (
        "{who} moved {target} from the plan {before.plan} to {after.plan}.",
        "{who} changed the plan of {target}.",
    ),
    A.TENANT_METADATA_CHANGED: (
        "{who} changed the metadata of {target}: {metadata}.",
        "{who} changed the metadata of {target}.",
    ),
    A.TENANT_SUSPENDED: ("{who} suspended {target}. First ring: the portal lets none of its members in.",),
    A.TENANT_REACTIVATED: ("{who} reactivated {target}. Its members may work again.",),
    A.TENANT_CLOSING: (
        "{who} began to close {target}. It can be reopened until {after.purge_after}.",
        "{who} began to close {target}.",
    ),
    A.TENANT_REOPENED: ("{who} reopened {target}: it is {after.state} again.", "{who} reopened {target}."),
    A.TENANT_EXPORTED: (
        "{who} exported {records} of {target} to {after.to}.",
        "{who} exported the records of {target}.",
    ),
    A.TENANT_PURGED: ("{who} deleted {records} of {target}.", "{who} deleted the records of {target}."),
    A.TENANT_CLOSED: ("{who} closed {target} for good, after looking whether any of its records was left.",),
    A.TENANT_SIGNED_OUT: (
        "Second ring: Cognito disabled and signed out all of {target}. The last credentials end: {after.denied_until}.",
        "Second ring: Cognito disabled and signed out all of {target}.",
    ),
    A.TENANT_DENIED: ("Third ring: AWS refuses the credentials that members of {target} were issued before.",),
    A.TENANT_REFUSED: ("{who} wanted to {asked} {target}, and was told no.", "{who} was told no about {target}."),
    A.MEMBER_ADDED: ("{who} added {target} as {after.role}.", "{who} added {target}."),
    A.MEMBER_ROLE_CHANGED: (
        "{who} changed the role of {target} from {before.role} to {after.role}.",
        "{who} changed the role of {target}.",
    ),
    A.MEMBER_DISABLED: ("{who} disabled {target}: they cannot sign in.",),
    A.MEMBER_ENABLED: ("{who} enabled {target}: they may sign in again.",),
    A.MEMBER_REMOVED: ("{who} removed {target}.",),
    A.MEMBER_RETRIED: ("{who} had Cognito tried again for {target}.",),
    A.MEMBER_REFUSED: ("{who} wanted to {asked} {target}, and was told no.", "{who} was told no about {target}."),
    A.MEMBER_PROVISIONED: (
        "Done in Cognito for {target}: {after.changes}.",
        "Found done in Cognito for {target}: {after.found}.",
        "Cognito was made to match for {target}.",
    ),
    A.MEMBER_ADOPTED: ("Cognito had a user {target} of this organisation already, and it was taken for the member’s.",),
    A.MEMBER_DELETED: ("The user {target} was deleted from Cognito.",),
    A.MEMBER_STUCK: ("Cognito cannot be made to match for {target}.",),
    A.MEMBER_CONFLICT: ("{target} is taken in Cognito by a user who is not this organisation’s.",),
    A.SIGNED_IN: ("{who} signed in as {after.role}.", "{who} signed in."),
    A.SIGN_IN_FAILED: ("A sign-in went wrong.",),
    A.SIGNED_OUT: ("{who} signed out.",),
    A.REFUSED: ("{who} was refused the page {target}.", "{who} was refused a page."),
    A.PROVISIONING_HALTED: ("Nobody can be provisioned at the moment.",),
    A.RECONCILED: (
        "{who} compared {target} with Cognito: {differences}, {after.repaired} repaired.",
        "{who} compared {target} with Cognito.",
    ),
    A.RECONCILIATION_STOPPED: ("The comparison of {target} with Cognito was interrupted.",),
    A.DRIFT_REPAIRED: (
        "{who} had Cognito repaired for {target}, where this differed: {differing}.",
        "{who} had Cognito repaired for {target}.",
    ),
    A.AUDIT_EXPORTED: ("{who} exported entries of the audit trail.",),
    A.AUDIT_SHORTENED: (
        "{who} moved the oldest {after.entries} entries of the audit trail into the file {target}.",
        "{who} moved the oldest entries of the audit trail into a file.",
    ),
    A.BREAK_GLASS_MADE: (
        "{who} made the link {target} for emergencies, good until {after.expires_at}.",
        "{who} made a link for emergencies.",
    ),
    A.BREAK_GLASS_USED: (
        "Somebody opened the operators’ portal with the link {target}, which {after.made_by} had made.",
        "Somebody opened the operators’ portal with a link for emergencies.",
    ),
    A.BREAK_GLASS_REFUSED: (
        "A link for emergencies was refused: {after.refusal}.",
        "A link for emergencies was refused.",
    ),
}
_UNKNOWN = ("{who}: {action}, {target}.", "{who}: {action}.")


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a sentence. A name is somebody's own text, in whatever direction that is written."""

    text: str
    is_name: bool = False


@dataclass(frozen=True, slots=True)
class Told:
    """An entry, as far as its sentence is about it. `actor` and `actor_name` are as the audit trail has them."""

    action: str
    actor: str
    actor_name: str
    target: str
    before: Mapping[str, Any]
    after: Mapping[str, Any]


def sentence(told: Told) -> tuple[Part, ...]:
    """Begins with a capital where it does not begin with a name. An unknown action is told by its own word."""
    choices = SENTENCES[Action(told.action)] if told.action in set(Action) else _UNKNOWN
    words = _words(told)
    for choice in choices:
        parts = [(text, name) for text, name, _, _ in Formatter().parse(choice)]
        if all(name is None or words.get(name) for _, name in parts):
            break
    # The last choice is taken even where a word of it is missing.
    return tuple(_parts(parts, words))


def plain(parts: tuple[Part, ...]) -> str:
    return "".join(part.text for part in parts)


def _parts(parts: list[tuple[str, str | None]], words: Mapping[str, str]) -> list[Part]:
    made = []
    for text, name in parts:
        if text:
            made.append(Part(text))
        if name is not None:
            made.append(Part(words.get(name) or "?", is_name=True))
    return made


def _words(told: Told) -> dict[str, str]:
    words = {
        "action": told.action,
        "who": _PROGRAMS.get(told.actor) or told.actor_name or told.actor,
        "target": told.target,
    }
    for side, values in (("before", told.before), ("after", told.after)):
        words |= {f"{side}.{name}": _as_text(value) for name, value in values.items()}
    return words | _put_together(told)


def _put_together(told: Told) -> dict[str, str]:
    before, after = told.before.get("metadata"), told.after.get("metadata")
    changed: list[str] = []
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        changed = [key for key in sorted({*before, *after}) if before.get(key) != after.get(key)]
    asked, found = _as_text(told.after.get("asked")), told.after.get("found")
    if isinstance(found, Mapping):
        found = sum(count for count in found.values() if isinstance(count, int))
    return {
        "metadata": ", ".join(changed),
        "asked": _ASKED.get(asked, asked.replace("_", " ")),
        "differing": ", ".join(sorted(told.after)),
        "differences": _counted(found, "difference"),
        "records": _counted(told.after.get("rows"), "record"),
    }


def _counted(number: object, noun: str) -> str:
    if not isinstance(number, int):
        return ""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _as_text(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case list():
            return ", ".join(map(_as_text, value))
        case str() if _ISO.fullmatch(value):
            return _moment(value)
        case _:
            return str(value)


def _moment(text: str) -> str:
    try:
        return formatted(datetime.fromisoformat(text))
    except ValueError:
        return text
