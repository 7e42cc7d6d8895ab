"""Subcommands that change something. A step is data: what it asks for, the use case that does it, how it is told.

`--dry-run` does the very same and takes all of it back, so that it is refused for what the step itself is refused for.
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

from tenants.domain.actor import Actor, at_the_terminal
from tenants.management.errors import in_one_line

Options = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Argument:
    """As `add_argument` takes it."""

    names: tuple[str, ...]
    options: Mapping[str, Any]


def argument(*names: str, **options: Any) -> Argument:
    return Argument(names, options)


@dataclass(frozen=True, slots=True)
class Step:
    """`does` gets what the step is done to, what was typed, and who typed it; it returns what came of it.

    `expects` says what would happen, a sentence each: it is asked before the step is taken, and `then` once it is.
    `confirm` is what has to be typed for it at a terminal, None where nothing is asked.
    """

    name: str
    help: str
    does: Callable[[Any, Options, Actor], Any]
    done: Callable[[Any], str]
    expects: Callable[[Any, Options], Sequence[str]] = lambda _thing, _options: ()
    then: Callable[[Any], Sequence[str]] = lambda _changed: ()
    arguments: tuple[Argument, ...] = ()
    needs_reason: bool = False
    confirm: Callable[[Any], str] | None = None


@dataclass(frozen=True, slots=True)
class Kind:
    """Things that steps are done to: how one is found by what was typed, and what `--json` says of it."""

    find: Callable[[Options], Any]
    facts: Callable[[Any], Mapping[str, Any]]


def whole_number(least: int, most: int) -> Callable[[str], int]:
    """A type for `add_argument`, which says what it takes."""

    def read(text: str) -> int:
        if not text.isascii() or not text.isdecimal() or not least <= int(text[:20]) <= most:
            raise ArgumentTypeError(f"is a number from {least} to {most:,}, not {text}")
        return int(text)

    return read


class _TakenBack(Exception):
    """Ends the transaction of a dry run."""


def add_step(steps: Any, step: Step) -> None:
    """`steps` is what `add_subparsers` gave."""
    parser = steps.add_parser(step.name, help=step.help, description=f"{step.help[:1].upper()}{step.help[1:]}.")
    for one in step.arguments:
        parser.add_argument(*one.names, **one.options)
    why = "why, for the audit trail" + ("" if step.needs_reason else "; may be left out")
    parser.add_argument("--reason", metavar="TEXT", default="", required=step.needs_reason, help=why)
    parser.add_argument("--dry-run", action="store_true", help="say what would happen, and do nothing")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    if step.confirm:
        parser.add_argument("--yes", action="store_true", help="do not ask, at a terminal")


def take(step: Step, kind: Kind, options: Options, *, command: BaseCommand) -> Any:
    """What came of it; None for a dry run. Raises CommandError."""
    with in_one_line():
        thing = kind.find(options)
        expected = step.expects(thing, options)
        if options["dry_run"]:
            follows, facts = _tried(step, kind, thing, options)
            # What is not there yet has nothing that is sure but the plan.
            then = {"then": facts} if thing is not None else {}
            _tell_plan(command, [*expected, *follows], then, as_json=options["json"])
            return None
        _confirm(step, thing, expected, options, command=command)
        changed = step.does(thing, options, at_the_terminal())
        if options["json"]:
            command.stdout.write(json.dumps({"did": step.name, **kind.facts(changed)}))
        else:
            command.stdout.write(step.done(changed))
        return changed


def _tried(step: Step, kind: Kind, thing: Any, options: Options) -> tuple[Sequence[str], Mapping[str, Any]]:
    """What would follow, and what would be the facts then."""
    with suppress(_TakenBack), transaction.atomic():
        changed = step.does(thing, options, at_the_terminal())
        found = step.then(changed), kind.facts(changed)
        raise _TakenBack
    return found


def _tell_plan(command: BaseCommand, would: Sequence[str], then: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        command.stdout.write(json.dumps({"would": list(would), **then}))
        return
    command.stdout.write("Nothing is done. This would happen:")
    for sentence in would:
        command.stdout.write(f"- {sentence}")


def _confirm(step: Step, thing: Any, expected: Sequence[str], options: Options, *, command: BaseCommand) -> None:
    if step.confirm is None or options["yes"] or not sys.stdin.isatty():
        return
    word = step.confirm(thing)
    for sentence in expected:
        command.stderr.write(f"- {sentence}", style_func=str)
    command.stderr.write(f"Type {word} to {step.name} it: ", style_func=str, ending="")
    command.stderr.flush()
    if sys.stdin.readline().strip() != word:
        raise CommandError("That was something else. Nothing was changed.")


def text_from(argument: str) -> str:
    """What was typed; for `@FILE` what the file holds, for `-` what comes in. Raises CommandError, OSError."""
    try:
        if argument == "-":
            return sys.stdin.read()
        return Path(argument[1:]).read_text("utf-8") if argument.startswith("@") else argument
    except UnicodeDecodeError as error:
        raise CommandError(f"{argument.removeprefix('@')} is not text in UTF-8.") from error
