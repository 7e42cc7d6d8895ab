"""`manage.py shorten_audit`: moves old entries of the audit trail from the database into a file."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from tenants.audit.retention import Prefix, entries_older_than, export_path, shorten
from tenants.domain.actor import at_the_terminal
from tenants.management.errors import in_one_line
from tenants.management.progress import progress_line


class Command(BaseCommand):
    help = (
        "Exports the entries of the audit trail that are older than AUDIT_KEEP_DAYS into a file, reads the file back, "
        "and deletes them. The trail stays whole from there on. If the command was killed, run it again with the same "
        "directory. Exit codes: 0 done or nothing to do, 1 nothing was deleted."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--to", type=Path, required=True, metavar="DIR", help="where the exported files are kept")
        parser.add_argument("--dry-run", action="store_true", help="say what would be moved, and do nothing")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        directory: Path = options["to"]
        if not directory.is_dir():
            raise CommandError(f"{directory} is no directory. Make it first, where it is backed up.")
        with in_one_line():
            prefix = entries_older_than(timezone.now() - timedelta(days=settings.AUDIT_KEEP_DAYS))
            export = export_path(prefix, directory)
            removed = 0 if options["dry_run"] else self.shorten(prefix, export)
        self.say(prefix, export, removed, options)

    def shorten(self, prefix: Prefix, export: Path) -> int:
        with progress_line(self.stderr, "entries", total=len(prefix)) as show:
            return shorten(prefix, export, by=at_the_terminal(), progress=show)

    def say(self, prefix: Prefix, export: Path, removed: int, options: dict[str, Any]) -> None:
        if options["json"]:
            file = str(export) if len(prefix) else None
            found = {"file": file, "after": str(prefix.start), "through": str(prefix.through), "entries": len(prefix)}
            self.stdout.write(json.dumps({**found, "deleted": removed, "dry_run": options["dry_run"]}))
        elif options["dry_run"] and len(prefix):
            self.stdout.write(f"Would move {_entries(len(prefix))} into {export}.")
        elif len(prefix):
            self.stdout.write(f"{_entries(removed)} deleted; they are in {export}.")
        elif removed:
            self.stdout.write(f"{_entries(removed)} deleted that an earlier run had exported.")
        else:
            self.stdout.write(f"No entry is older than {settings.AUDIT_KEEP_DAYS} days. Nothing to do.")


def _entries(count: int) -> str:
    return "1 entry" if count == 1 else f"{count:,} entries"
