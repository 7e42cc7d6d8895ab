"""Fills a database with a given number of tenants and members, as if they had come over three years.

Rows are inserted by COPY or executemany, not by the ORM, but under all constraints and triggers: tenants begin as
pending and change their states. Rare states are there too: members that are due, stuck or in conflict, suspensions,
workers, two days of provisioning. The same numbers give the same rows.

    .venv/bin/python benchmarks/_database.py --tenants 100000 --members 1000000 --database sqlite:///filled.sqlite3
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import chain, islice
from pathlib import Path
from typing import Any

import _project  # noqa: F401 - before any module of the project
from django.core.exceptions import ImproperlyConfigured

_BASE = Path(__file__).resolve().parent.parent
_AT_ONCE = 10_000
_YEARS = timedelta(days=3 * 365)
_FIRST = ("North", "South", "Blue", "Green", "Silver", "Bright", "Quiet", "Grand", "New", "Old", "United", "Royal")
_SECOND = ("Harbour", "River", "Meadow", "Granite", "Falcon", "Maple", "Lantern", "Orchard", "Summit", "Compass")
_THIRD = ("Foods", "Logistics", "Partners", "Energy", "Design", "Clinic", "Robotics", "Press", "Studio", "Works")
# RARE is in one name of two hundred thousand, COMMON in one of ten.
RARE, COMMON = "Quokka", "Harbour"
_RARE_EVERY = 200_000
# Which of a thousand tenants are in these states. All others are active.
_PENDING, _SUSPENDED, _CLOSING, _CLOSED = range(10), range(10, 15), range(15, 16), range(16, 36)
# Which of ten thousand members are in these states. All others are settled.
_DUE, _STUCK, _CONFLICT = range(20), range(20, 22), range(22, 23)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--tenants", type=int, default=100_000)
    parser.add_argument("--members", type=int, help="by default one for each tenant")
    parser.add_argument("--database", required=True, help="an address as in DATABASE_URL; the database must be empty")
    options = parser.parse_args()
    use(options.database)
    try:
        seconds = fill(tenants=options.tenants, members=options.members or options.tenants)
    except (ValueError, ImproperlyConfigured) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{options.tenants:,} tenants and {options.members or options.tenants:,} members in {seconds:.0f} s")
    return 0


def use(database_url: str) -> None:
    """Call once per process, before Django is imported. Nothing here calls AWS."""
    placeholders = (_BASE / ".ci" / "deploy.env").read_text().splitlines()
    os.environ |= dict(line.split("=", 1) for line in placeholders if "=" in line and not line.startswith("#"))
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "portal.settings",
        "DATABASE_URL": database_url,
        "CACHE_URL": "locmemcache://",
        "PORTAL_URL": "http://localhost:8000",
        "DJANGO_ALLOWED_HOSTS": "localhost",
    }


def fill(*, tenants: int, members: int) -> float:
    """Makes the tables and fills them. Returns the seconds it took. Raises ValueError if there are tenants already."""
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection, transaction

    from tenants.models import Tenant

    if not 1 <= tenants <= members:
        raise ValueError("Give at least one tenant, and at least as many members: every tenant has an owner.")
    call_command("migrate", verbosity=0)
    if Tenant.objects.exists():
        raise ValueError("There are tenants in this database. Give an empty one.")
    began, now = time.perf_counter(), datetime.now(UTC)
    with transaction.atomic():
        _fill_people(tenants, members, now)
        _change_states(now)
        _fill_bookkeeping(now)
    with connection.cursor() as cursor:
        # In production, autovacuum would have done this.
        cursor.execute("VACUUM ANALYZE" if connection.vendor == "postgresql" else "PRAGMA wal_checkpoint(TRUNCATE)")
    return time.perf_counter() - began


def fill_if_empty(tenants: int, members: int = 0) -> int:
    """Fills the database unless it has tenants. Returns how many there are."""
    import django

    django.setup()
    from django.core.management import call_command

    from tenants.models import Tenant

    call_command("migrate", verbosity=0)
    if not Tenant.objects.exists():
        fill(tenants=tenants, members=members or tenants)
    return Tenant.objects.count()


def name_of(number: int) -> str:
    chance = _scattered(number)
    chance, first = divmod(chance, len(_FIRST))
    chance, second = divmod(chance, len(_SECOND))
    chance, third = divmod(chance, len(_THIRD))
    middle = RARE if number % _RARE_EVERY == 0 else _SECOND[second]
    return f"{_FIRST[first]} {middle} {_THIRD[third]} {100 + chance % 900}"


def _scattered(number: int) -> int:
    """A different number below 2^32 for each, by Knuth's multiplier: neighbours end up far apart."""
    return number * 2654435761 % 2**32


def _fill_people(tenants: int, members: int, now: datetime) -> None:
    from django.core.management.color import no_style
    from django.db import connection

    from tenants.models import Member, Person, Tenant

    _insert(Tenant, (_tenant(number, tenants, now) for number in range(1, tenants + 1)))
    _insert(Person, (_person(number, tenants) for number in range(1, members + 1)))
    _insert(Member, (_member(number, tenants, now) for number in range(1, members + 1)))
    with connection.cursor() as cursor:
        for statement in connection.ops.sequence_reset_sql(no_style(), [Tenant, Person, Member]):
            cursor.execute(statement)


