"""`manage.py export_audit`: the audit trail as JSON Lines."""

from __future__ import annotations

import argparse
import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.core.management import BaseCommand, CommandError, CommandParser

from tenants.audit.reading import EntryFilter, export_lines, export_to_file, trail_head
from tenants.domain.actor import at_the_terminal
from tenants.management.errors import in_one_line
from tenants.management.lookup import tenant_called
from tenants.management.progress import progress_line

_STDOUT = Path("-")


class Command(BaseCommand):
    help = (
        "Writes the audit trail as JSON Lines, an entry a line, oldest first. Without --tenant the file can be "
        "verified with verify_audit --file. The trail records the export. Exit codes: 0 done, 1 not done."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--tenant", metavar="SLUG|ORG_ID", help="only the entries of this one")
        parser.add_argument("--since", type=_moment, metavar="DATE[TIME]", help="the first moment, in UTC")
        parser.add_argument("--until", type=_moment, metavar="DATE[TIME]", help="the moment to stop before, in UTC")
        parser.add_argument("-o", "--output", type=Path, metavar="FILE", default=_STDOUT, help="- is standard output")
        parser.add_argument("--json", action="store_true", help="print the number of entries as one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        output: Path = options["output"]
        if options["json"] and output == _STDOUT:
            raise CommandError("--json says how many entries went into a file; name one with -o.")
        org = tenant_called(options["tenant"]).org_id if options["tenant"] else None
        entry_filter = EntryFilter(org, options["since"], options["until"])
        with in_one_line():
            if output == _STDOUT:
                _print(entry_filter)
            else:
                self.write(entry_filter, output, as_json=options["json"])

    def write(self, entry_filter: EntryFilter, output: Path, *, as_json: bool) -> None:
        total = 0 if entry_filter != EntryFilter() else trail_head().seq - trail_head().kept_after
        with progress_line(self.stderr, "entries", total=total) as show:
            entries = export_to_file(entry_filter, output, by=at_the_terminal(), progress=show)
        if as_json:
            self.stdout.write(json.dumps({"file": str(output), "entries": entries}))
        else:
            self.stdout.write(f"{entries:,} {'entry' if entries == 1 else 'entries'} in {output}.")


def _print(entry_filter: EntryFilter) -> None:
    try:
        for line in export_lines(entry_filter, by=at_the_terminal()):
            sys.stdout.buffer.write(line)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        # The reader closed the pipe early. Without this, Python would report it once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no date like 2026-03-31 or 2026-03-31T12:00") from error
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
