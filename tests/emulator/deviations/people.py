"""Deviations of user pools, identity pools and the sign-in pages."""

import json
import secrets
from typing import Any

import requests

from tests.emulator.accounts import address, client_of, later, mails, password_sign_in
from tests.emulator.browser import Browser
from tests.emulator.deviations import deviation
from tests.emulator.test_identity_pool import anonymous
from tests.emulator.world import ACME_OWNER, PASSWORD, REDIRECT, Stack, refusal


def pool(stack: Stack, **settings: Any) -> str:
    made = stack.root("cognito-idp").create_user_pool(PoolName=f"p{secrets.token_hex(4)}", **settings)
    return str(made["UserPool"]["Id"])


@deviation("role-mappings")
def role_mappings_are_refused(stack: Stack) -> None:
    mappings = {stack.provider: {"Type": "Token", "AmbiguousRoleResolution": "Deny"}}
    identity_pool = stack.outputs["IdentityPoolId"]
    call = stack.root("cognito-identity").set_identity_pool_roles
    error = refusal(call, IdentityPoolId=identity_pool, Roles={}, RoleMappings=mappings)
    assert "is not served here" in error["message"]


@deviation("classic-flow")
def the_classic_flow_is_refused(stack: Stack) -> None:
    token = stack.tokens(ACME_OWNER).id_token
    identities, logins = anonymous(stack), {stack.provider: token}
    identity = identities.get_id(IdentityPoolId=stack.outputs["IdentityPoolId"], Logins=logins)["IdentityId"]
    error = refusal(identities.get_open_id_token, IdentityId=identity, Logins=logins)
    assert "not enabled" in error["message"]


@deviation("one-sign-in-host")
def the_pages_of_all_pools_share_one_host(stack: Stack) -> None:
    other = pool(stack)
    made = stack.root("cognito-idp").create_user_pool_client(
        UserPoolId=other, ClientName="c", AllowedOAuthFlowsUserPoolClient=True, AllowedOAuthFlows=["code"],
        AllowedOAuthScopes=["openid"], CallbackURLs=[REDIRECT], SupportedIdentityProviders=["COGNITO"],
    )["UserPoolClient"]  # fmt: skip
    for client_id in (stack.client_id, made["ClientId"]):
        assert Browser(stack).page(client_id=client_id).status_code == 200


@deviation("errors-of-a-form")
def a_form_names_all_its_errors_at_once(stack: Stack) -> None:
    browser = Browser(stack)
    answer = browser.submit(browser.page(), username="", password="")
    assert (answer.status_code, answer.text.count('<li><a href="#')) == (400, 2)


@deviation("branding")
def branding_has_no_effect(stack: Stack) -> None:
    stack.root("cognito-idp").set_ui_customization(UserPoolId=stack.pool_id, CSS=".banner {color: red}")
    style = requests.get(f"{stack.emulator.endpoint_url}/assets/sign-in.css", timeout=10)
    assert ".banner" not in style.text + Browser(stack).page().text


@deviation("identity-providers")
def an_identity_provider_is_stored_and_lets_nobody_in(stack: Stack) -> None:
    pools, own = stack.root("cognito-idp"), pool(stack)
    pools.create_identity_provider(
        UserPoolId=own, ProviderName="Google", ProviderType="Google", AttributeMapping={"email": "email"},
        ProviderDetails={"client_id": "x", "client_secret": "x", "authorize_scopes": "email"},
    )  # fmt: skip
    call = pools.create_user_pool_client
    error = refusal(call, UserPoolId=own, ClientName="c", SupportedIdentityProviders=["Google"])
    assert "SupportedIdentityProviders Google is not served here" in error["message"]


@deviation("breached-passwords")
def a_breached_password_is_accepted(stack: Stack) -> None:
    guarded = pool(stack, UserPoolTier="PLUS", UserPoolAddOns={"AdvancedSecurityMode": "ENFORCED"})
    made = stack.root("cognito-idp").create_user_pool_client(UserPoolId=guarded, ClientName="c")["UserPoolClient"]
    api = anonymous(stack, "cognito-idp")
    assert api.sign_up(ClientId=made["ClientId"], Username="ada", Password="Password1!")["UserSub"]


