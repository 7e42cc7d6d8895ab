"""`manage.py emulator`: only the local AWS, with the stack deployed in it."""

from __future__ import annotations

from typing import Any

from django.core.management import BaseCommand, CommandError

from portal.demo.running import CannotRun, run_emulator


class Command(BaseCommand):
    help = (
        "Starts the emulator on EMULATOR_PORT (4566) with infra/template.yaml deployed and the demo's people and rows "
        "in it, writes var/demo.env for other commands and fills the database they name. Ctrl-C ends it."
    )
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            run_emulator(tell=lambda line: self.stdout.write(line))
        except CannotRun as error:
            raise CommandError(str(error)) from error
