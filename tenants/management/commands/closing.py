"""The closing job: export, purge, verify, close. Runs as ClosingJobRole, apart from the portal's other processes."""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, NoReturn

from django.core.management import BaseCommand, CommandError, CommandParser

from tenants.domain.actor import at_the_terminal
from tenants.domain.dates import formatted
from tenants.domain.errors import PortalError
from tenants.lifecycle import wiring
from tenants.lifecycle.closing import ClosingResult, Reach, closing_tenants, continue_closing, plan_closing, why_failed
from tenants.management.lookup import tenant_called
from tenants.models import Tenant


class Command(BaseCommand):
    help = (
        "Continues the closing of every tenant that is being closed: exports its rows and, once the grace period is "
        "over, purges them, verifies that none is left, and closes the tenant for good. Needs the credentials of "
        "ClosingJobRole. Exit codes: 0 nothing is left to do, 1 something failed, 3 a tenant still waits."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--tenant", metavar="SLUG|ORG_ID", help="only this one")
        where = parser.add_mutually_exclusive_group(required=True)
        where.add_argument("--export-to", metavar="DIR|s3://BUCKET/PREFIX", help="where exports go")
        where.add_argument("--without-export", action="store_true", help="purge rows that were never exported")
        parser.add_argument("--dry-run", action="store_true", help="say what would be done, and do nothing")
        parser.add_argument("--json", action="store_true", help="print one JSON object a tenant")

    def handle(self, *args: Any, **options: Any) -> None:
        self.as_json, self.dry_run = options["json"], options["dry_run"]
        step = self.step_of(options)
        tenants = [tenant_called(options["tenant"])] if options["tenant"] else list(closing_tenants())
        with _stopped_in_order():
            outcomes = [self.outcome(tenant, step) for tenant in tenants]
        if not tenants:
            # Results are objects with --json, one a line: here none.
            (self.stderr if self.as_json else self.stdout).write("No tenant is being closed.", str)
        if failed := outcomes.count(None):
            raise CommandError(f"{failed} of {len(tenants)} could not go on; nothing is lost, and it can be run again.")
        if any(outcome and outcome.waits_for for outcome in outcomes):
            sys.exit(3)

    def step_of(self, options: dict[str, Any]) -> Callable[[Tenant], ClosingResult]:
        """What is done with each tenant. Whatever can be wrong with the export's place or the settings is told now."""
        where = "" if options["without_export"] else options["export_to"].strip()
        if not where and not options["without_export"]:
            raise CommandError("Say where the export goes: a directory, or s3://bucket/prefix.")
        if self.dry_run:
            return partial(_planned, export=bool(where))
        try:
            return partial(self.go_on, reach=wiring.reach(export_to=where))
        except PortalError as error:
            raise CommandError(why_failed(error)) from error

    def go_on(self, tenant: Tenant, *, reach: Reach) -> ClosingResult:
        # This job's alone: two on the same machine are two.
        holder = f"{socket.gethostname()[:30]}-{os.getpid()}-{secrets.token_hex(4)}"
        try:
            return continue_closing(tenant, reach=reach, holder=holder, by=at_the_terminal(), report=self.tell)
        finally:
            self.tell("")

    def outcome(self, tenant: Tenant, step: Callable[[Tenant], ClosingResult]) -> ClosingResult | None:
        """Shown as well. None where it failed, which holds up no other tenant."""
        try:
            outcome = step(tenant)
        except PortalError as error:
            if self.as_json:
                self.stdout.write(json.dumps({**_identity(tenant), "error": why_failed(error)}))
            else:
                self.stderr.write(f"{tenant.slug}: {why_failed(error)}")
            return None
        self.show(outcome)
        return outcome

    def show(self, outcome: ClosingResult) -> None:
        name = outcome.tenant.slug
        if self.as_json:
            until = outcome.until.isoformat() if outcome.until else None
            done = {"would" if self.dry_run else "did": outcome.did, "waits_for": outcome.waits_for, "until": until}
            self.stdout.write(json.dumps({**_identity(outcome.tenant), **done}))
            return
        for done_or_planned in outcome.did:
            self.stdout.write(f"{name}: {'would ' if self.dry_run else ''}{done_or_planned}")
        if outcome.waits_for:
            until = f", until {formatted(outcome.until, seconds=True)}" if outcome.until else ""
            self.stdout.write(f"{name}: waits for {outcome.waits_for}{until}")
        elif not outcome.did:
            self.stdout.write(f"{name}: is closed for good, and nothing is left to do")

    def tell(self, line: str) -> None:
        """Progress, for people only."""
        if self.stderr.isatty():
            # Not in the colour of errors.
            self.stderr.write(f"\r\033[K{line}", style_func=str, ending="")
            self.stderr.flush()


def _planned(tenant: Tenant, *, export: bool) -> ClosingResult:
    ahead = plan_closing(tenant, export=export)
    return ClosingResult(tenant, ahead.steps, ahead.waits_for, ahead.until)


def _identity(tenant: Tenant) -> dict[str, str]:
    return {"org": str(tenant.org_id), "slug": tenant.slug, "state": tenant.state}


@contextmanager
def _stopped_in_order() -> Iterator[None]:
    """Asked to end by Ctrl-C or SIGTERM, it gives its lease back: the next job need not wait for that to run out."""

    def stop(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    except KeyboardInterrupt as error:
        raise CommandError("Stopped. Nothing is lost; run it again and it goes on.") from error
    finally:
        signal.signal(signal.SIGTERM, before)
