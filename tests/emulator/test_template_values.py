"""Templates: values that the service refuses are refused first, and texts count as what they spell."""

import json
import secrets
from typing import Any

import pytest

from emulator.client.deploy import DeployFailed, deploy
from emulator.client.process import Emulator
from tests.emulator.test_templates import LIST_TABLES, TRUST, make, refusal
from tests.emulator.world import client

NO = {"Ref": "No"}


@pytest.mark.parametrize(
    ("kind", "properties", "text"),
    [
        ("Cognito::UserPool", {"Policies": {"PasswordPolicy": {"MinimumLength": 5}}}, "greater than or equal to 6"),
        ("Cognito::UserPool", {"Schema": [{"Name": "a" * 21}]}, "'schema.1.member.name'"),
        ("Cognito::UserPool", {"LambdaConfig": {"PreSignUp": "no-arn"}}, "'lambdaConfig.preSignUp'"),
        ("Cognito::UserPool", {"MfaConfiguration": "ON"}, "SoftwareTokenMfaConfiguration must be enabled"),
        ("Cognito::UserPoolClient", {"UserPoolId": "p", "AuthSessionValidity": "99"}, "'authSessionValidity'"),
        ("Cognito::UserPoolClient", {"UserPoolId": "p", "ExplicitAuthFlows": ["NONE"]}, "enum value set"),
        ("Cognito::UserPoolDomain", {"UserPoolId": {"Ref": "AWS::StackId"}, "Domain": "Not.Small"}, "'domain'"),
        ("Cognito::IdentityPoolRoleAttachment", {"IdentityPoolId": "p", "Roles": {"other": "a" * 20}}, "'roles'"),
        ("IAM::Role", {"AssumeRolePolicyDocument": TRUST, "MaxSessionDuration": 60}, "'maxSessionDuration'"),
        (
            "IAM::Role",
            {"AssumeRolePolicyDocument": TRUST, "Tags": [{"Key": "a!", "Value": "b"}]},
            "'tags.1.member.key'",
        ),
        ("IAM::User", {"UserName": "a b"}, "'userName'"),
        ("IAM::ManagedPolicy", {"PolicyDocument": LIST_TABLES, "Path": "no-slash"}, "'path'"),
    ],
)
def test_a_value_that_the_service_refuses_is_refused_first(
    emulator: Emulator, kind: str, properties: dict[str, Any], text: str
) -> None:
    found = refusal(emulator, f"AWS::{kind}", properties)
    assert "Properties validation failed for resource Thing with message: [" in found
    assert text in found


def test_a_description_may_have_accents(emulator: Emulator) -> None:
    properties = {"AssumeRolePolicyDocument": TRUST, "Description": "Rôle"}
    role = make(emulator, "AWS::IAM::Role", properties, Outputs={"Role": {"Value": {"Ref": "Thing"}}})["Role"]
    assert client(emulator, "iam", emulator.root).get_role(RoleName=role)["Role"]["Description"] == "Rôle"


def test_a_text_that_spells_false_is_false_everywhere(emulator: Emulator) -> None:
    body = {
        "Parameters": {"No": {"Type": "String", "Default": "false"}},
        "Resources": {
            "Guests": {"Type": "AWS::Cognito::IdentityPool", "Properties": {"AllowUnauthenticatedIdentities": NO}},
            "Pool": {"Type": "AWS::Cognito::UserPool", "Properties": {"UsernameConfiguration": {"CaseSensitive": NO}}},
            "Client": {
                "Type": "AWS::Cognito::UserPoolClient",
                "Properties": {
                    "UserPoolId": {"Ref": "Pool"},
                    "GenerateSecret": NO,
                    "EnableTokenRevocation": "False",
                    "AllowedOAuthFlowsUserPoolClient": NO,
                    "AuthSessionValidity": "5",
                },
            },
        },
        "Outputs": {name: {"Value": {"Ref": name}} for name in ("Guests", "Pool", "Client")},
    }
    ids = deploy(emulator.endpoint_url, emulator.root, template=json.dumps(body), stack_name=f"t{secrets.token_hex(4)}")
    identities, pools = (
        client(emulator, "cognito-identity", emulator.root),
        client(emulator, "cognito-idp", emulator.root),
    )
    guests = identities.describe_identity_pool(IdentityPoolId=ids["Guests"])
    pool = pools.describe_user_pool(UserPoolId=ids["Pool"])["UserPool"]
    own = pools.describe_user_pool_client(UserPoolId=ids["Pool"], ClientId=ids["Client"])["UserPoolClient"]
    assert guests["AllowUnauthenticatedIdentities"] is False
    assert pool["UsernameConfiguration"] == {"CaseSensitive": False}
    assert "ClientSecret" not in own
    assert (own["EnableTokenRevocation"], own["AllowedOAuthFlowsUserPoolClient"]) == (False, False)
    assert own["AuthSessionValidity"] == 5


def test_an_update_that_fails_leaves_a_role_as_it_was(emulator: Emulator) -> None:
    name = f"t{secrets.token_hex(4)}"

    def change(**properties: Any) -> dict[str, str]:
        role = {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": TRUST, **properties}}
        body = {"Resources": {"Role": role}, "Outputs": {"Role": {"Value": {"Ref": "Role"}}}}
        return deploy(emulator.endpoint_url, emulator.root, template=json.dumps(body), stack_name=name)

    attached = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
    role = change(ManagedPolicyArns=[attached])["Role"]
    with pytest.raises(DeployFailed, match="does not exist or is not attachable"):
        change(ManagedPolicyArns=["arn:aws:iam::123456789012:policy/none"])
    roles = client(emulator, "iam", emulator.root)
    left = roles.list_attached_role_policies(RoleName=role)["AttachedPolicies"]
    assert [policy["PolicyArn"] for policy in left] == [attached]


def test_a_role_that_fails_is_not_left_behind(emulator: Emulator) -> None:
    name = f"t{secrets.token_hex(4)}"
    unknown = ["arn:aws:iam::123456789012:policy/none"]
    with pytest.raises(DeployFailed):
        make(
            emulator,
            "AWS::IAM::Role",
            {"RoleName": name, "AssumeRolePolicyDocument": TRUST, "ManagedPolicyArns": unknown},
        )
    assert name not in [role["RoleName"] for role in client(emulator, "iam", emulator.root).list_roles()["Roles"]]


def test_a_pool_has_the_attributes_that_aws_gives_it(emulator: Emulator) -> None:
    outputs = {name: {"Value": {"Fn::GetAtt": ["Thing", name]}} for name in ("ProviderName", "ProviderURL")}
    found = make(emulator, "AWS::Cognito::UserPool", {}, Outputs=outputs)
    assert found["ProviderURL"] == f"https://{found['ProviderName']}"
