"""Prepares the database and static files of the demo. `demo` calls it once there are settings."""

import json
import sys
from typing import Any

from django.core.management import BaseCommand, call_command

from portal.demo.members import ensure_members


class Command(BaseCommand):
    help = (
        "Migrates, collects static files and adds the demo's people. Reads {e-mail: sub} as JSON from standard input."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        call_command("migrate", interactive=False, verbosity=0)
        call_command("collectstatic", interactive=False, clear=True, verbosity=0)
        ensure_members(json.load(sys.stdin))
