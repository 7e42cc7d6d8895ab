"""`manage.py verify_audit`: whether the audit trail is whole, and if not, its first flaw."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.management import BaseCommand, CommandParser

from tenants.audit.chain import Point
from tenants.audit.reading import org_head, trail_head
from tenants.audit.verification import Verdict, verify, verify_file
from tenants.domain.org_id import is_org_id
from tenants.management.errors import in_one_line
from tenants.management.progress import progress_line

_PARTS = (
    "The export of one tenant has gaps like this: verify it with --org. An export of all entries of a time has none."
)


class Command(BaseCommand):
    help = (
        "Verifies the audit trail from its first entry to its last: whether one was changed, removed, added or moved. "
        "With --org only the entries of one organisation, which are a chain of their own. "
        "Prints the head. Keep it elsewhere: later it shows whether the whole trail was rewritten. Exit codes: 0 the "
        "trail is whole, 1 it could not be read, 3 it is broken."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--anchor", type=_point, metavar="SEQ:HASH", help="an earlier head, to be found in the trail"
        )
        parser.add_argument(
            "--org", type=_org, metavar="ORG_ID", help="only the chain of this organisation, without others’ entries"
        )
        parser.add_argument("--file", type=Path, metavar="FILE", help="an export instead of the database")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        with in_one_line():
            verdict = self.verdict(options["file"], options["org"], options["anchor"])
        if options["json"]:
            self.stdout.write(json.dumps(_as_json(verdict)))
        else:
            self.stdout.write(_in_words(verdict, file=options["file"], org=options["org"]))
        if verdict.flaw is not None:
            sys.exit(3)

    def verdict(self, file: Path | None, org: UUID | None, anchor: Point | None) -> Verdict:
        if file is not None:
            with progress_line(self.stderr, "entries") as show:
                return verify_file(file, org=org, anchor=anchor, progress=show)
        head = org_head(org) if org else trail_head()
        with progress_line(self.stderr, "entries", total=head.seq - head.kept_after) as show:
            return verify(org=org, anchor=anchor, progress=show)


def _org(text: str) -> UUID:
    if not is_org_id(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no org id")
    return UUID(text)


def _point(text: str) -> Point:
    try:
        return Point.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is {error}") from error


def _as_json(verdict: Verdict) -> dict[str, object]:
    flaw = verdict.flaw
    return {
        "whole": flaw is None,
        "entries": verdict.entries,
        "after": str(verdict.start),
        "head": str(verdict.head),
        "flaw": flaw and {"seq": flaw.seq, "kind": flaw.kind, "says": flaw.message},
    }


def _in_words(verdict: Verdict, *, file: Path | None, org: UUID | None) -> str:
    flaw, start = verdict.flaw, verdict.start
    count = "1 entry" if verdict.entries == 1 else f"{verdict.entries:,} entries"
    begins = [f"It begins after {start}; earlier entries were moved to files."] if start.seq and file is None else []
    if flaw is None:
        lines = [f"Whole: {count}.", *begins, "Head. Keep it elsewhere, and check it later with --anchor:"]
    else:
        hint = [_PARTS] if file is not None and org is None and flaw.kind == "missing" else []
        lines = [f"BROKEN at entry {flaw.seq}: {flaw.message}", *hint, *begins, f"Whole before it: {count}, up to"]
    return "\n".join([*lines, str(verdict.head)])
