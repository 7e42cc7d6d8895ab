"""Acme's people and Globex's rows: every data operation of DynamoDB, decided by the template's policy."""

from collections.abc import Callable
from typing import Any

import pytest
import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as SigningKey

from tests.emulator.world import (
    ACME,
    ACME_EDITOR,
    ACME_OWNER,
    ACME_VIEWER,
    CAST,
    GLOBEX,
    GLOBEX_OWNER,
    OPERATOR,
    REGION,
    Stack,
    key,
    refusal,
    row,
)

Attack = Callable[[Any, str], dict[str, Any]]

_FOREIGN = {":pk": {"S": f"{GLOBEX}#orders"}}
_OWN = {":pk": {"S": f"{ACME}#orders"}}

READS: dict[str, Attack] = {
    "GetItem": lambda db, t: db.get_item(TableName=t, Key=key(GLOBEX)),
    "GetItem by the table's ARN": lambda db, t: db.get_item(
        TableName=f"arn:aws:dynamodb:{REGION}:123456789012:table/{t}", Key=key(GLOBEX)
    ),
    "Query": lambda db, t: db.query(TableName=t, KeyConditionExpression="pk = :pk", ExpressionAttributeValues=_FOREIGN),
    "Query with the value first": lambda db, t: db.query(
        TableName=t, KeyConditionExpression=":pk = pk", ExpressionAttributeValues=_FOREIGN
    ),
    "Query with a hidden key name": lambda db, t: db.query(
        TableName=t,
        KeyConditionExpression="#k = :pk",
        ExpressionAttributeNames={"#k": "pk"},
        ExpressionAttributeValues=_FOREIGN,
    ),
    "Query with two names for the key": lambda db, t: db.query(
        TableName=t,
        KeyConditionExpression="#a = :own AND #b = :pk",
        ExpressionAttributeNames={"#a": "sk", "#b": "pk"},
        ExpressionAttributeValues={**_FOREIGN, ":own": {"S": "0"}},
    ),
    "Query, counting only": lambda db, t: db.query(
        TableName=t, Select="COUNT", KeyConditionExpression="pk = :pk", ExpressionAttributeValues=_FOREIGN
    ),
    "Query in the legacy form": lambda db, t: db.query(
        TableName=t,
        KeyConditions={"pk": {"ComparisonOperator": "EQ", "AttributeValueList": [_FOREIGN[":pk"]]}},
    ),
    "Query that starts in a foreign partition": lambda db, t: db.query(
        TableName=t,
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues=_FOREIGN,
        ExclusiveStartKey=key(ACME),
    ),
    "BatchGetItem": lambda db, t: db.batch_get_item(RequestItems={t: {"Keys": [key(GLOBEX)]}}),
    "BatchGetItem with an own key too": lambda db, t: db.batch_get_item(
        RequestItems={t: {"Keys": [key(ACME), key(GLOBEX)]}}
    ),
    "TransactGetItems": lambda db, t: db.transact_get_items(
        TransactItems=[{"Get": {"TableName": t, "Key": key(ACME)}}, {"Get": {"TableName": t, "Key": key(GLOBEX)}}]
    ),
    "Scan": lambda db, t: db.scan(TableName=t),
    "Scan with a filter on the own key": lambda db, t: db.scan(
        TableName=t, FilterExpression="pk = :pk", ExpressionAttributeValues=_OWN
    ),
    "ExecuteStatement": lambda db, t: db.execute_statement(
        Statement=f"SELECT * FROM \"{t}\" WHERE pk = '{GLOBEX}#orders'"
    ),
    "ExecuteStatement of everything": lambda db, t: db.execute_statement(Statement=f'SELECT * FROM "{t}"'),
    "ExecuteStatement with an own key": lambda db, t: db.execute_statement(
        Statement=f'SELECT * FROM "{t}" WHERE pk = ?', Parameters=[_OWN[":pk"]]
    ),
    "BatchExecuteStatement": lambda db, t: db.batch_execute_statement(
        Statements=[{"Statement": f"SELECT * FROM \"{t}\" WHERE pk = '{GLOBEX}#orders' AND sk = '0'"}]
    ),
    "ExecuteTransaction": lambda db, t: db.execute_transaction(
        TransactStatements=[{"Statement": f"SELECT * FROM \"{t}\" WHERE pk = '{GLOBEX}#orders' AND sk = '0'"}]
    ),
    "Query of an index": lambda db, t: db.query(
        TableName=t, IndexName="by-anything", KeyConditionExpression="pk = :pk", ExpressionAttributeValues=_OWN
    ),
    "Scan of an index": lambda db, t: db.scan(TableName=t, IndexName="by-anything"),
    "A table that does not exist": lambda db, t: db.get_item(TableName="nothing-of-ours", Key=key(ACME)),
    "DescribeTable": lambda db, t: db.describe_table(TableName=t),
    "ListTables": lambda db, t: db.list_tables(),
    "ExportTableToPointInTime": lambda db, t: db.export_table_to_point_in_time(
        TableArn=f"arn:aws:dynamodb:{REGION}:123456789012:table/{t}", S3Bucket="anywhere"
    ),
    "CreateBackup": lambda db, t: db.create_backup(TableName=t, BackupName="everything"),
    "ListStreams, or anything else": lambda db, t: db.describe_limits(),
}

