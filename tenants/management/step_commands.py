"""Steps at a terminal: a step's fields become arguments, and `take` does it and prints what it did.

`--dry-run` does the very same and rolls it back, so that it is refused for what the step itself is refused for.
"""

from __future__ import annotations

import json
import sys
from argparse import ArgumentTypeError
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.core.management import BaseCommand, CommandError
from django.db import transaction

from tenants.domain.actor import at_the_terminal
from tenants.domain.steps import Field, Step, check_confirmed, confirm_field
from tenants.management.errors import in_one_line

Options = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Argument:
    """As `add_argument` takes it."""

    names: tuple[str, ...]
    options: Mapping[str, Any]


def argument(*names: str, **options: Any) -> Argument:
    return Argument(names, options)


# By the name of the field: what `add_argument` is told beyond the field's own label.
_OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "email": {"metavar": "EMAIL"},
    "owner_name": {"metavar": "NAME"},
    "metadata": {"metavar": "JSON", "help": "a JSON object; @FILE reads it from a file, - from standard input"},
    "plan": {"help": "one of TENANT_PLANS; a new tenant gets the first if it is left out"},
}


def whole_number(least: int, most: int) -> Callable[[str], int]:
    """A type for `add_argument`. Its error names the limits."""

    def read(text: str) -> int:
        if not text.isascii() or not text.isdecimal() or not least <= int(text[:20]) <= most:
            raise ArgumentTypeError(f"is a number from {least} to {most:,}, not {text}")
        return int(text)

    return read


class _RolledBack(Exception):
    """Ends the transaction of a dry run."""


def add_step(
    steps: Any,
    step: Step,
    *,
    subject: Sequence[Argument] = (),
    extra: Sequence[Argument] = (),
    spelled: Mapping[str, Argument] | None = None,
) -> None:
    """`steps` is what `add_subparsers` returned.

    The first field that has to be filled in follows the subject by its place; the others are options. `extra` are
    arguments that no page has, `spelled` fields whose arguments are not made from their names.
    """
    parser = steps.add_parser(step.name, help=step.help, description=f"{step.help[:1].upper()}{step.help[1:]}.")
    fields = [field for field in step.fields if field.widget != "hidden" and field.name != "reason"]
    place = next((field for field in fields if not field.optional), None)
    made = [(spelled or {}).get(field.name) or _argument(field, by_place=field is place) for field in fields]
    for one in (*subject, *made, *extra):
        parser.add_argument(*one.names, **one.options)
    needs_reason = any(field.name == "reason" and not field.optional for field in step.fields)
    why = "why, for the audit trail" + ("" if needs_reason else "; may be left out")
    parser.add_argument("--reason", metavar="TEXT", default="", required=needs_reason, help=why)
    parser.add_argument("--dry-run", action="store_true", help="say what would happen, and do nothing")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    if step.confirm:
        parser.add_argument("--yes", action="store_true", help="do not ask, at a terminal")


def _argument(field: Field, *, by_place: bool) -> Argument:
    label = " ".join(filter(None, [f"{field.label}.", field.hint]))
    options = {"help": label.replace("%", "%%"), **_OPTIONS.get(field.name, {})}
    if by_place:
        return Argument((field.name,), options)
    required = {} if field.optional else {"required": True}
    return Argument((f"--{field.name.replace('_', '-')}",), {"default": "", **required, **options})


def take(
    step: Step,
    options: Options,
    *,
    find: Callable[[Options], Any],
    facts: Callable[[Any], Mapping[str, Any]],
    command: BaseCommand,
) -> Any:
    """Returns what the step returned, None for a dry run. Raises CommandError.

    `find` gets what the step is taken with, None where that is yet to be created; `facts` are for `--json`.
    """
    with in_one_line():
        subject = find(options)
        typed = {**options, "metadata": _text_from(options["metadata"])} if "metadata" in options else options
        expected = step.expects(subject, typed)
        if options["dry_run"]:
            follows, after = _dry_run(step, subject, typed, facts)
            _print_plan(command, [*expected, *follows], after, as_json=options["json"])
            return None
        _confirm(step, subject, expected, options, command=command)
        changed = step.does(subject, typed, at_the_terminal())
        if options["json"]:
            command.stdout.write(json.dumps({"did": step.name, **facts(changed)}))
        else:
            command.stdout.write(step.done(changed))
        return changed


def _dry_run(
    step: Step, subject: Any, typed: Options, facts: Callable[[Any], Mapping[str, Any]]
) -> tuple[Sequence[str], Mapping[str, Any]]:
    """What would follow, and the subject's facts then: none of what is yet to be created."""
    with suppress(_RolledBack), transaction.atomic():
        changed = step.does(subject, typed, at_the_terminal())
        then = {"then": facts(changed)} if isinstance(changed, type(subject)) else {}
        result = step.then(changed), then
        raise _RolledBack
    return result


def _print_plan(command: BaseCommand, would: Sequence[str], after: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        command.stdout.write(json.dumps({"would": list(would), **after}))
        return
    command.stdout.write("Nothing is done. This would happen:")
    for sentence in would:
        command.stdout.write(f"- {sentence}")


def _confirm(step: Step, subject: Any, expected: Sequence[str], options: Options, *, command: BaseCommand) -> None:
    if step.confirm is None or options["yes"] or not sys.stdin.isatty():
        return
    word = step.confirm(subject)
    for sentence in expected:
        command.stderr.write(f"- {sentence}", style_func=str)
    command.stderr.write(f"{confirm_field(step.name, word).label}: ", style_func=str, ending="")
    command.stderr.flush()
    check_confirmed(sys.stdin.readline().strip(), word)


def _text_from(argument: str) -> str:
    """The argument; for `@FILE` what the file holds, for `-` standard input. Raises CommandError, OSError."""
    try:
        if argument == "-":
            return sys.stdin.read()
        return Path(argument[1:]).read_text("utf-8") if argument.startswith("@") else argument
    except UnicodeDecodeError as error:
        raise CommandError(f"{argument.removeprefix('@')} is not text in UTF-8.") from error
