"""`manage.py migrate`: Django's own, but one at a time, and whole or not at all.

Both databases change tables inside a transaction. So one transaction holds every migration, and a killed migrate leaves
the database as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from django.core.management import CommandError
from django.core.management.commands import migrate
from django.db import OperationalError, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.loader import MigrationLoader

WAIT_SECONDS = 60
# While a migration waits for a table, the portal's requests wait behind it.
TABLE_SECONDS = 10
# Any number of 64 bits that no other program locks in this database.
LOCK = int.from_bytes(b"migrate!", "big")

Tell = Callable[[str], object]


class Command(migrate.Command):
    def handle(self, *args: Any, **options: Any) -> None:
        if options["plan"] or options["check_unapplied"]:
            super().handle(*args, **options)
            return
        connection = connections[options["database"]]
        connection.ensure_connection()
        with ExitStack() as transaction_:
            try:
                transaction_.enter_context(_alone(connection, self.stderr.write))
            except OperationalError as error:
                raise CommandError(f"Nothing was changed: {str(error).splitlines()[0]}.") from error
            if not options["prune"]:
                _refuse_unknown(connection)
            self._run(*args, **options)

    def _run(self, *args: Any, **options: Any) -> None:
        try:
            super().handle(*args, **options)
        except BaseException:
            self.stderr.write("Nothing was changed.")
            raise


@contextmanager
def _alone(connection: BaseDatabaseWrapper, tell: Tell) -> Iterator[None]:
    """One transaction, for which another migrate waits. Raises OperationalError if it waited too long."""
    begin = _begin_on_sqlite if connection.vendor == "sqlite" else _begin_on_postgresql
    # SQLite makes some tables anew, which needs this. Inside a transaction it has no effect.
    with connection.constraint_checks_disabled(), ExitStack() as transaction_:
        begin(connection, transaction_, tell)
        yield
        connection.check_constraints()


def _begin_on_postgresql(connection: BaseDatabaseWrapper, transaction_: ExitStack, tell: Tell) -> None:
    transaction_.enter_context(transaction.atomic(using=connection.alias))
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [LOCK])
        (is_ours,) = cursor.fetchone()
        if not is_ours:
            tell(f"Another migrate is running. Waiting for it, {WAIT_SECONDS} seconds at most.")
            cursor.execute(f"SET LOCAL lock_timeout = '{WAIT_SECONDS}s'")
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        cursor.execute(f"SET LOCAL lock_timeout = '{TABLE_SECONDS}s'")
        # Otherwise a migration could not alter a table whose rows an earlier one wrote.
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


def _begin_on_sqlite(connection: BaseDatabaseWrapper, transaction_: ExitStack, tell: Tell) -> None:
    """The settings make every transaction take SQLite's one lock for writers as it begins."""
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout = 0")
        try:
            transaction_.enter_context(transaction.atomic(using=connection.alias))
        except OperationalError:
            tell(f"Another migrate is running, or the portal writes. Waiting, {WAIT_SECONDS} seconds at most.")
            cursor.execute(f"PRAGMA busy_timeout = {WAIT_SECONDS * 1000}")
            transaction_.enter_context(transaction.atomic(using=connection.alias))


def _refuse_unknown(connection: BaseDatabaseWrapper) -> None:
    """Migrations that the database has and this version has not: going on would apply others in their place."""
    loader = MigrationLoader(connection)
    known = set(loader.disk_migrations).union(*(migration.replaces for migration in loader.disk_migrations.values()))
    unknown = sorted(
        f"{app}.{name}" for app, name in set(loader.applied_migrations) - known if app in loader.migrated_apps
    )
    if unknown:
        raise CommandError(
            f"Another version of the portal made this database: {unknown[-1]} is not known here. "
            "Use that version, or an empty database."
        )
