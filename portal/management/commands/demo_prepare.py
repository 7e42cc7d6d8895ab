"""What the demo needs once there are settings: tables, static files, the cast. `demo` calls it."""

import json
import sys
from typing import Any

from django.core.management import BaseCommand, call_command

from portal.demo.members import put_members_in_place


class Command(BaseCommand):
    help = (
        "Migrates, collects static files and puts the demo's people in place. Reads {e-mail: sub} as JSON from stdin."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        call_command("migrate", interactive=False, verbosity=0)
        call_command("collectstatic", interactive=False, verbosity=0)
        put_members_in_place(json.load(sys.stdin))
