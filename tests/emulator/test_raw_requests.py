"""Requests as they come over the wire: compressed, too large, unsigned, and without any operation."""

import gzip
import json
import zlib

import pytest
import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as SigningKey

from emulator.client.process import Emulator
from tests.emulator.world import REGION, Stack

LIST_TABLES = b'{"Limit": 1}'


def send(emulator: Emulator, body: bytes, operation: str = "ListTables", **headers: str) -> requests.Response:
    """A call of DynamoDB that root has signed."""
    every = {"X-Amz-Target": f"DynamoDB_20120810.{operation}", "Content-Type": "application/x-amz-json-1.0"}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = AWSRequest("POST", f"{emulator.endpoint_url}/", data=body, headers={**every, **named})
    key = SigningKey(emulator.root.access_key_id, emulator.root.secret_access_key)
    SigV4Auth(key, "dynamodb", REGION).add_auth(request)
    return requests.post(request.url, data=body, headers=dict(request.headers), timeout=30)


@pytest.mark.parametrize(("encoding", "compress"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_a_compressed_body_is_read(emulator: Emulator, encoding: str, compress: object) -> None:
    assert callable(compress)
    answer = send(emulator, compress(LIST_TABLES), content_encoding=encoding)
    assert answer.status_code == 200
    assert "TableNames" in answer.json()


@pytest.mark.parametrize(
    ("encoding", "body"),
    [("gzip", LIST_TABLES), ("br", LIST_TABLES), ("gzip", gzip.compress(LIST_TABLES, mtime=0)[:-4]),
     ("gzip", gzip.compress(LIST_TABLES, mtime=0) + b"x"), ("gzip, gzip", gzip.compress(LIST_TABLES, mtime=0))],
)  # fmt: skip
def test_a_body_that_cannot_be_decompressed_is_refused(emulator: Emulator, encoding: str, body: bytes) -> None:
    answer = send(emulator, body, content_encoding=encoding)
    assert (answer.status_code, answer.json()["__type"]) == (400, "SerializationException")


def test_a_body_that_grows_above_the_limit_is_refused(emulator: Emulator) -> None:
    assert send(emulator, gzip.compress(b" " * (17 * 1024 * 1024)), content_encoding="gzip").status_code == 413


def test_a_body_above_16_megabytes_is_refused_with_413(emulator: Emulator) -> None:
    assert send(emulator, b" " * (16 * 1024 * 1024 + 1)).status_code == 413
    assert send(emulator, LIST_TABLES).status_code == 200


def test_a_body_of_16_megabytes_is_read(emulator: Emulator) -> None:
    assert send(emulator, LIST_TABLES.ljust(16 * 1024 * 1024)).status_code == 200


def test_the_address_without_an_operation_says_that_it_is_healthy(emulator: Emulator) -> None:
    answer = requests.get(f"{emulator.endpoint_url}/", timeout=10)
    assert answer.status_code == 200
    assert answer.text.strip() == f"healthy: {emulator.endpoint_url.removeprefix('http://')}"


def test_an_unsigned_request_is_refused_before_its_body_is_read(emulator: Emulator) -> None:
    headers = {"X-Amz-Target": "DynamoDB_20120810.ListTables", "Content-Type": "application/x-amz-json-1.0"}
    answer = requests.post(f"{emulator.endpoint_url}/", data=b"{nonsense", headers=headers, timeout=10)
    assert answer.status_code == 400
    assert answer.json()["__type"].endswith("#MissingAuthenticationTokenException")


def test_a_call_that_needs_no_signature_still_reports_a_bad_body(emulator: Emulator) -> None:
    target = "AWSCognitoIdentityProviderService.SignUp"
    headers = {"X-Amz-Target": target, "Content-Type": "application/x-amz-json-1.1"}
    answer = requests.post(f"{emulator.endpoint_url}/", data=b"{nonsense", headers=headers, timeout=10)
    assert (answer.status_code, answer.json()["__type"]) == (400, "SerializationException")


def test_the_endpoint_that_is_described_is_this_one(stack: Stack) -> None:
    endpoint = stack.root("dynamodb").describe_endpoints()["Endpoints"][0]
    assert f"http://{endpoint['Address']}" == stack.emulator.endpoint_url


@pytest.mark.parametrize("operation", ["Nonsense", "scan", "ListStreams"])
def test_an_unknown_operation_is_refused_as_unknown(stack: Stack, operation: str) -> None:
    answer = send(stack.emulator, json.dumps({"TableName": stack.table}).encode(), operation)
    assert answer.status_code == 400
    assert answer.json()["__type"].endswith("#UnknownOperationException")
