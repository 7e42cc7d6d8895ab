"""The mails' texts: every kind with harmless and with hostile values, both bodies alike."""

from __future__ import annotations

import re
import unicodedata
from email import message_from_bytes
from email.policy import default
from html import unescape
from html.parser import HTMLParser
from typing import Any

import pytest
from django.core.mail import EmailMultiAlternatives

from portal.environment import BASE
from tenants.mail.outbox import KINDS
from tenants.mail.rendering import Letter, render

FOLDER = BASE / "templates" / "mail"
ABOUT: dict[str, object] = {
    "organisation": "Acme & Sons",
    "person": "Ann Lee",
    "by": "Bob (bob@acme.example)",
    "role": "admin",
    "before": "editor",
    "until": "3 December 2026, 14:05 UTC",
    "reason": "They moved.\nSince Monday.",
    "what": ["Ann Lee was made an owner.", "Bob was removed."],
    "link": "http://localhost:8000/recovery/abc/",
}
HOSTILE = (
    "Evil\r\nBcc: all@globex.example\r\n\r\n<script>alert(1)</script> \u202ecod.exe\u2066 \x00 \x1b[31m \ud800 \u2028 "
    "{{ link }} {% include 'x' %} </bdi></p><a href='https://evil.example/'>https://evil.example/</a> "
    "“” \" ' & "
)
WITH_EVERYTHING = {**dict.fromkeys(ABOUT, HOSTILE * 20), "what": [HOSTILE] * 90, "link": ABOUT["link"]}


def every_kind() -> list[str]:
    return sorted(KINDS)


def words(html: str) -> list[str]:
    """What a reader sees of the body, word by word, without the bullets and signs that stand for markup in a text."""
    body = html[html.index("<body") :] if "<body" in html else html
    text = unescape(re.sub(r"<[^>]+>", " ", re.sub(r"</?(?:bdi|a)\b[^>]*>", "", body)))
    return [word for word in text.split() if word not in {"-", "--", ">"}]


def letter_words(text: str) -> list[str]:
    return [word for word in text.split() if word not in {"-", "--", ">"}]


@pytest.mark.parametrize("kind", every_kind())
@pytest.mark.parametrize("about", [ABOUT, WITH_EVERYTHING], ids=["plain", "hostile"])
def test_both_bodies_say_the_same(kind: str, about: dict[str, object]) -> None:
    letter = render(kind, about)
    assert letter_words(letter.text) == words(letter.html)


@pytest.mark.parametrize("kind", every_kind())
def test_a_mail_says_all_that_its_kind_needs(kind: str) -> None:
    letter = render(kind, {key: ABOUT[key] for key in KINDS[kind]})
    for key in KINDS[kind]:
        values = ABOUT[key] if isinstance(ABOUT[key], list) else str(ABOUT[key]).splitlines()
        for value in values:  # type: ignore[attr-defined]
            assert value in letter.text, key
            assert value in unescape(letter.html), key
    assert "None" not in letter.text


@pytest.mark.parametrize("kind", every_kind())
def test_a_subject_has_room_for_a_long_name(kind: str) -> None:
    subject = render(kind, {**ABOUT, "organisation": "W" * 120, "role": "viewer"}).subject
    assert len(subject) <= 70
    assert not subject.endswith("…"), "the name should be cut, not the sentence"


@pytest.mark.parametrize("kind", every_kind())
def test_hostile_values_are_text_and_nothing_else(kind: str) -> None:
    letter = render(kind, WITH_EVERYTHING)
    for text in (letter.subject, letter.text, letter.html):
        odd = {character for character in text if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp")}
        assert odd <= {"\n"}
        assert "https://evil" not in text
    assert "\n" not in letter.subject
    as_long = {"reason": "line\n" * 60, "what": ["line"] * 60}
    assert tags(letter.html) == tags(render(kind, {**ABOUT, **as_long}).html)
    message = parsed(letter)
    assert (message["To"], message["Bcc"], message["Subject"].strip()) == ("ann@acme.example", None, letter.subject)
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]


def tags(html: str) -> list[tuple[str, list[tuple[str, str | None]]]]:
    found: list[tuple[str, list[tuple[str, str | None]]]] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            found.append((tag, attrs))

    Reader().feed(html)
    return found


def parsed(letter: Letter) -> Any:
    message = EmailMultiAlternatives(letter.subject, letter.text, to=["ann@acme.example"])
    message.attach_alternative(letter.html, "text/html")
    return message_from_bytes(message.message().as_bytes(), policy=default)


def test_long_values_are_cut_and_say_so() -> None:
    text = render("changed_at_terminal", {**WITH_EVERYTHING, "reason": "y" * 4000}).text
    assert "And 40 more." in text
    assert max(map(len, text.splitlines())) < 400
    assert "y" * 299 + "…" in text


def test_a_name_from_right_to_left_cannot_reorder_the_sentence() -> None:
    letter = render("removed", {"organisation": "שלום", "by": "Ann"})
    assert "“\u2068שלום\u2069”" in letter.text
    assert "“\u2068שלום\u2069”" in letter.subject


def test_joiners_that_a_script_needs_stay() -> None:
    family, persian = "👩\u200d👧", "می\u200cخواهم"
    text = render("removed", {"organisation": family, "by": persian}).text
    assert family in text
    assert persian in text


@pytest.mark.parametrize(
    "link",
    [
        "https://evil.example/",
        "http://localhost:8000.evil.example/",
        "http://localhost:8000@evil.example/",
        "//evil.example/://",
        "javascript://localhost:8000/%0a",
        "/recovery/a b/",
        "/recovery/a\nb/",
        "/recovery/\u202e/",
    ],
)
def test_a_link_out_of_the_portal_is_refused(link: str) -> None:
    with pytest.raises(ValueError, match="of the portal only"):
        render("recovery_asked", {**ABOUT, "link": link})


@pytest.mark.parametrize(
    ("link", "whole"),
    [("/members/", "/members/"), ("", "/"), ("http://localhost:8000/x/?a=b&c=d", "/x/?a=b&c=d"), ("//x/", "//x/")],
)
def test_a_path_is_one_of_the_portals(link: str, whole: str) -> None:
    assert f"\nhttp://localhost:8000{whole}\n" in render("enabled", {**ABOUT, "link": link}).text


def test_every_kind_has_its_two_templates_and_no_more() -> None:
    parts = {"foot.txt", "frame.html", "link.html", "reason.html", "reason.txt"}
    expected = {f"{kind}.{ending}" for kind in KINDS for ending in ("txt", "html")} | parts
    assert {path.name for path in FOLDER.iterdir()} == expected


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.html")), ids=lambda path: path.name)
def test_a_mail_loads_nothing_and_fits_a_narrow_screen(path: Any) -> None:
    text = path.read_text()
    assert not re.search(r"<img|<link|<script|<style|<form|<table|url\(|@import", text)
    assert all(int(width) <= 544 for width in re.findall(r"width: (\d+)px", text))
