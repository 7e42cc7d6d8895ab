"""`manage.py reconcile`: finds what was changed in the user pool outside the portal, and repairs it if asked."""

from __future__ import annotations

import json
import signal
import sys
import threading
from collections.abc import Iterator
from itertools import islice
from typing import Any

from django.conf import settings
from django.core.management import BaseCommand, CommandError, CommandParser
from django.db.models import QuerySet

from tenants.domain.actor import at_the_terminal
from tenants.domain.errors import PortalError
from tenants.drift import lockout
from tenants.drift.reach import reaches
from tenants.drift.repair import fate, planned_repair
from tenants.drift.run import RunOptions, RunResult, reconcile
from tenants.drift.walk import Listener
from tenants.management.lookup import tenant_called
from tenants.management.output import count_of
from tenants.management.progress import clear_line, show_line
from tenants.members.invitation_state import invitation_state, needing_a_resend
from tenants.models import Drift, DriftKind, Member
from tenants.provisioning import wiring
from tenants.provisioning.dispatcher import Tools
from tenants.provisioning.worker import new_name

_SHOWN_AT_A_TIME = 500


class Command(BaseCommand):
    help = (
        "Compares every user of the pool with the members in the database: users the portal does not know, members "
        "without a user, another organisation or role, enabled or disabled in Cognito only. Changes nothing there "
        "without --repair. Needs the credentials of PortalRole. An interrupted run continues if it is run again within "
        "an hour. Exit codes: 0 nothing differs, or all of it was repaired; 1 it could not finish, or repairing was "
        "refused; 3 something differs, or is left."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--tenant", metavar="SLUG|ORG_ID", help="only its members, asked for one by one")
        parser.add_argument("--repair", action="store_true", help="make Cognito match, at the pace of the quotas")
        parser.add_argument("--dry-run", action="store_true", help="say what --repair would do, and do nothing")
        parser.add_argument(
            "--recreate",
            type=int,
            metavar="N",
            help="create up to N missing users again, where so many are missing that repairing would be refused",
        )
        parser.add_argument("--json", action="store_true", help="print a JSON object a difference, and one at the end")

    def handle(self, *args: Any, **options: Any) -> None:
        dry_run, recreate, as_json = options["dry_run"], options["recreate"], options["json"]
        if recreate is not None and (recreate < 1 or not (options["repair"] or dry_run)):
            raise CommandError("--recreate is a number from 1 on, and goes with --repair or --dry-run.")
        asked = RunOptions(
            tenant=tenant_called(options["tenant"]) if options["tenant"] else None,
            repair=options["repair"] and not dry_run,
            recreate=recreate or 0,
            hosted_sign_ups=settings.SIGN_UP == "hosted-ui",
        )
        self.as_json = as_json
        tools = wiring.tools(threads=1)
        try:
            reconciled = self.compare(asked, tools)
            self.end_of_bar()
            for drift, reached in _differences(reconciled):
                plan = planned_repair(drift, directory=tools.directory, pacer=tools.pacer) if dry_run else []
                self.show(drift, plan, reached)
        except PortalError as error:
            self.end_of_bar()
            raise CommandError(error.for_operators) from error
        self.show_invitations(reconciled)
        self.sum_up(reconciled)
        if reconciled.refused and (asked.repair or dry_run):
            raise CommandError(reconciled.refused)
        if reconciled.left:
            sys.exit(3)

    def compare(self, asked: RunOptions, tools: Tools) -> RunResult:
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        return reconcile(
            asked,
            directory=tools.directory,
            pacer=tools.pacer,
            holder=new_name(),
            by=at_the_terminal(),
            stop=stop,
            listener=Listener(progress=self.progress, say=self.say, address=self.note_address),
        )

    def show(self, drift: Drift, plan: list[str], reached: str) -> None:
        """`reached` is what AWS lets the user reach, or ""."""
        what_next = fate(drift)
        if self.as_json:
            facts = {name: getattr(drift, name) for name in ("kind", "email", "org", "sub", "wanted", "seen")}
            facts |= {"reaches": reached, "would": plan, "outlook": what_next or "to be repaired"}
            self.stdout.write(json.dumps(facts))
            return
        if drift.kind == DriftKind.WAITING:
            self.stdout.write(f"{drift.email or drift.sub}: {drift.seen}. This is no difference.")
            return
        should_be = f" Should be: {drift.wanted}." if drift.wanted else ""
        end = f" Would {', '.join(plan)}." if plan else f" {what_next[:1].upper()}{what_next[1:]}." if what_next else ""
        end = f"{f' {reached}' if reached else ''}{end}{_how_to_disable(drift)}"
        what = DriftKind(drift.kind).label
        self.stdout.write(f"{drift.email or drift.sub}: {what}.{should_be} In Cognito: {drift.seen}.{end}")

    def show_invitations(self, reconciled: RunResult) -> None:
        """Of people who can get in only with another mail. The pool and the portal agree on them."""
        for member in _without_a_mail(reconciled).iterator(chunk_size=_SHOWN_AT_A_TIME):
            state, email = invitation_state(member), member.person.email
            if self.as_json:
                facts = {"note": "invitation", "email": email, "invitation": state.name, "why": state.in_words}
                self.stdout.write(json.dumps(facts))
            else:
                why = state.in_words.rstrip(".")
                self.stdout.write(f"{email}: {why}. Mail it again: manage.py member resend {email}")

    def note_address(self, here: str, there: str) -> None:
        """People are known by their sub, so another address is not repaired. It is only reported."""
        if self.as_json:
            self.stdout.write(json.dumps({"note": "another address in Cognito", "email": here, "address": there}))
        else:
            self.end_of_bar()
            self.stdout.write(f"{here}: has the address {there} in Cognito. Nothing is repaired for that.")

    def sum_up(self, reconciled: RunResult) -> None:
        run = reconciled.run
        counted = {"users": run.users_seen, "found": run.found, "repaired": run.repaired, "left": reconciled.left}
        to_resend = _without_a_mail(reconciled).count()
        if self.as_json:
            of = str(run.tenant.org_id) if run.tenant else None
            others = {"waiting": reconciled.waiting, "to_resend": to_resend, "run": run.pk}
            self.stdout.write(json.dumps({"tenant": of, **counted, "kinds": reconciled.found, **others}))
            return
        if not run.found:
            self.stdout.write(f"{count_of(run.users_seen, 'user')} compared. Nothing differs.")
        else:
            result = f"{count_of(run.found, 'difference')}, {run.repaired} repaired, {reconciled.left} left."
            self.stdout.write(f"{count_of(run.users_seen, 'user')} compared. {result}")
        if reconciled.waiting:
            self.stdout.write(f"Signed up, and not signed in yet: {count_of(reconciled.waiting, 'user')}.")
        if to_resend:
            self.stdout.write(f"Invitations that lapsed or were not delivered: {to_resend}.")

    def say(self, sentence: str) -> None:
        self.end_of_bar()
        self.stderr.write(sentence, style_func=str)

    def progress(self, done: int, of_about: int) -> None:
        """For people only."""
        show_line(self.stderr, f"{done:,} of about {of_about:,}", done=done, total=max(1, of_about))

    def end_of_bar(self) -> None:
        clear_line(self.stderr)


def _how_to_disable(drift: Drift) -> str:
    may_be_nobodys = drift.kind in lockout.KINDS and drift.member is None and drift.seen_enabled
    return f" Disable it now: manage.py member disable-user {drift.sub}" if may_be_nobodys else ""


def _differences(reconciled: RunResult) -> Iterator[tuple[Drift, str]]:
    """With what AWS lets the user reach."""
    rows = reconciled.run.drifts.select_related("member__person", "member__tenant").order_by("pk")
    for some in _batched(rows.iterator(chunk_size=_SHOWN_AT_A_TIME), _SHOWN_AT_A_TIME):
        reached = reaches(some)
        yield from ((drift, reached[drift.pk]) for drift in some)


def _batched(drifts: Iterator[Drift], most: int) -> Iterator[list[Drift]]:
    while some := list(islice(drifts, most)):
        yield some


def _without_a_mail(reconciled: RunResult) -> QuerySet[Member]:
    tenant = reconciled.run.tenant
    members = Member.objects.filter(tenant=tenant) if tenant else Member.objects.all()
    return needing_a_resend(members).select_related("person", "tenant").order_by("pk")
