"""DynamoDB's condition keys, tested with one policy of one user on a table with an index."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as SigningKey

from emulator.client.process import Emulator
from tests.emulator.test_principals import Key
from tests.emulator.world import REGION, client, refusal

TABLE = "things"
ARN = f"arn:aws:dynamodb:eu-west-1:123456789012:table/{TABLE}"
INDEX = f"{ARN}/index/by-owner"
OWN, FOREIGN = {"S": "a#1"}, {"S": "b#1"}


@dataclass
class Bench:
    """The table, and a user whose only policy is set by the test."""

    emulator: Emulator
    key: Key

    def allow(self, *actions: str, resource: str = ARN, **condition: Any) -> Any:
        statement = {"Effect": "Allow", "Action": [f"dynamodb:{name}" for name in actions], "Resource": resource}
        if condition:
            statement["Condition"] = {name.replace("_", ":"): value for name, value in condition.items()}
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        iam = client(self.emulator, "iam", self.emulator.root)
        iam.put_user_policy(UserName="bench", PolicyName="only", PolicyDocument=document)
        return client(self.emulator, "dynamodb", self.key)


@pytest.fixture(scope="module")
def bench(emulator: Emulator) -> Bench:
    root = client(emulator, "dynamodb", emulator.root)
    root.create_table(
        TableName=TABLE,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk", "owner")],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by-owner",
                "KeySchema": [{"AttributeName": "owner", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
    )
    for pk, owner in ((OWN, "a#x"), (FOREIGN, "b#x"), (FOREIGN, "a#x")):
        root.put_item(TableName=TABLE, Item={"pk": pk, "sk": {"S": owner}, "owner": {"S": owner}, "n": {"N": "1"}})
    iam = client(emulator, "iam", emulator.root)
    iam.create_user(UserName="bench")
    made = iam.create_access_key(UserName="bench")["AccessKey"]
    return Bench(emulator, Key(made["AccessKeyId"], made["SecretAccessKey"]))


def query(db: Any, pk: dict[str, str] = OWN, **more: Any) -> Any:
    values = {":pk": pk}
    return db.query(
        **{"TableName": TABLE, "KeyConditionExpression": "pk = :pk", "ExpressionAttributeValues": values, **more}
    )


def denial(call: Callable[[], Any]) -> str:
    error = refusal(call)
    assert error["code"] == "AccessDeniedException"
    return str(error["message"])


def test_an_index_query_is_checked_by_the_index_key_and_arn(bench: Bench) -> None:
    leading = {"dynamodb:LeadingKeys": ["a#*"]}
    db = bench.allow("Query", resource=INDEX, ForAllValues_StringLike=leading)
    by_owner = {
        "IndexName": "by-owner",
        "KeyConditionExpression": "#o = :pk",
        "ExpressionAttributeNames": {"#o": "owner"},
    }
    found = query(db, {"S": "a#x"}, **by_owner)["Items"]
    assert {item["pk"]["S"] for item in found} == {"a#1", "b#1"}
    assert f"resource: {INDEX} " in denial(lambda: query(db, {"S": "b#x"}, **by_owner))
    assert f"resource: {ARN} " in denial(lambda: query(db))


def test_permission_on_a_table_does_not_cover_its_indexes(bench: Bench) -> None:
    db = bench.allow("Query", "Scan")
    assert query(db)["Count"] == 1
    assert "index/by-owner" in denial(lambda: db.scan(TableName=TABLE, IndexName="by-owner"))


def test_each_operation_needs_its_own_action(bench: Bench) -> None:
    key = {"pk": OWN, "sk": {"S": "a#x"}}
    db = bench.allow("GetItem")
    assert db.get_item(TableName=TABLE, Key=key)["Item"]
    assert db.transact_get_items(TransactItems=[{"Get": {"TableName": TABLE, "Key": key}}])["Responses"]
    assert "dynamodb:BatchGetItem" in denial(lambda: db.batch_get_item(RequestItems={TABLE: {"Keys": [key]}}))
    check = {"TableName": TABLE, "Key": key, "ConditionExpression": "attribute_exists(pk)"}
    transaction = [{"ConditionCheck": check}]
    assert "dynamodb:ConditionCheckItem" in denial(lambda: db.transact_write_items(TransactItems=transaction))
    db = bench.allow("TransactWriteItems", "TransactGetItems", "BatchGetItem")
    assert "dynamodb:GetItem" in denial(
        lambda: db.transact_get_items(TransactItems=[{"Get": {"TableName": TABLE, "Key": key}}])
    )
    assert db.batch_get_item(RequestItems={TABLE: {"Keys": [key]}})["Responses"][TABLE]


def test_every_attribute_in_a_request_is_a_condition_value(bench: Bench) -> None:
    attributes = {"dynamodb:Attributes": ["pk", "sk", "owner"]}
    select = {"dynamodb:Select": "SPECIFIC_ATTRIBUTES"}
    db = bench.allow("Query", ForAllValues_StringEquals=attributes, StringEquals=select)
    assert query(db, ProjectionExpression="sk, #o", ExpressionAttributeNames={"#o": "owner"})["Count"] == 1
    denial(lambda: query(db))
    denial(lambda: query(db, ProjectionExpression="sk, n"))
    denial(lambda: query(db, ProjectionExpression="sk, #x", ExpressionAttributeNames={"#x": "n"}))
    denial(lambda: query(db, ProjectionExpression="sk", FilterExpression="attribute_exists(n)"))
    nested = {"#x": "n", "#y": "owner"}
    denial(lambda: query(db, ProjectionExpression="#x.#y", ExpressionAttributeNames=nested))


def test_counting_sets_the_select_condition_key(bench: Bench) -> None:
    db = bench.allow("Query", StringEquals={"dynamodb:Select": "COUNT"})
    assert query(db, Select="COUNT")["Count"] == 1
    denial(lambda: query(db))


def test_return_values_of_a_write_are_a_condition_key(bench: Bench) -> None:
    db = bench.allow("PutItem", StringEquals={"dynamodb:ReturnValues": "NONE"})
    item = {"pk": {"S": "a#2"}, "sk": {"S": "1"}}
    db.put_item(TableName=TABLE, Item=item)
    denial(lambda: db.put_item(TableName=TABLE, Item=item, ReturnValues="ALL_OLD"))


def test_a_transaction_sets_the_enclosing_operation(bench: Bench) -> None:
    db = bench.allow("PutItem", StringEquals={"dynamodb:EnclosingOperation": "TransactWriteItems"})
    item = {"pk": {"S": "a#3"}, "sk": {"S": "1"}}
    db.transact_write_items(TransactItems=[{"Put": {"TableName": TABLE, "Item": item}}])
    denial(lambda: db.put_item(TableName=TABLE, Item=item))


def test_partiql_sets_leading_keys_and_full_table_scan(bench: Bench) -> None:
    db = bench.allow("PartiQLSelect", Bool={"dynamodb:FullTableScan": "false"})
    for where in ("pk = 'a#1'", "pk IN ['a#1', 'b#1']", "sk = 'a#x' AND pk = 'a#1'"):
        assert db.execute_statement(Statement=f'SELECT * FROM "{TABLE}" WHERE {where}')["Items"]
    for where in ("sk = 'a#x'", "pk = 'a#1' OR sk = 'x'", "begins_with(pk, 'a')", "NOT pk = 'a#1'"):
        denial(lambda where=where: db.execute_statement(Statement=f'SELECT * FROM "{TABLE}" WHERE {where}'))
    denial(lambda: db.execute_statement(Statement=f'SELECT * FROM "{TABLE}"'))
    db = bench.allow("PartiQLSelect", ForAllValues_StringLike={"dynamodb:LeadingKeys": ["a#*"]})
    assert db.execute_statement(Statement=f'SELECT * FROM "{TABLE}"')["Items"]
    denial(lambda: db.execute_statement(Statement=f"SELECT * FROM \"{TABLE}\" WHERE pk IN ['a#1', 'b#1']"))
    denial(lambda: db.execute_statement(Statement=f"SELECT * FROM \"{TABLE}\" WHERE pk = 'b#1'"))


def test_partiql_writes_need_partiql_actions(bench: Bench) -> None:
    db = bench.allow("PartiQLInsert", ForAllValues_StringLike={"dynamodb:LeadingKeys": ["a#*"]})
    db.execute_statement(Statement=f"INSERT INTO \"{TABLE}\" VALUE {{'pk': 'a#9', 'sk': '1'}}")
    denial(lambda: db.execute_statement(Statement=f"INSERT INTO \"{TABLE}\" VALUE {{'pk': 'b#9', 'sk': '1'}}"))
    assert "PartiQLDelete" in denial(
        lambda: db.execute_statement(Statement=f"DELETE FROM \"{TABLE}\" WHERE pk = 'a#9' AND sk = '1'")
    )
    assert "PartiQLUpdate" in denial(
        lambda: db.execute_statement(Statement=f"UPDATE \"{TABLE}\" SET v = 1 WHERE pk = 'a#9' AND sk = '1'")
    )
    assert refusal(db.execute_statement, Statement="DROP everything")["code"] == "ValidationException"


def test_a_policy_that_cannot_be_evaluated_cannot_be_written(bench: Bench) -> None:
    iam = client(bench.emulator, "iam", bench.emulator.root)
    condition = {"Odd": {"a": "b"}}
    statement = {"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": condition}
    odd = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    error = refusal(iam.put_user_policy, UserName="bench", PolicyName="odd", PolicyDocument=odd)
    assert error["code"] == "MalformedPolicyDocument"


def test_a_statement_sets_the_attributes_condition_key(bench: Bench) -> None:
    db = bench.allow("PartiQLSelect", ForAllValues_StringEquals={"dynamodb:Attributes": ["pk", "sk"]})
    ask = db.execute_statement
    pinned = f"FROM \"{TABLE}\" WHERE pk = 'a#1'"
    assert ask(Statement=f"SELECT sk {pinned}")["Items"]
    denial(lambda: ask(Statement=f"SELECT sk, n {pinned}"))
    denial(lambda: ask(Statement=f"SELECT sk {pinned} AND n = 1"))
    denial(lambda: ask(Statement=f"SELECT sk {pinned} AND attribute_type(n, 'N')"))
    db = bench.allow("PartiQLUpdate", "PartiQLInsert", ForAllValues_StringEquals={"dynamodb:Attributes": ["pk", "sk"]})
    one = "WHERE pk = 'a#1' AND sk = 'a#x'"
    denial(lambda: db.execute_statement(Statement=f'UPDATE "{TABLE}" SET n = 2 {one}'))
    denial(lambda: db.execute_statement(Statement=f'UPDATE "{TABLE}" REMOVE n {one}'))
    denial(lambda: db.execute_statement(Statement=f"INSERT INTO \"{TABLE}\" VALUE {{'pk': 'a', 'sk': '1', 'n': 2}}"))


def test_a_statement_sets_select_and_return_values(bench: Bench) -> None:
    pinned = f"FROM \"{TABLE}\" WHERE pk = 'a#1' AND sk = 'a#x'"
    db = bench.allow("PartiQLSelect", StringEquals={"dynamodb:Select": "SPECIFIC_ATTRIBUTES"})
    assert db.execute_statement(Statement=f"SELECT sk {pinned}")["Items"]
    denial(lambda: db.execute_statement(Statement=f"SELECT * {pinned}"))
    db = bench.allow("PartiQLDelete", StringEquals={"dynamodb:ReturnValues": "NONE"})
    denial(lambda: db.execute_statement(Statement=f"DELETE {pinned} RETURNING ALL OLD *"))
    nothing = f"DELETE FROM \"{TABLE}\" WHERE pk = 'a#none' AND sk = 'x'"
    assert db.execute_statement(Statement=nothing)["Items"] == []


def test_an_unknown_member_does_not_affect_the_decision(bench: Bench) -> None:
    key = {"pk": OWN, "sk": {"S": "a#x"}}
    db = bench.allow("GetItem", "BatchGetItem", StringEquals={"dynamodb:Select": "SPECIFIC_ATTRIBUTES"})
    get = raw_sender(bench, "GetItem")
    assert get({"TableName": TABLE, "Key": key, "ProjectionExpression": "sk"}).status_code == 200
    assert "AccessDenied" in get({"TableName": TABLE, "Key": key, "Select": "SPECIFIC_ATTRIBUTES"}).text
    batch = {TABLE: {"Keys": [key], "Select": "SPECIFIC_ATTRIBUTES"}}
    assert "AccessDenied" in raw_sender(bench, "BatchGetItem")({"RequestItems": batch}).text
    assert db.batch_get_item(RequestItems={TABLE: {"Keys": [key], "ProjectionExpression": "sk"}})["Responses"]
    bench.allow("GetItem", StringEquals={"dynamodb:ReturnConsumedCapacity": "NONE"})
    member = {"TableName": TABLE, "Key": key, "ReturnConsumedCapacity": "NONE"}
    asked = {"TransactItems": [{"Get": member}]}
    assert "AccessDenied" in raw_sender(bench, "TransactGetItems")(asked).text


@pytest.mark.parametrize(
    "odd",
    [
        {"TableName": [TABLE]},
        {"Key": [{"pk": OWN}]},
        {"Key": {"pk": "a#1", "sk": {"S": "a#x"}}},
        {"Key": {"pk": {"S": 1}, "sk": {"S": "a#x"}}},
        {"Key": {"pk": None, "sk": {"S": "a#x"}}},
        {"ConsistentRead": "true"},
        {"ProjectionExpression": {"S": "sk"}},
        {"ExpressionAttributeNames": {"#a": "\ud800"}, "ProjectionExpression": "#a"},
    ],
    ids=str,
)
def test_a_value_of_the_wrong_type_is_refused(bench: Bench, odd: dict[str, Any]) -> None:
    bench.allow("GetItem")
    get = raw_sender(bench, "GetItem")
    answer = get({"TableName": TABLE, "Key": {"pk": OWN, "sk": {"S": "a#x"}}, **odd})
    assert (answer.status_code, answer.json()["__type"]) == (400, "com.amazon.coral.service#SerializationException")


def test_a_null_member_counts_as_absent(bench: Bench) -> None:
    bench.allow("GetItem", StringEquals={"dynamodb:Select": "ALL_ATTRIBUTES"})
    key = {"pk": {**OWN, "N": None}, "sk": {"S": "a#x"}}
    answer = raw_sender(bench, "GetItem")({"TableName": TABLE, "Key": key, "ProjectionExpression": None})
    assert answer.json()["Item"]["n"] == {"N": "1"}


def test_a_transaction_refuses_a_key_that_cannot_be_checked(bench: Bench) -> None:
    db = bench.allow("GetItem", "DeleteItem", ForAllValues_StringLike={"dynamodb:LeadingKeys": ["a#*"]})
    key = {"pk": FOREIGN, "sk": {"S": "a#x"}, "more": {"S": "x"}}
    target = {"TableName": TABLE, "Key": key}
    for call, kind in ((db.transact_get_items, "Get"), (db.transact_write_items, "Delete")):
        assert refusal(call, TransactItems=[{kind: target}])["code"] == "ValidationException"
    found = client(bench.emulator, "dynamodb", bench.emulator.root).get_item(
        TableName=TABLE, Key={"pk": FOREIGN, "sk": {"S": "a#x"}}
    )
    assert found["Item"]


def test_no_kind_of_update_changes_an_items_key(bench: Bench) -> None:
    db = bench.allow("UpdateItem", "PartiQLUpdate", ForAllValues_StringLike={"dynamodb:LeadingKeys": ["a#*"]})
    fresh = {"TableName": TABLE, "Key": {"pk": OWN, "sk": {"S": "fresh"}}}
    moved = {"ExpressionAttributeNames": {"#k": "pk"}, "ExpressionAttributeValues": {":v": FOREIGN}}
    set_key = {**fresh, "UpdateExpression": "SET v = if_not_exists(#k, :v), #k = :v", **moved}
    put_key = {**fresh, "AttributeUpdates": {"pk": {"Action": "PUT", "Value": FOREIGN}}}
    statement = f"UPDATE \"{TABLE}\" SET v = 1 SET pk = 'b#1' WHERE pk = 'a#1' AND sk = 'a#x'"
    for error in (
        refusal(db.update_item, **set_key),
        refusal(db.update_item, **put_key),
        refusal(db.transact_write_items, TransactItems=[{"Update": set_key}]),
        refusal(db.execute_statement, Statement=statement),
    ):
        assert error["code"] == "ValidationException"
        assert error["message"].endswith("Cannot update attribute pk. This attribute is part of the key")
    root = client(bench.emulator, "dynamodb", bench.emulator.root)
    assert query(root, FOREIGN)["Count"] == 2


def raw_sender(bench: Bench, operation: str) -> Callable[[dict[str, Any]], requests.Response]:
    """Sends requests that boto3 would not send."""

    def send(data: dict[str, Any]) -> requests.Response:
        headers = {"X-Amz-Target": f"DynamoDB_20120810.{operation}", "Content-Type": "application/x-amz-json-1.0"}
        body = json.dumps(data).encode()
        request = AWSRequest("POST", bench.emulator.endpoint_url + "/", data=body, headers=headers)
        SigV4Auth(SigningKey(bench.key.access_key_id, bench.key.secret_access_key), "dynamodb", REGION).add_auth(
            request
        )
        return requests.post(request.url, data=body, headers=dict(request.headers), timeout=10)

    return send


def test_a_search_of_vectors_and_a_bulk_write_are_named_and_denied(bench: Bench) -> None:
    bench.allow("Query")
    for operation, resource in (("SearchVectors", f"{ARN}/index/by-owner"), ("StartBulkPutItems", ARN)):
        answer = post(bench, operation, {"TableName": TABLE, "IndexName": "by-owner"})
        assert answer["__type"].endswith("#AccessDeniedException")
        assert f"perform: dynamodb:{operation} on resource: {resource} " in answer["Message"]


def test_an_allowed_search_of_vectors_is_not_served(bench: Bench) -> None:
    bench.allow("SearchVectors", resource=f"{ARN}/index/by-owner")
    answer = post(bench, "SearchVectors", {"TableName": TABLE, "IndexName": "by-owner"})
    assert answer["__type"].endswith("#UnknownOperationException")


def test_an_unknown_operation_is_unknown_to_everybody(bench: Bench) -> None:
    bench.allow("Query")
    assert post(bench, "scan", {"TableName": TABLE})["__type"].endswith("#UnknownOperationException")


def post(bench: Bench, operation: str, data: dict[str, Any]) -> dict[str, Any]:
    """The answer to an operation that boto3 may not know, or whose name is wrong."""
    headers = {"X-Amz-Target": f"DynamoDB_20120810.{operation}", "Content-Type": "application/x-amz-json-1.0"}
    request = AWSRequest("POST", f"{bench.emulator.endpoint_url}/", data=json.dumps(data), headers=headers)
    SigV4Auth(SigningKey(bench.key.access_key_id, bench.key.secret_access_key), "dynamodb", REGION).add_auth(request)
    answer: dict[str, Any] = requests.post(
        request.url, data=request.data, headers=dict(request.headers), timeout=10
    ).json()
    return answer


def test_the_leading_key_of_an_index_with_several_attributes_is_the_first(bench: Bench) -> None:
    root = client(bench.emulator, "dynamodb", bench.emulator.root)
    several = [{"AttributeName": name, "KeyType": "HASH"} for name in ("org", "team")]
    index = {"IndexName": "pairs", "KeySchema": several, "Projection": {"ProjectionType": "ALL"}}
    root.create_table(
        TableName="paired",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "org", "team")],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        GlobalSecondaryIndexes=[index],
    )
    root.put_item(TableName="paired", Item={name: {"S": f"a#{name}"} for name in ("pk", "org", "team")})
    arn = f"{ARN.rpartition('/')[0]}/paired/index/pairs"
    both = {":f": {"S": "a#org"}, ":s": {"S": "a#team"}}
    request = {"TableName": "paired", "IndexName": "pairs", "ExpressionAttributeValues": both}
    for condition in ("org = :f AND team = :s", "team = :s AND org = :f"):
        db = bench.allow("Query", resource=arn, ForAllValues_StringEquals={"dynamodb:LeadingKeys": ["a#org"]})
        assert db.query(**request, KeyConditionExpression=condition)["Count"] == 1
        db = bench.allow("Query", resource=arn, ForAnyValue_StringEquals={"dynamodb:LeadingKeys": ["a#team"]})
        assert "dynamodb:Query" in denial(lambda: db.query(**request, KeyConditionExpression=condition))  # noqa: B023
