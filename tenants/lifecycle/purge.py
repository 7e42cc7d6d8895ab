"""Deleting a tenant's rows, and checking that none is left.

Rows are found through the catalogue of the tenant's collections, so the catalogue is deleted last. Whether a tenant
may be purged is decided in `closing`.
"""

from __future__ import annotations

from collections.abc import Mapping

from django.db.models import F

from tenants.aws.tenant_rows import TenantRows
from tenants.domain.errors import NotNow
from tenants.domain.keys import Space
from tenants.lifecycle.export import Report
from tenants.models import Closing

_CATALOGUE = "the catalogue"


def purge_rows(closing: Closing, *, rows: TenantRows, space: Space, report: Report) -> list[str]:
    """Deletes the collections that the catalogue lists, then the catalogue. Returns their names, sorted.

    Counts the rows in `closing`. Raises NotNow if rows are left, and what `rows` raises.
    """
    collections = {space.collection(name): name for name in rows.collections(space)}
    for partition, name in collections.items():
        _delete(closing, rows, partition, name, report)
    _check_empty(closing, rows, collections, report)
    _delete(closing, rows, space.catalogue, _CATALOGUE, report)
    _check_empty(closing, rows, {space.catalogue: _CATALOGUE}, report)
    return sorted(collections.values())


def _delete(closing: Closing, rows: TenantRows, partition: str, name: str, report: Report) -> None:
    report(f"purging {name}")
    rows.delete_partition(partition, on_page=lambda count: _count(closing, name, count, report))


def _count(closing: Closing, name: str, count: int, report: Report) -> None:
    """After each page, so that a killed job leaves at most one page uncounted.

    Reports first: that raises if another job has taken over, which then counts these rows.
    """
    report(f"purging {name}: {closing.rows_purged + count:,} rows so far")
    Closing.objects.filter(pk=closing.pk).update(rows_purged=F("rows_purged") + count)
    closing.refresh_from_db(fields=["rows_purged"])


def _check_empty(closing: Closing, rows: TenantRows, names: Mapping[str, str], report: Report) -> None:
    """`names` are by partition. Raises NotNow that names the partitions with rows."""
    left = []
    for partition, name in names.items():
        report(f"looking into {name}")
        if not rows.is_empty(partition):
            left.append(name)
    if left:
        raise NotNow(f"Rows of {closing.tenant} are left in {', '.join(left)}. Run the job again.")
