"""Two tenants' rows in one table: which operations DynamoDB allows, and how it refuses the others."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from tests.contract.stacks import Tenant, Where, refusal

Call = Callable[[Any, str, str, str], Any]


def key(org: str, sk: str = "1") -> dict[str, Any]:
    return {"pk": {"S": f"{org}#contract"}, "sk": {"S": sk}}


@pytest.fixture(autouse=True)
def rows(where: Where, first: Tenant, second: Tenant) -> Iterator[None]:
    """Each tenant writes one row of its own."""
    for tenant in (first, second):
        where.dynamodb(tenant).put_item(TableName=where.table, Item={**key(tenant.org), "v": {"S": "before"}})
    yield
    for tenant in (first, second):
        where.dynamodb(tenant).delete_item(TableName=where.table, Key=key(tenant.org))


def value_of(where: Where, tenant: Tenant, sk: str = "1") -> str | None:
    found = where.dynamodb(tenant).get_item(TableName=where.table, Key=key(tenant.org, sk), ConsistentRead=True)
    return found["Item"]["v"]["S"] if "Item" in found else None


_VALUE: dict[str, Any] = {"ExpressionAttributeValues": {":v": {"S": "after"}}}

READS: dict[str, Call] = {
    "GetItem": lambda db, t, own, org: db.get_item(TableName=t, Key=key(org)),
    "BatchGetItem": lambda db, t, own, org: db.batch_get_item(RequestItems={t: {"Keys": [key(own), key(org)]}}),
    "Query": lambda db, t, own, org: db.query(
        TableName=t,
        KeyConditionExpression="#k = :pk",
        ExpressionAttributeNames={"#k": "pk"},
        ExpressionAttributeValues={":pk": key(org)["pk"]},
    ),
}
WRITES: dict[str, Call] = {
    "PutItem": lambda db, t, own, org: db.put_item(TableName=t, Item={**key(org), "v": {"S": "after"}}),
    "UpdateItem": lambda db, t, own, org: db.update_item(
        TableName=t, Key=key(org), UpdateExpression="SET v = :v", **_VALUE
    ),
    "DeleteItem": lambda db, t, own, org: db.delete_item(TableName=t, Key=key(org)),
    "BatchWriteItem": lambda db, t, own, org: db.batch_write_item(
        RequestItems={t: [{"DeleteRequest": {"Key": key(own)}}, {"DeleteRequest": {"Key": key(org)}}]}
    ),
}
IN_TRANSACTIONS: dict[str, Call] = {
    "GetItem": lambda db, t, own, org: db.transact_get_items(
        TransactItems=[{"Get": {"TableName": t, "Key": key(own)}}, {"Get": {"TableName": t, "Key": key(org)}}]
    ),
    "DeleteItem": lambda db, t, own, org: _transact(db, t, own, {"Delete": {"TableName": t, "Key": key(org)}}),
    "PutItem": lambda db, t, own, org: _transact(db, t, own, {"Put": {"TableName": t, "Item": key(org)}}),
    "UpdateItem": lambda db, t, own, org: _transact(
        db, t, own, {"Update": {"TableName": t, "Key": key(org), "UpdateExpression": "SET v = :v", **_VALUE}}
    ),
    "ConditionCheckItem": lambda db, t, own, org: _transact(
        db, t, own, {"ConditionCheck": {"TableName": t, "Key": key(org), "ConditionExpression": "attribute_exists(pk)"}}
    ),
}
STATEMENTS = {
    "PartiQLSelect": "SELECT * FROM \"{t}\" WHERE pk = '{own}#contract'",
    "PartiQLInsert": "INSERT INTO \"{t}\" VALUE {{'pk': '{own}#contract', 'sk': '2'}}",
    "PartiQLUpdate": "UPDATE \"{t}\" SET v = 'after' WHERE pk = '{own}#contract' AND sk = '1'",
    "PartiQLDelete": "DELETE FROM \"{t}\" WHERE pk = '{own}#contract' AND sk = '1'",
}


def _transact(db: Any, table: str, own: str, other: dict[str, Any]) -> Any:
    mine = {"Update": {"TableName": table, "Key": key(own), "UpdateExpression": "SET v = :v", **_VALUE}}
    return db.transact_write_items(TransactItems=[mine, other])


@pytest.mark.fact("D1.1", "D1.2", "D1.5")
@pytest.mark.parametrize("action", [*READS, *WRITES])
def test_a_foreign_key_is_denied_under_the_operations_own_name(
    where: Where, first: Tenant, second: Tenant, action: str
) -> None:
    call = {**READS, **WRITES}[action]
    code, status, message = refusal(lambda: call(where.dynamodb(first), where.table, first.org, second.org))
    assert (code, status) == ("AccessDeniedException", 400)
    assert f"is not authorized to perform: dynamodb:{action} on resource: {where.outputs['TableArn']}" in message
    assert value_of(where, first) == value_of(where, second) == "before"


@pytest.mark.fact("D1.6", "D4.7")
@pytest.mark.parametrize("action", IN_TRANSACTIONS)
def test_one_denied_item_denies_the_whole_transaction(where: Where, first: Tenant, second: Tenant, action: str) -> None:
    call = IN_TRANSACTIONS[action]
    code, status, message = refusal(lambda: call(where.dynamodb(first), where.table, first.org, second.org))
    assert (code, status) == ("AccessDeniedException", 400)
    assert f"to perform: dynamodb:{action} on resource" in message
    assert value_of(where, first) == value_of(where, second) == "before"


@pytest.mark.fact("D1.1", "D1.2", "D1.5", "D1.6")
def test_own_keys_are_allowed(where: Where, first: Tenant) -> None:
    db = where.dynamodb(first)
    for call in READS.values():
        call(db, where.table, first.org, "PUBLIC")
    _transact(db, where.table, first.org, {"Put": {"TableName": where.table, "Item": key(first.org, "2")}})
    assert value_of(where, first) == "after"
    db.batch_write_item(RequestItems={where.table: [{"DeleteRequest": {"Key": key(first.org, "2")}}]})
    pk = {":pk": key(first.org)["pk"]}
    assert (
        db.query(TableName=where.table, KeyConditionExpression="pk = :pk", ExpressionAttributeValues=pk)["Count"] == 1
    )


@pytest.mark.fact("D1.7", "C1", "C21")
@pytest.mark.parametrize("action", STATEMENTS)
def test_a_partiql_statement_is_denied_under_its_own_action(where: Where, first: Tenant, action: str) -> None:
    statement = STATEMENTS[action].format(t=where.table, own=first.org)
    code, _, message = refusal(where.dynamodb(first).execute_statement, Statement=statement)
    assert code == "AccessDeniedException"
    assert f"dynamodb:{action} on resource" in message
    assert message.endswith("with an explicit deny in an identity-based policy")
    assert value_of(where, first) == "before"


@pytest.mark.fact("D1.4", "D1.10", "C1", "C5")
def test_operations_without_leading_keys_are_denied(where: Where, first: Tenant) -> None:
    db = where.dynamodb(first)
    own = {"FilterExpression": "pk = :pk", "ExpressionAttributeValues": {":pk": key(first.org)["pk"]}}
    for refused in (
        refusal(db.scan, TableName=where.table),
        refusal(db.scan, TableName=where.table, **own),
        refusal(db.create_backup, TableName=where.table, BackupName="contract"),
        refusal(db.describe_table, TableName=where.table),
        refusal(db.list_tables),
    ):
        assert refused[:2] == ("AccessDeniedException", 400)


@pytest.mark.fact("D1.3")
def test_an_index_is_a_resource_of_its_own(where: Where, first: Tenant) -> None:
    pk = {":pk": key(first.org)["pk"]}
    query = {"KeyConditionExpression": "pk = :pk", "ExpressionAttributeValues": pk, "IndexName": "contract"}
    code, _, message = refusal(where.dynamodb(first).query, TableName=where.table, **query)
    assert code == "AccessDeniedException"
    assert f"{where.outputs['TableArn']}/index/contract" in message


@pytest.mark.fact("D4.8")
def test_a_filter_does_not_open_foreign_keys(where: Where, first: Tenant, second: Tenant) -> None:
    values = {":pk": key(second.org)["pk"], ":own": {"S": first.org}}
    query = {"KeyConditionExpression": "pk = :pk", "FilterExpression": "begins_with(pk, :own)"}
    code, _, _ = refusal(where.dynamodb(first).query, TableName=where.table, ExpressionAttributeValues=values, **query)
    assert code == "AccessDeniedException"


@pytest.mark.fact("D4.9")
@pytest.mark.parametrize("sk", ["1", "not there yet"])
def test_an_update_cannot_move_an_item(where: Where, first: Tenant, second: Tenant, sk: str) -> None:
    db, foreign = where.dynamodb(first), key(second.org)["pk"]
    update = {"UpdateExpression": "SET #k = :v", "ExpressionAttributeNames": {"#k": "pk"}}
    one = {"TableName": where.table, "Key": key(first.org, sk)}
    expressed = {**one, **update, "ExpressionAttributeValues": {":v": foreign}}
    legacy = {**one, "AttributeUpdates": {"pk": {"Action": "PUT", "Value": foreign}}}
    assert refusal(db.update_item, **expressed)[0] == "ValidationException"
    assert refusal(db.update_item, **legacy)[0] == "ValidationException"
    with pytest.raises(db.exceptions.ClientError):
        db.transact_write_items(TransactItems=[{"Update": expressed}])
    assert value_of(where, second) == "before"
    assert value_of(where, second, "not there yet") is None


@pytest.mark.fact("C13", "C7")
@pytest.mark.parametrize(
    "change", [str.upper, lambda org: org + "0", lambda org: org[:-1], lambda org: "", lambda org: "*"]
)
def test_a_key_that_resembles_the_own_one_is_denied(where: Where, first: Tenant, change: Callable[[str], str]) -> None:
    code, _, _ = refusal(where.dynamodb(first).get_item, TableName=where.table, Key=key(change(first.org)))
    assert code == "AccessDeniedException"


@pytest.mark.fact("D4.4")
def test_a_missing_table_is_denied_too(where: Where, first: Tenant) -> None:
    code, _, _ = refusal(where.dynamodb(first).get_item, TableName="not-there-at-all", Key=key(first.org))
    assert code == "AccessDeniedException"


@pytest.mark.fact("D4.3")
def test_each_kind_of_bad_credentials_has_its_own_error(where: Where, first: Tenant) -> None:
    keys = dict(first.credentials)
    unknown = {**keys, "aws_access_key_id": "ASIA" + "A" * 16}
    wrong = {**keys, "aws_secret_access_key": "wrong"}
    ask = {"TableName": where.table, "Key": key(first.org)}
    assert refusal(where.client("dynamodb", unknown).get_item, **ask)[:2] == ("UnrecognizedClientException", 400)
    assert refusal(where.client("dynamodb", wrong).get_item, **ask)[:2] == ("InvalidSignatureException", 400)
    code, status, _ = refusal(where.unsigned("dynamodb").get_item, **ask)
    assert (code, status) == ("MissingAuthenticationTokenException", 400)


@pytest.mark.fact("D4.1", "D4.2", "D5.1")
def test_a_denial_over_http_has_the_documented_form(where: Where) -> None:
    headers = {
        "X-Amz-Target": "DynamoDB_20120810.GetItem",
        "Content-Type": "application/x-amz-json-1.0",
        "Origin": "https://elsewhere.example",
    }
    answer = requests.post(where.dynamodb_url, data=b"{}", headers=headers, timeout=60)
    assert answer.status_code == 400
    assert answer.headers["Content-Type"] == "application/x-amz-json-1.0"
    assert answer.headers["x-amzn-RequestId"]
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.json()["__type"] == "com.amazon.coral.service#MissingAuthenticationTokenException"


@pytest.mark.fact("C21", "B1.9")
def test_a_denial_names_session_action_and_resource_only(where: Where, first: Tenant, second: Tenant) -> None:
    _, _, message = refusal(where.dynamodb(first).get_item, TableName=where.table, Key=key(second.org))
    role = where.outputs["TenantRoleArn"].replace(":iam:", ":sts:").replace(":role/", ":assumed-role/")
    assert message == (
        f"User: {role}/CognitoIdentityCredentials is not authorized to perform: dynamodb:GetItem on resource: "
        f"{where.outputs['TableArn']} because no identity-based policy allows the dynamodb:GetItem action"
    )


@pytest.mark.fact("C22")
def test_everybody_may_call_get_caller_identity(where: Where, first: Tenant) -> None:
    who = where.client("sts", first.credentials).get_caller_identity()
    assert who["Arn"].endswith("/CognitoIdentityCredentials")
    assert who["UserId"].startswith("AROA")
