"""A fixture for tests of your own. A conftest.py with `pytest_plugins = ["emulator.client.pytest_fixture"]` has it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest

from emulator.client.deploy import deploy
from emulator.client.process import Emulator, start


@dataclass(frozen=True, slots=True)
class LocalAws:
    """A running emulator for one test session, in one region."""

    emulator: Emulator
    region: str = "eu-west-1"

    def deploy(self, template: Path | str, *, stack_name: str = "stack", **parameters: str) -> dict[str, str]:
        """Makes or updates a stack from a file or a text, and returns its outputs."""
        where, root = self.emulator.endpoint_url, self.emulator.root
        return deploy(where, root, template=template, stack_name=stack_name, parameters=parameters, region=self.region)

    def client(self, service: str, credentials: dict[str, Any] | None = None) -> Any:
        """A boto3 client of root or, with the `Credentials` of an answer of STS, of that session."""
        root = self.emulator.root
        given = credentials or {"AccessKeyId": root.access_key_id, "SecretAccessKey": root.secret_access_key}
        return boto3.client(
            service,  # type: ignore[call-overload]
            endpoint_url=self.emulator.endpoint_url,
            region_name=self.region,
            aws_access_key_id=given["AccessKeyId"],
            aws_secret_access_key=given.get("SecretAccessKey") or given["SecretKey"],
            aws_session_token=given.get("SessionToken"),
        )


@pytest.fixture(scope="session")
def local_aws() -> Iterator[LocalAws]:
    with start() as emulator:
        yield LocalAws(emulator)