def _tenant(number: int, tenants: int, now: datetime) -> dict[str, Any]:
    share = number % 100
    return {
        "id": number,
        "org_id": uuid.UUID(int=number, version=4),
        "name": name_of(number),
        "slug": f"org-{_scattered(number):x}",
        "plan": "free" if share < 70 else "team" if share < 92 else "business",
        "created_at": now - _YEARS * (1 - number / tenants),
    }


def _person(number: int, tenants: int) -> dict[str, Any]:
    email = f"p{number}@org{(number - 1) % tenants + 1}.example"
    return {"id": number, "sub": uuid.UUID(int=number, version=4), "email": email, "name": f"Person {number}"}


def _member(number: int, tenants: int, now: datetime) -> dict[str, Any]:
    place = number * 7919 % 10_000
    provisioning, error = "settled", ""
    if place in _DUE:
        provisioning = "due"
    elif place in _STUCK:
        provisioning, error = "stuck", "Cognito does not accept this address."
    elif place in _CONFLICT:
        provisioning, error = "conflict", "The user pool has a user with this address who belongs to no organisation."
    return {
        "id": number,
        "person_id": number,
        "tenant_id": (number - 1) % tenants + 1,
        "role": "owner" if number <= tenants else ("admin", "editor", "viewer")[number % 3],
        "provisioning": provisioning,
        "due_at": now - timedelta(seconds=number % 600) if provisioning == "due" else None,
        "last_error": error,
    }


def _insert(model: Any, rows: Iterator[dict[str, Any]]) -> None:
    """Columns missing from the rows get the model's default. All rows must have the same columns in the same order."""
    from django.db import connections

    # `django.db.connection` would look the connection up at each of millions of uses.
    connection = connections["default"]
    first = next(rows)
    fields = {field.attname: field for field in model._meta.concrete_fields}
    rest = [field for name, field in fields.items() if name not in first]
    defaults = [field.get_db_prep_save(field.get_default(), connection) for field in rest]
    columns = [*(fields[name] for name in first), *rest]
    prepare = [fields[name].get_db_prep_save for name in first]
    lines = (
        [as_stored(value, connection) for as_stored, value in zip(prepare, row.values(), strict=True)] + defaults
        for row in chain([first], rows)
    )
    names = ", ".join(connection.ops.quote_name(field.column) for field in columns)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            _copy(cursor, f"COPY {model._meta.db_table} ({names}) FROM STDIN", lines)
        else:
            _execute(cursor, f"INSERT INTO {model._meta.db_table} ({names}) VALUES", len(columns), lines)


def _copy(cursor: Any, statement: str, lines: Iterable[Sequence[Any]]) -> None:
    with cursor.copy(statement) as copy:
        for line in lines:
            copy.write_row(line)


def _execute(cursor: Any, statement: str, columns: int, lines: Iterator[Sequence[Any]]) -> None:
    """In portions, because Django keeps all values of a call in memory."""
    values = ", ".join(["%s"] * columns)
    while portion := list(islice(lines, _AT_ONCE)):
        cursor.executemany(f"{statement} ({values})", portion)


def _change_states(now: datetime) -> None:
    from django.db.models import F

    from tenants.models import Suspension, Tenant

    placed = Tenant.objects.annotate(place=F("pk") % 1000)
    active = placed.exclude(place__in=[*_PENDING, *_CLOSING, *_CLOSED])
    active.update(state="active", activated_at=now)
    suspended, closing = placed.filter(place__in=_SUSPENDED), placed.filter(place__in=[*_CLOSING, *_CLOSED])
    suspended.update(state="suspended", suspended_at=now, reason="The invoices of August are not paid.")
    dates = {"closing_at": now, "purge_after": now + timedelta(days=30)}
    closing.update(state="closing", reason="They asked for it.", **dates)
    placed.filter(place__in=_CLOSED).update(state="closed", closed_at=now)
    frozen = Tenant.objects.filter(state__in=["suspended", "closing"]).order_by("pk").values_list("pk", flat=True)
    _insert_some(Suspension, (_suspension(pk, place, now) for place, pk in enumerate(frozen)))


def _suspension(tenant: int, place: int, now: datetime) -> dict[str, Any]:
    """Three are under way, one in each ring. The others are over."""
    rings = {"signed_out_at": now, "denied_at": now, "deny_until": now + timedelta(minutes=75)}
    if place == 0:
        rings = {}
    elif place == 1:
        rings = {"denied_at": now}
    elif place > 2:
        rings["deny_until"] = now - timedelta(days=1)
    return {"tenant_id": tenant, "began_at": now - timedelta(days=min(place, 90)), **rings}


def _fill_bookkeeping(now: datetime) -> None:
    from tenants.models import ProvisioningHour, Reconciliation, Worker

    hour = now.replace(minute=0, second=0, microsecond=0)
    hours = ({"hour": hour - timedelta(hours=ago), "applied": 900 + ago, "throttled": ago % 5} for ago in range(48))
    _insert_some(ProvisioningHour, hours)
    _insert_some(Worker, ({"name": f"worker-{number}", "beat_at": now} for number in range(4)))
    run = {"started_at": now - timedelta(hours=3), "finished_at": now - timedelta(hours=2), "users_seen": 1, "found": 1}
    _insert_some(Reconciliation, iter([run]))


def _insert_some(model: Any, rows: Iterable[Mapping[str, Any]]) -> None:
    model.objects.bulk_create((model(**row) for row in rows), batch_size=_AT_ONCE)


if __name__ == "__main__":
    sys.exit(main())
