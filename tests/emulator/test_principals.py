"""Signatures, and what the portal's role, users and others may do outside the table."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as SigningKey

from tests.emulator.test_identity_pool import anonymous
from tests.emulator.world import ACME, ACME_OWNER, GLOBEX_OWNER, REGION, Stack, client, key, refusal


@dataclass(frozen=True)
class Key:
    access_key_id: str
    secret_access_key: str
    session_token: str | None = None


@pytest.fixture(scope="session")
def deployer(stack: Stack) -> Key:
    """An IAM user without policies, whom the portal's role trusts by name."""
    iam = stack.root("iam")
    iam.create_user(UserName="deployer")
    made = iam.create_access_key(UserName="deployer")["AccessKey"]
    name = stack.outputs["PortalRoleArn"].rpartition("/")[2]
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"AWS": "arn:aws:iam::123456789012:user/deployer"},
                "Action": ["sts:AssumeRole", "sts:TagSession"],
            }
        ],
    }
    iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(trust))
    return Key(made["AccessKeyId"], made["SecretAccessKey"])


def assume(stack: Stack, key: Key, **more: Any) -> Key:
    sts = client(stack.emulator, "sts", key)
    parameters = {"RoleArn": stack.outputs["PortalRoleArn"], "RoleSessionName": "portal", **more}
    given = sts.assume_role(**parameters)["Credentials"]
    return Key(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])


@pytest.fixture(scope="session")
def portal(stack: Stack, deployer: Key) -> Key:
    return assume(stack, deployer, DurationSeconds=43200)


# ── The portal's role ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("operation", ["get_item", "query", "scan", "put_item", "describe_table", "execute_statement"])
def test_the_portal_role_reaches_no_row(stack: Stack, portal: Key, operation: str) -> None:
    db = client(stack.emulator, "dynamodb", portal)
    requests_of: dict[str, dict[str, Any]] = {
        "get_item": {"Key": key(ACME)},
        "query": {
            "KeyConditionExpression": "pk = :p",
            "ExpressionAttributeValues": {":p": {"S": f"{ACME}#orders"}},
        },
        "put_item": {"Item": key(ACME)},
    }
    parameters = {"TableName": stack.table, **requests_of.get(operation, {})}
    if operation == "execute_statement":
        parameters = {"Statement": f'SELECT * FROM "{stack.table}"'}
    error = refusal(getattr(db, operation), **parameters)
    assert error["code"] == "AccessDeniedException"
    assert "assumed-role" in error["message"]


def test_the_portal_role_manages_users(stack: Stack, portal: Key) -> None:
    pools, name = client(stack.emulator, "cognito-idp", portal), "made-by-portal@acme.example"
    who = {"UserPoolId": stack.pool_id, "Username": name}
    entries = [{"Name": "email", "Value": name}, {"Name": "custom:org", "Value": ACME}]
    pools.admin_create_user(**who, MessageAction="SUPPRESS", UserAttributes=entries)
    pools.admin_update_user_attributes(**who, UserAttributes=[{"Name": "custom:role", "Value": "viewer"}])
    pools.admin_disable_user(**who)
    pools.admin_enable_user(**who)
    pools.admin_user_global_sign_out(**who)
    assert pools.admin_get_user(**who)["Enabled"]
    assert pools.list_users(UserPoolId=stack.pool_id)["Users"]
    pools.admin_delete_user(**who)


def test_the_portal_role_cannot_set_passwords_or_change_the_pool(stack: Stack, loose_stack: Stack, portal: Key) -> None:
    pools = client(stack.emulator, "cognito-idp", portal)
    error = refusal(
        pools.admin_set_user_password,
        UserPoolId=stack.pool_id,
        Username=ACME_OWNER.email,
        Password="Mine-now-12345",
        Permanent=True,
    )
    assert error["code"] == "AccessDeniedException"
    assert stack.pool_id in error["message"]
    for operation, more in (("update_user_pool_client", {"ClientId": stack.client_id}), ("delete_user_pool", {})):
        refused = refusal(getattr(pools, operation), UserPoolId=stack.pool_id, **more)
        assert refused["code"] == "AccessDeniedException"
    other = refusal(pools.admin_get_user, UserPoolId=loose_stack.pool_id, Username=ACME_OWNER.email)
    assert other["code"] == "AccessDeniedException"


