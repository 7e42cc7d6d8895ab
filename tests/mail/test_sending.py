"""Sending through a real mail server: at least once, each mail by itself, and quiet while the server is away."""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from portal.environment import BASE
from tenants.mail import queue, sending
from tenants.mail.outbox import post, post_to_all, send_due
from tenants.models import MailOutage, OutgoingMail
from tests.mail.mail_server import SENDER, MailServer
from tests.world.stage import database_url
from tests.world.use_cases import run_at_once

ANN, BOB, CARL = "ann@acme.example", "bob@acme.example", "carl@acme.example"
ABOUT = {"organisation": "Acme", "by": "Otto"}
VETO = "/recovery/a-key-that-opens-something/"
RECOVERY = {**ABOUT, "person": "Eve", "until": "Monday", "reason": "Nobody answers.", "link": VETO}
PROGRAM = "import django; django.setup()\nfrom tenants.mail.outbox import send_due\nwhile send_due(): pass"


def the_mail(to: str = ANN) -> OutgoingMail:
    return OutgoingMail.objects.get(to=to)


def age(by: timedelta, **which: Any) -> None:
    """As if so much time had passed since the mails were written and last tried."""
    for mail in OutgoingMail.objects.filter(**which):
        mail.created_at -= by
        mail.due_at = mail.due_at and mail.due_at - by
        mail.leased_until = mail.leased_until and mail.leased_until - by
        mail.save()
    MailOutage.objects.update(next_try_at=timezone.now() - timedelta(seconds=1))


def start_sender(server: MailServer) -> subprocess.Popen[bytes]:
    """A process that sends until nothing is due."""
    settings = {
        "DATABASE_URL": database_url(),
        "EMAIL_URL": f"smtp://127.0.0.1:{server.port}",
        "DJANGO_SETTINGS_MODULE": "portal.settings",
    }
    return subprocess.Popen([sys.executable, "-c", PROGRAM], cwd=BASE, env={**os.environ, **settings})


@pytest.mark.django_db
def test_a_mail_arrives_with_both_bodies_and_says_that_a_program_sent_it(mail_server: MailServer) -> None:
    post("recovery_asked", to=ANN, about={**RECOVERY, "organisation": "Söhne & Töchter"})
    posted = the_mail()
    assert send_due() == 1
    (taken,) = mail_server.taken
    assert (taken.to, taken.message_id) == (ANN, posted.message_id)
    message = taken.message
    assert (message["From"], message["To"], message["Auto-Submitted"]) == (SENDER, ANN, "auto-generated")
    assert message["Subject"].strip() == "“Söhne & Töchter” is about to get a new owner"
    assert message["Date"].datetime == posted.created_at.replace(microsecond=0)
    assert taken.body("plain").replace("\r\n", "\n") == posted.text
    assert taken.body("html").replace("\r\n", "\n") == posted.html


@pytest.mark.django_db
def test_what_was_sent_is_kept_without_its_text(mail_server: MailServer) -> None:
    post("recovery_asked", to=ANN, about=RECOVERY)
    assert "a-key-that-opens-something" in the_mail().text
    send_due()
    mail = the_mail()
    assert (mail.text, mail.html, mail.due_at, mail.leased_by, mail.attempts) == ("", "", None, "", 1)
    assert mail.sent_at
    assert send_due() == 0
    assert len(mail_server.taken) == 1


@pytest.mark.django_db
def test_a_batch_goes_over_one_connection(mail_server: MailServer) -> None:
    post_to_all("removed", to=[f"p{number}@acme.example" for number in range(50)], about=ABOUT)
    assert [send_due(), send_due(), send_due(), send_due()] == [20, 20, 10, 0]
    assert mail_server.connections == 3
    assert len(mail_server.taken) == 50


@pytest.mark.django_db
@pytest.mark.parametrize("where", ["to", "about"])
def test_a_refused_recipient_is_given_up_and_holds_up_nobody(mail_server: MailServer, where: str) -> None:
    post_to_all("recovery_asked", to=[ANN, BOB, CARL], about=RECOVERY)
    getattr(mail_server, where)[BOB] = f"550 5.1.1 <{BOB}> is unknown here"
    assert send_due() == 3
    assert {taken.to for taken in mail_server.taken} == {ANN, CARL}
    refused = the_mail(BOB)
    assert refused.last_error == "550 5.1.1 (address) is unknown here"
    assert (refused.due_at, refused.sent_at, refused.text, refused.html) == (None, None, "", "")
    assert not MailOutage.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("where", ["to", "about"])
def test_a_recipient_who_is_busy_is_tried_again_later_and_later(mail_server: MailServer, where: str) -> None:
    post_to_all("removed", to=[ANN, BOB], about=ABOUT)
    getattr(mail_server, where)[BOB] = "451 come back later"
    waits = []
    for attempt in range(1, 10):
        send_due()
        mail = the_mail(BOB)
        assert (mail.attempts, mail.last_error) == (attempt, "451 come back later")
        assert mail.due_at
        waits.append((mail.due_at - timezone.now()).total_seconds())
        assert send_due() == 0
        OutgoingMail.objects.filter(due_at__isnull=False).update(due_at=timezone.now() - timedelta(seconds=1))
    longest = [60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]
    assert all(most / 2 - 5 < wait <= most for wait, most in zip(waits, longest, strict=True)), waits
    getattr(mail_server, where).clear()
    send_due()
    assert Counter(taken.to for taken in mail_server.taken) == {ANN: 1, BOB: 1}


