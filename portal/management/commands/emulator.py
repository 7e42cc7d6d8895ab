"""`manage.py emulator`: runs the local AWS only, with the stack deployed in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management import BaseCommand, CommandError, CommandParser

from portal.demo.processes import CannotRun
from portal.demo.running import run_emulator


class Command(BaseCommand):
    help = (
        "Starts the emulator on EMULATOR_PORT (4566), with infra/template.yaml and the demo's people and rows in it. "
        "Writes var/demo.env for other commands and prepares the database. Ctrl-C ends it and deletes its data, "
        "unless --state names a directory to keep it in."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--state", type=Path, metavar="DIR", help="keep everything in this directory")
        parser.add_argument("--reset", action="store_true", help="delete the data in the directory and start afresh")

    def handle(self, *args: Any, **options: Any) -> None:
        state, reset = options["state"], options["reset"]
        if reset and state is None:
            raise CommandError("--reset needs --state.")
        try:
            run_emulator(tell=lambda line: self.stdout.write(line), state=state, reset=reset)
        except CannotRun as error:
            raise CommandError(str(error)) from error
