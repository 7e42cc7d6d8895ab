"""An emulator with the product's stack and Acme's owner signed in, to measure its speed and size."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import _project  # noqa: F401 - before any module of the project
import urllib3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as Keys

from emulator.client.deploy import deploy
from emulator.client.process import RootKey, start
from emulator.client.seeding import REGION, clients, create_person
from emulator.client.sign_in import Credentials, credentials_for, sign_in
from portal.demo.world import TEMPLATE
from tenants.aws.identity_pool import provider_name

ACME = "11111111-1111-4111-8111-111111111111"
_REDIRECT = "http://localhost:8000/oidc/callback/"
_PASSWORD = "Correct-horse-7-battery"
_BATCH = 25


@dataclass(frozen=True, slots=True)
class Stack:
    """`seconds_to_ready` is from the start of the emulator's process `pid` to the deployed stack."""

    endpoint_url: str
    table: str
    owner: Credentials
    pid: int = 0
    seconds_to_ready: float = 0.0


@contextmanager
def stack_in_an_emulator() -> Iterator[Stack]:
    began = perf_counter()
    with start() as emulator:
        outputs = _deploy(emulator.endpoint_url, emulator.root)
        ready = perf_counter() - began
        owner = _owner(emulator.endpoint_url, emulator.root, outputs)
        yield Stack(emulator.endpoint_url, outputs["TableName"], owner, emulator.pid, ready)


def owner_of(endpoint_url: str, root: RootKey) -> Stack:
    """Deploys the stack into an emulator that is running already."""
    outputs = _deploy(endpoint_url, root)
    return Stack(endpoint_url, outputs["TableName"], _owner(endpoint_url, root, outputs))


def _deploy(endpoint_url: str, root: RootKey) -> dict[str, str]:
    return deploy(endpoint_url, root, template=TEMPLATE, parameters={"DeletionProtection": "false"})


def _owner(endpoint_url: str, root: RootKey, outputs: Mapping[str, str]) -> Credentials:
    pools = clients(endpoint_url, root)("cognito-idp")
    pool, client = outputs["UserPoolId"], outputs["LoginClientId"]
    email = "owner@acme.example"
    create_person(pools, pool, email=email, name="Owner", org=ACME, role="owner", password=_PASSWORD)
    described = pools.describe_user_pool_client(UserPoolId=pool, ClientId=client)["UserPoolClient"]
    tokens = sign_in(
        domain=endpoint_url,
        client_id=client,
        client_secret=described["ClientSecret"],
        redirect_uri=_REDIRECT,
        email=email,
        password=_PASSWORD,
    )
    return credentials_for(
        endpoint_url=endpoint_url,
        identity_pool_id=outputs["IdentityPoolId"],
        provider_name=provider_name(REGION, pool),
        id_token=tokens.id_token,
    )


def record(collection: str, number: int) -> dict[str, Any]:
    """About 300 bytes, like the demo's records."""
    return {
        "pk": {"S": f"{ACME}#{collection}"},
        "sk": {"S": f"{number:08d}"},
        "_version": {"N": "1"},
        "_updated_at": {"S": "2026-11-22T09:00:00Z"},
        "_updated_by": {"S": "0d7c6f5e-1b1e-4f43-9d0d-0a7b8a5f2c11"},
        "title": {"S": f"Order {number} of somebody"},
        "amount": {"N": str(number % 997)},
        "paid": {"BOOL": number % 2 == 0},
        "tags": {"SS": ["blue", f"batch-{number % 50}"]},
    }


def get_body(table: str, collection: str, number: int) -> bytes:
    key = {name: value for name, value in record(collection, number).items() if name in ("pk", "sk")}
    return json.dumps({"TableName": table, "Key": key}).encode()


def put_body(table: str, collection: str, number: int) -> bytes:
    """Puts a record if its version is as expected."""
    request = {
        "TableName": table,
        "Item": record(collection, number),
        "ConditionExpression": "attribute_exists(pk) AND #version = :version",
        "ExpressionAttributeNames": {"#version": "_version"},
        "ExpressionAttributeValues": {":version": {"N": "1"}},
    }
    return json.dumps(request).encode()


def batch_write_body(table: str, collection: str, *, first: int = 0, count: int = _BATCH) -> bytes:
    puts = [{"PutRequest": {"Item": record(collection, number)}} for number in range(first, first + count)]
    return json.dumps({"RequestItems": {table: puts}}).encode()


def query_body(table: str, collection: str, *, after: int | None = None) -> bytes:
    request: dict[str, Any] = {
        "TableName": table,
        "KeyConditionExpression": "pk = :pk",
        "ExpressionAttributeValues": {":pk": {"S": f"{ACME}#{collection}"}},
        "Limit": 25,
    }
    if after is not None:
        key = record(collection, after)
        request["ExclusiveStartKey"] = {"pk": key["pk"], "sk": key["sk"]}
    return json.dumps(request).encode()


def sign_headers(stack: Stack, operation: str, body: bytes) -> dict[str, str]:
    """The headers of the signed request. They are valid for 15 minutes."""
    headers = {"X-Amz-Target": f"DynamoDB_20120810.{operation}", "Content-Type": "application/x-amz-json-1.0"}
    request = AWSRequest("POST", f"{stack.endpoint_url}/", headers=headers, data=body)
    owner = stack.owner
    keys = Keys(owner.access_key_id, owner.secret_access_key, owner.session_token)
    SigV4Auth(keys, "dynamodb", REGION).add_auth(request)
    return dict(request.headers.items())


class Caller:
    """Keeps one connection open. Raises RuntimeError if the status is not 200."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._pool = urllib3.PoolManager(maxsize=1)

    def call(self, operation: str, body: bytes, headers: Mapping[str, str] | None = None) -> bytes:
        headers = headers or sign_headers(self._stack, operation, body)
        answer = self._pool.request("POST", f"{self._stack.endpoint_url}/", body=body, headers=headers)
        if answer.status != 200:
            raise RuntimeError(f"{operation} answered {answer.status}: {answer.data.decode()}")
        return bytes(answer.data)

    def load(self, collection: str, count: int, *, first: int = 0) -> None:
        for begin in range(first, first + count, _BATCH):
            size = min(_BATCH, first + count - begin)
            self.call("BatchWriteItem", batch_write_body(self._stack.table, collection, first=begin, count=size))
