"""One question for each deviation in the table of docs/local-aws.md. Each shows what happens here."""

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.emulator.world import Stack, client

Probe = Callable[[Stack], None]

PROBES: dict[str, Probe] = {}


def deviation(name: str) -> Callable[[Probe], Probe]:
    def register(probe: Probe) -> Probe:
        assert name not in PROBES
        PROBES[name] = probe
        return probe

    return register


@dataclass(frozen=True, slots=True)
class Key:
    access_key_id: str
    secret_access_key: str
    session_token: str | None = None


def user_with(stack: Stack, *statements: dict[str, Any]) -> Key:
    """A new IAM user with these statements."""
    iam, name = stack.root("iam"), f"u{secrets.token_hex(4)}"
    iam.create_user(UserName=name)
    document = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
    iam.put_user_policy(UserName=name, PolicyName="only", PolicyDocument=document)
    made = iam.create_access_key(UserName=name)["AccessKey"]
    return Key(made["AccessKeyId"], made["SecretAccessKey"])


def as_user(stack: Stack, service: str, *statements: dict[str, Any]) -> Any:
    return client(stack.emulator, service, user_with(stack, *statements))


def allow(*actions: str, resource: str = "*", **condition: Any) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": resource}
    return {**statement, "Condition": condition} if condition else statement
