"""`manage.py provision`: makes Cognito match the database, once or for as long as it runs."""

from __future__ import annotations

import json
import signal
import sys
import threading
from collections.abc import Iterator
from typing import Any

from django.core.management import BaseCommand, CommandError, CommandParser
from django.db.models import Count

from tenants.domain.errors import PortalError
from tenants.health.worker_metrics import serve_metrics
from tenants.management.errors import in_one_line
from tenants.management.output import count_of
from tenants.management.progress import show_line
from tenants.models import Member, Provisioning
from tenants.provisioning import wiring
from tenants.provisioning.dispatcher import Tally
from tenants.provisioning.one_member import changes_for
from tenants.provisioning.queue import due
from tenants.provisioning.worker import THREADS, Worker


class Command(BaseCommand):
    help = (
        "Makes the users in Cognito match the members in the database, and keeps suspended tenants out. Needs the "
        "credentials of PortalRole. Exit codes: 0 every member is settled, 1 it had to stop, 3 members are left that "
        "are due, stuck or in conflict."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--watch", action="store_true", help="run until SIGTERM or Ctrl-C")
        parser.add_argument("--threads", type=int, default=THREADS, metavar="N", help=f"calls at once ({THREADS})")
        parser.add_argument(
            "--metrics-port",
            type=int,
            metavar="PORT",
            help="Prometheus text on 127.0.0.1, 0 for any free port; with --watch",
        )
        parser.add_argument("--dry-run", action="store_true", help="print what would be done, and do nothing")
        parser.add_argument("--json", action="store_true", help="print JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        _check(options)
        stop = threading.Event()
        _stop_on_signals(stop)
        with in_one_line():
            if options["dry_run"]:
                self.show_plans(stop, as_json=options["json"])
            else:
                self.work(stop, options)

    def work(self, stop: threading.Event, options: dict[str, Any]) -> None:
        worker = Worker(wiring.tools(threads=options["threads"]), stop, threads=options["threads"], tell=self.tell)
        with serve_metrics(worker.tally, port=options["metrics_port"]) as port:
            if port is not None:
                self.stderr.write(f"Metrics: http://127.0.0.1:{port}/metrics", str)
            worker.work(forever=options["watch"])
        self.sum_up(worker.tally, as_json=options["json"])

    def show_plans(self, stop: threading.Event, *, as_json: bool) -> None:
        """Prints a line a member: what the worker would do for it now. Only reads, at Cognito's pace."""
        tools = wiring.tools(threads=1)
        for member in due().select_related("person", "tenant").iterator(chunk_size=500):
            if stop.is_set():
                raise CommandError("Stopped before all members were checked.")
            try:
                plan = changes_for(member, directory=tools.directory, pacer=tools.pacer)
            except PortalError as error:
                raise CommandError(error.for_operators) from error
            org = str(member.org_id) if member.org_id else None
            if as_json:
                self.stdout.write(json.dumps({"email": member.person.email, "org": org, "would": plan}))
            else:
                self.stdout.write(f"{member.person.email}: {', '.join(plan) or 'nothing to do'}")

    def sum_up(self, tally: Tally, *, as_json: bool) -> None:
        left = dict(_left())
        if self.stderr.isatty():
            self.stderr.write("", str)
        if as_json:
            counted = {"settled": tally.settled, "changes": tally.applied, "throttled": tally.throttled}
            self.stdout.write(json.dumps({**counted, "left": left, "halted": tally.halted}))
        else:
            members, changes = count_of(tally.settled, "member"), count_of(tally.applied, "change")
            self.stdout.write(f"{members} settled with {changes} in Cognito.")
            for state, count in left.items():
                self.stdout.write(f"{count} left: {state}.")
        if tally.halted:
            raise CommandError(f"It had to stop, and nothing is lost: {tally.halted}")
        if left:
            sys.exit(3)

    def tell(self, settled: int, left: int) -> None:
        """Progress, for people only."""
        show_line(self.stderr, f"{settled:,} settled, {left:,} due", done=settled, total=settled + left)


def _check(options: dict[str, Any]) -> None:
    if not 1 <= options["threads"] <= 200:
        raise CommandError("--threads is a number from 1 to 200.")
    if options["dry_run"] and options["watch"]:
        raise CommandError("--dry-run shows what is due now, so it cannot be combined with --watch.")
    if options["metrics_port"] is not None and not options["watch"]:
        raise CommandError("--metrics-port needs --watch.")


def _left() -> Iterator[tuple[str, int]]:
    unsettled = Member.objects.exclude(provisioning=Provisioning.SETTLED).values_list("provisioning")
    yield from unsettled.annotate(Count("pk")).order_by("provisioning")


def _stop_on_signals(stop: threading.Event) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
