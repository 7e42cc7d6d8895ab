"""`manage.py after_deploy`: whether a deployment of the stack left the tags and the suspension list as they must be."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import Any

from django.core.management import BaseCommand, CommandParser

from tenants.drift.deployment import findings
from tenants.management.errors import in_one_line
from tenants.provisioning import wiring


class Command(BaseCommand):
    help = (
        "Compares the identity pool's map of principal tags with the template, and the policy SuspendedTenants with "
        "the database. Changes nothing. Run it after each deployment of the stack, with the worker's credentials. "
        "Exit codes: 0 both are right, 1 could not be checked, 3 something differs."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        with in_one_line():
            found = findings(wiring.principal_tags(), wiring.tools(threads=1).policy)
        if options["json"]:
            self.stdout.write(json.dumps({"ok": not found, "findings": [asdict(finding) for finding in found]}))
        else:
            for finding in found:
                self.stdout.write(f"{finding.subject}: {finding.problem}\n  {finding.remedy}")
            if not found:
                self.stdout.write("The principal tags and the suspension list are as they must be.")
        if found:
            sys.exit(3)
