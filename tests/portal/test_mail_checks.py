"""`check --deploy` finds settings with which nobody would get the portal's own mails."""

from __future__ import annotations

from typing import Any

import pytest

from portal.checks import own_mails_leave

SMTP = "django.core.mail.backends.smtp.EmailBackend"


@pytest.mark.parametrize("backend", ["console", "filebased", "locmem", "dummy"])
def test_a_deployment_without_a_mail_server_is_warned(settings: Any, backend: str) -> None:
    settings.EMAIL_BACKEND = f"django.core.mail.backends.{backend}.EmailBackend"
    settings.DEFAULT_FROM_EMAIL = "portal@example.com"
    assert [found.id for found in own_mails_leave()] == ["portal.W002"]


@pytest.mark.parametrize("sender", ["portal@localhost", "Portal <portal@localhost>"])
def test_a_deployment_whose_mails_come_from_localhost_is_warned(settings: Any, sender: str) -> None:
    settings.EMAIL_BACKEND, settings.DEFAULT_FROM_EMAIL = SMTP, sender
    assert [found.id for found in own_mails_leave()] == ["portal.W003"]


def test_a_deployment_with_a_mail_server_and_a_sender_is_not_warned(settings: Any) -> None:
    settings.EMAIL_BACKEND, settings.DEFAULT_FROM_EMAIL = SMTP, "Portal <portal@example.com>"
    assert own_mails_leave() == []