WRITES: dict[str, Attack] = {
    "PutItem": lambda db, t: db.put_item(TableName=t, Item=row(GLOBEX, "planted")),
    "UpdateItem": lambda db, t: db.update_item(
        TableName=t, Key=key(GLOBEX), UpdateExpression="SET v = :v", ExpressionAttributeValues={":v": {"S": "spoiled"}}
    ),
    "DeleteItem": lambda db, t: db.delete_item(TableName=t, Key=key(GLOBEX)),
    "BatchWriteItem": lambda db, t: db.batch_write_item(
        RequestItems={t: [{"PutRequest": {"Item": row(GLOBEX, "planted")}}]}
    ),
    "BatchWriteItem with an own row first": lambda db, t: db.batch_write_item(
        RequestItems={t: [{"PutRequest": {"Item": row(ACME, "half")}}, {"DeleteRequest": {"Key": key(GLOBEX)}}]}
    ),
    "TransactWriteItems": lambda db, t: db.transact_write_items(
        TransactItems=[
            {"Put": {"TableName": t, "Item": row(ACME, "half")}},
            {"Delete": {"TableName": t, "Key": key(GLOBEX)}},
        ]
    ),
    "ConditionCheck": lambda db, t: db.transact_write_items(
        TransactItems=[
            {"Put": {"TableName": t, "Item": row(ACME, "half")}},
            {"ConditionCheck": {"TableName": t, "Key": key(GLOBEX), "ConditionExpression": "attribute_exists(pk)"}},
        ]
    ),
    "ExecuteStatement": lambda db, t: db.execute_statement(
        Statement=f"INSERT INTO \"{t}\" VALUE {{'pk': '{GLOBEX}#orders', 'sk': 'planted'}}"
    ),
    "UpdateItem of public rows": lambda db, t: db.update_item(
        TableName=t, Key=key("PUBLIC"), UpdateExpression="SET v = :v", ExpressionAttributeValues={":v": {"S": "mine"}}
    ),
    "PutItem beside the own prefix": lambda db, t: db.put_item(
        TableName=t, Item={"pk": {"S": f"{ACME}0#orders"}, "sk": {"S": "planted"}}
    ),
    "PutItem under the own id in capitals": lambda db, t: db.put_item(
        TableName=t, Item={"pk": {"S": f"{GLOBEX.upper()}#orders"}, "sk": {"S": "planted"}}
    ),
}


@pytest.mark.parametrize("attack", READS)
def test_no_read_reaches_rows_of_others(stack: Stack, attack: str) -> None:
    error = refusal(lambda: READS[attack](stack.dynamodb(ACME_OWNER), stack.table))
    assert (error["code"], error["status"]) == ("AccessDeniedException", 400)


@pytest.mark.parametrize("attack", WRITES)
def test_no_write_reaches_rows_of_others_even_in_part(stack: Stack, attack: str) -> None:
    before = _all_rows(stack)
    error = refusal(lambda: WRITES[attack](stack.dynamodb(ACME_OWNER), stack.table))
    assert (error["code"], error["status"]) == ("AccessDeniedException", 400)
    assert _all_rows(stack) == before


