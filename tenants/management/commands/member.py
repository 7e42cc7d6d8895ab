"""`manage.py member`: lists, adds and changes members of tenants, and operators."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from django.core.management import BaseCommand, CommandParser
from django.db.models import QuerySet

from tenants.domain.roles import IN_AN_ORGANISATION, Role
from tenants.drift.lockout import DISABLE_USER
from tenants.management.errors import in_one_line
from tenants.management.invite_command import add_invite, take_invite
from tenants.management.lookup import member_called, tenant_called, user_found_by_a_comparison
from tenants.management.output import MEMBER_HEADS, member_facts, member_row, print_table
from tenants.management.step_commands import Options, add_step, argument, take, whole_number
from tenants.members.steps import (
    ADD,
    DISABLE,
    ENABLE,
    REMOVE,
    RESEND,
    RESET_MFA,
    REVOKE,
    ROLE,
    SIGN_OUT,
    TRANSFER,
    TRY_NOW,
)
from tenants.models import Drift, Member, Provisioning, Tenant

_EMAIL = argument("email", metavar="EMAIL|SUB")
_USER = argument("user", metavar="SUB|EMAIL", help="a user that a comparison found, and that belongs to no member")
_WHERE = argument("--tenant", metavar="SLUG|ORG_ID", help="in which one, for somebody who is in several")
_NEW = (
    argument("--tenant", metavar="SLUG|ORG_ID", help="left out for an operator, who is in none"),
    argument("--language", default="en", metavar="CODE", help="such as en-gb (%(default)s)"),
    argument("--no-mail", action="store_true", help="Cognito mails no invitation"),
)
_ROLE_OF_NEW = argument("--role", required=True, choices=[role.value for role in Role])
_ROLE = argument("role", choices=[role.value for role in IN_AN_ORGANISATION])
_TO = argument("--to", required=True, metavar="EMAIL", help="another member, who has signed in before")
_CHANGES = (
    ROLE,
    TRANSFER,
    DISABLE,
    ENABLE,
    RESEND,
    REVOKE,
    SIGN_OUT,
    REMOVE,
    RESET_MFA,
    replace(TRY_NOW, name="retry"),
)


class Command(BaseCommand):
    help = (
        "Members of tenants, and operators: list, invite, add, change, remove. Each step says with --dry-run what it "
        "would do. "
        "Exit codes: 0 done, 1 refused or failed, 2 not understood."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        steps = parser.add_subparsers(dest="step", metavar="STEP", required=True)
        listing = steps.add_parser("list", help="the newest first")
        where = listing.add_mutually_exclusive_group()
        where.add_argument("--tenant", metavar="SLUG|ORG_ID")
        where.add_argument("--operators", action="store_true", help="only operators of the platform")
        listing.add_argument("--state", choices=Provisioning.values, help="their provisioning")
        listing.add_argument(
            "--limit", type=whole_number(1, 10_000), default=50, metavar="N", help="how many (%(default)s)"
        )
        listing.add_argument("--after", metavar="EMAIL|SUB", help="those that follow this one")
        listing.add_argument("--json", action="store_true", help="print one JSON object a member")
        add_step(steps, ADD, extra=_NEW, spelled={"role": _ROLE_OF_NEW})
        add_invite(steps)
        add_step(steps, DISABLE_USER, subject=[_USER])
        for step in _CHANGES:
            add_step(steps, step, subject=[_EMAIL], extra=[_WHERE], spelled={"role": _ROLE, "to": _TO})

    def handle(self, *args: Any, **options: Any) -> None:
        if options["step"] == "list":
            with in_one_line():
                self.list(options)
            return
        if options["step"] == "invite":
            take_invite(options, command=self)
            return
        if options["step"] == DISABLE_USER.name:
            take(DISABLE_USER, options, find=_find_user, facts=_user_facts, command=self)
            return
        step = next(step for step in (ADD, *_CHANGES) if step.name == options["step"])
        take(step, options, find=_tenant if step is ADD else _find, facts=member_facts, command=self)

    def list(self, options: Options) -> None:
        found = list(_newest(options)[: options["limit"] + 1])
        shown = found[: options["limit"]]
        if options["json"]:
            for member in shown:
                self.stdout.write(json.dumps(member_facts(member)))
        else:
            print_table(self.stdout, MEMBER_HEADS, map(member_row, shown))
        if not shown:
            self.stderr.write("No member matches.", style_func=str)
        elif len(found) > len(shown):
            self.stderr.write(f"There are more: --after {member_row(shown[-1])[0]}", style_func=str)


def _find_user(options: Options) -> Drift:
    return user_found_by_a_comparison(options["user"])


def _user_facts(drift: Drift) -> dict[str, str]:
    return {"sub": drift.sub, "email": drift.email, "org": drift.seen_org, "role": drift.seen_role}


def _tenant(options: Options) -> Tenant | None:
    return tenant_called(options["tenant"]) if options["tenant"] else None


def _find(options: Options) -> Member:
    return member_called(options["email"], tenant=_tenant(options))


def _newest(options: Options) -> QuerySet[Member]:
    members = Member.objects.select_related("person", "tenant").order_by("-pk")
    if options["tenant"]:
        members = members.filter(tenant=tenant_called(options["tenant"]))
    if options["operators"]:
        members = members.filter(tenant=None)
    if options["state"]:
        members = members.filter(provisioning=options["state"])
    if options["after"]:
        members = members.filter(pk__lt=member_called(options["after"]).pk)
    return members