@pytest.mark.django_db
def test_a_mail_is_given_up_after_three_days_with_its_reason(mail_server: MailServer) -> None:
    post("recovery_asked", to=ANN, about=RECOVERY)
    mail_server.to[ANN] = "452 the mailbox is full"
    age(timedelta(days=3) - timedelta(minutes=1))
    send_due()
    assert the_mail().due_at
    age(timedelta(hours=2))
    send_due()
    mail = the_mail()
    assert (mail.due_at, mail.text, mail.attempts, mail.last_error) == (None, "", 2, "452 the mailbox is full")


@pytest.mark.django_db
def test_a_server_that_is_away_is_one_failure_and_not_one_a_mail(mail_server: MailServer) -> None:
    mail_server.stop()
    post_to_all("removed", to=[f"p{number}@acme.example" for number in range(50)], about=ABOUT)
    assert [send_due() for _ in range(5)] == [0] * 5
    outage = MailOutage.objects.get()
    assert (outage.failures, outage.why) == (1, "Connection refused")
    untouched = OutgoingMail.objects.filter(attempts=0, last_error="", leased_by="", due_at__lte=timezone.now())
    assert untouched.count() == 50
    mail_server.start()
    age(timedelta())
    while send_due():
        pass
    assert len(mail_server.taken) == 50
    assert not MailOutage.objects.exists()


@pytest.mark.django_db
def test_a_server_that_stays_away_is_asked_less_and_less_often(mail_server: MailServer) -> None:
    mail_server.stop()
    post("removed", to=ANN, about=ABOUT)
    pauses = []
    for _ in range(10):
        assert send_due() == 0
        pauses.append((MailOutage.objects.get().next_try_at - timezone.now()).total_seconds())
        age(timedelta())
    longest = [2, 4, 8, 16, 32, 64, 128, 256, 300, 300]
    assert all(most / 2 - 1 < pause <= most for pause, most in zip(pauses, longest, strict=True)), pauses


@pytest.mark.django_db
def test_mails_are_given_up_when_the_server_is_away_for_three_days(mail_server: MailServer) -> None:
    mail_server.stop()
    post("recovery_asked", to=ANN, about=RECOVERY)
    age(timedelta(days=3, minutes=1))
    post("removed", to=BOB, about=ABOUT)
    send_due()
    assert (the_mail(ANN).due_at, the_mail(ANN).text, the_mail(ANN).last_error) == (None, "", "Connection refused")
    assert the_mail(BOB).due_at


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("answer", "code"), [("550 5.7.1 sender not verified", 550), ("421 too many connections", 421)]
)
def test_a_server_that_takes_nothing_from_us_is_away(mail_server: MailServer, answer: str, code: int) -> None:
    post_to_all("removed", to=[ANN, BOB, CARL], about=ABOUT)
    mail_server.sender = answer
    send_due()
    assert MailOutage.objects.get().why == answer
    assert OutgoingMail.objects.filter(attempts=0, due_at__isnull=False).count() == 2
    mail_server.sender = "250 OK"
    OutgoingMail.objects.update(due_at=timezone.now() - timedelta(seconds=1))
    age(timedelta())
    assert send_due() == 3
    assert not MailOutage.objects.exists()


@pytest.mark.django_db
def test_a_server_that_never_answers_is_away(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "_TIMEOUT_SECONDS", 0.2)
    post("removed", to=ANN, about=ABOUT)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = silent.getsockname()
        assert send_due() == 0
    assert MailOutage.objects.get().why == "Connection unexpectedly closed: timed out"
    assert (the_mail().attempts, the_mail().leased_by) == (0, "")


