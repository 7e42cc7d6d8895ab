"""Finding tenants among a million: by a part of the name, the beginning of the short name, the org id or the owner.

What was typed says which: an address has an @, an org id looks like one. Every way goes by an index, where the
database has the one that migration 0003 makes.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from django.db import connection
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.expressions import RawSQL
from django.db.models.functions import Lower

from tenants.domain.roles import Role
from tenants.members.addresses import address_to_find
from tenants.models import Member, Tenant
from tenants.models.keyset import Branch, Key

NAMES = "tenants_tenant_names"
# A trigram is what the indexes of names are made of: less cannot be looked up in them.
LEAST_IN_NAMES = 3
# So many rows are sooner looked through one by one; of more, a page is soon full wherever one begins to look.
FEW = 5_000
_NEWEST, _BY_ID = ("created_at", "id"), ("id",)


def search_tenants(tenants: QuerySet[Tenant], text: str) -> list[Branch]:
    """Newest first; `text` "" finds all. Ids follow the order of creation, and are what the indexes of names know."""
    if not text:
        return [Branch(tenants, _NEWEST)]
    org_id = _org_id(text)
    if org_id is not None:
        return [Branch(tenants.filter(org_id=org_id), _NEWEST)]
    if "@" in text:
        return [Branch(tenants.filter(pk__in=_owned_by(text)), _NEWEST)]
    if len(text) < LEAST_IN_NAMES and text.isascii():
        return [Branch(_slug_begins(tenants, text.lower()), _NEWEST)]
    if connection.vendor == "sqlite":
        return [_on_sqlite(tenants, text)]
    return [
        Branch(_slug_begins(tenants, text.lower()), _BY_ID),
        Branch(tenants.filter(name__icontains=text), _BY_ID),
    ]


def key_in(branches: Sequence[Branch], tenant: Tenant) -> Key:
    """The tenant's key in a list of `search_tenants`, whether or not it is in the list."""
    return tuple(tenant.created_at if name == "created_at" else tenant.pk for name in branches[0].key)


def with_members(tenants: QuerySet[Tenant], provisioning: Sequence[str]) -> QuerySet[Tenant]:
    """Those with a member whose provisioning is one of these."""
    members = Member.objects.filter(provisioning__in=provisioning, tenant__isnull=False)
    if _are_few(members):
        return tenants.filter(pk__in=set(members.values_list("tenant_id", flat=True)))
    return tenants.filter(Exists(members.filter(tenant=OuterRef("pk"))))


def _org_id(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text) if len(text) in {32, 36} else None
    except ValueError:
        return None


def _owned_by(email: str) -> list[int]:
    # By the index that keeps addresses apart: it is of lower(email), where there is one.
    owned = Member.objects.alias(address=Lower("person__email")).exclude(person__email="")
    owned = owned.filter(address=address_to_find(email), role=Role.OWNER)
    return [pk for pk in owned.values_list("tenant_id", flat=True) if pk is not None]


def _slug_begins(tenants: QuerySet[Tenant], text: str) -> QuerySet[Tenant]:
    # SQLite's LIKE takes capitals for small letters, so it does not go by the index.
    begin = Tenant.objects.filter(slug__gte=text, slug__lt=f"{text}\U0010ffff")
    if connection.vendor == "sqlite" and _are_few(begin):
        return tenants.filter(pk__in=list(begin.values_list("pk", flat=True)))
    return tenants.filter(slug__startswith=text)


def _on_sqlite(tenants: QuerySet[Tenant], text: str) -> Branch:
    if tenants.query.has_filters() and _are_few(tenants):
        return Branch(tenants.filter(pk__in=_of_those(tenants, text)), _BY_ID)
    if len(text) < LEAST_IN_NAMES or not _has_full_text():
        return Branch(tenants.filter(Q(name__icontains=text) | Q(slug__startswith=text)), _BY_ID)
    quoted = '"{}"'.format(text.replace('"', '""'))
    # The join is written out, and ordered by the index's own rowid, so that SQLite reads no further than the page goes.
    where = [f"{NAMES} MATCH %s", f"{NAMES}.rowid = tenants_tenant.id"]
    asked = f"name : {quoted} OR slug : ^ {quoted}"
    rows = tenants.extra(tables=[NAMES], where=where, params=[asked])  # noqa: S610 - constants
    return Branch(rows.annotate(place=RawSQL(f"{NAMES}.rowid", ())), ("place",))  # noqa: S611 - a constant


def _of_those(tenants: QuerySet[Tenant], text: str) -> list[int]:
    folded, rows = text.casefold(), tenants.values_list("pk", "name", "slug")
    return [pk for pk, name, slug in rows if folded in name.casefold() or slug.startswith(folded)]


def _are_few(rows: QuerySet[Any]) -> bool:
    return not rows.order_by().values_list("pk", flat=True)[FEW : FEW + 1]


def _has_full_text() -> bool:
    """Whether migration 0003 found an SQLite that has trigrams."""
    return NAMES in connection.introspection.table_names()
