"""Turns an entry of the audit trail into a sentence for a person.

Every action has one or more sentences. The first one is used whose placeholders the entry can all fill, so that
entries of earlier releases, which hold less, have a sentence too. The reason is not part of it: pages show it beside.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from string import Formatter
from typing import Any

from tenants.audit.actions import Action
from tenants.domain.dates import formatted
from tenants.domain.org_id import is_org_id

_PROGRAMS = {"worker": "The worker", "visitor": "Somebody who is not signed in"}
# Verbs for use cases that can be refused, where the function's name is no verb that fits.
_VERBS = {
    "create_tenant": "create",
    "change_slug": "change the short name of",
    "change_plan": "change the plan of",
    "change_metadata": "change the metadata of",
    "change_contact": "change the contact of",
    "change_invitation_domains": "change the e-mail domains for invitations of",
    "_change_settings": "change the settings of",
    "close_by_owner": "close",
    "reopen_by_key": "reopen",
    "_close": "close for good",
    "add_member": "add",
    "check_may_be_invited": "add",
    "set_role": "change the role of",
    "reset_mfa": "reset the second factor of",
    "delete_account": "delete the account of",
    "try_now": "have Cognito retried for",
    "dismiss": "dismiss the invitation of",
    "dismiss_all": "dismiss invitations of",
    "invite": "invite people into",
    "leave": "end the membership of",
    "ask": "recover an owner of",
    "veto": "stop the owner recovery of",
    "cancel": "cancel the owner recovery of",
    "revoke": "take back the invitation of",
    "resend": "have the invitation mailed again to",
    "transfer": "transfer the ownership of",
}
_ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d.*")

A = Action
# Placeholders: {who}, {target}, values of `before` and `after`, and the words of `_derived_words`.
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
    A.TENANT_CONTACT_CHANGED: (
        "{who} changed the contact of {target} from {before.contact} to {after.contact}.",
        "{who} set the contact of {target} to {after.contact}.",
        "{who} removed the contact of {target}.",
    ),
    A.TENANT_DOMAINS_CHANGED: (
        "{who} let {target} invite only addresses of {after.invitation_domains}.",
        "{who} let {target} invite addresses of any domain.",
    ),
    A.TENANT_SUSPENDED: ("{who} suspended {target}. First ring: the portal lets none of its members in.",),
    A.TENANT_REACTIVATED: ("{who} reactivated {target}. Its members may work again.",),
    A.TENANT_CLOSING: (
        "{who} began to close {target}. It can be reopened until {after.purge_after}.",
        "{who} began to close {target}.",
    ),
    A.TENANT_REOPENED: (
        "{who} reopened {target} with the link in {after.link}: it is {after.state} again.",
        "{who} reopened {target}: it is {after.state} again.",
        "{who} reopened {target}.",
    ),
    A.COLLECTION_DECLARED: ("{who} declared the collection {target}.",),
    A.TENANT_EXPORTED: (
        "{who} exported {records} of {target} to {after.to}.",
        "{who} exported the records of {target}.",
    ),
    A.TENANT_PURGED: ("{who} deleted {records} of {target}.", "{who} deleted the records of {target}."),
    A.TENANT_CLOSED: ("{who} closed {target} for good, after checking that none of its records was left.",),
    A.TENANT_SIGNED_OUT: (
        "Second ring: Cognito disabled and signed out all of {target}. The last credentials end: {after.denied_until}.",
        "Second ring: Cognito disabled and signed out all of {target}.",
    ),
    A.TENANT_DENIED: ("Third ring: AWS refuses all credentials of members of {target}.",),
    A.TENANT_REFUSED: ("{who} tried to {verb} {target}: refused.", "{who} was refused a change of {target}."),
    A.MEMBER_ADDED: ("{who} added {target} as {after.role}.", "{who} added {target}."),
    A.MEMBER_ROLE_CHANGED: (
        "{who} changed the role of {target} from {before.role} to {after.role}.",
        "{who} changed the role of {target}.",
    ),
    A.MEMBER_DISABLED: ("{who} disabled {target}: they cannot sign in.",),
    A.MEMBER_ENABLED: ("{who} enabled {target}: they may sign in again.",),
    A.MEMBER_REMOVED: ("{who} removed {target}.",),
    A.MEMBER_SIGNED_OUT: ("{who} signed {target} out everywhere.",),
    A.MEMBER_MFA_RESET: ("{who} reset the second factor of {target}.",),
    A.MEMBER_RETRIED: ("{who} had Cognito retried for {target}.",),
    A.MEMBER_REFUSED: ("{who} tried to {verb} {target}: refused.", "{who} was refused a change of {target}."),
    A.MEMBER_INVITED: ("{who} invited {target} as {after.role}.", "{who} invited {target}."),
    A.MEMBER_COULD_NOT_JOIN: ("{target} could not join.",),
    A.MEMBER_INVITATION_DISMISSED: ("{who} dismissed the invitation of {target}.",),
    A.MEMBER_LEFT: ("{target} left.",),
    A.MEMBER_REVOKED: ("{who} took back the invitation of {target}.",),
    A.MEMBER_RESENT: ("{who} had the invitation of {target} mailed again.",),
    A.OWNERSHIP_TRANSFERRED: (
        "{who} made {target} owner in place of {before.owner}.",
        "{who} made {target} owner.",
    ),
    A.RECOVERY_ASKED: (
        "{who} asked to make {target} an owner. Owners and admins can stop it until {after.due_at}.",
        "{who} asked to make {target} an owner.",
    ),
    A.RECOVERY_DONE: ("Nobody stopped the owner recovery: {target} becomes an owner.",),
    A.RECOVERY_VETOED: (
        "The owner recovery for {target} was stopped with the link in {after.link}.",
        "{who} stopped the owner recovery for {target}.",
    ),
    A.RECOVERY_CANCELLED: ("{who} cancelled the owner recovery for {target}.",),
    A.RECOVERY_ENDED: ("The owner recovery for {target} ended: its conditions were no longer met.",),
    A.RECOVERY_REFUSED: (
        "{who} tried to {verb} {target}: refused.",
        "{who} was refused an owner recovery of {target}.",
    ),
    A.OWNER_REPLACED: (
        "{who} replaced {before.owners}, who never signed in, with {target} as owner.",
        "{who} replaced the owner with {target}.",
    ),
    A.MEMBER_PROVISIONED: (
        "Done in Cognito for {target}: {after.changes}.",
        "Already done in Cognito for {target}: {after.found}.",
        "Cognito was made to match for {target}.",
    ),
    A.MEMBER_ADOPTED: ("Cognito already had a user {target} of this organisation, and the member was linked to it.",),
    A.MEMBER_DELETED: ("The user {target} was deleted from Cognito.",),
    A.MEMBER_STUCK: ("Cognito cannot be made to match for {target}.",),
    A.MEMBER_CONFLICT: ("In Cognito, {target} is a user outside this organisation.",),
    A.MEMBER_NOT_REACHED: ("The invitation of {target} was not delivered.",),
    A.SIGN_UP_MAILED: (
        "{who} invited the owner of {target}, who had signed up.",
        "{who} invited somebody who had signed up.",
    ),
    A.SIGN_UP_ENDED: (
        "{who} deleted the user for {target}: its sign-up has ended.",
        "{who} deleted a user whose sign-up has ended.",
    ),
    A.SIGNED_IN: ("{who} signed in as {after.role}.", "{who} signed in."),
    A.SIGN_IN_FAILED: ("A sign-in went wrong.",),
    A.SIGNED_OUT: ("{who} signed out.",),
    A.CREDENTIALS_TAKEN: (
        "{who} took their AWS credentials for a command line. They end at {after.until}.",
        "{who} took their AWS credentials for a command line.",
    ),
    A.REFUSED: (
        "{who} was refused the page {target}. {after.led_by} had led the browser there.",
        "{who} was refused the page {target}.",
        "{who} was refused a page.",
    ),
    A.KEY_REFUSED: ("{who} tried a key of {owner}: AWS refused it.", "{who} tried a key: AWS refused it."),
    A.PATH_REFUSED: (
        "{who} called an API path of {owner}: AWS refused it.",
        "{who} called an API path: AWS refused it.",
    ),
    A.REFUSED_TOO_OFTEN: (
        "{who} was refused more often in this minute than is recorded. A later entry says how many.",
    ),
    A.COLLECTION_ADDED: ("{who} added the collection {target}.",),
    A.RECORDS_CHANGED: (
        "{who} began to change {records} of the collection {target} together.",
        "{who} began to change records of the collection {target} together.",
    ),
    A.RECORDS_DELETED: ("{who} deleted a record of the collection {target}.",),
    A.RECORDS_DELETED_TOGETHER: (
        "{who} began to delete {records} of the collection {target} together.",
        "{who} began to delete records of the collection {target} together.",
    ),
    A.RECORDS_RESTORED: ("{who} brought a deleted record of the collection {target} back.",),
    A.PROVISIONING_HALTED: ("Provisioning was halted.",),
    A.INVITATIONS_HALTED: ("Invitations were halted: Cognito sends no mails at the moment.",),
    A.RECONCILED: (
        "{who} compared {target} with Cognito: {differences}, {after.repaired} repaired.",
        "{who} compared {target} with Cognito.",
    ),
    A.RECONCILIATION_STOPPED: ("The comparison of {target} with Cognito was interrupted.",),
    A.DRIFT_REPAIRED: (
        "{who} had Cognito repaired for {target}. Differences: {differing}.",
        "{who} had Cognito repaired for {target}.",
    ),
    A.USER_UNKNOWN: (
        "Cognito has a user {target} with the role {after.role} that the portal did not make.",
        "Cognito has a user {target} that the portal did not make.",
    ),
    A.USER_DISABLE_ASKED: ("{who} asked to disable the user {target} in Cognito, who is no member.",),
    A.USER_DISABLED: ("{who} disabled the user {target} in Cognito, who is no member.",),
    A.AUDIT_EXPORTED: ("{who} exported entries of the audit trail.",),
    A.AUDIT_SHORTENED: (
        "{who} moved the oldest {after.entries} entries of the audit trail into the file {target}.",
        "{who} moved the oldest entries of the audit trail into a file.",
    ),
    A.BREAK_GLASS_MADE: (
        "{who} made the emergency link {target}, valid until {after.expires_at}.",
        "{who} made an emergency link.",
    ),
    A.BREAK_GLASS_USED: (
        "Somebody opened the operators’ portal with the emergency link {target}, made by {after.made_by}.",
        "Somebody opened the operators’ portal with an emergency link.",
    ),
    A.BREAK_GLASS_REFUSED: (
        "An emergency link was refused: {after.refusal}.",
        "An emergency link was refused.",
    ),
}
_UNKNOWN = ("{who}: {action}, {target}.", "{who}: {action}.")


@dataclass(frozen=True, slots=True)
class SentencePart:
    """A piece of a sentence. A name is a person's own text and may be written from right to left.

    `address` is that of a person who is called by their name, which is not unique.
    """

    text: str
    is_name: bool = False
    address: str = ""


@dataclass(frozen=True, slots=True)
class EntryFacts:
    """The fields of an entry that its sentence uses, as the audit trail has them.

    `reader` is the org id of the organisation whose people read it, "" for operators. Points in time are told in
    `zone`.
    """

    action: str
    actor: str
    actor_name: str
    target: str
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    reader: str = ""
    zone: tzinfo = UTC


def sentence(entry: EntryFacts) -> tuple[SentencePart, ...]:
    """Begins with a capital letter or a name. For an unknown action it contains the action as it is."""
    choices = SENTENCES[Action(entry.action)] if entry.action in set(Action) else _UNKNOWN
    words = _words(entry)
    for choice in choices:
        parts = [(text, name) for text, name, _, _ in Formatter().parse(choice)]
        if all(name is None or words.get(name) for _, name in parts):
            break
    # The last choice is used even if one of its words is missing.
    return tuple(_parts(parts, words))


def plain_text(parts: tuple[SentencePart, ...]) -> str:
    return "".join(part.text for part in parts)


def _parts(parts: list[tuple[str, str | None]], words: Mapping[str, str]) -> list[SentencePart]:
    made = []
    for text, name in parts:
        if text:
            made.append(SentencePart(text))
        if name is not None:
            made.append(SentencePart(words.get(name) or "?", is_name=True))
    return made


def _words(entry: EntryFacts) -> dict[str, str]:
    words = {
        "action": entry.action,
        "who": _PROGRAMS.get(entry.actor) or entry.actor_name or entry.actor,
        "target": entry.target,
    }
    for side, values in (("before", entry.before), ("after", entry.after)):
        words |= {f"{side}.{name}": _as_text(value, entry.zone) for name, value in values.items()}
    return words | _derived_words(entry)


def _derived_words(entry: EntryFacts) -> dict[str, str]:
    before, after = entry.before.get("metadata"), entry.after.get("metadata")
    changed: list[str] = []
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        changed = [key for key in sorted({*before, *after}) if before.get(key) != after.get(key)]
    use_case, found = _as_text(entry.after.get("asked")), entry.after.get("found")
    if isinstance(found, Mapping):
        found = sum(count for count in found.values() if isinstance(count, int))
    return {
        "metadata": ", ".join(changed),
        "verb": _VERBS.get(use_case, use_case.replace("_", " ")),
        "differing": ", ".join(sorted(entry.after)),
        "differences": _counted(found, "difference"),
        "owner": _owner(_as_text(entry.after.get("asked_for")), entry.reader),
        "records": _counted(entry.after.get("rows"), "record"),
    }


def _owner(asked_for: str, reader: str) -> str:
    """Whose key it was. An org id says no more than what the person typed."""
    if reader and is_org_id(asked_for):
        return "your own organisation" if asked_for == reader else "another organisation"
    return f"the organisation {asked_for}" if is_org_id(asked_for) else asked_for and "no organisation"


def _counted(number: object, noun: str) -> str:
    if not isinstance(number, int):
        return ""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _as_text(value: object, zone: tzinfo = UTC) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case list():
            return ", ".join(_as_text(each, zone) for each in value)
        case str() if _ISO.fullmatch(value):
            return _moment(value, zone)
        case _:
            return str(value)


def _moment(text: str, zone: tzinfo) -> str:
    try:
        return formatted(datetime.fromisoformat(text).astimezone(zone))
    except ValueError:
        return text
