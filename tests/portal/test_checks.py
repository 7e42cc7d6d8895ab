"""The system checks of a deployment's settings."""

from __future__ import annotations

from typing import Any

from portal.checks import cognito_mails_are_enough


def test_a_deployment_without_ses_is_warned_of_its_few_mails(settings: Any) -> None:
    settings.COGNITO_MAILS = "cognito-default"
    (warning,) = cognito_mails_are_enough()
    assert warning.id == "portal.W001"
    assert "50 a day" in warning.msg
    for parameter in ("MailSource", "MailIdentityArn"):
        assert parameter in str(warning.hint)


def test_a_deployment_with_ses_is_not_warned(settings: Any) -> None:
    settings.COGNITO_MAILS = "ses"
    assert cognito_mails_are_enough() == []
