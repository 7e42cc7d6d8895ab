"""`manage.py break_glass`: a link into the operators' portal for when Cognito cannot sign anybody in."""

from __future__ import annotations

import json
import sys
from typing import Any

from django.conf import settings
from django.core.management import BaseCommand, CommandError, CommandParser
from django.urls import reverse

from tenants.domain.actor import at_the_terminal
from tenants.management.errors import in_one_line
from tenants.sign_in.break_glass import ACCESS_LASTS, LINK_LASTS, NewLink, make_link


class Command(BaseCommand):
    help = (
        "Prints a link that opens the operators' pages, and no others, without Cognito: once, within ten minutes, for "
        "half an hour. The audit trail records when it is made, used or refused. The link is a secret until it is used."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--reason", help="why it is needed, for the audit trail; asked for if left out")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        with in_one_line():
            link = make_link(by=at_the_terminal(), why=options["reason"] or self.ask_reason())
        address = f"{settings.PORTAL_URL}{reverse('break_glass')}#{link.key}"
        if options["json"]:
            self.stdout.write(json.dumps({"link": address, "expires_at": link.expires_at.isoformat()}))
        else:
            self.stdout.write(_in_words(address, link))

    def ask_reason(self) -> str:
        if not sys.stdin.isatty():
            raise CommandError("Say why with --reason; it is kept in the audit trail.")
        self.stderr.write("Why is it needed? The answer is kept in the audit trail: ", ending="")
        self.stderr.flush()
        return sys.stdin.readline()


def _in_words(address: str, link: NewLink) -> str:
    minutes, lasts = (int(time.total_seconds() // 60) for time in (LINK_LASTS, ACCESS_LASTS))
    return (
        f"{address}\n\n"
        f"Opens the operators' pages for {lasts} minutes. It works once, until {link.expires_at:%H:%M:%S} UTC "
        f"({minutes} minutes from now).\n"
        "If the browser does not fill in the key, copy the text after the #."
    )