@deviation("ses-identities")
def any_identity_of_ses_counts_as_verified(stack: Stack) -> None:
    arn = "arn:aws:ses:eu-west-1:123456789012:identity/nobody.example"
    pool(stack, EmailConfiguration={"EmailSendingAccount": "DEVELOPER", "SourceArn": arn, "From": "a@nobody.example"})


@deviation("text-messages")
def text_messages_are_refused(stack: Stack) -> None:
    configuration = {"SnsCallerArn": "arn:aws:iam::123456789012:role/x", "ExternalId": "x"}
    call = stack.root("cognito-idp").create_user_pool
    for setting in ({"SmsConfiguration": configuration}, {"AutoVerifiedAttributes": ["phone_number"]}):
        assert "is not served here" in refusal(call, PoolName="sms", **setting)["message"]
    invite = stack.root("cognito-idp").admin_create_user
    error = refusal(invite, UserPoolId=stack.pool_id, Username=address(), DesiredDeliveryMediums=["SMS"])
    assert "DesiredDeliveryMediums SMS is not served here" in error["message"]


@deviation("other-triggers")
def other_triggers_are_refused(stack: Stack) -> None:
    call = stack.root("cognito-idp").create_user_pool
    arn = "arn:aws:lambda:eu-west-1:123456789012:function:x"
    assert "PreAuthentication" in refusal(call, PoolName="t", LambdaConfig={"PreAuthentication": arn})["message"]


@deviation("tokens-for-machines")
def a_machine_gets_no_token(stack: Stack) -> None:
    answer = Browser(stack).token(grant_type="client_credentials")
    assert (answer.status_code, answer.json()["error"]) == (400, "unsupported_grant_type")


@deviation("list-users-at-once")
def a_new_user_is_listed_at_once(stack: Stack) -> None:
    person = stack.newcomer()
    found = stack.root("cognito-idp").list_users(UserPoolId=stack.pool_id, Filter=f'email = "{person.email}"')
    assert len(found["Users"]) == 1


@deviation("null-entries")
def a_null_entry_of_a_map_counts_as_absent(stack: Stack) -> None:
    person, client_id = stack.newcomer(), client_of(stack)
    answers = {"USERNAME": person.email, "PASSWORD": PASSWORD, "DEVICE_KEY": None}
    body = {"ClientId": client_id, "AuthFlow": "USER_PASSWORD_AUTH", "AuthParameters": answers}
    headers = {
        "X-Amz-Target": "AWSCognitoIdentityProviderService.InitiateAuth",
        "Content-Type": "application/x-amz-json-1.1",
    }
    answer = requests.post(stack.emulator.endpoint_url, data=json.dumps(body), headers=headers, timeout=10)
    assert "AuthenticationResult" in answer.json()


@deviation("settings-of-a-client")
def an_unknown_attribute_of_a_client_is_accepted(stack: Stack) -> None:
    call = stack.root("cognito-idp").create_user_pool_client
    made = call(UserPoolId=stack.pool_id, ClientName="odd", ReadAttributes=["odd"], AccessTokenValidity=99)
    assert made["UserPoolClient"]["ReadAttributes"] == ["odd"]


@deviation("two-clocks")
def an_access_token_outlives_the_moved_clock_in_the_api(stack: Stack) -> None:
    api, person = anonymous(stack, "cognito-idp"), stack.newcomer()
    token = password_sign_in(api, client_of(stack), person.email)["AuthenticationResult"]["AccessToken"]
    with later(stack.emulator, 2 * 3600):
        assert api.get_user(AccessToken=token)["Username"]


@deviation("daily-mails")
def more_than_fifty_mails_a_day_are_sent(stack: Stack) -> None:
    pools, own = stack.root("cognito-idp"), pool(stack, UsernameAttributes=["email"], AutoVerifiedAttributes=["email"])
    everybody = [address() for _ in range(51)]
    for email in everybody:
        pools.admin_create_user(UserPoolId=own, Username=email, UserAttributes=[{"Name": "email", "Value": email}])
    assert mails(stack.emulator, everybody[-1])


@deviation("group-precedence")
def a_group_without_a_precedence_shows_zero(stack: Stack) -> None:
    pools, group = stack.root("cognito-idp"), {"UserPoolId": stack.pool_id, "GroupName": f"g{secrets.token_hex(4)}"}
    pools.create_group(**group)
    assert pools.get_group(**group)["Group"]["Precedence"] == 0
    pools.delete_group(**group)
