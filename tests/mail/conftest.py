"""A mail server, and the settings that lead to it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.mail.mail_server import SENDER, MailServer, free_port


@pytest.fixture
def mail_server(settings: Any) -> Iterator[MailServer]:
    server = MailServer(free_port())
    server.start()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", server.port
    settings.DEFAULT_FROM_EMAIL = SENDER
    yield server
    server.stop()
