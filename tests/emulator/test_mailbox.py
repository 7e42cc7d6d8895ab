"""The mail that Cognito would send, and how to read it."""

from typing import Any

import requests

from emulator.client.process import Emulator
from tests.emulator.accounts import address, client_of, mailed_code, mails, password_sign_in
from tests.emulator.browser import Browser, code_in
from tests.emulator.test_identity_pool import anonymous
from tests.emulator.world import ACME, PASSWORD, Stack, refusal


def invite(stack: Stack, email: str, **more: Any) -> dict[str, Any]:
    made: dict[str, Any] = stack.root("cognito-idp").admin_create_user(
        UserPoolId=stack.pool_id,
        Username=email,
        UserAttributes=[{"Name": "email_verified", "Value": "true"}, {"Name": "custom:org", "Value": ACME}],
        **more,
    )
    return made


def temporary_password(emulator: Emulator, email: str) -> str:
    body = str(mails(emulator, email)[0]["body"])
    assert body.startswith(f"Your username is {email} and temporary password is ")
    return body.removeprefix(f"Your username is {email} and temporary password is ").removesuffix(".")


def test_an_invitation_contains_a_temporary_password(stack: Stack) -> None:
    email, browser = address(), Browser(stack)
    answer = invite(stack, email)
    password = temporary_password(stack.emulator, email)
    assert password not in str(answer)
    page = browser.submit(browser.page(), username=email, password=password)
    assert "<h1>Choose a password</h1>" in page.text
    assert code_in(browser.submit(page, new_password=PASSWORD, confirm_password=PASSWORD))
    assert "Incorrect" in browser.submit(browser.page(prompt="login"), username=email, password=password).text


def test_a_suppressed_invitation_is_not_mailed(stack: Stack) -> None:
    email = address()
    invite(stack, email, MessageAction="SUPPRESS")
    assert mails(stack.emulator, email) == []


def test_a_resent_invitation_contains_a_new_password(stack: Stack) -> None:
    email, browser = address(), Browser(stack)
    invite(stack, email)
    first = temporary_password(stack.emulator, email)
    stack.root("cognito-idp").admin_create_user(UserPoolId=stack.pool_id, Username=email, MessageAction="RESEND")
    second = temporary_password(stack.emulator, email)
    assert len(mails(stack.emulator, email)) == 2
    assert first != second
    assert "Incorrect" in browser.submit(browser.page(), username=email, password=first).text
    assert "Choose a password" in browser.submit(browser.page(), username=email, password=second).text


def test_only_an_unused_invitation_is_resent(stack: Stack) -> None:
    create = stack.root("cognito-idp").admin_create_user
    error = refusal(create, UserPoolId=stack.pool_id, Username=stack.newcomer().email, MessageAction="RESEND")
    assert error["code"] == "UnsupportedUserStateException"
    error = refusal(create, UserPoolId=stack.pool_id, Username=address(), MessageAction="RESEND")
    assert error["code"] == "UserNotFoundException"


def test_a_new_address_counts_after_its_code_is_entered(stack: Stack) -> None:
    person, new = stack.newcomer(), address()
    client_id, api = client_of(stack), anonymous(stack, "cognito-idp")
    token = password_sign_in(api, client_id, person.email)["AuthenticationResult"]["AccessToken"]
    sent = api.update_user_attributes(AccessToken=token, UserAttributes=[{"Name": "email", "Value": new}])
    assert sent["CodeDeliveryDetailsList"][0]["AttributeName"] == "email"
    assert _email(api, token) == person.email
    code = mailed_code(stack.emulator, new)
    wrong = refusal(api.verify_user_attribute, AccessToken=token, AttributeName="email", Code="1234567")
    assert wrong["code"] == "CodeMismatchException"
    api.verify_user_attribute(AccessToken=token, AttributeName="email", Code=code)
    assert _email(api, token) == new
    assert mails(stack.emulator, person.email) == []


def _email(api: Any, token: str) -> str:
    return next(item["Value"] for item in api.get_user(AccessToken=token)["UserAttributes"] if item["Name"] == "email")


def test_an_administrators_new_address_counts_only_if_verified(stack: Stack) -> None:
    person, pools, new = stack.newcomer(), stack.root("cognito-idp"), address()
    who = {"UserPoolId": stack.pool_id, "Username": person.email}
    pools.admin_update_user_attributes(**who, UserAttributes=[{"Name": "email", "Value": new}])
    assert mailed_code(stack.emulator, new)
    found = pools.admin_get_user(**who)["UserAttributes"]
    assert {"Name": "email", "Value": person.email} in found
    vouched = [{"Name": "email", "Value": new}, {"Name": "email_verified", "Value": "true"}]
    pools.admin_update_user_attributes(**who, UserAttributes=vouched)
    assert pools.admin_get_user(UserPoolId=stack.pool_id, Username=new)["UserStatus"] == "CONFIRMED"


def test_the_mailbox_has_a_page(stack: Stack) -> None:
    email, base = address(), stack.emulator.endpoint_url
    invite(stack, email)
    listed = requests.get(f"{base}/mailbox", params={"to": email.upper()}, timeout=10)
    assert listed.headers["Content-Type"].startswith("text/html")
    assert "Your temporary password" in listed.text
    assert "<script" not in listed.text
    assert "default-src 'none'" in listed.headers["Content-Security-Policy"]
    mail = mails(stack.emulator, email)[0]
    assert f"/mailbox?mail={mail['id']}" in listed.text
    shown = requests.get(f"{base}/mailbox", params={"mail": mail["id"]}, timeout=10)
    assert email in shown.text
    assert temporary_password(stack.emulator, email).replace("&", "&amp;") in shown.text
    assert requests.get(f"{base}/mailbox", params={"mail": "none"}, timeout=10).status_code == 400
    assert requests.get(f"{base}/assets/mailbox.css", timeout=10).headers["Content-Type"].startswith("text/css")


def test_the_mailbox_is_available_as_json(stack: Stack) -> None:
    email, base = address(), stack.emulator.endpoint_url
    invite(stack, email)
    asked = requests.get(f"{base}/mailbox", params={"to": email}, headers={"Accept": "application/json"}, timeout=10)
    assert asked.json()["mails"] == mails(stack.emulator, email)
    (mail,) = asked.json()["mails"]
    assert (mail["to"], mail["kind"], mail["subject"]) == (email, "invitation", "Your temporary password")


def test_the_mailbox_page_escapes_mail(stack: Stack) -> None:
    email = f"<b>{address()}"
    invite(stack, email)
    page = requests.get(f"{stack.emulator.endpoint_url}/mailbox", timeout=10)
    assert "<b>" not in page.text
    assert "&lt;b&gt;" in page.text
