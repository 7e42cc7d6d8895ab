"""Exchanging an ID token for credentials: which tokens are valid, which tags they give, and guests."""

import base64
import json
import time
from typing import Any

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.emulator.world import (
    ACME,
    ACME_OWNER,
    GLOBEX_OWNER,
    REGION,
    Stack,
    claims,
    client,
    key,
    refusal,
    row,
    wait,
)


def anonymous(stack: Stack, service: str = "cognito-identity") -> Any:
    config = Config(signature_version=UNSIGNED, retries={"total_max_attempts": 1}, parameter_validation=False)
    return boto3.client(service, endpoint_url=stack.emulator.endpoint_url, region_name=REGION, config=config)


def get_id(stack: Stack, token: str, provider: str | None = None) -> dict[str, Any]:
    logins = {provider or stack.provider: token}
    return refusal(anonymous(stack).get_id, IdentityPoolId=stack.outputs["IdentityPoolId"], Logins=logins)


def alter_claims(token: str, **changes: Any) -> str:
    head, _, signature = token.split(".")
    changed = json.dumps({**claims(token), **changes}).encode()
    return ".".join([head, base64.urlsafe_b64encode(changed).rstrip(b"=").decode(), signature])


def test_credentials_of_the_tenant_role_last_an_hour(stack: Stack) -> None:
    given = stack.exchange(stack.tokens(ACME_OWNER).id_token)
    assert given.access_key_id.startswith("ASIA")
    assert 3590 < given.expiration - time.time() <= 3600
    who = client(stack.emulator, "sts", given).get_caller_identity()
    role = stack.outputs["TenantRoleArn"].rpartition("/")[2]
    assert who["Arn"] == f"arn:aws:sts::123456789012:assumed-role/{role}/CognitoIdentityCredentials"
    assert who["Account"] == "123456789012"
    assert who["UserId"].startswith("AROA")


def test_a_person_always_has_the_same_identity(stack: Stack) -> None:
    first, again = (stack.exchange(stack.tokens(ACME_OWNER).id_token) for _ in range(2))
    assert first.identity_id == again.identity_id
    assert first.identity_id.startswith(f"{REGION}:")
    assert stack.credentials(GLOBEX_OWNER).identity_id != first.identity_id
    assert again.access_key_id != first.access_key_id


def test_an_altered_token_is_refused(stack: Stack) -> None:
    token = alter_claims(stack.tokens(GLOBEX_OWNER).id_token, **{"custom:org": ACME})
    error = get_id(stack, token)
    assert (error["code"], error["status"]) == ("NotAuthorizedException", 400)
    assert error["message"] == "Invalid login token. Couldn't verify signed token."


def test_an_unsigned_token_is_refused(stack: Stack) -> None:
    head, body, _ = stack.tokens(ACME_OWNER).id_token.split(".")
    unsigned = base64.urlsafe_b64encode(b'{"alg":"none"}').rstrip(b"=").decode()
    assert get_id(stack, f"{unsigned}.{body}.")["code"] == "NotAuthorizedException"
    assert get_id(stack, f"{head}.{body}.AAAA")["code"] == "NotAuthorizedException"
    assert get_id(stack, "not a token")["code"] == "NotAuthorizedException"


def test_an_access_token_is_refused(stack: Stack) -> None:
    error = get_id(stack, stack.tokens(ACME_OWNER).access_token)
    assert error["message"] == "Invalid login token. Missing a required claim: aud"


def test_a_token_of_another_client_is_refused(stack: Stack) -> None:
    pools, person = stack.root("cognito-idp"), stack.newcomer()
    other = pools.create_user_pool_client(
        UserPoolId=stack.pool_id,
        ClientName="other",
        ExplicitAuthFlows=["ALLOW_ADMIN_USER_PASSWORD_AUTH"],
        ReadAttributes=["email", "custom:org", "custom:role"],
    )["UserPoolClient"]["ClientId"]
    token = password_tokens(stack, other, person.email)["IdToken"]
    assert claims(token)["custom:org"] == ACME
    assert get_id(stack, token)["message"] == "Token is not from a supported provider of this identity pool."


def test_a_token_of_another_pool_is_refused(stack: Stack, loose_stack: Stack) -> None:
    token = loose_stack.tokens(ACME_OWNER).id_token
    assert get_id(stack, token)["message"] == "Invalid login token. Issuer doesn't match providerName"
    other = get_id(stack, token, loose_stack.provider)
    assert other["message"] == "Token is not from a supported provider of this identity pool."


def test_an_expired_token_is_refused(stack: Stack) -> None:
    pools = stack.root("cognito-idp")
    described = pools.describe_user_pool_client(UserPoolId=stack.pool_id, ClientId=stack.client_id)["UserPoolClient"]
    units = {"IdToken": "seconds", "AccessToken": "minutes", "RefreshToken": "minutes"}
    settings = {"UserPoolId": stack.pool_id, "ClientId": stack.client_id}
    pools.update_user_pool_client(**settings, IdTokenValidity=1, TokenValidityUnits=units)
    try:
        token = stack.tokens(ACME_OWNER).id_token
    finally:
        pools.update_user_pool_client(
            **settings,
            IdTokenValidity=described["IdTokenValidity"],
            TokenValidityUnits=described["TokenValidityUnits"],
        )
    wait(1.1)
    assert get_id(stack, token)["message"].startswith("Invalid login token. Token expired: ")