@pytest.mark.parametrize("person", [ACME_OWNER, ACME_EDITOR, ACME_VIEWER], ids=lambda person: person.email)
def test_members_read_own_and_public_rows_in_every_allowed_way(stack: Stack, person: Any) -> None:
    db = stack.dynamodb(person)
    assert db.get_item(TableName=stack.table, Key=key(ACME))["Item"] == row(ACME, "0")
    assert _count_rows(db, stack.table, ACME) == _count_rows(db, stack.table, "PUBLIC") == 3
    legacy = {"pk": {"ComparisonOperator": "EQ", "AttributeValueList": [_OWN[":pk"]]}}
    assert db.query(TableName=stack.table, KeyConditions=legacy)["Count"] == 3
    batch = db.batch_get_item(RequestItems={stack.table: {"Keys": [key(ACME), key("PUBLIC")]}})
    assert len(batch["Responses"][stack.table]) == 2
    both = [{"Get": {"TableName": stack.table, "Key": key(org)}} for org in (ACME, "PUBLIC")]
    assert len(db.transact_get_items(TransactItems=both)["Responses"]) == 2


@pytest.mark.parametrize("person", [ACME_OWNER, ACME_EDITOR], ids=lambda person: person.email)
def test_editors_write_own_rows_in_every_allowed_way(stack: Stack, person: Any) -> None:
    db, mine = stack.dynamodb(person), {"pk": {"S": f"{ACME}#written by {person.role}"}, "sk": {"S": "1"}}
    db.put_item(TableName=stack.table, Item=mine)
    db.update_item(
        TableName=stack.table,
        Key=mine,
        UpdateExpression="SET #v = :v",
        ExpressionAttributeNames={"#v": "value"},
        ExpressionAttributeValues={":v": {"N": "1"}},
    )
    db.transact_write_items(
        TransactItems=[
            {"ConditionCheck": {"TableName": stack.table, "Key": mine, "ConditionExpression": "attribute_exists(pk)"}},
            {"Put": {"TableName": stack.table, "Item": {**mine, "sk": {"S": "2"}}}},
        ]
    )
    db.batch_write_item(RequestItems={stack.table: [{"DeleteRequest": {"Key": {**mine, "sk": {"S": "2"}}}}]})
    assert db.delete_item(TableName=stack.table, Key=mine, ReturnValues="ALL_OLD")["Attributes"]["value"] == {"N": "1"}


@pytest.mark.parametrize("write", WRITES)
def test_a_viewer_writes_nothing(stack: Stack, write: str) -> None:
    before = _all_rows(stack)
    viewer, own = stack.dynamodb(ACME_VIEWER), row(ACME, "by a viewer")
    assert refusal(lambda: WRITES[write](viewer, stack.table))["code"] == "AccessDeniedException"
    assert refusal(viewer.put_item, TableName=stack.table, Item=own)["code"] == "AccessDeniedException"
    assert _all_rows(stack) == before


def test_the_operator_edits_public_rows_and_reads_no_tenants_rows(stack: Stack) -> None:
    db, item = stack.dynamodb(OPERATOR), {"pk": {"S": "PUBLIC#notices"}, "sk": {"S": "1"}}
    db.put_item(TableName=stack.table, Item=item)
    assert db.get_item(TableName=stack.table, Key=item)["Item"] == item
    db.delete_item(TableName=stack.table, Key=item)
    for org in (ACME, GLOBEX):
        assert refusal(db.get_item, TableName=stack.table, Key=key(org))["code"] == "AccessDeniedException"


def test_nobody_reads_a_key_without_an_organisation(stack: Stack) -> None:
    orphan = {"pk": {"S": "#orders"}, "sk": {"S": "1"}}
    for person in CAST:
        assert refusal(stack.dynamodb(person).get_item, TableName=stack.table, Key=orphan)["status"] == 400


