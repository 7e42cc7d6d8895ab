"""Who may make, change or become an identity, by infra/template.yaml. No role has more than its program uses."""

from __future__ import annotations

import ast
import copy
import inspect
import re
from collections.abc import Iterator
from typing import Any

import botocore.session
import pytest
from botocore import xform_name

import infra.functions.handlers
from portal.checks import (
    identity_holders,
    only_people_reach_rows,
    roles_that_make_identities,
    who_makes_identities,
)
from portal.environment import BASE
from portal.identity_permissions import EXPECTED, IDENTITY_ACTIONS, holders, unexpected
from portal.template import read_both, role_documents
from tenants.aws.directory import Directory
from tenants.aws.principal_tags import PrincipalTags
from tenants.aws.suspension_policy import SuspensionPolicy

TEMPLATE = read_both()


def widened(*statements: dict[str, Any]) -> dict[str, Any]:
    """The template with these statements in ClosingJobPolicy, whose role should be nobody in the pool."""
    changed = copy.deepcopy(TEMPLATE)
    changed["Resources"]["ClosingJobPolicy"]["Properties"]["PolicyDocument"]["Statement"] += statements
    return changed


def test_each_role_holds_the_identity_permissions_that_are_named() -> None:
    held = holders(TEMPLATE)
    assert {role: actions for role, actions in held.items() if actions} == EXPECTED
    assert unexpected(TEMPLATE) == {}


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ({"Action": "cognito-idp:AdminSetUserPassword"}, "cognito-idp:AdminSetUserPassword"),
        ({"Action": "COGNITO-IDP:admincreateuser"}, "cognito-idp:AdminCreateUser"),
        ({"Action": "cognito-idp:*"}, "cognito-idp:UpdateUserPoolClient"),
        ({"Action": "cognito-idp:Admin*"}, "cognito-idp:AdminInitiateAuth"),
        ({"Action": "cognito-idp:*ResetUserPas?word"}, "cognito-idp:AdminResetUserPassword"),
        ({"Action": ["logs:*", "*"]}, "lambda:UpdateFunctionCode"),
        ({"NotAction": "dynamodb:*"}, "iam:PassRole"),
        ({"NotAction": ["cognito-idp:AdminCreateUser"]}, "cognito-idp:AdminConfirmSignUp"),
        ({"Action": "iam:*", "Resource": "arn:aws:iam::*:role/portal-*"}, "iam:UpdateAssumeRolePolicy"),
        ({"Action": "lambda:Update*", "Resource": {"GetAtt": "Profile.Arn"}}, "lambda:UpdateFunctionCode"),
        ({"Action": "ecs:ExecuteCommand", "Condition": {"Bool": {"aws:X": "true"}}}, "ecs:ExecuteCommand"),
        ({"Action": "cognito-identity:Set*"}, "cognito-identity:SetPrincipalTagAttributeMap"),
    ],
)
def test_an_unexpected_holder_is_found_however_it_is_written(statement: dict[str, Any], found: str) -> None:
    added = {"Effect": "Allow", "Resource": "*", **statement}
    assert found in unexpected(widened(added))["ClosingJobRole"]


def test_a_deny_that_may_be_got_around_hides_nothing() -> None:
    allow = {"Effect": "Allow", "Action": "cognito-idp:AdminCreateUser", "Resource": "*"}
    for narrow in ({"Resource": {"GetAtt": "UserPool.Arn"}}, {"Condition": {"Bool": {"aws:X": "true"}}}):
        deny = {"Effect": "Deny", "Action": "*", "Resource": "*", **narrow}
        assert unexpected(widened(allow, deny)) == {"ClosingJobRole": {"cognito-idp:AdminCreateUser"}}
    assert unexpected(widened(allow, {"Effect": "Deny", "Action": "*", "Resource": "*"})) == {}


def test_a_new_role_is_refused_until_it_is_named() -> None:
    added = copy.deepcopy(TEMPLATE)
    added["Resources"]["AnotherRole"] = copy.deepcopy(added["Resources"]["PortalRole"])
    assert set(unexpected(added)) == {"AnotherRole"}


@pytest.mark.parametrize("kind", ["AWS::IAM::User", "AWS::IAM::RolePolicy", "AWS::IAM::Group", "AWS::IAM::AccessKey"])
def test_permissions_in_a_form_that_is_not_read_are_refused(kind: str) -> None:
    added = copy.deepcopy(TEMPLATE)
    added["Resources"]["Another"] = {"Type": kind, "Properties": {}}
    with pytest.raises(TypeError, match=kind):
        holders(added)


def test_the_check_refuses_an_unexpected_holder() -> None:
    changed = copy.deepcopy(TEMPLATE)
    statements = changed["Resources"]["ProfilePolicy"]["Properties"]["PolicyDocument"]["Statement"]
    statements.append({"Effect": "Allow", "Action": "cognito-idp:AdminSet*", "Resource": "*"})
    (error,) = roles_that_make_identities(changed)
    assert error.id == "portal.E010"
    assert error.msg.startswith("ProfileRole may call cognito-idp:AdminSetUserMFAPreference")
    assert only_people_reach_rows() == []


def test_a_deployments_check_names_who_holds_what() -> None:
    said = [message.msg for message in who_makes_identities()]
    for role, actions in EXPECTED.items():
        assert any(text.startswith(role) and all(action in text for action in actions) for text in said)
    changed = copy.deepcopy(TEMPLATE)
    changed["Resources"]["PortalRole"]["Properties"]["Policies"] = []
    assert "portal.W010" in {message.id for message in identity_holders(changed)}


