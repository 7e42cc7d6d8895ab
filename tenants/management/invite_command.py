"""`manage.py member invite`: its arguments, and an answer for every line."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from django.core.management import BaseCommand
from django.db import transaction

from tenants.domain.actor import at_the_terminal
from tenants.domain.roles import IN_AN_ORGANISATION
from tenants.management.errors import in_one_line
from tenants.management.lookup import tenant_called
from tenants.management.step_commands import Options
from tenants.members.invitation_lines import NewInvitation, pasted, uploaded
from tenants.members.invitations import Answer, Answered, invite, invite_expects
from tenants.models import Tenant

_REFUSED = 1


class _RolledBack(Exception):
    """Ends the transaction of a dry run."""


def add_invite(steps: Any) -> None:
    """`steps` is what `add_subparsers` returned."""
    parser = steps.add_parser("invite", help="invite people into a tenant, one or thousands")
    parser.add_argument("addresses", nargs="*", metavar="ADDRESS", help="such as ada@example.com")
    parser.add_argument("--tenant", required=True, metavar="SLUG|ORG_ID")
    parser.add_argument(
        "--role",
        required=True,
        choices=[role.value for role in IN_AN_ORGANISATION],
        help="for lines that have none of their own",
    )
    parser.add_argument("--file", metavar="FILE", help="CSV with email, name, role; - reads standard input")
    parser.add_argument("--no-mail", action="store_true", help="Cognito mails no invitation")
    parser.add_argument("--reason", metavar="TEXT", default="", help="why, for the audit trail; may be left out")
    parser.add_argument("--dry-run", action="store_true", help="say what would happen, and do nothing")
    parser.add_argument("--json", action="store_true", help="print one JSON object a line")


def take_invite(options: Options, *, command: BaseCommand) -> None:
    """Exits with 1 where a line was refused; the others are invited all the same. Raises CommandError."""
    with in_one_line():
        tenant, lines = tenant_called(options["tenant"]), _lines(options)
        answers = _dry_run(tenant, lines, options) if options["dry_run"] else _invite(tenant, lines, options)
        if options["json"]:
            _print_json(answers, command)
        else:
            _print(tenant, answers, options, command)
    if any(answer.answered == Answered.REFUSED for answer in answers):
        sys.exit(_REFUSED)


def _lines(options: Options) -> list[NewInvitation]:
    """Raises InvalidInput, OSError."""
    named = "\n".join(options["addresses"])
    if options["file"] is None:
        return pasted(named)
    content = sys.stdin.buffer.read() if options["file"] == "-" else Path(options["file"]).read_bytes()
    return [*(pasted(named) if named else []), *uploaded(content)]


def _invite(tenant: Tenant, lines: Sequence[NewInvitation], options: Options) -> list[Answer]:
    return invite(
        tenant,
        lines=lines,
        role=options["role"],
        mail=not options["no_mail"],
        why=options["reason"],
        by=at_the_terminal(),
    )


def _dry_run(tenant: Tenant, lines: Sequence[NewInvitation], options: Options) -> list[Answer]:
    answers: list[Answer] = []
    with suppress(_RolledBack), transaction.atomic():
        answers = _invite(tenant, lines, options)
        raise _RolledBack
    return answers


def _print_json(answers: Sequence[Answer], command: BaseCommand) -> None:
    for answer in answers:
        facts = {"email": answer.line.email, "answer": answer.answered, "message": answer.message}
        command.stdout.write(json.dumps(facts))


def _print(tenant: Tenant, answers: Sequence[Answer], options: Options, command: BaseCommand) -> None:
    invited = sum(answer.answered == Answered.INVITED for answer in answers)
    for answer in answers:
        if answer.answered != Answered.INVITED:
            stream = command.stderr if answer.answered == Answered.REFUSED else command.stdout
            stream.write(f"{answer.line.as_line}: {answer.message}", style_func=str)
    if options["dry_run"]:
        command.stdout.write(f"Nothing is done. {invited:,} of {len(answers):,} would be invited:")
    else:
        command.stdout.write(f"Invited {invited:,} of {len(answers):,}.")
    for sentence in invite_expects(tenant, mail=not options["no_mail"]) if invited else ():
        command.stdout.write(f"- {sentence}")
