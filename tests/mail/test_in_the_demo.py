"""The demo: the portal's own mails arrive in the emulator's mailbox, beside those of Cognito."""

from __future__ import annotations

from typing import Any

from portal.demo.world import World
from tenants.lifecycle.transitions import close
from tenants.mail.outbox import send_due
from tenants.models import Member, Tenant
from tests.emulator.accounts import mails
from tests.world.stage import SOMEBODY


def test_an_owner_finds_the_mail_of_a_closing_in_the_mailbox(portal: World, settings: Any) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "localhost", portal.emulator.smtp_port
    acme = Tenant.objects.get(slug="acme")
    owner = acme.members.select_related("person").get(role="owner")
    Member.objects.filter(pk=owner.pk).update(signed_in_at=owner.created_at)
    close(acme, by=SOMEBODY, why="Nobody <pays> any more.")
    assert send_due() == 1
    (mail,) = [mail for mail in mails(portal.emulator, owner.person.email) if mail["kind"] == "portal"]
    assert mail["subject"] == f"“{acme.name}” is being closed"
    assert "\n> Nobody <pays> any more.\n" in mail["body"].replace("\r\n", "\n")
    assert "<bdi>Nobody &lt;pays&gt; any more.</bdi>" in mail["html"]
