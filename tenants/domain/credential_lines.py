"""Temporary credentials as other programs read them: lines for a shell, a profile, and JSON for `credential_process`.

https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html
"""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass, field
from datetime import UTC, datetime

from tenants.domain.credentials import Credentials

PROFILE = "tenant-portal"
# Where the page suggests to keep the JSON.
PROCESS_FILE = "~/.aws/tenant-portal.json"


@dataclass(frozen=True, slots=True)
class CredentialLines:
    """The same credentials in each form. A repr leaves them out, as that of `Credentials` does."""

    shell: str = field(repr=False)
    powershell: str = field(repr=False)
    profile: str = field(repr=False)
    process_json: str = field(repr=False)


def lines_of(credentials: Credentials, *, region: str, endpoint_url: str) -> CredentialLines:
    """`endpoint_url` is "" on AWS."""
    variables = {
        "AWS_ACCESS_KEY_ID": credentials.access_key_id,
        "AWS_SECRET_ACCESS_KEY": credentials.secret_access_key,
        "AWS_SESSION_TOKEN": credentials.session_token,
        "AWS_DEFAULT_REGION": region,
        "AWS_REGION": region,
        **({"AWS_ENDPOINT_URL": endpoint_url} if endpoint_url else {}),
    }
    return CredentialLines(
        shell="\n".join(f"export {name}={shlex.quote(value)}" for name, value in variables.items()),
        powershell="\n".join(f"$Env:{name} = {_quoted(value)}" for name, value in variables.items()),
        profile="\n".join(
            [
                f"[{PROFILE}]",
                f"aws_access_key_id = {credentials.access_key_id}",
                f"aws_secret_access_key = {credentials.secret_access_key}",
                f"aws_session_token = {credentials.session_token}",
                *_settings(region, endpoint_url),
            ]
        ),
        process_json=json.dumps(
            {
                "Version": 1,
                "AccessKeyId": credentials.access_key_id,
                "SecretAccessKey": credentials.secret_access_key,
                "SessionToken": credentials.session_token,
                "Expiration": datetime.fromtimestamp(credentials.expires_at, tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            },
            indent=2,
        ),
    )


def process_profile(*, region: str, endpoint_url: str) -> str:
    """Lines for ~/.aws/config. They hold no secret. AWS's programs start no shell, so `~` would stay what it is."""
    command = f'credential_process = sh -c "cat {PROCESS_FILE}"'
    return "\n".join([f"[profile {PROFILE}]", command, *_settings(region, endpoint_url)])


def _settings(region: str, endpoint_url: str) -> list[str]:
    return [f"region = {region}", *([f"endpoint_url = {endpoint_url}"] if endpoint_url else [])]


def _quoted(text: str) -> str:
    """PowerShell reads nothing within single quotes but a doubled one."""
    doubled = text.replace("'", "''")
    return f"'{doubled}'"