def test_the_portal_role_suspends_but_cannot_widen_access(stack: Stack, portal: Key) -> None:
    iam, policy = client(stack.emulator, "iam", portal), stack.outputs["SuspensionPolicyArn"]
    current = iam.get_policy(PolicyArn=policy)["Policy"]["DefaultVersionId"]
    document = iam.get_policy_version(PolicyArn=policy, VersionId=current)["PolicyVersion"]["Document"]
    made = iam.create_policy_version(PolicyArn=policy, PolicyDocument=json.dumps(document), SetAsDefault=False)
    iam.delete_policy_version(PolicyArn=policy, VersionId=made["PolicyVersion"]["VersionId"])
    role = stack.outputs["TenantRoleArn"].rpartition("/")[2]
    wide = {"PolicyName": "x", "PolicyDocument": json.dumps(document)}
    for operation, parameters in (
        ("put_role_policy", {"RoleName": role, **wide}),
        ("attach_role_policy", {"RoleName": role, "PolicyArn": policy}),
        ("detach_role_policy", {"RoleName": role, "PolicyArn": policy}),
        ("delete_role_permissions_boundary", {"RoleName": role}),
        ("create_user", {"UserName": "me"}),
        ("create_access_key", {"UserName": "deployer"}),
    ):
        assert refusal(getattr(iam, operation), **parameters)["code"] == "AccessDenied"


def test_the_portal_role_reads_neither_the_stack_nor_the_clients_secret(stack: Stack, portal: Key) -> None:
    stacks = client(stack.emulator, "cloudformation", portal)
    for name in ("portal", "loose"):
        assert refusal(stacks.describe_stacks, StackName=name)["code"] == "AccessDenied"
    assert refusal(stacks.delete_stack, StackName="portal")["code"] == "AccessDenied"
    assert refusal(stacks.create_stack, StackName="mine", TemplateBody="{}")["code"] == "AccessDenied"
    pools = client(stack.emulator, "cognito-idp", portal)
    error = refusal(pools.describe_user_pool_client, UserPoolId=stack.pool_id, ClientId=stack.client_id)
    assert error["code"] == "AccessDeniedException"


def test_a_member_can_call_only_the_table(stack: Stack) -> None:
    mine = stack.credentials(ACME_OWNER)
    calls = {
        "iam": ("list_roles", {}),
        "cognito-idp": ("list_users", {"UserPoolId": stack.pool_id}),
        "cognito-identity": ("list_identity_pools", {"MaxResults": 5}),
        "cloudformation": ("describe_stacks", {}),
        "sts": ("assume_role", {"RoleArn": stack.outputs["PortalRoleArn"], "RoleSessionName": "me"}),
    }
    for service, (operation, parameters) in calls.items():
        error = refusal(getattr(client(stack.emulator, service, mine), operation), **parameters)
        assert error["code"] in ("AccessDenied", "AccessDeniedException")


# ── Assuming a role ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_role_needs_trust_and_limits_the_duration(stack: Stack, deployer: Key) -> None:
    sts = client(stack.emulator, "sts", deployer)
    portal_role = {"RoleArn": stack.outputs["PortalRoleArn"], "RoleSessionName": "x1"}
    assert refusal(sts.assume_role, **portal_role, DurationSeconds=43201)["code"] == "ValidationError"
    tenant_role = {**portal_role, "RoleArn": stack.outputs["TenantRoleArn"]}
    assert refusal(sts.assume_role, **tenant_role)["code"] == "AccessDenied"
    nobody = {**portal_role, "RoleArn": "arn:aws:iam::123456789012:role/nobody"}
    assert refusal(sts.assume_role, **nobody)["code"] == "AccessDenied"


def test_a_session_policy_can_only_restrict(stack: Stack, deployer: Key) -> None:
    only = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": ["cognito-idp:ListUsers", "dynamodb:*"], "Resource": "*"}],
    }
    limited = assume(stack, deployer, Policy=json.dumps(only))
    pools = client(stack.emulator, "cognito-idp", limited)
    assert pools.list_users(UserPoolId=stack.pool_id)["Users"]
    error = refusal(pools.admin_get_user, UserPoolId=stack.pool_id, Username=ACME_OWNER.email)
    assert "because no session policy allows the cognito-idp:AdminGetUser action" in error["message"]
    db = client(stack.emulator, "dynamodb", limited)
    assert refusal(db.get_item, TableName=stack.table, Key=key(ACME))["code"] == "AccessDeniedException"


