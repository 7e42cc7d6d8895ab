"""The policies of infra/template.yaml, decided offline: who reaches which rows, and that no role reaches more rows."""

from __future__ import annotations

import copy
from itertools import product
from typing import Any

import botocore.session
import pytest

from iam import Decision, Principal, Request, decide, decide_trust, parse_policy, parse_trust_policy
from portal.checks import ROW_ACTIONS, excess_permissions, roles_of_programs
from portal.demo.cast import ACME, GLOBEX
from portal.settings import SESSION_COOKIE_AGE
from portal.template import TABLE_ARN, boundary, read_both, resolve_references, role_policies, trust_policy

READS = ("GetItem", "Query", "BatchGetItem")
WRITES = ("PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "ConditionCheckItem")
OWN, FOREIGN, PUBLIC = ACME.space.collection("orders"), GLOBEX.space.collection("orders"), "PUBLIC#news"
TEMPLATE = read_both()


# The two clients of the user pool, as the tag `client` of their credentials has them.
LOGIN, BROWSER = str(resolve_references({"Ref": "LoginClient"})), str(resolve_references({"Ref": "BrowserClient"}))


_OWNER = {"org": str(ACME.org_id), "role": "owner", "client": LOGIN}


def decision(
    action: str, keys: list[str] | None, *, org: str | None, role: str | None, client: str | None = LOGIN
) -> Decision:
    context: dict[str, Any] = {} if keys is None else {"dynamodb:LeadingKeys": keys}
    tags = {"org": org, "role": role, "client": client}
    context |= {f"aws:PrincipalTag/{name}": value for name, value in tags.items() if value}
    return decide(
        Request(f"dynamodb:{action}", TABLE_ARN, context),
        identity=role_policies(TEMPLATE, "TenantRole"),
        boundary=boundary(TEMPLATE, "TenantRole"),
    )


# role -> (read own, write own, read public, write public)
WHO_MAY = {
    "owner": (True, True, True, False),
    "admin": (True, True, True, False),
    "editor": (True, True, True, False),
    "viewer": (True, False, True, False),
    "operator": (False, False, True, True),
}


def cases_of(role: str) -> list[tuple[tuple[str, ...], str, bool]]:
    read_own, write_own, read_public, write_public = WHO_MAY[role]
    return [
        (READS, OWN, read_own),
        (WRITES, OWN, write_own),
        (READS, PUBLIC, read_public),
        (WRITES, PUBLIC, write_public),
        (READS + WRITES, FOREIGN, False),
    ]


@pytest.mark.parametrize("role", WHO_MAY)
def test_each_role_reaches_its_rows_only(role: str) -> None:
    org = None if role == "operator" else str(ACME.org_id)
    for actions, key, may in cases_of(role):
        for action in actions:
            decided = decision(action, [key], org=org, role=role)
            assert decided.allowed is may, f"{role} {action} {key}: {decided.because}"


@pytest.mark.parametrize("client", [BROWSER, "another client", LOGIN.upper(), "", None])
@pytest.mark.parametrize("role", WHO_MAY)
def test_only_the_login_client_writes_and_every_client_reads(role: str, client: str | None) -> None:
    org = None if role == "operator" else str(ACME.org_id)
    for actions, key, may in cases_of(role):
        for action in actions:
            decided = decision(action, [key], org=org, role=role, client=client)
            assert decided.allowed is (may and action in READS), f"{role} {client} {action} {key}: {decided.because}"
            # Either of the two alone keeps it from writing.
            tags = {"org": org, "role": role, "client": client}
            context = {f"aws:PrincipalTag/{name}": value for name, value in tags.items() if value}
            request = Request(f"dynamodb:{action}", TABLE_ARN, {**context, "dynamodb:LeadingKeys": [key]})
            for policies in (role_policies(TEMPLATE, "TenantRole"), boundary(TEMPLATE, "TenantRole")):
                assert decide(request, identity=policies).allowed is (may and action in READS)


@pytest.mark.parametrize("role", WHO_MAY)
@pytest.mark.parametrize("action", ROW_ACTIONS)
def test_no_role_may_act_without_leading_keys(role: str, action: str) -> None:
    assert not decision(action, None, org=str(ACME.org_id), role=role).allowed
    assert not decision(action, [], org=str(ACME.org_id), role=role).allowed


@pytest.mark.parametrize("action", READS + WRITES)
def test_one_foreign_key_among_own_ones_is_refused(action: str) -> None:
    assert not decision(action, [OWN, FOREIGN], org=str(ACME.org_id), role="owner").allowed


def test_own_and_public_rows_are_read_in_one_batch() -> None:
    assert decision("BatchGetItem", [OWN, PUBLIC], org=str(ACME.org_id), role="viewer").allowed


@pytest.mark.parametrize(
    ("org", "role"), [(None, "owner"), (str(ACME.org_id), None), (None, None), (str(ACME.org_id), "superuser")]
)
def test_a_missing_tag_or_an_unknown_role_reaches_nothing(org: str | None, role: str | None) -> None:
    for action in READS + WRITES:
        for key in (OWN, FOREIGN, PUBLIC, "#orders", "#"):
            assert not decision(action, [key], org=org, role=role).allowed


def test_a_listed_org_is_denied_and_the_placeholder_denies_nobody() -> None:
    suspended = copy.deepcopy(TEMPLATE)
    statement = suspended["Resources"]["SuspendedTenants"]["Properties"]["PolicyDocument"]["Statement"][0]
    statement["Condition"]["StringEquals"]["aws:PrincipalTag/org"].append(str(ACME.org_id))
    request = Request(
        "dynamodb:GetItem", TABLE_ARN,
        {"dynamodb:LeadingKeys": [OWN], "aws:PrincipalTag/org": str(ACME.org_id), "aws:PrincipalTag/role": "owner"},
    )  # fmt: skip
    before = decide(request, identity=role_policies(TEMPLATE, "TenantRole"))
    after = decide(request, identity=role_policies(suspended, "TenantRole"))
    assert (before.outcome.value, after.outcome.value) == ("Allowed", "ExplicitlyDenied")


def test_the_boundary_limits_any_policy_attached_to_the_tenant_role() -> None:
    everything = parse_policy(
        {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}, name="everything"
    )
    tags = {
        "aws:PrincipalTag/org": str(ACME.org_id), "aws:PrincipalTag/role": "owner", "aws:PrincipalTag/client": LOGIN,
    }  # fmt: skip
    for action in ROW_ACTIONS:
        for keys in ({}, {"dynamodb:LeadingKeys": [FOREIGN]}):
            request = Request(f"dynamodb:{action}", TABLE_ARN, {**tags, **keys})
            assert not decide(request, identity=[everything], boundary=boundary(TEMPLATE, "TenantRole")).allowed
    for role in WHO_MAY:
        held = {} if role == "operator" else {"aws:PrincipalTag/org": str(ACME.org_id)}
        held["aws:PrincipalTag/role"] = role
        for client, (actions, key, may) in product((LOGIN, BROWSER), cases_of(role)):
            for action in actions:
                context = {**held, "aws:PrincipalTag/client": client, "dynamodb:LeadingKeys": [key]}
                request = Request(f"dynamodb:{action}", TABLE_ARN, context)
                decided = decide(request, identity=[everything], boundary=boundary(TEMPLATE, "TenantRole"))
                expected = may and (client == LOGIN or action in READS)
                assert decided.allowed is expected, f"{role} {client} {action} {key}: {decided.because}"
    for other in ("s3:GetObject", "iam:CreateUser", "cognito-identity:SetPrincipalTagAttributeMap"):
        request = Request(other, "arn:aws:s3:::any/thing", tags)
        assert not decide(request, identity=[everything], boundary=boundary(TEMPLATE, "TenantRole")).allowed


def test_no_role_of_a_program_reaches_rows_or_can_extend_itself() -> None:
    assert "PortalRole" in roles_of_programs(TEMPLATE)
    for role in roles_of_programs(TEMPLATE):
        assert excess_permissions(role, TEMPLATE) == [], role


@pytest.mark.parametrize(
    ("actions", "resource", "found"),
    [
        ("dynamodb:Query", {"GetAtt": "Table.Arn"}, "Query"),
        ("dynamodb:*", "*", "Scan"),
        ("dynamodb:*", "arn:aws:dynamodb:*:*:table/*/index/*", "Query"),
        ("dynamodb:*", "arn:aws:dynamodb:*:*:table/*/stream/*", "GetRecords"),
        ("sts:AssumeRole", "*", "sts:AssumeRole"),
        ("iam:PutRolePolicy", "*", "iam:PutRolePolicy"),
        ("iam:CreatePolicyVersion", "*", "iam:CreatePolicyVersion"),
        ("cognito-identity:*", "*", "cognito-identity:SetPrincipalTagAttributeMap"),
    ],
)
def test_the_check_finds_a_role_that_reaches_rows_or_can_extend_itself(actions: str, resource: Any, found: str) -> None:
    widened = copy.deepcopy(TEMPLATE)
    statements = widened["Resources"]["PortalRole"]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"]
    statements.append({"Effect": "Allow", "Action": actions, "Resource": resource})
    assert found in excess_permissions("PortalRole", widened)


def test_a_policy_without_its_guards_allows_a_scan() -> None:
    loose = copy.deepcopy(TEMPLATE)
    for resource in ("TenantRole", "TenantBoundary"):
        properties = loose["Resources"][resource]["Properties"]
        for document in [properties.get("PolicyDocument")] + [
            p["PolicyDocument"] for p in properties.get("Policies", [])
        ]:
            for statement in list((document or {"Statement": []})["Statement"]):
                statement.get("Condition", {}).pop("Null", None)
                if statement["Effect"] == "Allow":
                    statement["Action"] = [*statement["Action"], "dynamodb:Scan"]
                else:
                    document["Statement"].remove(statement)
    request = Request(
        "dynamodb:Scan", TABLE_ARN, {"aws:PrincipalTag/org": str(ACME.org_id), "aws:PrincipalTag/role": "owner"}
    )
    leaky = decide(request, identity=role_policies(loose, "TenantRole"), boundary=boundary(loose, "TenantRole"))
    assert leaky.allowed


def test_only_people_of_this_identity_pool_assume_the_tenant_role() -> None:
    document = TEMPLATE["Resources"]["TenantRole"]["Properties"]["AssumeRolePolicyDocument"]
    trust = parse_trust_policy(resolve_references(document), name="trust")
    pool = resolve_references({"Ref": "IdentityPool"})

    def may(**changes: Any) -> bool:
        context = {
            "cognito-identity.amazonaws.com:aud": pool,
            "cognito-identity.amazonaws.com:amr": ["authenticated", "cognito-idp.eu-west-1.amazonaws.com/pool"],
        }
        context |= {f"cognito-identity.amazonaws.com:{name}": value for name, value in changes.items()}
        context = {name: value for name, value in context.items() if value is not None}
        who = Principal("Federated", "cognito-identity.amazonaws.com")
        return all(
            decide_trust(action, trust, context, principal=who).allowed
            for action in ("sts:AssumeRoleWithWebIdentity", "sts:TagSession")
        )

    assert may()
    for wrong in ({"aud": "another pool"}, {"aud": None}, {"amr": ["unauthenticated"]}, {"amr": None}):
        assert not may(**wrong), wrong


@pytest.mark.parametrize("org", ["PUBLIC", "PUBLIC#news", "", "*", str(ACME.org_id) + "#", str(ACME.org_id)[:-1], None])
def test_the_trust_refuses_a_tag_that_has_no_org_ids_shape(org: str | None) -> None:
    trust = trust_policy(TEMPLATE, "TenantRole")
    who = Principal("Federated", "cognito-identity.amazonaws.com")
    context: dict[str, Any] = {
        "cognito-identity.amazonaws.com:aud": resolve_references({"Ref": "IdentityPool"}),
        "cognito-identity.amazonaws.com:amr": ["authenticated"],
        **({} if org is None else {"aws:RequestTag/org": org}),
    }
    for action in ("sts:AssumeRoleWithWebIdentity", "sts:TagSession"):
        # Operators have none.
        assert decide_trust(action, trust, context, principal=who).allowed is (org is None)
        own = {**context, "aws:RequestTag/org": str(ACME.org_id)}
        assert decide_trust(action, trust, own, principal=who).allowed


# Every operation of DynamoDB has a column. One that AWS adds fails the test until somebody has decided about it.
ALLOWED = {
    "GetItem", "Query", "BatchGetItem", "TransactGetItems",
    "PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "TransactWriteItems",
}  # fmt: skip
# Reads or writes rows, with no key that the policy could hold them to.
ROWS_WITHOUT_KEYS = {
    "Scan", "SearchVectors", "ExecuteStatement", "BatchExecuteStatement", "ExecuteTransaction",
    "ExportTableToPointInTime", "ImportTable", "CreateBackup", "RestoreTableFromBackup", "RestoreTableToPointInTime",
    "EnableKinesisStreamingDestination", "UpdateKinesisStreamingDestination", "DisableKinesisStreamingDestination",
}  # fmt: skip
TABLES_AND_SETTINGS = {
    "CreateGlobalTable", "CreateTable", "DeleteBackup", "DeleteResourcePolicy", "DeleteTable", "DescribeBackup",
    "DescribeContinuousBackups", "DescribeContributorInsights", "DescribeEndpoints", "DescribeExport",
    "DescribeGlobalTable", "DescribeGlobalTableSettings", "DescribeImport", "DescribeKinesisStreamingDestination",
    "DescribeLimits", "DescribeTable", "DescribeTableReplicaAutoScaling", "DescribeTimeToLive", "GetResourcePolicy",
    "ListBackups", "ListContributorInsights", "ListExports", "ListGlobalTables", "ListImports", "ListTables",
    "ListTagsOfResource", "PutResourcePolicy", "TagResource", "UntagResource", "UpdateContinuousBackups",
    "UpdateContributorInsights", "UpdateGlobalTable", "UpdateGlobalTableSettings", "UpdateTable",
    "UpdateTableReplicaAutoScaling", "UpdateTimeToLive",
}  # fmt: skip
# Actions of IAM that no operation is called like.
ACTIONS_BESIDE = {"PartiQLSelect", "PartiQLInsert", "PartiQLUpdate", "PartiQLDelete", "StartBulkPutItems", "GetRecords"}


def test_every_operation_of_dynamodb_has_its_column() -> None:
    operations = set(botocore.session.get_session().get_service_model("dynamodb").operation_names)
    assert operations == ALLOWED | ROWS_WITHOUT_KEYS | TABLES_AND_SETTINGS


@pytest.mark.parametrize("role", ["TenantRole", "GuestRole", "ClosingRole"])
@pytest.mark.parametrize("action", sorted(ROWS_WITHOUT_KEYS | TABLES_AND_SETTINGS | ACTIONS_BESIDE | {"NewTomorrow"}))
def test_an_action_off_the_list_is_denied_whatever_is_allowed(role: str, action: str) -> None:
    everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    tags = {f"aws:PrincipalTag/{tag}": value for tag, value in _OWNER.items()}
    for keys in ({}, {"dynamodb:LeadingKeys": [OWN]}):
        request = Request(f"dynamodb:{action}", TABLE_ARN, {**tags, **keys})
        decided = decide(request, identity=[*role_policies(TEMPLATE, role), parse_policy(everything, name="later")])
        assert decided.outcome.value == "ExplicitlyDenied"


def test_the_user_pool_and_identity_pool_are_set_up_safely() -> None:
    resources = TEMPLATE["Resources"]
    client = resources["LoginClient"]["Properties"]
    schema = {field["Name"]: field for field in resources["UserPool"]["Properties"]["Schema"]}
    # Mutable only if people sign up themselves, which is not the default.
    assert schema["org"]["Mutable"] == {"If": ["PeopleSignUpThemselves", True, False]}
    assert TEMPLATE["Parameters"]["SignUp"]["Default"] == "portal"
    assert schema["org"]["StringAttributeConstraints"] == {"MinLength": "36", "MaxLength": "36"}
    assert client["WriteAttributes"]
    assert not {"custom:org", "custom:role"} & set(client["WriteAttributes"])
    assert {"custom:org", "custom:role", "email", "email_verified"} <= set(client["ReadAttributes"])
    assert "aws.cognito.signin.user.admin" not in client["AllowedOAuthScopes"]
    assert client["AllowedOAuthFlows"] == ["code"]
    # The one flow that the sign-in pages need, and that needs the client's secret in the API.
    assert client["ExplicitAuthFlows"] == ["ALLOW_USER_SRP_AUTH"]
    assert client["GenerateSecret"] is True
    assert resources["UserPool"]["Properties"]["IssuerConfiguration"] == {"Type": "ORIGINAL"}
    assert client["TokenValidityUnits"]["RefreshToken"] == "minutes"
    assert client["RefreshTokenValidity"] * 60 == SESSION_COOKIE_AGE
    assert client["PreventUserExistenceErrors"] == "ENABLED"
    assert resources["IdentityPool"]["Properties"]["AllowClassicFlow"] is False
    tags = resources["PrincipalTags"]["Properties"]["PrincipalTags"]
    assert tags == {"org": "custom:org", "role": "custom:role", "client": "aud"}
    assert "Tags" not in resources["TenantRole"]["Properties"]
    assert TEMPLATE["Parameters"]["PublicReads"]["Default"] == "false"
