"""`manage.py stack_env`: prints the settings that come from a deployed stack."""

import json
import os
import shlex
from typing import Any

from django.core.management import BaseCommand, CommandError, CommandParser

from tenants.aws.clients import people_client, stacks_client
from tenants.aws.stack import stack_settings
from tenants.domain.errors import DeniedByAws, Misconfigured, PortalError, Unavailable


class Command(BaseCommand):
    help = (
        "Prints the settings that come from a deployed stack as lines for .env. The client's secret is among them. "
        "Uses the AWS credentials, region and AWS_ENDPOINT_URL of the environment. Exit codes: 0 done, 1 failed."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--stack", default="portal", help="the stack's name (default: portal)")
        parser.add_argument("--json", action="store_true", help="print one JSON object instead of lines for .env")

    def handle(self, *args: Any, **options: Any) -> None:
        region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
        if not region:
            raise CommandError("Name a region: set AWS_REGION, for example AWS_REGION=eu-west-1.")
        where: dict[str, Any] = {"region": region, "endpoint_url": os.environ.get("AWS_ENDPOINT_URL") or None}
        try:
            settings = stack_settings(
                stacks_client(**where), people_client(**where), options["stack"], endpoint_url=where["endpoint_url"]
            )
        except PortalError as error:
            raise CommandError(_message(error, where["endpoint_url"])) from error
        if options["json"]:
            self.stdout.write(json.dumps(settings, indent=2))
        else:
            self.stdout.write("\n".join(f"{name}={shlex.quote(value)}" for name, value in settings.items()))


def _message(error: PortalError, endpoint_url: str | None) -> str:
    if isinstance(error, Misconfigured):
        return error.why
    if isinstance(error, Unavailable):
        return f"{endpoint_url or 'AWS'} does not answer ({error.why})."
    return error.answer if isinstance(error, DeniedByAws) else error.message