def test_a_refusal_has_dynamodbs_exact_form(stack: Stack) -> None:
    wire = _raw(stack, "Query", b'{"TableName":"%s","KeyConditionExpression":"pk = :p","ExpressionAttributeValues":'
                b'{":p":{"S":"%s#orders"}}}' % (stack.table.encode(), GLOBEX.encode()))  # fmt: skip
    role = stack.outputs["TenantRoleArn"].rpartition("/")[2]
    assert wire.status_code == 400
    assert wire.json() == {
        "__type": "com.amazon.coral.service#AccessDeniedException",
        "Message": f"User: arn:aws:sts::123456789012:assumed-role/{role}/CognitoIdentityCredentials is not authorized "
        f"to perform: dynamodb:Query on resource: {stack.outputs['TableArn']} because no identity-based policy allows "
        "the dynamodb:Query action",
    }
    assert wire.headers["Content-Type"] == "application/x-amz-json-1.0"


def test_an_explicit_deny_is_named_in_the_message(stack: Stack) -> None:
    error = refusal(stack.dynamodb(ACME_OWNER).scan, TableName=stack.table)
    assert error["message"].endswith("with an explicit deny in an identity-based policy")


def test_a_query_with_both_forms_of_condition_is_refused(stack: Stack) -> None:
    error = refusal(
        stack.dynamodb(ACME_OWNER).query,
        TableName=stack.table,
        KeyConditions={"pk": {"ComparisonOperator": "EQ", "AttributeValueList": [_OWN[":pk"]]}},
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues=_FOREIGN,
    )
    assert error["code"] == "ValidationException"


BODIES = {
    "a name given twice": b'{"TableName":"%(t)s","TableName":"%(t)s","Key":%(own)s}',
    "a key given twice": b'{"TableName":"%(t)s","Key":%(own)s,"Key":%(foreign)s}',
    "no object": b'["TableName"]',
    "no JSON": b'{"TableName":',
    "a number that JSON has not": b'{"TableName":"%(t)s","Key":NaN}',
    "a body as deep as a well": b'{"a":' * 20_000 + b"1" + b"}" * 20_000,
}


@pytest.mark.parametrize("body", BODIES)
def test_an_ambiguous_body_is_refused(stack: Stack, body: str) -> None:
    text = BODIES[body]
    if b"%(" in text:
        own, foreign = (b'{"pk":{"S":"%s#orders"},"sk":{"S":"0"}}' % org.encode() for org in (ACME, GLOBEX))
        text = text % {b"t": stack.table.encode(), b"own": own, b"foreign": foreign}
    answer = _raw(stack, "GetItem", text)
    assert answer.status_code == 400
    assert "Item" not in answer.json()


def test_an_operation_in_the_query_string_is_refused(stack: Stack) -> None:
    answer = _raw(stack, "GetItem", b"{}", url_suffix="?Action=Scan")
    assert answer.status_code == 400
    assert answer.json()["__type"] == "UnknownOperationException"


def test_a_key_of_another_type_is_denied(stack: Stack) -> None:
    for value in ({"N": "1"}, {"B": b"x"}, {"S": f"{ACME}#orders", "N": "1"}, {"SS": ["a"]}):
        error = refusal(stack.dynamodb(ACME_OWNER).get_item, TableName=stack.table, Key={"pk": value, "sk": {"S": "0"}})
        assert error["code"] == "AccessDeniedException"


def test_two_requests_in_one_batch_member_are_refused(stack: Stack) -> None:
    db, before = stack.dynamodb(ACME_OWNER), _all_rows(stack)
    member = {"PutRequest": {"Item": row(ACME, "x")}, "DeleteRequest": {"Key": key(GLOBEX)}}
    assert _raw(stack, "BatchWriteItem", _json({"RequestItems": {stack.table: [member]}})).status_code == 400
    mixed = {"Put": {"TableName": stack.table, "Item": row(ACME, "x")}}
    mixed["Delete"] = {"TableName": stack.table, "Key": key(GLOBEX)}
    assert _raw(stack, "TransactWriteItems", _json({"TransactItems": [mixed]})).status_code == 400
    assert refusal(db.transact_write_items, TransactItems=[])["code"] == "ValidationException"
    assert _all_rows(stack) == before


# ── Control group: the same attacks leak on a stack without the guards ──────────────────────────────────────────────