def test_a_user_may_ask_who_it_is_by_a_policy_on_itself(stack: Stack) -> None:
    iam = stack.root("iam")
    made = iam.create_user(UserName="curious")["User"]
    given = iam.create_access_key(UserName="curious")["AccessKey"]
    statement = {"Effect": "Allow", "Action": ["iam:GetUser", "iam:ListAccessKeys"], "Resource": made["Arn"]}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_user_policy(UserName="curious", PolicyName="self", PolicyDocument=document)
    own = client(stack.emulator, "iam", Key(given["AccessKeyId"], given["SecretAccessKey"]))
    assert own.get_user()["User"]["Arn"] == made["Arn"]
    assert [one["UserName"] for one in own.list_access_keys()["AccessKeyMetadata"]] == ["curious"]
    assert refusal(lambda: own.get_user(UserName="deployer"))["code"] == "AccessDenied"


def test_root_and_a_session_ask_who_they_are(stack: Stack, portal: Key) -> None:
    assert stack.root("iam").get_user()["User"]["Arn"] == "arn:aws:iam::123456789012:root"
    session = client(stack.emulator, "iam", portal)
    assert "Must specify userName" in refusal(session.get_user)["message"]


def test_a_user_without_a_policy_may_do_nothing(stack: Stack, deployer: Key) -> None:
    assert client(stack.emulator, "sts", deployer).get_caller_identity()["Arn"].endswith(":user/deployer")
    assert refusal(client(stack.emulator, "iam", deployer).list_users)["code"] == "AccessDenied"


def test_a_tag_with_a_wildcard_is_refused(stack: Stack, deployer: Key) -> None:
    sts = client(stack.emulator, "sts", deployer)
    tags = [{"Key": "org", "Value": "*"}]
    parameters = {"RoleArn": stack.outputs["PortalRoleArn"], "RoleSessionName": "x1", "Tags": tags}
    assert refusal(sts.assume_role, **parameters)["code"] == "ValidationError"


def test_an_unused_parameter_does_not_affect_the_decision(stack: Stack, loose_stack: Stack, portal: Key) -> None:
    pools = signed_sender(stack, portal, "AWSCognitoIdentityProviderService.AdminGetUser", "cognito-idp")
    arn = f"arn:aws:cognito-idp:{REGION}:123456789012:userpool/{stack.pool_id}"
    body = {"UserPoolId": loose_stack.pool_id, "Username": ACME_OWNER.email, "ResourceArn": arn}
    answer = pools(json.dumps(body).encode())
    assert (answer.status_code, answer.json()["__type"]) == (400, "AccessDeniedException")


def signed_sender(stack: Stack, key: Key, target: str, service: str) -> Any:
    def call(body: bytes) -> requests.Response:
        headers = {"X-Amz-Target": target, "Content-Type": "application/x-amz-json-1.1"}
        request = AWSRequest("POST", stack.emulator.endpoint_url + "/", data=body, headers=headers)
        signing_key = SigningKey(key.access_key_id, key.secret_access_key, key.session_token)
        SigV4Auth(signing_key, service, REGION).add_auth(request)
        return requests.post(request.url, data=body, headers=dict(request.headers), timeout=10)

    return call


# ── Signatures ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("known", ["test", "123456789012", "AKIAIOSFODNN7EXAMPLE"])
def test_well_known_keys_are_refused(stack: Stack, known: str) -> None:
    db = client(stack.emulator, "dynamodb", Key(known, "test"))
    error = refusal(db.list_tables)
    assert error == {
        "code": "UnrecognizedClientException",
        "message": "The security token included in the request is invalid.",
        "status": 400,
    }


def test_roots_signature_is_checked(stack: Stack) -> None:
    forged = Key(stack.emulator.root.access_key_id, "guessed")
    assert refusal(client(stack.emulator, "dynamodb", forged).list_tables)["code"] == "InvalidSignatureException"
    assert refusal(client(stack.emulator, "iam", forged).list_users)["code"] == "SignatureDoesNotMatch"