@pytest.mark.django_db
def test_a_server_that_refuses_the_password_is_away_and_it_stays_secret(
    mail_server: MailServer, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD = "portal", "hunter-22"
    post("removed", to=ANN, about=ABOUT)
    assert send_due() == 0
    assert MailOutage.objects.get().why == "SMTP AUTH extension not supported by server."
    assert "hunter-22" not in caplog.text


@pytest.mark.django_db
def test_a_mail_at_which_the_server_hangs_up_holds_up_nobody(mail_server: MailServer) -> None:
    post("removed", to=ANN, about=ABOUT)
    age(timedelta(seconds=1))
    post_to_all("removed", to=[BOB, CARL], about=ABOUT)
    mail_server.about[ANN] = "hang up"
    send_due()
    age(timedelta())
    send_due()
    assert sorted(taken.to for taken in mail_server.taken) == [BOB, CARL]
    assert (the_mail().attempts, the_mail().sent_at) == (1, None)
    assert not MailOutage.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize(
    "address",
    ["Eve <eve@evil.example>", "eve@evil.example, all@evil.example", "jörg@acme.example", "a\nb@acme.example"],
)
def test_an_address_with_more_than_an_address_is_given_up(mail_server: MailServer, address: str) -> None:
    post_to_all("removed", to=[address, ANN], about=ABOUT)
    assert send_due() == 2
    assert [taken.to for taken in mail_server.taken] == [ANN]
    assert the_mail(address).last_error == "This address cannot be written to."


@pytest.mark.django_db
def test_a_domain_beyond_ascii_is_written_as_punycode(mail_server: MailServer) -> None:
    post("removed", to="ann@bücher.example", about=ABOUT)
    send_due()
    assert mail_server.taken[0].to == "ann@xn--bcher-kva.example"


@pytest.mark.django_db
def test_rows_are_deleted_after_a_week_some_at_a_time(mail_server: MailServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "_MOST", 2)
    post_to_all("removed", to=[ANN, BOB, CARL], about=ABOUT)
    mail_server.to[BOB] = "550 no"
    send_due()
    age(timedelta(days=6, hours=23))
    assert send_due() == 0
    age(timedelta(hours=2))
    post("removed", to="dora@acme.example", about=ABOUT)
    assert [send_due() for _ in range(4)] == [1, 2, 1, 0]
    assert OutgoingMail.objects.get().to == "dora@acme.example"


@pytest.mark.django_db
def test_a_mail_that_waits_is_not_deleted() -> None:
    post("removed", to=ANN, about=ABOUT)
    age(timedelta(days=30))
    OutgoingMail.objects.update(due_at=timezone.now() + timedelta(hours=1))
    assert send_due() == 0
    assert OutgoingMail.objects.exists()


@pytest.mark.django_db
def test_no_text_address_or_link_is_logged(mail_server: MailServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    post_to_all("recovery_asked", to=[ANN, BOB, CARL], about=RECOVERY)
    mail_server.to[ANN], mail_server.to[BOB] = f"550 <{ANN}>", f"451 <{BOB}>"
    send_due()
    ours = [record for record in caplog.records if record.name.startswith("tenants")]
    assert sorted(vars(record)["said"] for record in ours) == ["later", "refused", "taken"]
    everything = " ".join(str(vars(record)) for record in ours)
    for secret in (ANN, BOB, CARL, "a-key-that-opens-something", "Nobody answers", "Eve"):
        assert secret not in everything


@pytest.mark.django_db
def test_with_nothing_to_send_it_asks_three_questions_and_writes_nothing() -> None:
    with CaptureQueriesContext(connection) as queries:
        assert send_due() == 0
    assert [query["sql"].split()[0] for query in queries] == ["SELECT"] * 3


@pytest.mark.django_db(transaction=True)
def test_a_sender_killed_before_it_could_mark_a_mail_sends_it_again(mail_server: MailServer) -> None:
    post("removed", to=ANN, about=ABOUT)
    sender = start_sender(mail_server)
    mail_server.once_taken = lambda: os.kill(sender.pid, signal.SIGKILL)
    assert sender.wait(300) == -signal.SIGKILL
    mail_server.once_taken = lambda: None
    assert (the_mail().sent_at, len(mail_server.taken)) == (None, 1)
    assert send_due() == 0, "the lease of the killed sender still runs"
    age(timedelta(seconds=queue.LEASE_SECONDS + 1))
    assert send_due() == 1
    first, again = mail_server.taken
    assert first.message_id == again.message_id == the_mail().message_id
    assert first.message.as_bytes().split(b"boundary")[0] == again.message.as_bytes().split(b"boundary")[0]
    assert the_mail().sent_at


@pytest.mark.django_db(transaction=True)
def test_several_senders_at_once_send_each_mail_once(mail_server: MailServer) -> None:
    post_to_all("removed", to=[f"p{number}@acme.example" for number in range(200)], about=ABOUT)
    senders = [start_sender(mail_server) for _ in range(3)]
    assert [sender.wait(300) for sender in senders] == [0, 0, 0]
    assert len(mail_server.taken) == len({taken.message_id for taken in mail_server.taken}) == 200
    assert not OutgoingMail.objects.filter(sent_at=None).exists()


@pytest.mark.django_db(transaction=True)
def test_a_sender_whose_lease_ran_out_marks_what_the_server_took(mail_server: MailServer) -> None:
    """Another holder has the mail by then, and need not send it any more."""
    post("removed", to=ANN, about=ABOUT)

    def somebody_else_takes_it() -> None:
        OutgoingMail.objects.update(leased_by="another", leased_until=timezone.now() + timedelta(minutes=1))

    def in_a_thread() -> None:
        # The server's own thread has an event loop, where Django's ORM refuses to work.
        (answer,) = run_at_once(somebody_else_takes_it)
        assert answer is None

    mail_server.once_taken = in_a_thread
    send_due()
    assert the_mail().sent_at
    assert the_mail().due_at is None