def test_an_unguarded_policy_leaks_through_scan(loose_stack: Stack) -> None:
    found = loose_stack.dynamodb(ACME_OWNER).scan(TableName=loose_stack.table)["Items"]
    assert {item["pk"]["S"].partition("#")[0] for item in found} >= {ACME, GLOBEX, "PUBLIC"}


def test_an_unguarded_policy_leaks_through_partiql(loose_stack: Stack) -> None:
    db = loose_stack.dynamodb(ACME_OWNER)
    found = db.execute_statement(Statement=f'SELECT * FROM "{loose_stack.table}"')["Items"]
    assert GLOBEX in {item["pk"]["S"].partition("#")[0] for item in found}


def test_an_unguarded_policy_still_refuses_a_foreign_key(loose_stack: Stack) -> None:
    db = loose_stack.dynamodb(ACME_OWNER)
    assert refusal(db.get_item, TableName=loose_stack.table, Key=key(GLOBEX))["code"] == "AccessDeniedException"
    pinned = f"SELECT * FROM \"{loose_stack.table}\" WHERE pk = '{GLOBEX}#orders'"
    assert refusal(db.execute_statement, Statement=pinned)["code"] == "AccessDeniedException"


def test_a_boundary_limits_a_policy_that_is_too_wide(stack: Stack) -> None:
    iam, role = stack.root("iam"), stack.outputs["TenantRoleArn"].rpartition("/")[2]
    everything = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}'
    iam.put_role_policy(RoleName=role, PolicyName="too-wide", PolicyDocument=everything)
    try:
        db = stack.dynamodb(ACME_OWNER)
        error = refusal(db.get_item, TableName=stack.table, Key=key(GLOBEX))
        assert error["message"].endswith("because no permissions boundary allows the dynamodb:GetItem action")
        assert refusal(db.list_tables)["code"] == "AccessDeniedException"
    finally:
        iam.delete_role_policy(RoleName=role, PolicyName="too-wide")


def test_suspension_denies_current_credentials_at_once(stack: Stack) -> None:
    iam, policy = stack.root("iam"), stack.outputs["SuspensionPolicyArn"]
    db, other = stack.dynamodb(GLOBEX_OWNER), stack.dynamodb(ACME_OWNER)
    assert _count_rows(db, stack.table, GLOBEX) == 3
    deny = (
        '{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*","Condition":'
        f'{{"StringEquals":{{"aws:PrincipalTag/org":["{GLOBEX}"]}}}}}}]}}'
    )
    version = iam.create_policy_version(PolicyArn=policy, PolicyDocument=deny, SetAsDefault=True)["PolicyVersion"]
    try:
        error = refusal(db.get_item, TableName=stack.table, Key=key(GLOBEX))
        assert "explicit deny" in error["message"]
        assert _count_rows(other, stack.table, ACME) == 3
    finally:
        iam.set_default_policy_version(PolicyArn=policy, VersionId="v1")
        iam.delete_policy_version(PolicyArn=policy, VersionId=version["VersionId"])
    assert _count_rows(db, stack.table, GLOBEX) == 3


def _count_rows(db: Any, table: str, org: str) -> int:
    values = {":pk": {"S": f"{org}#orders"}}
    return int(db.query(TableName=table, KeyConditionExpression="pk = :pk", ExpressionAttributeValues=values)["Count"])


def _all_rows(stack: Stack) -> list[Any]:
    return stack.root("dynamodb").scan(TableName=stack.table)["Items"]


def _json(data: Any) -> bytes:
    import json

    return json.dumps(data).encode()


def _raw(stack: Stack, operation: str, body: bytes, url_suffix: str = "") -> requests.Response:
    given = stack.credentials(ACME_OWNER)
    headers = {"X-Amz-Target": f"DynamoDB_20120810.{operation}", "Content-Type": "application/x-amz-json-1.0"}
    request = AWSRequest("POST", f"{stack.emulator.endpoint_url}/{url_suffix}", data=body, headers=headers)
    signing_key = SigningKey(given.access_key_id, given.secret_access_key, given.session_token)
    SigV4Auth(signing_key, "dynamodb", REGION).add_auth(request)
    return requests.post(request.url, data=body, headers=dict(request.headers), timeout=10)
