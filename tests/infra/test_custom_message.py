"""The function that words Cognito's mails: who, where, how long, and nothing that a name could smuggle in."""

from __future__ import annotations

import copy
from html import unescape
from typing import Any

import pytest

from infra.functions.handlers import custom_message
from portal.template import read_template

CODE, USERNAME = "{####}", "{username}"
PORTAL = "https://portal.example.com"
POOL = read_template()["Resources"]["UserPool"]["Properties"]


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTAL_URL", PORTAL)


def event(source: str, **attributes: str) -> dict[str, Any]:
    named = {name.replace("custom_", "custom:"): value for name, value in attributes.items()}
    return {
        "version": "1",
        "triggerSource": f"CustomMessage_{source}",
        "userName": "11111111-1111-4111-8111-111111111111",
        "request": {
            "userAttributes": {"email": "new@acme.example", **named},
            "codeParameter": CODE,
            "usernameParameter": USERNAME if source == "AdminCreateUser" else None,
        },
        "response": {"smsMessage": None, "emailMessage": None, "emailSubject": None},
    }


def worded(source: str, **attributes: str) -> tuple[str, str]:
    response = custom_message(event(source, **attributes), None)["response"]
    return response["emailSubject"], response["emailMessage"]


def invitation(*, org_name: str = "", invited_by: str = "") -> tuple[str, str]:
    return worded("AdminCreateUser", custom_org_name=org_name, custom_invited_by=invited_by)


def test_an_invitation_says_who_invites_and_where() -> None:
    subject, body = invitation(org_name="Acme Ltd", invited_by="Ada Acme")
    assert subject == "Ada Acme invites you to join Acme Ltd"
    assert "<bdi>Ada Acme</bdi> invites you to join <bdi>Acme Ltd</bdi>." in body
    assert f'<a href="{PORTAL}/welcome/">{PORTAL}/welcome/</a>' in body
    assert f"Your address: {USERNAME}" in body
    assert f"<p><strong>{CODE}</strong></p>" in body


@pytest.mark.parametrize(
    ("given", "subject", "words"),
    [
        ({}, "Your account is ready", "<p>Your account is ready.</p>"),
        ({"org_name": "Acme"}, "Your account at Acme is ready", "Your account at <bdi>Acme</bdi> is ready."),
        ({"invited_by": "Ada"}, "Ada invites you", "<bdi>Ada</bdi> invites you."),
    ],
)
def test_an_invitation_fits_what_is_known(given: dict[str, str], subject: str, words: str) -> None:
    found = invitation(**given)
    assert found[0] == subject
    assert words in found[1]


def test_an_invitation_says_how_long_its_password_works() -> None:
    days = POOL["Policies"]["PasswordPolicy"]["TemporaryPasswordValidityDays"]
    assert f"works for {days} days" in invitation()[1]


@pytest.mark.parametrize(
    ("source", "subject", "words"),
    [
        ("SignUp", "Your code", "to confirm your address"),
        ("ResendCode", "Your code", "to confirm your address"),
        ("UpdateUserAttribute", "Your code", "to confirm your new address"),
        ("VerifyUserAttribute", "Your code", "to confirm your new address"),
        ("ForgotPassword", "Reset your password", "to choose a new password"),
    ],
)
def test_a_code_has_a_line_of_its_own_and_the_portals_address(source: str, subject: str, words: str) -> None:
    found = worded(source)
    assert found[0] == subject
    assert words in found[1]
    assert f"<p><strong>{CODE}</strong></p>" in found[1]
    assert f'<a href="{PORTAL}/">' in found[1]


def test_a_name_is_shown_as_text() -> None:
    _, body = invitation(org_name="Black & \"White\" 'Grey'")
    assert "Black &amp; &quot;White&quot; &#x27;Grey&#x27;" in body


@pytest.mark.parametrize(
    "name",
    [
        "<script>alert(1)</script>", "{####}", "{username}", "Acme {curly}", "see http://evil.example",
        "WWW.evil.example",
        "Acme\u202eltd", "Acme\u2066", "Acme\x00", "Acme\nBcc: x", "\u2028", "Acme\u200b", "\ud800",
    ],
)  # fmt: skip
def test_a_deceptive_name_is_not_shown_at_all(name: str) -> None:
    assert invitation(org_name=name, invited_by=name) == invitation()


def test_long_names_are_cut() -> None:
    subject, body = invitation(org_name="W" * 256, invited_by="M" * 256)
    assert len(subject) <= 140
    assert len(body) < 1500
    assert "M" * 79 + "…" in body
    assert "W" * 81 not in body


def test_names_of_every_script_are_shown() -> None:
    subject, body = invitation(org_name="شركة أكمي", invited_by="नारायण\u200dशर्मा")
    assert "<bdi>شركة أكمي</bdi>" in body
    assert "नारायण\u200dशर्मा" in body
    assert "\u200d" not in subject


@pytest.mark.parametrize("source", ["Authentication", "Unheard"])
def test_other_mails_keep_the_pools_text(source: str) -> None:
    given = event(source)
    assert custom_message(copy.deepcopy(given), None) == given


@pytest.mark.parametrize("missing", ["request", "triggerSource", "response"])
def test_a_failure_leaves_the_event_as_it_came(missing: str, capsys: pytest.CaptureFixture[str]) -> None:
    given = event("AdminCreateUser", custom_org_name="Acme Ltd")
    del given[missing]
    assert custom_message(copy.deepcopy(given), None) == given
    logged = capsys.readouterr().out
    assert "KeyError" in logged
    for personal in ("acme", "11111111"):
        assert personal not in logged.lower()


def test_a_missing_setting_does_not_keep_a_mail_from_being_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PORTAL_URL")
    given = event("AdminCreateUser", custom_org_name="Acme Ltd")
    assert custom_message(copy.deepcopy(given), None) == given


def test_the_pools_own_texts_have_the_placeholders_that_cognito_demands() -> None:
    invite = POOL["AdminCreateUserConfig"]["InviteMessageTemplate"]["If"][1]["EmailMessage"]["Sub"]
    verify = POOL["VerificationMessageTemplate"]["If"][1]["EmailMessage"]["Sub"]
    assert "<br>{####}<br>" in invite
    assert "{username}" in invite
    assert "7 days" in invite
    assert "<br>{####}<br>" in verify
    assert unescape(invite).count("${PortalUrl}/welcome/") == 1


def test_no_client_reads_or_writes_what_is_only_for_mails() -> None:
    resources = read_template()["Resources"]
    clients = [one["Properties"] for one in resources.values() if one["Type"] == "AWS::Cognito::UserPoolClient"]
    assert len(clients) == 2
    for client in clients:
        assert not {"custom:org_name", "custom:invited_by"} & {*client["ReadAttributes"], *client["WriteAttributes"]}
