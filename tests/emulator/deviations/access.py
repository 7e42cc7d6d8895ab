"""Deviations of requests, IAM, STS, S3 and DynamoDB's settings."""

import json
import secrets
from pathlib import Path
from tempfile import TemporaryDirectory

import requests

from emulator.client.process import start
from tests.emulator.deviations import allow, as_user, deviation
from tests.emulator.world import ACME, Stack, client, key, refusal

HERE = {"LocationConstraint": "eu-west-1"}
STRANGER = "arn:aws:dynamodb:eu-west-1:999999999999:table/rows"


@deviation("services")
def other_services_are_refused(stack: Stack) -> None:
    assert refusal(stack.root("lambda").list_functions)["status"] == 404
    assert refusal(stack.root("dynamodbstreams").list_streams)["code"] == "UnknownOperationException"
    assert refusal(stack.root("sns").list_topics)["message"] == "The service sns is not served here."
    backup = refusal(stack.root("dynamodb").create_backup, TableName=stack.table, BackupName="one")
    assert "is not served here" in backup["message"]


@deviation("query-strings")
def an_operation_in_a_query_string_is_refused(stack: Stack) -> None:
    answer = requests.post(f"{stack.emulator.endpoint_url}/?Action=GetCallerIdentity", timeout=10)
    assert (answer.status_code, "must not have a query string" in answer.text) == (400, True)


@deviation("s3-headers")
def other_headers_of_s3_are_refused(stack: Stack) -> None:
    s3 = stack.root("s3")
    s3.create_bucket(Bucket="deviations", CreateBucketConfiguration=HERE)
    assert refusal(s3.put_object, Bucket="deviations", Key="a", Body=b"x", ACL="private")["status"] >= 400


@deviation("s3-state")
def a_bucket_is_not_saved(_: Stack) -> None:
    with TemporaryDirectory() as made:
        state = Path(made) / "state"
        with start(state=state) as first:
            client(first, "s3", first.root).create_bucket(Bucket="kept", CreateBucketConfiguration=HERE)
        with start(state=state) as second:
            assert refusal(client(second, "s3", second.root).head_bucket, Bucket="kept")["status"] == 404


@deviation("root-assumes-roles")
def root_may_assume_a_role_that_trusts_the_account(stack: Stack) -> None:
    name = f"r{secrets.token_hex(4)}"
    trust = {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::123456789012:root"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    role = stack.root("iam").create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]
    assert stack.root("sts").assume_role(RoleArn=role["Arn"], RoleSessionName="one")["Credentials"]


@deviation("only-root-deploys")
def only_root_may_deploy(stack: Stack) -> None:
    deployer = as_user(stack, "cloudformation", allow("*"))
    error = refusal(deployer.create_stack, StackName="theirs", TemplateBody='{"Resources": {}}')
    assert (error["code"], "Only the root" in error["message"]) == ("AccessDenied", True)


@deviation("iam-at-once")
def a_new_policy_counts_at_once(stack: Stack) -> None:
    assert as_user(stack, "dynamodb", allow("dynamodb:ListTables")).list_tables()["TableNames"]


@deviation("plain-http")
def plain_http_counts_as_secure_transport(stack: Stack) -> None:
    secure = allow("dynamodb:ListTables", Bool={"aws:SecureTransport": "true"})
    assert as_user(stack, "dynamodb", secure).list_tables()["TableNames"]


@deviation("one-account")
def there_is_one_account(stack: Stack) -> None:
    assert stack.root("sts").get_caller_identity()["Account"] == "123456789012"
    assert refusal(stack.root("dynamodb").get_item, TableName=STRANGER, Key=key(ACME))["status"] == 400


@deviation("no-quotas")
def a_table_with_one_unit_a_second_is_not_throttled(stack: Stack) -> None:
    tables, name = stack.root("dynamodb"), f"t{secrets.token_hex(4)}"
    tables.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        OnDemandThroughput={"MaxReadRequestUnits": 1, "MaxWriteRequestUnits": 1},
    )
    for number in range(50):
        tables.put_item(TableName=name, Item={"pk": {"S": str(number)}})


@deviation("or-in-a-statement")
def a_statement_with_or_counts_as_a_scan(stack: Stack) -> None:
    own = {
        "ForAllValues:StringLike": {"dynamodb:LeadingKeys": [f"{ACME}#*"]},
        "Null": {"dynamodb:LeadingKeys": "false"},
    }
    rows = as_user(stack, "dynamodb", allow("dynamodb:PartiQLSelect", **own))
    one = f"SELECT * FROM \"{stack.table}\" WHERE pk = '{ACME}#orders'"
    assert rows.execute_statement(Statement=one)["Items"]
    assert refusal(rows.execute_statement, Statement=f"{one} OR pk = '{ACME}#x'")["code"] == "AccessDeniedException"


@deviation("multi-factor-roles")
def a_role_is_not_assumed_with_a_device_or_a_source(stack: Stack) -> None:
    call, role = stack.root("sts").assume_role, "arn:aws:iam::123456789012:role/r"
    for name, value in {"SerialNumber": "arn:aws:iam::1:mfa/x", "TokenCode": "123456", "SourceIdentity": "ada"}.items():
        error = refusal(call, RoleArn=role, RoleSessionName="test", **{name: value})
        assert error["message"] == f"AssumeRole: {name} is not served here."


@deviation("forms-of-iam")
def a_role_may_have_a_malformed_name(stack: Stack) -> None:
    statement = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    trust = {"Version": "2012-10-17", "Statement": [statement]}
    name = f"not a name {secrets.token_hex(4)}"
    call = stack.root("iam").create_role
    assert call(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["RoleName"] == name