@pytest.mark.parametrize("ending", ["admin_user_global_sign_out", "admin_disable_user", "admin_delete_user"])
def test_tokens_of_signed_out_disabled_or_deleted_users_fail(stack: Stack, ending: str) -> None:
    person = stack.newcomer()
    token = stack.tokens(person).id_token
    identity = stack.exchange(token).identity_id
    getattr(stack.root("cognito-idp"), ending)(UserPoolId=stack.pool_id, Username=person.email)
    assert get_id(stack, token)["code"] == "NotAuthorizedException"
    logins = {stack.provider: token}
    error = refusal(anonymous(stack).get_credentials_for_identity, IdentityId=identity, Logins=logins)
    assert error["code"] == "NotAuthorizedException"


def test_an_identity_accepts_only_its_own_login(stack: Stack) -> None:
    mine = stack.exchange(stack.tokens(ACME_OWNER).id_token).identity_id
    ask = anonymous(stack).get_credentials_for_identity
    error = refusal(ask, IdentityId=mine, Logins={stack.provider: stack.tokens(GLOBEX_OWNER).id_token})
    assert error["message"].startswith("Logins don't match.")
    assert refusal(ask, IdentityId=mine)["message"] == f"Access to Identity '{mine}' is forbidden."
    assert (
        refusal(ask, IdentityId=f"{REGION}:00000000-0000-0000-0000-000000000000")["code"] == "ResourceNotFoundException"
    )


def test_guests_are_refused_if_the_pool_does_not_allow_them(stack: Stack) -> None:
    error = refusal(anonymous(stack).get_id, IdentityPoolId=stack.outputs["IdentityPoolId"])
    assert error["message"] == "Unauthenticated access is not supported for this identity pool."


def test_a_guest_reads_public_rows_and_nothing_else(guest_stack: Stack) -> None:
    api = anonymous(guest_stack)
    identity = api.get_id(IdentityPoolId=guest_stack.outputs["IdentityPoolId"])["IdentityId"]
    given = api.get_credentials_for_identity(IdentityId=identity)["Credentials"]
    db = boto3.client(
        "dynamodb",
        endpoint_url=guest_stack.emulator.endpoint_url,
        region_name=REGION,
        aws_access_key_id=given["AccessKeyId"],
        aws_secret_access_key=given["SecretKey"],
        aws_session_token=given["SessionToken"],
    )
    assert db.get_item(TableName=guest_stack.table, Key=key("PUBLIC"))["Item"] == row("PUBLIC", "0")
    assert refusal(db.get_item, TableName=guest_stack.table, Key=key(ACME))["code"] == "AccessDeniedException"
    put = refusal(db.put_item, TableName=guest_stack.table, Item=row("PUBLIC", "by a guest"))
    assert put["code"] == "AccessDeniedException"


def test_guests_are_limited_even_if_their_role_allows_more(guest_stack: Stack) -> None:
    iam = guest_stack.root("iam")
    pools = guest_stack.root("cognito-identity")
    roles = pools.get_identity_pool_roles(IdentityPoolId=guest_stack.outputs["IdentityPoolId"])["Roles"]
    name = roles["unauthenticated"].rpartition("/")[2]
    everything = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}'
    own = iam.get_role_policy(RoleName=name, PolicyName="public-rows")["PolicyDocument"]
    iam.put_role_policy(RoleName=name, PolicyName="public-rows", PolicyDocument=everything)
    try:
        api = anonymous(guest_stack)
        identity = api.get_id(IdentityPoolId=guest_stack.outputs["IdentityPoolId"])["IdentityId"]
        given = api.get_credentials_for_identity(IdentityId=identity)["Credentials"]
        keys = {
            "aws_access_key_id": given["AccessKeyId"],
            "aws_secret_access_key": given["SecretKey"],
            "aws_session_token": given["SessionToken"],
            "endpoint_url": guest_stack.emulator.endpoint_url,
            "region_name": REGION,
        }
        assert boto3.client("dynamodb", **keys).list_tables()["TableNames"]
        with pytest.raises(ClientError, match="no session policy allows the iam:ListRoles action"):
            boto3.client("iam", **keys).list_roles()
    finally:
        iam.put_role_policy(RoleName=name, PolicyName="public-rows", PolicyDocument=json.dumps(own))


def guest_identity(stack: Stack) -> str:
    identity: str = anonymous(stack).get_id(IdentityPoolId=stack.outputs["IdentityPoolId"])["IdentityId"]
    return identity


