"""The HTTP API of the template: IAM decides by the requested path, and the function checks it again."""

import json
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
import requests
from botocore import UNSIGNED
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials as Keys

from emulator.client.sign_in import Credentials
from tests.emulator.world import (
    ACME,
    ACME_EDITOR,
    ACME_OWNER,
    ACME_VIEWER,
    GLOBEX,
    GLOBEX_OWNER,
    OPERATOR,
    REGION,
    TEMPLATE,
    Person,
    Stack,
    build,
    claims,
)

FORBIDDEN = (403, {"message": "Forbidden"})
UPPER = "ABCDEF11-1111-4111-8111-111111111111"


def call(
    stack: Stack, credentials: Credentials, path: str, *, method: str = "GET", service: str = "execute-api",
    body: bytes = b"", signed_path: str | None = None, host: str | None = None,
) -> tuple[int, Any]:  # fmt: skip
    """Signs and requests one address, byte for byte: no client normalises the path."""
    address = stack.outputs["RecordsApiUrl"] if host is None else f"http://{host}"
    request = AWSRequest(method, f"{address}{signed_path or path}", data=body)
    keys = Keys(credentials.access_key_id, credentials.secret_access_key, credentials.session_token)
    SigV4Auth(keys, service, REGION).add_auth(request)
    headers = dict(request.headers.items())
    answer = _raw(stack, method, f"{urlsplit(address).path}{path}", headers, body)
    return answer.status_code, answer.json()


def _raw(stack: Stack, method: str, target: str, headers: dict[str, str], body: bytes = b"") -> requests.Response:
    with requests.Session() as session:
        request = requests.Request(method, stack.emulator.endpoint_url, headers=headers, data=body).prepare()
        request.url = stack.emulator.endpoint_url + target
        return session.send(request, timeout=10)


@pytest.mark.parametrize("person", [ACME_OWNER, ACME_EDITOR, ACME_VIEWER, GLOBEX_OWNER])
def test_a_member_reads_the_profile_of_their_organisation(stack: Stack, person: Person) -> None:
    status, profile = call(stack, stack.credentials(person), f"/{person.org}/profile")
    sub = claims(stack.tokens(person).id_token)["sub"]
    assert (status, profile) == (200, {"org": person.org, "role": person.role, "sub": sub})


@pytest.mark.parametrize(("person", "org"), [(ACME_OWNER, GLOBEX), (GLOBEX_OWNER, ACME), (OPERATOR, ACME)])
def test_other_organisations_and_the_operator_are_refused(stack: Stack, person: Person, org: str) -> None:
    assert call(stack, stack.credentials(person), f"/{org}/profile") == FORBIDDEN


@pytest.mark.parametrize(
    "path",
    [
        f"/{ACME}/../{GLOBEX}/profile",
        f"/{ACME}/%2e%2e/{GLOBEX}/profile",
        f"/{ACME}/.%2E/{GLOBEX}/profile",
        f"/{ACME}/./profile",
        f"/{ACME}//profile",
        f"//{ACME}/profile",
        f"/{ACME}%2Fprofile",
        f"/{ACME}%2fprofile/x",
        f"/{ACME}/profile%00",
        f"/{ACME}/%5c{GLOBEX}/profile",
        f"/{ACME}/%252e%252e/{GLOBEX}/profile",
        f"/{GLOBEX}/../{ACME}/profile",
        f"/{GLOBEX}/{ACME}/profile",
        "/*/profile",
        f"/{ACME}*/profile",
        f"/{GLOBEX}/profile?x=/{ACME}/profile",
        f"/%31{ACME[1:]}/profile",
    ],
)
def test_no_spelling_of_a_path_reaches_another_organisation(stack: Stack, path: str) -> None:
    assert call(stack, stack.credentials(ACME_OWNER), path) == FORBIDDEN


def test_an_organisation_id_in_capitals_is_refused(stack: Stack) -> None:
    person = stack.newcomer(org=UPPER.lower(), role="owner")
    assert call(stack, stack.credentials(person), f"/{UPPER.lower()}/profile")[0] == 200
    assert call(stack, stack.credentials(person), f"/{UPPER}/profile") == FORBIDDEN


def test_a_path_needs_a_part_after_the_organisation(stack: Stack) -> None:
    for path, answer in ((f"/{ACME}", 404), (f"/{ACME}/", 404), ("/", 404), ("", 404)):
        assert call(stack, stack.credentials(ACME_OWNER), path)[0] == answer


