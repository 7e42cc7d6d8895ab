"""`manage.py demo`: runs everything on this machine, without an AWS account."""

from __future__ import annotations

from typing import Any

from django.core.management import BaseCommand, CommandError

from portal.demo.processes import CannotRun
from portal.demo.running import run


class Command(BaseCommand):
    help = (
        "Starts the emulator, deploys infra/template.yaml into it, creates the demo's people and rows and serves the "
        "portal. Uses the ports PORT (8000) and EMULATOR_PORT (4566). Ctrl-C ends everything."
    )
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            run(tell=self.tell)
        except CannotRun as error:
            raise CommandError(str(error)) from error

    def tell(self, line: str) -> None:
        self.stdout.write(line)
        # In a pipe or a file, too, each step must appear as it happens.
        self.stdout.flush()
