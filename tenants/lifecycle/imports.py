"""Tenants that are imported from another system, many in one transaction. Each is known by its id there.

An import can be repeated: a tenant that is there is compared and left as it is.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, OperationalError, transaction
from django.utils import timezone

from tenants.audit import NewEntry, record_all
from tenants.audit.actions import Action
from tenants.domain import texts
from tenants.domain.actor import Actor
from tenants.domain.letters import skeleton
from tenants.domain.roles import Role
from tenants.domain.tenant_state import TenantState, in_words
from tenants.lifecycle.details import SLUGS_TO_TRY, name_warning
from tenants.members.roster import TO_GIVE_WAY
from tenants.members.sign_up import give_way
from tenants.models import MOST_SKELETON, Member, Person, Tenant
from tenants.sign_in.standing import forget_standing

# Another program may create a tenant or a person of the batch at the same moment.
_TRIES = 5


@dataclass(frozen=True, slots=True)
class TenantToImport:
    """Checked texts. `slug` "" stands for one made from the name, `plan` "" for the first of TENANT_PLANS.

    Where `plan` is "" or `metadata` None, a tenant that is there may have any.
    """

    external_id: str
    name: str
    owner_email: str
    owner_name: str = ""
    slug: str = ""
    plan: str = ""
    metadata: Mapping[str, Any] | None = None


class ImportResult(StrEnum):
    """`CREATED` also in a dry run, where it would be. `DIFFERS`: it is there, but not as it was to be imported."""

    CREATED = "created"
    UNCHANGED = "unchanged"
    DIFFERS = "differs"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Imported:
    """`org_id` is None where there is no such tenant yet. `why` is for what differs or failed."""

    external_id: str
    result: ImportResult
    org_id: UUID | None = None
    slug: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class _New:
    """What is to be created: rows that are not saved yet, unless the person is known already."""

    tenant: Tenant
    owner: Person
    owner_name: str


@dataclass(frozen=True, slots=True)
class _Known:
    """What the database has of a batch."""

    tenants: Mapping[str, Tenant]
    # By the tenant: the addresses among those of the batch that are its members'.
    members: Mapping[int, set[str]]
    people: Mapping[str, Person]
    # Addresses of people who are members of anything.
    taken_addresses: set[str]
    taken_slugs: set[str]
    # By the skeleton: name and slug of a tenant that has it.
    likenesses: dict[str, tuple[str, str]] = field(default_factory=dict)


def import_tenants(
    batch: Sequence[TenantToImport],
    *,
    by: Actor,
    keep_free: Set[str] = frozenset(),
    mail_invitation: bool = True,
    dry_run: bool = False,
) -> list[Imported]:
    """One transaction. Creates the tenants that are not there, with their owners, and returns an answer for each.

    No external id, slug or address may be in `batch` twice. Slugs that are made from names avoid `keep_free`. Not
    checked: whether `by` may. Raises what the database raises if others change the same rows again and again.
    """
    for tries_left in reversed(range(_TRIES)):
        try:
            with transaction.atomic():
                answers, new = _decide(batch, keep_free)
                if not dry_run:
                    _create(new, by=by, mail_invitation=mail_invitation)
                return answers
        except (IntegrityError, OperationalError):
            # Somebody else created one of them, or both waited for each other. The next try sees what is there.
            if not tries_left:
                raise
    raise AssertionError("the last try returns or raises")


def _decide(batch: Sequence[TenantToImport], keep_free: Set[str]) -> tuple[list[Imported], list[_New]]:
    known = _read(batch)
    answers: list[Imported] = []
    new: list[_New] = []
    for line in batch:
        there = known.tenants.get(line.external_id)
        why = _differences(line, there, known) if there else _why_not(line, known)
        if there:
            result = ImportResult.DIFFERS if why else ImportResult.UNCHANGED
            answers.append(Imported(line.external_id, result, there.org_id, there.slug, why))
        elif why:
            answers.append(Imported(line.external_id, ImportResult.FAILED, why=why))
        else:
            tenant = _new_tenant(line, known, keep_free)
            owner = known.people.get(line.owner_email) or Person(email=line.owner_email)
            new.append(_New(tenant, owner, line.owner_name))
            answers.append(Imported(line.external_id, ImportResult.CREATED, tenant.org_id, tenant.slug))
    return answers, new


def _read(batch: Sequence[TenantToImport]) -> _Known:
    addresses = [line.owner_email for line in batch]
    tenants = {
        str(tenant.external_id): tenant
        for tenant in Tenant.objects.filter(external_id__in=[line.external_id for line in batch])
    }
    people = {person.email: person for person in Person.objects.filter(email__in=addresses)}
    memberships = Member.objects.filter(person__in=people.values()).values_list("tenant_id", "person__email")
    members: dict[int, set[str]] = {}
    for tenant_id, email in memberships:
        members.setdefault(tenant_id, set()).add(email)
    alike = Tenant.objects.filter(name_skeleton__in={_likeness(line.name) for line in batch} - {""})
    alike = alike.exclude(state=TenantState.CLOSED).order_by("-pk")
    return _Known(
        tenants=tenants,
        members=members,
        people=people,
        taken_addresses={email for addresses in members.values() for email in addresses},
        taken_slugs=_taken_slugs(line for line in batch if line.external_id not in tenants),
        likenesses={row[0]: (row[1], row[2]) for row in alike.values_list("name_skeleton", "name", "slug")},
    )


def _taken_slugs(lines: Iterable[TenantToImport]) -> set[str]:
    asked = {slug for line in lines for slug in ([line.slug] if line.slug else _slugs_from(line.name))}
    return set(Tenant.objects.filter(slug__in=asked).values_list("slug", flat=True))


# Each is asked for twice a line: to read what is there, and to decide.
@lru_cache(maxsize=1024)
def _slugs_from(name: str) -> list[str]:
    plain = texts.slug_from(name)
    return [plain, *(f"{plain}-{number}" for number in range(2, SLUGS_TO_TRY + 1))]


@lru_cache(maxsize=1024)
def _likeness(name: str) -> str:
    return skeleton(name)[:MOST_SKELETON]


def _why_not(line: TenantToImport, known: _Known) -> str:
    """Why the tenant cannot be created, "" where it can."""
    if line.owner_email in known.taken_addresses:
        # As everywhere: it is not said in which one.
        return f"{texts.readable_address(line.owner_email)} belongs to somebody who is in another organisation."
    return f"The short name “{line.slug}” is taken." if line.slug in known.taken_slugs else ""


def _differences(line: TenantToImport, there: Tenant, known: _Known) -> str:
    """What is not as in the file, "" where all is. What the file leaves open does not differ."""
    facts: tuple[tuple[str, Any, Any], ...] = (
        ("name", line.name, there.name),
        ("short name", line.slug or there.slug, there.slug),
        ("plan", line.plan or there.plan, there.plan),
    )
    found = [f"its {what} is “{is_}”" for what, should_be, is_ in facts if should_be != is_]
    if line.metadata is not None and line.metadata != there.metadata:
        found.append("its metadata are others")
    if line.owner_email not in known.members.get(there.pk, ()):
        found.append(f"{texts.readable_address(line.owner_email)} is no member of it")
    if not TenantState(there.state).may_be_changed:
        found.append(f"it {in_words(there.state)}")
    return ", ".join(found)


def _new_tenant(line: TenantToImport, known: _Known, keep_free: Set[str]) -> Tenant:
    """Not saved yet. The rest of the batch sees its slug and its name as taken."""
    slug = line.slug or _free_slug(line.name, known.taken_slugs, keep_free)
    likeness = _likeness(line.name)
    tenant = Tenant(
        external_id=line.external_id,
        name=line.name,
        name_skeleton=likeness,
        name_warning=name_warning(line.name, known.likenesses.get(likeness)),
        slug=slug,
        plan=line.plan or settings.TENANT_PLANS[0],
        metadata=dict(line.metadata or {}),
    )
    known.taken_slugs.add(slug)
    if likeness:
        known.likenesses.setdefault(likeness, (line.name, slug))
    return tenant


def _free_slug(name: str, taken: set[str], keep_free: Set[str]) -> str:
    free = (slug for slug in _slugs_from(name) if slug not in taken and slug not in keep_free)
    return next(free, "") or f"{texts.slug_from(name)}-{secrets.token_hex(4)}"


def _create(new: Sequence[_New], *, by: Actor, mail_invitation: bool) -> None:
    now = timezone.now()
    # Of a pending sign-up with one of the addresses, the worker deletes the unused user first.
    due_at = now + TO_GIVE_WAY if give_way(*(one.owner.email for one in new)) else now
    Tenant.objects.bulk_create([one.tenant for one in new])
    _save_owners(new)
    Member.objects.bulk_create(
        [
            Member(
                person=one.owner,
                tenant=one.tenant,
                role=Role.OWNER,
                invited_at=now,
                mail_invitation=mail_invitation,
                due_at=due_at,
            )
            for one in new
        ]
    )
    forget_standing(*[one.owner.pk for one in new if one.owner.sub])
    record_all([entry for one in new for entry in _entries(one, by)])


def _save_owners(new: Sequence[_New]) -> None:
    unknown: list[Person] = []
    renamed: list[Person] = []
    for one in new:
        # Once Cognito has their user, the name is what they call themselves.
        if one.owner_name and one.owner.sub is None and one.owner_name != one.owner.name:
            one.owner.name = one.owner_name
            renamed.append(one.owner)
        if one.owner.pk is None:
            unknown.append(one.owner)
    Person.objects.bulk_update([person for person in renamed if person.pk], ["name"])
    Person.objects.bulk_create(unknown)


def _entries(one: _New, by: Actor) -> list[NewEntry]:
    tenant = one.tenant
    after = {name: getattr(tenant, name) for name in ("name", "slug", "plan", "metadata", "external_id")}
    return [
        NewEntry(Action.TENANT_CREATED, by, tenant.org_id, tenant.name, after=after),
        NewEntry(Action.MEMBER_ADDED, by, tenant.org_id, str(one.owner), after={"role": Role.OWNER}),
    ]