def test_the_function_refuses_unknown_paths_itself(stack: Stack) -> None:
    credentials = stack.credentials(ACME_OWNER)
    assert call(stack, credentials, f"/{ACME}/profile/") == (404, {"message": "Not Found"})
    assert call(stack, credentials, f"/{ACME}/other/things") == (404, {"message": "Not Found"})
    assert call(stack, credentials, f"/{ACME}/profile", method="POST", body=b"{}")[0] == 405


def test_an_unsigned_request_is_refused(stack: Stack) -> None:
    answer = _raw(stack, "GET", f"{_prefix(stack)}/{ACME}/profile", {})
    assert (answer.status_code, answer.json()) == FORBIDDEN


def test_a_signature_covers_path_query_and_service(stack: Stack) -> None:
    credentials, path = stack.credentials(ACME_OWNER), f"/{ACME}/profile"
    assert call(stack, credentials, path, signed_path=f"/{ACME}/other") == FORBIDDEN
    assert call(stack, credentials, f"{path}?a=1&a=2", signed_path=f"{path}?a=1") == FORBIDDEN
    assert call(stack, credentials, path, service="dynamodb") == FORBIDDEN
    assert call(stack, credentials, f"{path}?a=1&a=2&b=%20")[0] == 200


def test_the_api_is_also_served_under_its_host_name(stack: Stack) -> None:
    host = f"{_prefix(stack).rpartition('/')[2]}.execute-api.localhost"
    path = f"/{ACME}/profile"
    request = AWSRequest("GET", f"http://{host}{path}")
    given = stack.credentials(ACME_OWNER)
    keys = Keys(given.access_key_id, given.secret_access_key, given.session_token)
    SigV4Auth(keys, "execute-api", REGION).add_auth(request)
    answer = _raw(stack, "GET", path, {"Host": host, **dict(request.headers.items())})
    assert (answer.status_code, answer.json()["org"]) == (200, ACME)


def test_guests_reach_no_path(guest_stack: Stack) -> None:
    pools = boto3.client(
        "cognito-identity",
        endpoint_url=guest_stack.emulator.endpoint_url,
        region_name=REGION,
        config=Config(signature_version=UNSIGNED),
    )
    identity = pools.get_id(IdentityPoolId=guest_stack.outputs["IdentityPoolId"])["IdentityId"]
    given = pools.get_credentials_for_identity(IdentityId=identity)["Credentials"]
    guest = Credentials(given["AccessKeyId"], given["SecretKey"], given["SessionToken"])
    assert call(guest_stack, guest, f"/{ACME}/profile") == FORBIDDEN


def test_suspension_refuses_credentials_already_issued(stack: Stack) -> None:
    org = "33333333-3333-4333-8333-333333333333"
    credentials = stack.credentials(stack.newcomer(org=org, role="owner"))
    assert call(stack, credentials, f"/{org}/profile")[0] == 200
    iam = stack.root("iam")
    arn = stack.outputs["SuspensionPolicyArn"]
    denied = {"StringEquals": {"aws:PrincipalTag/org": [org]}}
    statement = {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": denied}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    version = iam.create_policy_version(PolicyArn=arn, PolicyDocument=document, SetAsDefault=True)["PolicyVersion"]
    try:
        assert call(stack, credentials, f"/{org}/profile") == FORBIDDEN
    finally:
        iam.set_default_policy_version(PolicyArn=arn, VersionId="v1")
        iam.delete_policy_version(PolicyArn=arn, VersionId=version["VersionId"])


def test_the_function_checks_the_org_if_the_policy_does_not(stack: Stack) -> None:
    text = TEMPLATE.read_text("utf-8")
    loose = text.replace("/$default/GET/${!aws:PrincipalTag/org}/*", "/$default/*")
    assert loose != text
    open_stack = build(stack.emulator, name="openpaths", template=loose)
    for path in (f"/{GLOBEX}/profile", f"/{GLOBEX}/{ACME}/profile"):
        assert call(open_stack, open_stack.credentials(ACME_OWNER), path) == FORBIDDEN
    assert call(open_stack, open_stack.credentials(ACME_OWNER), f"/{ACME}/profile")[0] == 200


def test_an_unsupported_api_type_fails_the_deployment(stack: Stack) -> None:
    from emulator.client.deploy import DeployFailed, deploy

    template = {
        "Resources": {"Sockets": {"Type": "AWS::ApiGatewayV2::Api", "Properties": {"ProtocolType": "WEBSOCKET"}}}
    }
    with pytest.raises(DeployFailed, match=r"Sockets: .*HTTP"):
        deploy(stack.emulator.endpoint_url, stack.emulator.root, template=json.dumps(template), stack_name="sockets")


def _prefix(stack: Stack) -> str:
    return urlsplit(stack.outputs["RecordsApiUrl"]).path
