"""No request for a table or its rows, however malformed, is answered with an error 500."""

import http.client
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as SigningKey

from emulator.client.process import Emulator
from emulator.server.operations import DYNAMODB_HANDLERS
from tests.emulator.shapes import WRONG, example, input_of, paths_of, with_value
from tests.emulator.world import REGION, client

OPERATIONS = sorted(DYNAMODB_HANDLERS)
# For what the engine did not foresee. It is logged, and says nothing to a client.
_UNFORESEEN = '"One or more parameter values were invalid."'
KEY = {"pk": {"S": "a"}, "sk": {"S": "b"}}
KNOWN: dict[str, Any] = {
    "TableName": "wrong-types",
    "ResourceArn": f"arn:aws:dynamodb:{REGION}:123456789012:table/wrong-types",
    "Key": KEY,
    "Item": KEY,
    "Keys": [KEY],
    "AttributeName": "pk",
    "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
    "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
    "KeyConditionExpression": "pk = :v",
    "ExpressionAttributeValues": {":v": {"S": "a"}},
    "Statement": "SELECT * FROM \"wrong-types\" WHERE pk = 'a'",
    "Put": {"TableName": "wrong-types", "Item": KEY},
    "Get": {"TableName": "wrong-types", "Key": KEY},
}


@pytest.fixture(scope="module")
def sender(emulator: Emulator) -> Iterator[Any]:
    tables, key = client(emulator, "dynamodb", emulator.root), emulator.root
    signing = SigningKey(key.access_key_id, key.secret_access_key)
    # For twelve thousand requests: `requests` takes longer over each than the server does.
    connection = http.client.HTTPConnection(urlsplit(emulator.endpoint_url).netloc, timeout=30)

    make(tables)

    def send(operation: str, body: Any) -> tuple[int, str]:
        if operation == "DeleteTable" and "wrong-types" not in tables.list_tables()["TableNames"]:
            make(tables)
        data = json.dumps(body).encode()
        headers = {"X-Amz-Target": f"DynamoDB_20120810.{operation}", "Content-Type": "application/x-amz-json-1.0"}
        request = AWSRequest("POST", f"{emulator.endpoint_url}/", data=data, headers=headers)
        SigV4Auth(signing, "dynamodb", REGION).add_auth(request)
        connection.request("POST", "/", data, dict(request.headers))
        answer = connection.getresponse()
        return answer.status, answer.read().decode()

    yield send
    connection.close()
    for name in tables.list_tables()["TableNames"]:
        if name.startswith(("wrong-types", "xxx")):
            if tables.describe_table(TableName=name)["Table"]["DeletionProtectionEnabled"]:
                tables.update_table(TableName=name, DeletionProtectionEnabled=False)
            tables.delete_table(TableName=name)


def make(tables: Any) -> None:
    names = ("pk", "sk", "x")
    tables.create_table(
        TableName="wrong-types",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in names],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by-x",
                "KeySchema": [{"AttributeName": "x", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
    )
    tables.put_item(TableName="wrong-types", Item=KEY)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_member_of_a_wrong_type_is_answered_in_words(sender: Any, operation: str) -> None:
    shape = input_of(operation)
    right = {**example(shape, KNOWN)}
    failures = []
    for path in paths_of(shape):
        for kind, value in WRONG.items():
            status, text = sender(operation, with_value(right, path, value))
            if status not in (200, 400) or _UNFORESEEN in text:
                failures.append((path, kind, status, text))
    assert failures == []


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_missing_or_unknown_member_is_no_server_error(sender: Any, operation: str) -> None:
    right = example(input_of(operation), KNOWN)
    for name in right:
        status, text = sender(operation, {other: value for other, value in right.items() if other != name})
        assert status in (200, 400), (name, text)
    assert sender(operation, {})[0] in (200, 400)
    assert sender(operation, {**right, "Unknown": {"x": 1}})[0] in (200, 400)
    for body in ([], "x", 1, None, [right]):
        assert sender(operation, body)[0] == 400
