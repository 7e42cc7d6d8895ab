"""Posting: a mail is a row of the caller's transaction, with all that it needs, or it is refused."""

from __future__ import annotations

from uuid import uuid4

import pytest
from django.db import transaction

from tenants.domain.actor import WORKER, Actor, ActorKind
from tenants.mail.outbox import KINDS, in_words, post, post_to_all
from tenants.models import OutgoingMail

REMOVED = {"organisation": "Acme", "by": "Bob"}


@pytest.mark.django_db
def test_a_mail_is_posted_with_its_texts_and_an_id_of_its_own() -> None:
    org = uuid4()
    post("removed", to="ann@acme.example", about=REMOVED, org=org)
    mail = OutgoingMail.objects.get()
    assert (mail.kind, mail.to, mail.org, mail.sent_at, mail.attempts) == ("removed", "ann@acme.example", org, None, 0)
    assert mail.subject == "You are no longer a member of “Acme”"
    assert mail.text.startswith("Bob removed you from “Acme”.")
    assert mail.html.startswith("<!doctype html>")
    assert mail.message_id == f"<{mail.pk}@localhost>"


@pytest.mark.django_db
def test_a_mail_to_several_is_a_mail_to_each() -> None:
    post_to_all("removed", to=["ann@acme.example", "", "bob@acme.example"], about=REMOVED)
    mails = OutgoingMail.objects.order_by("to")
    assert [mail.to for mail in mails] == ["ann@acme.example", "bob@acme.example"]
    assert mails[0].message_id != mails[1].message_id


@pytest.mark.django_db
def test_somebody_without_an_address_is_sent_nothing() -> None:
    post("removed", to="", about=REMOVED)
    assert not OutgoingMail.objects.exists()


@pytest.mark.django_db
def test_a_change_that_fails_sends_no_mail() -> None:
    with transaction.atomic():
        post("removed", to="ann@acme.example", about=REMOVED)
        transaction.set_rollback(True)
    assert not OutgoingMail.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("kind", "about", "says"),
    [
        ("newsletter", REMOVED, "no mail of the kind"),
        ("../../etc/passwd", REMOVED, "no mail of the kind"),
        ("removed", {"by": "Bob"}, "needs organisation"),
        ("recovery_asked", REMOVED, "needs link, person, reason, until"),
        ("removed", {**REMOVED, "passwrd": "x"}, "No mail says passwrd"),
        ("removed", {**REMOVED, "link": "https://evil.example/"}, "of the portal only"),
    ],
)
def test_an_unknown_or_incomplete_mail_is_refused(kind: str, about: dict[str, object], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        post(kind, to="ann@acme.example", about=about)
    assert not OutgoingMail.objects.exists()


@pytest.mark.parametrize("kind", list(KINDS))
def test_a_kinds_name_fits_its_column(kind: str) -> None:
    assert len(kind) <= OutgoingMail._meta.get_field("kind").max_length


def test_members_are_named_and_operators_are_not() -> None:
    assert in_words(Actor("sub", "Ann Lee", ActorKind.MEMBER, "owner")) == "Ann Lee"
    others = [in_words(Actor("sub", "Otto", kind)) for kind in ActorKind if kind != ActorKind.MEMBER]
    assert not [words for words in others if "Otto" in words]
    assert in_words(WORKER) == "the portal itself"