def test_a_guests_identity_becomes_that_of_the_person_who_signs_in(guest_stack: Stack) -> None:
    person, guest = guest_stack.newcomer(), guest_identity(guest_stack)
    logins = {guest_stack.provider: guest_stack.tokens(person).id_token}
    api = anonymous(guest_stack)
    assert api.get_credentials_for_identity(IdentityId=guest, Logins=logins)["IdentityId"] == guest
    assert api.get_id(IdentityPoolId=guest_stack.outputs["IdentityPoolId"], Logins=logins)["IdentityId"] == guest
    # It is nobody's guest any more.
    assert refusal(api.get_credentials_for_identity, IdentityId=guest)["code"] == "NotAuthorizedException"


def test_a_person_who_has_an_identity_keeps_it_when_they_come_as_a_guest(guest_stack: Stack) -> None:
    logins = {guest_stack.provider: guest_stack.tokens(ACME_OWNER).id_token}
    api, pool = anonymous(guest_stack), guest_stack.outputs["IdentityPoolId"]
    own, guest = api.get_id(IdentityPoolId=pool, Logins=logins)["IdentityId"], guest_identity(guest_stack)
    given = api.get_credentials_for_identity(IdentityId=guest, Logins=logins)
    assert given["IdentityId"] == own
    # The guest's stays the guest's.
    assert api.get_credentials_for_identity(IdentityId=guest)["IdentityId"] == guest


def test_the_classic_flow_is_refused(stack: Stack) -> None:
    token = stack.tokens(ACME_OWNER).id_token
    identity = stack.exchange(token).identity_id
    error = refusal(anonymous(stack).get_open_id_token, IdentityId=identity, Logins={stack.provider: token})
    assert error["code"] == "InvalidParameterException"


def test_a_member_without_an_org_claim_reaches_no_row(stack: Stack) -> None:
    person = stack.newcomer(org="", role="owner")
    db = stack.dynamodb(person)
    for org in (ACME, "", "#"):
        assert refusal(db.get_item, TableName=stack.table, Key=key(org))["code"] == "AccessDeniedException"


def test_a_claim_that_is_not_a_legal_tag_gives_no_credentials(stack: Stack) -> None:
    person = stack.newcomer(role="own*r")
    with pytest.raises(ClientError) as failure:
        stack.exchange(stack.tokens(person).id_token)
    assert failure.value.response["Error"] == {
        "Code": "InvalidIdentityPoolConfigurationException",
        "Message": "Invalid identity pool configuration. Check assigned IAM roles for this pool.",
    }


@pytest.mark.parametrize(
    "trust",
    [
        {"Action": "sts:AssumeRoleWithWebIdentity", "aud": "{pool}"},
        {"Action": ["sts:AssumeRoleWithWebIdentity", "sts:TagSession"], "aud": "eu-west-1:somebody-elses"},
    ],
    ids=["no TagSession", "another pool's id"],
)
def test_an_unsuitable_trust_policy_gives_no_credentials(stack: Stack, trust: dict[str, Any]) -> None:
    iam, name = stack.root("iam"), stack.outputs["TenantRoleArn"].rpartition("/")[2]
    before = iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]
    audience = trust["aud"].replace("{pool}", stack.outputs["IdentityPoolId"])
    document = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Federated": "cognito-identity.amazonaws.com"},
                "Action": trust["Action"],
                "Condition": {"StringEquals": {"cognito-identity.amazonaws.com:aud": audience}},
            }
        ],
    }
    token = stack.tokens(ACME_OWNER).id_token
    iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(document))
    try:
        with pytest.raises(ClientError, match="InvalidIdentityPoolConfigurationException"):
            stack.exchange(token)
    finally:
        iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(before))
    assert stack.exchange(token)


def test_a_changed_role_counts_with_the_next_token(stack: Stack) -> None:
    person = stack.newcomer(role="viewer")
    assert refusal(stack.dynamodb(person).put_item, TableName=stack.table, Item=row(ACME, "n"))["status"] == 400
    stack.root("cognito-idp").admin_update_user_attributes(
        UserPoolId=stack.pool_id,
        Username=person.email,
        UserAttributes=[{"Name": "custom:role", "Value": "editor"}],
    )
    promoted = client(stack.emulator, "dynamodb", stack.exchange(stack.tokens(person).id_token))
    promoted.put_item(TableName=stack.table, Item={"pk": {"S": f"{ACME}#promoted"}, "sk": {"S": "1"}})
    promoted.delete_item(TableName=stack.table, Key={"pk": {"S": f"{ACME}#promoted"}, "sk": {"S": "1"}})


def password_tokens(stack: Stack, client_id: str, email: str) -> dict[str, Any]:
    from tests.emulator.world import PASSWORD

    answer = stack.root("cognito-idp").admin_initiate_auth(
        UserPoolId=stack.pool_id,
        ClientId=client_id,
        AuthFlow="ADMIN_USER_PASSWORD_AUTH",
        AuthParameters={"USERNAME": email, "PASSWORD": PASSWORD},
    )
    result: dict[str, Any] = answer["AuthenticationResult"]
    return result
