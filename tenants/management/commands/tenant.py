"""`manage.py tenant`: lists and shows tenants, and takes every step of their life."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.management import BaseCommand, CommandError, CommandParser

from tenants.domain.steps import Step
from tenants.domain.tenant_state import TenantState
from tenants.domain.texts import check_visible, trimmed
from tenants.lifecycle import steps as life
from tenants.lifecycle.search import key_in, search_tenants
from tenants.management.errors import in_one_line
from tenants.management.lookup import tenant_called
from tenants.management.output import (
    TENANT_HEADS,
    print_table,
    recovery_facts,
    ring_facts,
    ring_lines,
    tenant_details,
    tenant_facts,
    tenant_lines,
    tenant_row,
)
from tenants.management.step_commands import Options, add_step, argument, take, whole_number
from tenants.management.tenant_import import ARGUMENTS, import_file
from tenants.management.waiting import current_suspension, wait_for
from tenants.members.steps import CANCEL_RECOVERY, RECOVER_OWNER
from tenants.models import Tenant
from tenants.models.keyset import rows_beyond

_WAITS_SECONDS = 120
_TENANT = argument("tenant", metavar="SLUG|ORG_ID")
_WAIT = (
    argument("--wait", action="store_true", help="until Cognito and AWS have followed"),
    argument(
        "--timeout",
        type=whole_number(0, 86_400),
        default=_WAITS_SECONDS,
        metavar="SECONDS",
        help="how long (%(default)s)",
    ),
)
_NO_MAIL = argument("--no-mail", action="store_true", help="Cognito mails no invitation")
_GRACE_DAYS = argument("--grace-days", type=int, metavar="N", help="instead of CLOSING_GRACE_DAYS")
_OWNER = argument("--owner", dest="email", required=True, metavar="EMAIL", help="Cognito sends the invitation there")
_NOW = argument("--now", action="store_true", help="at once: nobody can stop it, and owners are told by mail")
# Each with the arguments that no page has.
_STEPS = (
    (life.CREATE, (_NO_MAIL,)),
    (life.RENAME, ()),
    (life.SLUG, ()),
    (life.PLAN, ()),
    (life.METADATA, ()),
    (life.CONTACT, ()),
    (life.DOMAINS, ()),
    (life.ACTIVATE, ()),
    (RECOVER_OWNER, (_NOW,)),
    (CANCEL_RECOVERY, ()),
    (life.SUSPEND, _WAIT),
    (life.REACTIVATE, ()),
    (life.CLOSE, (_GRACE_DAYS, *_WAIT)),
    (life.REOPEN, ()),
)


class Command(BaseCommand):
    help = (
        "Tenants: list, show, create, change, suspend, close. Each step says with --dry-run what it would do. "
        "Exit codes: 0 done, 1 refused or failed, 2 not understood, "
        "3 done, but not all rings are reached, or lines of an import could not be done."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        steps = parser.add_subparsers(dest="step", metavar="STEP", required=True)
        listing = steps.add_parser("list", help="the newest first")
        listing.add_argument("--state", choices=[state.value for state in TenantState])
        listing.add_argument("--plan")
        listing.add_argument("--search", default="", metavar="TEXT", help="name, short name, org id or owner")
        listing.add_argument(
            "--limit", type=whole_number(1, 10_000), default=50, metavar="N", help="how many (%(default)s)"
        )
        listing.add_argument("--after", metavar="SLUG|ORG_ID", help="those that follow this one")
        listing.add_argument("--json", action="store_true", help="print one JSON object a tenant")
        for name, says in (("show", "everything about one"), ("rings", "the progress of its suspension")):
            looking = steps.add_parser(name, help=says)
            for one in (_TENANT, *(_WAIT if name == "rings" else ())):
                looking.add_argument(*one.names, **one.options)
            looking.add_argument("--json", action="store_true", help="print one JSON object")
        importing = steps.add_parser("import", help="many tenants with their owners, from a file")
        for one in ARGUMENTS:
            importing.add_argument(*one.names, **one.options)
        for step, extra in _STEPS:
            if step is life.CREATE:
                add_step(steps, step, extra=extra, spelled={"email": _OWNER})
            else:
                add_step(steps, step, subject=[_TENANT], extra=extra)

    def handle(self, *args: Any, **options: Any) -> None:
        match options["step"]:
            case "list":
                self.list(options)
            case "show":
                self.show(tenant_called(options["tenant"]), as_json=options["json"])
            case "rings":
                self.rings(tenant_called(options["tenant"]), options)
            case "import":
                import_file(options, command=self)
            case name:
                self.take(next(step for step, _ in _STEPS if step.name == name), options)

    def take(self, step: Step, options: Options) -> None:
        facts = recovery_facts if step in (RECOVER_OWNER, CANCEL_RECOVERY) else tenant_facts
        changed = take(step, options, find=_find, facts=facts, command=self)
        if changed is None or "wait" not in options:
            return
        if options["wait"]:
            self.rings(changed, options)
        elif not options["json"]:
            self.stdout.write(f"To see the progress: manage.py tenant rings {changed.slug}.")

    def list(self, options: Options) -> None:
        after = tenant_called(options["after"]) if options["after"] else None
        with in_one_line():
            tenants = _newest(options, after=after)
        shown = tenants[: options["limit"]]
        if options["json"]:
            for tenant in shown:
                self.stdout.write(json.dumps(tenant_facts(tenant)))
        else:
            print_table(self.stdout, TENANT_HEADS, map(tenant_row, shown))
        if not shown:
            self.stderr.write("No tenant matches.", style_func=str)
        elif len(tenants) > len(shown):
            self.stderr.write(f"There are more: --after {shown[-1].slug}", style_func=str)

    def show(self, tenant: Tenant, *, as_json: bool) -> None:
        if as_json:
            self.stdout.write(json.dumps(tenant_details(tenant)))
            return
        for line in tenant_lines(tenant):
            self.stdout.write(line)

    def rings(self, tenant: Tenant, options: Options) -> None:
        """Exits with 3 where a ring has not been reached."""
        suspension = current_suspension(tenant)
        seconds = options["timeout"] if options["wait"] else 0
        try:
            reached, in_the_way = wait_for(suspension, seconds=seconds, stream=self.stderr)
        except KeyboardInterrupt:
            raise CommandError("Stopped waiting. The suspension continues.") from None
        if options["json"]:
            self.stdout.write(json.dumps({"slug": tenant.slug, **ring_facts(reached, in_the_way)}))
        else:
            for line in ring_lines(reached, in_the_way):
                self.stdout.write(line)
        if not reached.all_reached:
            sys.exit(3)


def _find(options: Options) -> Tenant | None:
    return tenant_called(options["tenant"]) if "tenant" in options else None


def _newest(options: Options, *, after: Tenant | None) -> Sequence[Tenant]:
    """One more than is printed."""
    tenants = Tenant.objects.all()
    tenants = tenants.filter(state=options["state"]) if options["state"] else tenants
    tenants = tenants.filter(plan=options["plan"]) if options["plan"] else tenants
    known = settings.TENANT_PLANS
    if options["plan"] and options["plan"] not in known:
        check_visible(options["plan"], "plan")
        raise CommandError(f"Unknown plan “{options['plan']}”. Choose one of: {', '.join(known)}.")
    most = options["limit"] + 1
    text = trimmed(options["search"])
    check_visible(text, "search")
    branches = search_tenants(tenants, text)
    edge = key_in(branches, after) if after else ()
    return [tenant for _, tenant in rows_beyond(edge, branches, most=most)]
