"""Deleting a tenant's rows, and checking that none is left.

Rows are found through the catalogue of the tenant's collections, so the catalogue is deleted last. Of those only the
collections go that the export holds. Whether a tenant may be purged is decided in `closing`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from django.db.models import F

from tenants.aws.tenant_rows import TenantRows
from tenants.domain.errors import NotNow
from tenants.domain.keys import Space, is_collection
from tenants.lifecycle.export import Report
from tenants.models import Closing

_CATALOGUE, _DELETED_RECORDS = "the catalogue", "copies of deleted records"
_ENTRIES_AT_ONCE = 1000


def purge_rows(
    closing: Closing, *, rows: TenantRows, space: Space, exported: Collection[str] | None, report: Report
) -> list[str]:
    """Deletes the collections that the catalogue lists, then the catalogue. Returns their names, sorted.

    Copies of deleted records are in no export and go too. With `exported`, raises NotNow before anything is deleted if
    the catalogue lists others. Counts the rows in `closing`. Raises NotNow if rows are left, and what `rows` raises.
    """
    entries = list(rows.entries(space))
    collections = {space.collection(name): name for name in entries if is_collection(name)}
    _check_exported(closing, collections.values(), exported)
    every = {**collections, space.deleted: _DELETED_RECORDS}
    for partition, name in every.items():
        _delete(closing, rows, partition, name, report)
    _check_empty(closing, rows, every, report)
    _delete_entries(closing, rows, space, entries, report)
    _check_empty(closing, rows, {space.catalogue: _CATALOGUE}, report)
    return sorted(collections.values())


def _check_exported(closing: Closing, names: Iterable[str], exported: Collection[str] | None) -> None:
    if exported is None:
        return
    if others := sorted(set(names) - set(exported)):
        raise NotNow(
            f"The export of {closing.tenant} does not hold {', '.join(others)}, which came after it. Nothing of that "
            "was deleted. To delete it too, run the job without an export."
        )


def _delete(closing: Closing, rows: TenantRows, partition: str, name: str, report: Report) -> None:
    report(f"purging {name}")
    rows.delete_partition(partition, on_page=lambda count: _count(closing, name, count, report))


def _delete_entries(closing: Closing, rows: TenantRows, space: Space, names: Sequence[str], report: Report) -> None:
    """Of these collections only: one that comes now keeps its entry, so that the next job finds it."""
    report(f"purging {_CATALOGUE}")
    for start in range(0, len(names), _ENTRIES_AT_ONCE):
        keys = [rows.keys.key(space.catalogue, name) for name in names[start : start + _ENTRIES_AT_ONCE]]
        _count(closing, _CATALOGUE, rows.delete_rows(keys), report)


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
