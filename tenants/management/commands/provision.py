"""`manage.py provision`: makes Cognito match the database, once or for as long as it runs."""

from __future__ import annotations

import json
import signal
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.core.management import BaseCommand, CommandError, CommandParser
from django.db.models import Count

from tenants.domain.errors import PortalError
from tenants.health.worker_metrics import serve_metrics
from tenants.management.errors import in_one_line
from tenants.management.output import count_of
from tenants.management.periodic import Job, comparison, jobs, run_once, running
from tenants.management.progress import show_line
from tenants.members.invitation_state import invitation_state
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
        tools = wiring.tools(threads=options["threads"])
        worker, others = Worker(tools, stop, threads=options["threads"], tell=self.tell), jobs(tools)
        failed: Mapping[str, Exception] = {}
        with serve_metrics(worker.tally, port=options["metrics_port"]) as port:
            if port is not None:
                self.stderr.write(f"Metrics: http://127.0.0.1:{port}/metrics", str)
            if options["watch"]:
                with running((*others, *comparison(tools, stop)), stop):
                    worker.work(forever=True)
            else:
                failed = work_once(worker, others, stop)
        self.sum_up(worker.tally, failed, as_json=options["json"])

    def show_plans(self, stop: threading.Event, *, as_json: bool) -> None:
        """Prints a line a member: what the worker would do for it now. Only reads, at Cognito's pace."""
        tools, is_any_due = wiring.tools(threads=1), False
        for member in due().select_related("person", "tenant", "invited_by").iterator(chunk_size=500):
            if stop.is_set():
                raise CommandError("Stopped before all members were checked.")
            try:
                plan = changes_for(member, directory=tools.directory, pacer=tools.pacer)
            except PortalError as error:
                raise CommandError(error.for_operators) from error
            self.show_plan(member, plan, as_json=as_json)
            is_any_due = True
        if not is_any_due:
            # Results are objects with --json, one a line: here none.
            (self.stderr if as_json else self.stdout).write("No member is due.", str)

    def show_plan(self, member: Member, plan: list[str], *, as_json: bool) -> None:
        invitation = invitation_state(member)
        if as_json:
            org = str(member.org_id) if member.org_id else None
            facts = {"email": member.person.email, "org": org, "would": plan, "invitation": invitation.in_words}
            self.stdout.write(json.dumps(facts))
            return
        remedy = f", but {invitation.in_words}; `member resend` mails it again" if invitation.needs_a_resend else ""
        self.stdout.write(f"{member.person.email}: {', '.join(plan) or f'nothing to do{remedy}'}")

    def sum_up(self, tally: Tally, failed: Mapping[str, Exception], *, as_json: bool) -> None:
        left = dict(_left())
        if self.stderr.isatty():
            self.stderr.write("", str)
        if as_json:
            counted = {"settled": tally.settled, "changes": tally.applied, "throttled": tally.throttled}
            halted = {"halted": tally.halted, "invitations_halted": tally.invitations_halted}
            self.stdout.write(json.dumps({**counted, "left": left, **halted}))
        else:
            members, changes = count_of(tally.settled, "member"), count_of(tally.applied, "change")
            self.stdout.write(f"{members} settled with {changes} in Cognito.")
            for state, count in left.items():
                self.stdout.write(f"{count} left: {state}.")
        if tally.invitations_halted and not as_json:
            self.stdout.write(f"Invitations are halted. {tally.invitations_halted}")
        for name, error in failed.items():
            raise CommandError(f"The job {name} failed, and is tried again the next time: {_why(error)}")
        if tally.halted:
            raise CommandError(f"It had to stop, and nothing is lost: {tally.halted}")
        if left:
            sys.exit(3)

    def tell(self, settled: int, left: int) -> None:
        """Progress, for people only."""
        show_line(self.stderr, f"{settled:,} settled, {left:,} due", done=settled, total=settled + left)


def work_once(worker: Worker, others: Sequence[Job], stop: threading.Event) -> dict[str, Exception]:
    """Until neither the worker nor another job has anything to do. Which jobs failed, by name."""
    failed: dict[str, Exception] = {}
    while True:
        worker.work(forever=False)
        left = [job for job in others if job.name not in failed]
        done, failed_now = run_once(left, stop)
        failed |= failed_now
        if not done or stop.is_set():
            return failed


def _why(error: Exception) -> str:
    return error.for_operators if isinstance(error, PortalError) else f"{type(error).__name__}; the log says more"


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
