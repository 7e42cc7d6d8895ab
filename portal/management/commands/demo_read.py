"""`manage.py demo_read`: keeps reading with the credentials of one sign-in, to see when AWS refuses them."""

from __future__ import annotations

import getpass
import json
import signal
import sys
import threading
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.core.management import BaseCommand, CommandError, CommandParser

from emulator.client.sign_in import SignInFailed
from portal.demo.cast import CAST
from portal.demo.reading import changes_while_reading, credentials_of, partition_of
from tenants.domain.errors import PortalError


class Command(BaseCommand):
    help = (
        "Signs in as one of the demo's people and reads a row twenty times a second with the credentials of that "
        "sign-in, until Ctrl-C. Says when AWS begins to refuse them, and when it accepts them again."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email", choices=[member.email for member in CAST])

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.AWS_ENDPOINT_URL:
            raise CommandError("This needs the settings of the demo: set -a; . var/demo.env; set +a")
        member = next(member for member in CAST if member.email == options["email"])
        try:
            credentials = credentials_of(member, self.password())
            self.tell(f"{member.email} reads {partition_of(member)} with the credentials of one sign-in.")
            # An interrupt would be lost where Python drops exceptions, such as while an object is deleted.
            stop = threading.Event()
            signal.signal(signal.SIGINT, lambda *_: stop.set())
            for answer in changes_while_reading(member, credentials, every_seconds=0.05, stop=stop):
                self.tell("AWS accepts them." if answer.allowed else f"AWS refuses them: {_reason(answer.body)}")
        except SignInFailed as error:
            raise CommandError(f"{member.email} could not sign in. {error}") from error
        except PortalError as error:
            raise CommandError(error.message) from error
        except KeyboardInterrupt:
            return

    def password(self) -> str:
        return getpass.getpass("Password: ") if sys.stdin.isatty() else sys.stdin.readline().strip()

    def tell(self, line: str) -> None:
        self.stdout.write(f"{datetime.now(UTC):%H:%M:%S.%f}"[:-4] + f"  {line}")
        self.stdout.flush()


def _reason(body: str) -> str:
    answer = json.loads(body)
    return str(answer.get("message") or answer.get("Message") or body)
