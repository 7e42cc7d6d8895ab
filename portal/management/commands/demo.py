"""`manage.py demo`: everything on this machine, no AWS account. Ends all of it with Ctrl-C."""

from __future__ import annotations

from typing import Any

from django.core.management import BaseCommand, CommandError

from portal.demo.processes import CannotRun
from portal.demo.running import run


class Command(BaseCommand):
    help = (
        "Starts the emulator, deploys infra/template.yaml into it, fills in the demo and serves the portal. "
        "PORT and EMULATOR_PORT say where (8000 and 4566). Ctrl-C ends all of it."
    )
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            run(tell=self.tell)
        except CannotRun as error:
            raise CommandError(str(error)) from error

    def tell(self, line: str) -> None:
        self.stdout.write(line)
        # Into a pipe or a file, too, each step is there as it happens.
        self.stdout.flush()