def test_every_identity_action_is_one_of_aws() -> None:
    session = botocore.session.get_session()
    for service in ("cognito-idp", "cognito-identity", "sts", "iam", "lambda", "cloudformation", "ecs", "ssm"):
        known = set(session.get_service_model(service).operation_names) | {"PassRole", "TagSession"}
        # The API's names of these two have a date behind them.
        known = {re.sub(r"\d{8}(v2)?$", "", name) for name in known}
        named = {action.partition(":")[2] for action in IDENTITY_ACTIONS if action.startswith(f"{service}:")}
        assert named - known == set(), service


# Changes in the user pool that make nobody and raise nobody. What AWS adds fails the test below until it is decided.
_HARMLESS = """
AdminDeleteUser AdminDisableProviderForUser AdminDisableUser AdminForgetDevice AdminRemoveUserFromGroup
AdminUpdateAuthEventFeedback AdminUpdateDeviceStatus AdminUserGlobalSignOut CreateManagedLoginBranding
CreateResourceServer CreateTerms CreateUserPool SetLogDeliveryConfiguration SetRiskConfiguration
SetUICustomization StopUserImportJob TagResource UntagResource UpdateManagedLoginBranding UpdateProvisionedLimit
UpdateResourceServer UpdateTerms AdminGetDevice AdminGetUser AdminGetUserAuthFactors AdminListDevices
AdminListGroupsForUser AdminListUserAuthEvents CreateIdentityPool DeleteIdentities LookupDeveloperIdentity
MergeDeveloperIdentities UnlinkDeveloperIdentity
"""
HARMLESS = set(_HARMLESS.split())
# Calls of people about themselves, which need no permission of IAM.
_OWN = """
AssociateSoftwareToken ChangePassword CompleteWebAuthnRegistration ConfirmDevice ConfirmForgotPassword
ConfirmSignUp ForgetDevice ForgotPassword GlobalSignOut InitiateAuth ResendConfirmationCode
RespondToAuthChallenge RevokeToken SetUserMFAPreference SetUserSettings SignUp StartWebAuthnRegistration
UpdateAuthEventFeedback UpdateDeviceStatus UpdateUserAttributes VerifySoftwareToken VerifyUserAttribute
UnlinkIdentity
"""
OWN = set(_OWN.split())


@pytest.mark.parametrize("service", ["cognito-idp", "cognito-identity"])
def test_every_operation_of_cognito_is_decided_about(service: str) -> None:
    names = set(botocore.session.get_session().get_service_model(service).operation_names)
    reads = {name for name in names if re.match("Get|List|Describe|Delete", name)}
    named = {action.partition(":")[2] for action in IDENTITY_ACTIONS}
    assert names - reads - named - HARMLESS - OWN == set()
    assert named & (HARMLESS | OWN) == set()


_POOLS = {"CognitoIdentityClient": "cognito-identity"}


def calls_of(adapter: type) -> Iterator[str]:
    """The actions that a class calls as `self.client.…`, and its paginators."""
    service = {"CognitoIdentityProviderClient": "cognito-idp", "IAMClient": "iam", **_POOLS}[
        adapter.__annotations__["client"]
    ]
    yield from actions_in(ast.parse(inspect.getsource(adapter)), service, lambda of: ast.unparse(of) == "self.client")


def actions_in(tree: ast.AST, service: str, is_client: Any) -> Iterator[str]:
    operations = botocore.session.get_session().get_service_model(service).operation_names
    by_method = {xform_name(name): name for name in operations}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and is_client(node.value) and node.attr != "exceptions":
            yield f"{service}:{by_method[node.attr]}"


def granted(role: str) -> set[str]:
    """As the template writes them, logs aside."""
    found = set()
    for document in role_documents(TEMPLATE, role).values():
        for statement in document["Statement"]:
            actions = statement["Action"]
            found |= set([actions] if isinstance(actions, str) else actions)
    return {action for action in found if action.partition(":")[0] != "logs"}


def test_the_portal_role_may_call_what_the_worker_calls_and_nothing_else() -> None:
    assert granted("PortalRole") == {*calls_of(Directory), *calls_of(SuspensionPolicy), *calls_of(PrincipalTags)}


def test_only_the_worker_gets_clients_of_the_portal_role() -> None:
    makers = {
        str(path.relative_to(BASE))
        for path in [*(BASE / "tenants").rglob("*.py"), *(BASE / "portal").rglob("*.py")]
        if re.search(r"\b(directory_client|people_client|policies_client)\(", path.read_text())
    }
    deployers = {"portal/management/commands/stack_env.py"}
    assert makers - {"tenants/aws/clients.py"} - deployers == {"tenants/provisioning/wiring.py"}


@pytest.mark.parametrize(
    ("role", "functions"),
    [
        ("PostConfirmationRole", ("post_confirmation", "_assign_organisation")),
        ("ProfileRole", ("profile", "_member")),
        ("CustomMessageRole", ("custom_message", "_worded", "_invitation")),
    ],
)
def test_a_functions_role_may_call_what_the_function_calls(role: str, functions: tuple[str, ...]) -> None:
    trees = [ast.parse(inspect.getsource(getattr(infra.functions.handlers, name))) for name in functions]
    made = {
        action for tree in trees for action in actions_in(tree, "cognito-idp", lambda of: ast.unparse(of) == "pools")
    }
    assert granted(role) == made
