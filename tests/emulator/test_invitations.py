"""Invitations and the mails of a pool: sent again, lapsed, undelivered, too many a day, in whose words."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from emulator.client.process import Emulator, start
from tests.emulator.accounts import address, client_of, later, mails, open_page
from tests.emulator.browser import Browser
from tests.emulator.test_identity_pool import anonymous
from tests.emulator.test_mailbox import invite, temporary_password
from tests.emulator.world import ACME, TEMPLATE, Stack, build, refusal
from tests.world.faults import Switches

_DAY = 24 * 3600
_LIMIT = (
    "Exceeded daily email limit for the operation or the account. If a higher limit is required, please configure "
    "your user pool to use your own Amazon SES configuration for sending email from your user pool."
)
SES = {
    "MailSource": "Acme Portal <no-reply@example.com>",
    "MailIdentityArn": "arn:aws:ses:eu-west-1:123456789012:identity/example.com",
}


@pytest.fixture(scope="module")
def own_emulator() -> Iterator[Emulator]:
    """A separate emulator, so that faults and limits do not affect other tests."""
    with start() as running:
        yield running


@pytest.fixture(scope="module")
def plain(own_emulator: Emulator) -> Stack:
    return build(own_emulator, name="plain")


@pytest.fixture(scope="module")
def with_ses(own_emulator: Emulator) -> Stack:
    return build(own_emulator, name="with-ses", **SES)


@pytest.fixture
def switches(own_emulator: Emulator) -> Iterator[Switches]:
    yield Switches(own_emulator)
    Switches(own_emulator).mend()
    set_limit(own_emulator, None)


def set_limit(emulator: Emulator, per_day: Any) -> requests.Response:
    headers = {"X-Emulator-Root-Secret": emulator.root.secret_access_key}
    where = f"{emulator.endpoint_url}/_emulator/daily-mails"
    return requests.post(where, headers=headers, json={"per_day": per_day}, timeout=10)


def resend(stack: Stack, email: str) -> dict[str, Any]:
    answer: dict[str, Any] = stack.root("cognito-idp").admin_create_user(
        UserPoolId=stack.pool_id, Username=email, MessageAction="RESEND"
    )
    return answer["User"]


def user(stack: Stack, email: str) -> dict[str, Any]:
    found: dict[str, Any] = stack.root("cognito-idp").admin_get_user(UserPoolId=stack.pool_id, Username=email)
    return found


def password_in(mail: dict[str, Any]) -> str:
    """The line after the words in our own invitation."""
    lines = mail["body"].splitlines()
    return str(lines[lines.index("Your temporary password:") + 1])


# ── Sent again, lapsed ──────────────────────────────────────────────────────────────────────────────────────────────


def test_resending_changes_the_last_modified_date_only(plain: Stack) -> None:
    email = address()
    invite(plain, email)
    before = user(plain, email)
    with later(plain.emulator, 3600):
        shown = resend(plain, email)
    after = user(plain, email)
    assert after["UserCreateDate"] == before["UserCreateDate"] == shown["UserCreateDate"]
    assert after["UserLastModifiedDate"] > before["UserLastModifiedDate"]
    assert after["UserLastModifiedDate"] == shown["UserLastModifiedDate"]
    listed = plain.root("cognito-idp").list_users(UserPoolId=plain.pool_id, Filter=f'email = "{email}"')["Users"]
    assert [one["UserLastModifiedDate"] for one in listed] == [after["UserLastModifiedDate"]]


def test_a_temporary_password_lapses_after_seven_days(plain: Stack) -> None:
    email, browser = address(), Browser(plain)
    invite(plain, email)
    password = temporary_password(plain.emulator, email)
    with later(plain.emulator, 7 * _DAY + 1):
        shown = browser.submit(browser.page(), username=email, password=password).text
        sign_in = anonymous(plain, "cognito-idp").initiate_auth
        given = {"AuthFlow": "USER_PASSWORD_AUTH", "AuthParameters": {"USERNAME": email, "PASSWORD": password}}
        answer = refusal(sign_in, ClientId=client_of(plain), **given)
    assert "Ask the person who invited you to send the invitation again." in shown
    assert (answer["code"], answer["message"]) == (
        "NotAuthorizedException",
        "Temporary password has expired and must be reset by an administrator.",
    )


def test_seven_days_begin_again_when_it_is_resent(plain: Stack) -> None:
    email, browser = address(), Browser(plain)
    invite(plain, email)
    with later(plain.emulator, 8 * _DAY):
        resend(plain, email)
    password = temporary_password(plain.emulator, email)
    with later(plain.emulator, 14 * _DAY):
        assert "Choose a password" in browser.submit(browser.page(), username=email, password=password).text


def test_the_password_of_somebody_who_never_signed_in_cannot_be_reset(plain: Stack) -> None:
    email = address()
    invite(plain, email)
    reset = plain.root("cognito-idp").admin_reset_user_password
    assert refusal(reset, UserPoolId=plain.pool_id, Username=email) == {
        "code": "NotAuthorizedException",
        "message": "User password cannot be reset in the current state.",
        "status": 400,
    }
    assert user(plain, email)["UserStatus"] == "FORCE_CHANGE_PASSWORD"
    assert len(mails(plain.emulator, email)) == 1


# ── Undelivered, too many a day ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("fault", "code", "message"),
    [
        ("undelivered-mail", "CodeDeliveryFailureException", "Unable to deliver the message."),
        ("daily-mail-limit", "LimitExceededException", _LIMIT),
    ],
)
def test_a_mail_that_cannot_be_sent_leaves_the_user_made(
    plain: Stack, switches: Switches, fault: str, code: str, message: str
) -> None:
    email = address()
    switches.fail("Mail.Send", fault=fault)
    answer = refusal(lambda **_: invite(plain, email))
    assert (answer["code"], answer["message"], answer["status"]) == (code, message, 400)
    assert user(plain, email)["UserStatus"] == "FORCE_CHANGE_PASSWORD"
    assert mails(plain.emulator, email) == []
    resend(plain, email)
    assert len(mails(plain.emulator, email)) == 1


def test_a_daily_limit_can_also_refuse_before_the_user_is_made(plain: Stack, switches: Switches) -> None:
    email = address()
    switches.fail("CognitoIdentityProvider.AdminCreateUser", fault="daily-mail-limit")
    assert refusal(lambda **_: invite(plain, email))["message"] == _LIMIT
    assert refusal(lambda **_: user(plain, email))["code"] == "UserNotFoundException"


def test_a_fault_of_all_operations_affects_no_mail_twice(plain: Stack, switches: Switches) -> None:
    email = address()
    switches.fail("*", fault="throttling", count=1)
    assert refusal(lambda **_: invite(plain, email))["code"] == "TooManyRequestsException"
    invite(plain, email)
    assert len(mails(plain.emulator, email)) == 1


def test_an_undelivered_mail_is_a_fault_of_the_mail_only(switches: Switches) -> None:
    with pytest.raises(requests.HTTPError, match="400"):
        switches.fail("CognitoIdentityProvider.AdminCreateUser", fault="undelivered-mail")


def test_a_pool_without_ses_sends_no_more_than_its_limit_a_day(plain: Stack, switches: Switches) -> None:
    assert set_limit(switches.emulator, 2).status_code == 204
    for _ in range(2):
        invite(plain, address())
    email = address()
    assert refusal(lambda **_: invite(plain, email))["message"] == _LIMIT
    invite(plain, address(), MessageAction="SUPPRESS")
    with later(plain.emulator, _DAY):
        resend(plain, email)
    assert len(mails(plain.emulator, email)) == 1


def test_a_pool_with_ses_has_no_daily_limit(with_ses: Stack, switches: Switches) -> None:
    set_limit(switches.emulator, 0)
    email = address()
    invite(with_ses, email)
    assert len(mails(with_ses.emulator, email)) == 1


@pytest.mark.parametrize("per_day", [-1, "50", True, 1.5, [50]])
def test_a_malformed_limit_is_refused(own_emulator: Emulator, per_day: Any) -> None:
    assert set_limit(own_emulator, per_day).status_code == 400


# ── In whose words ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_invitation_through_ses_is_in_our_words(with_ses: Stack) -> None:
    email, browser = address(), Browser(with_ses)
    entries = {
        "email_verified": "true",
        "custom:org": ACME,
        "custom:org_name": "Acme & Sons",
        "custom:invited_by": "Ada",
    }
    with_ses.root("cognito-idp").admin_create_user(
        UserPoolId=with_ses.pool_id,
        Username=email,
        UserAttributes=[{"Name": name, "Value": value} for name, value in entries.items()],
    )
    (mail,) = mails(with_ses.emulator, email)
    assert (mail["sender"], mail["subject"]) == (SES["MailSource"], "Ada invites you to join Acme & Sons")
    assert mail["body"].startswith("Ada invites you to join Acme & Sons.\n")
    assert "Sign in here: http://localhost:8000/welcome/\n" in mail["body"]
    assert f"Your address: {email}\n" in mail["body"]
    assert "<bdi>Acme &amp; Sons</bdi>" in mail["html"]
    assert "Choose a password" in browser.submit(browser.page(), username=email, password=password_in(mail)).text
    resend(with_ses, email)
    again = mails(with_ses.emulator, email)[0]
    assert again["subject"] == mail["subject"]
    assert password_in(again) != password_in(mail)


def test_names_for_the_mail_may_be_empty_and_have_a_limit(with_ses: Stack) -> None:
    pools = with_ses.root("cognito-idp")

    def make(length: int) -> Any:
        entries = [{"Name": "custom:org_name", "Value": "x" * length}, {"Name": "custom:invited_by", "Value": ""}]
        return pools.admin_create_user(UserPoolId=with_ses.pool_id, Username=address(), UserAttributes=entries)

    assert make(256)
    assert "no longer than 256" in refusal(lambda **_: make(257))["message"]


def test_codes_through_ses_are_in_our_words(with_ses: Stack) -> None:
    person, browser = with_ses.newcomer(), Browser(with_ses)
    browser.submit(open_page(browser, "/forgotPassword"), username=person.email)
    (mail,) = mails(with_ses.emulator, person.email)
    assert mail["subject"] == "Reset your password"
    assert "It works for one hour." in mail["body"]
    assert re.search(r"^\d{6}$", mail["body"], re.MULTILINE)


def test_a_failing_function_is_replaced_by_the_pools_own_text(own_emulator: Emulator) -> None:
    text = TEMPLATE.read_text("utf-8").replace("Variables: {PORTAL_URL: !Ref PortalUrl}", "Variables: {OTHER: x}")
    stack, email = build(own_emulator, name="no-portal-url", template=text, **SES), address()
    invite(stack, email)
    (mail,) = mails(own_emulator, email)
    assert mail["subject"] == "Your account is ready"
    assert f"Your address: {email}" in mail["body"]
    assert "Your temporary password:" in mail["body"]


def test_a_pools_own_texts_count_only_with_ses(plain: Stack) -> None:
    pools, email = plain.root("cognito-idp"), address()
    texts = {"EmailMessage": "Mine: {####} {username}", "EmailSubject": "Mine"}

    def invited(**more: Any) -> str:
        pools.update_user_pool(
            UserPoolId=plain.pool_id,
            AdminCreateUserConfig={"AllowAdminCreateUserOnly": True, "InviteMessageTemplate": texts},
            AutoVerifiedAttributes=["email"],
            **more,
        )
        email = address()
        invite(plain, email)
        return str(mails(plain.emulator, email)[0]["subject"])

    try:
        assert invited() == "Your temporary password"
        ses = {"EmailSendingAccount": "DEVELOPER", "From": "a@example.com", "SourceArn": SES["MailIdentityArn"]}
        assert invited(EmailConfiguration=ses) == "Mine"
    finally:
        invited(EmailConfiguration={"EmailSendingAccount": "COGNITO_DEFAULT"})
    invite(plain, email)
    assert temporary_password(plain.emulator, email)


# ── The mailbox's page of an HTML mail ──────────────────────────────────────────────────────────────────────────────


def test_an_html_mail_is_shown_in_a_frame_without_scripts(with_ses: Stack) -> None:
    person, base = with_ses.newcomer(), with_ses.emulator.endpoint_url
    browser = Browser(with_ses)
    browser.submit(open_page(browser, "/forgotPassword"), username=person.email)
    mail = mails(with_ses.emulator, person.email)[0]
    page = requests.get(f"{base}/mailbox", params={"mail": mail["id"]}, timeout=10)
    (source,) = re.findall(r'<iframe src="([^"]+)" title="[^"]+" sandbox="allow-top-navigation-by-user-act', page.text)
    assert "frame-src 'self'" in page.headers["Content-Security-Policy"]
    assert '<a href="http://localhost:8000/">http://localhost:8000/</a>' in page.text
    frame = requests.get(f"{base}{source}", timeout=10)
    assert mail["html"] in frame.text
    policy = frame.headers["Content-Security-Policy"]
    assert policy.startswith("sandbox allow-top-navigation-by-user-activation; default-src 'none';")
    assert "allow-scripts" not in policy
    assert frame.headers["X-Frame-Options"] == "SAMEORIGIN"


def test_a_mail_without_html_has_no_frame(plain: Stack) -> None:
    email, base = address(), plain.emulator.endpoint_url
    invite(plain, email)
    mail = mails(plain.emulator, email)[0]
    page = requests.get(f"{base}/mailbox", params={"mail": mail["id"]}, timeout=10)
    assert "<iframe" not in page.text
    assert "frame-src" not in page.headers["Content-Security-Policy"]
    assert requests.get(f"{base}/mailbox/html", params={"mail": mail["id"]}, timeout=10).status_code == 400
