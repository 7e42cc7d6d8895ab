"""The portal's own mail, taken by SMTP and shown in the mailbox."""

import secrets
import smtplib
from collections.abc import Iterator
from email.message import EmailMessage

import pytest
import requests

from emulator.client.process import Emulator, start
from tests.emulator.accounts import address, mails
from tests.world.faults import Switches


@pytest.fixture(scope="module")
def own_emulator() -> Iterator[Emulator]:
    """A separate emulator, so that faults do not affect other tests."""
    with start() as running:
        yield running


@pytest.fixture
def switches(own_emulator: Emulator) -> Iterator[Switches]:
    yield Switches(own_emulator)
    Switches(own_emulator).mend()


def letter(*to: str, text: str = "Dear Ada,\nyou left.\n", html: str = "") -> EmailMessage:
    message = EmailMessage()
    message["Subject"], message["From"], message["To"] = "Größe", "Acme <no-reply@acme.example>", ", ".join(to)
    message["Message-ID"] = f"<{secrets.token_hex(8)}@portal.example>"
    message.set_content(text)
    if html:
        message.add_alternative(html, subtype="html")
    return message


def send(emulator: Emulator, message: EmailMessage) -> None:
    with smtplib.SMTP("localhost", emulator.smtp_port, timeout=10) as server:
        server.send_message(message)


def test_a_sent_mail_is_in_the_mailbox(own_emulator: Emulator) -> None:
    to = address()
    message = letter(to, html="<p>Dear <b>Ada</b>,</p>")
    send(own_emulator, message)
    (mail,) = mails(own_emulator, to)
    assert (mail["kind"], mail["subject"], mail["sender"]) == ("portal", "Größe", "Acme <no-reply@acme.example>")
    assert mail["body"] == "Dear Ada,\nyou left.\n"
    assert mail["html"].strip() == "<p>Dear <b>Ada</b>,</p>"
    assert mail["message_id"] == message["Message-ID"]
    page = requests.get(f"{own_emulator.endpoint_url}/mailbox", params={"mail": mail["id"]}, timeout=10)
    assert message["Message-ID"].strip("<>") in page.text
    assert "<iframe" in page.text


def test_every_recipient_gets_a_mail(own_emulator: Emulator) -> None:
    first, second = address(), address()
    send(own_emulator, letter(first, second))
    assert len(mails(own_emulator, first)) == len(mails(own_emulator, second)) == 1


def test_a_mail_that_comes_twice_is_shown_twice(own_emulator: Emulator) -> None:
    to = address()
    message = letter(to)
    send(own_emulator, message)
    send(own_emulator, message)
    assert [mail["message_id"] for mail in mails(own_emulator, to)] == [message["Message-ID"]] * 2


def test_a_mails_html_cannot_run_a_script_or_load_anything(own_emulator: Emulator) -> None:
    to = address()
    send(own_emulator, letter(to, text="<script>alert(1)</script>", html="<script>alert(1)</script>"))
    (mail,) = mails(own_emulator, to)
    base = own_emulator.endpoint_url
    page = requests.get(f"{base}/mailbox", params={"mail": mail["id"]}, timeout=10)
    assert "<script" not in page.text
    frame = requests.get(f"{base}/mailbox/html", params={"mail": mail["id"]}, timeout=10)
    policy = frame.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script" not in policy


def test_web_addresses_in_a_text_are_links(own_emulator: Emulator) -> None:
    to = address()
    send(own_emulator, letter(to, text='Open http://localhost:8000/x/?a=1&b="2" (or not http://b.example/).'))
    (mail,) = mails(own_emulator, to)
    page = requests.get(f"{own_emulator.endpoint_url}/mailbox", params={"mail": mail["id"]}, timeout=10)
    assert '<a href="http://localhost:8000/x/?a=1&amp;b=">' in page.text
    assert '<a href="http://b.example/">http://b.example/</a>).' in page.text


def test_a_fault_refuses_a_mail_for_now(own_emulator: Emulator, switches: Switches) -> None:
    to = address()
    switches.fail("SMTP.Send", fault="server-error")
    with pytest.raises(smtplib.SMTPDataError) as refused:
        send(own_emulator, letter(to))
    assert refused.value.smtp_code == 451
    assert mails(own_emulator, to) == []
    send(own_emulator, letter(to))
    assert len(mails(own_emulator, to)) == 1


def test_a_dropped_connection_keeps_the_mail(own_emulator: Emulator, switches: Switches) -> None:
    to = address()
    message = letter(to)
    switches.fail("SMTP.Send", fault="dropped-connection")
    with pytest.raises(smtplib.SMTPServerDisconnected):
        send(own_emulator, message)
    send(own_emulator, message)
    assert len(mails(own_emulator, to)) == 2


def test_a_mail_that_is_not_one_does_no_harm(own_emulator: Emulator) -> None:
    to = address()
    with smtplib.SMTP("localhost", own_emulator.smtp_port, timeout=10) as server:
        server.sendmail("a@portal.example", [to], b"Content-Type: text/plain; charset=nonsense\r\n\r\n\xff\x00<b>\r\n")
    (mail,) = mails(own_emulator, to)
    assert mail["sender"] == "a@portal.example"
    assert requests.get(f"{own_emulator.endpoint_url}/mailbox", params={"mail": mail["id"]}, timeout=10).ok