def test_parts_of_different_credentials_do_not_work_together(stack: Stack) -> None:
    mine, other = stack.credentials(ACME_OWNER), stack.credentials(GLOBEX_OWNER)
    for forged, code in (
        (Key(mine.access_key_id, mine.secret_access_key), "UnrecognizedClientException"),
        (Key(mine.access_key_id, mine.secret_access_key, other.session_token), "UnrecognizedClientException"),
        (Key(mine.access_key_id, other.secret_access_key, mine.session_token), "InvalidSignatureException"),
        (Key(other.access_key_id, mine.secret_access_key, mine.session_token), "UnrecognizedClientException"),
    ):
        db = client(stack.emulator, "dynamodb", forged)
        assert refusal(db.get_item, TableName=stack.table, Key=key(ACME))["code"] == code


def test_an_unsigned_call_is_refused(stack: Stack) -> None:
    error = refusal(anonymous(stack, "dynamodb").list_tables)
    assert error["code"] == "MissingAuthenticationTokenException"


def sign(stack: Stack, *, service: str = "dynamodb", age: timedelta = timedelta()) -> AWSRequest:
    given = stack.credentials(ACME_OWNER)
    headers = {"X-Amz-Target": "DynamoDB_20120810.GetItem", "Content-Type": "application/x-amz-json-1.0"}
    body = json.dumps({"TableName": stack.table, "Key": key(ACME)})
    request = AWSRequest("POST", stack.emulator.endpoint_url + "/", data=body, headers=headers)
    auth = SigV4Auth(SigningKey(given.access_key_id, given.secret_access_key, given.session_token), service, REGION)
    stamp = (datetime.now(UTC) - age).strftime("%Y%m%dT%H%M%SZ")
    request.context["timestamp"] = stamp
    request.headers["X-Amz-Date"] = stamp
    request.headers["X-Amz-Security-Token"] = given.session_token
    canonical = auth.canonical_request(request)
    signature = auth.signature(auth.string_to_sign(request, canonical), request)
    names = auth.signed_headers(auth.headers_to_sign(request))
    credential = f"Credential={auth.scope(request)}, SignedHeaders={names}, Signature={signature}"
    request.headers["Authorization"] = f"AWS4-HMAC-SHA256 {credential}"
    return request


def send(request: AWSRequest, **changes: str) -> requests.Response:
    headers = {**dict(request.headers), **changes}
    return requests.post(request.url, data=request.data, headers=headers, timeout=10)


def test_an_old_or_future_signature_is_refused(stack: Stack) -> None:
    assert send(sign(stack)).status_code == 200
    for age in (timedelta(minutes=16), timedelta(minutes=-16), timedelta(days=1)):
        answer = send(sign(stack, age=age))
        assert answer.json()["__type"] == "com.amazon.coral.service#InvalidSignatureException"


def test_a_signature_covers_headers_body_and_service(stack: Stack) -> None:
    request = sign(stack)
    for changes in (
        {"X-Amz-Target": "DynamoDB_20120810.DeleteItem"},
        {"X-Amz-Content-Sha256": "UNSIGNED-PAYLOAD"},
        {"X-Amz-Something": "more"},
    ):
        assert send(request, **changes).json()["__type"].endswith("InvalidSignatureException")
    request.data = request.data.replace(ACME, "x" * 36)
    assert send(request).json()["__type"].endswith("InvalidSignatureException")
    assert send(sign(stack, service="iam")).json()["__type"].endswith("InvalidSignatureException")


@pytest.mark.parametrize(
    "path",
    [
        "/_ministack/health",
        "/_ministack/reset",
        "/_localstack/health",
        "/moto-api/reset",
        "/latest/meta-data/",
        "/bucket/key",
    ],
)
def test_the_engines_own_endpoints_are_not_served(stack: Stack, path: str) -> None:
    for method in ("GET", "POST", "PUT", "DELETE"):
        answer = requests.request(method, stack.emulator.endpoint_url + path, timeout=10)
        assert answer.status_code == 404


def test_an_unsupported_service_is_refused(stack: Stack) -> None:
    for service, operation in (("s3", "list_buckets"), ("sqs", "list_queues"), ("lambda", "list_functions")):
        api = client(stack.emulator, service, stack.emulator.root)
        assert refusal(getattr(api, operation))["status"] in (400, 403, 404, 501)
