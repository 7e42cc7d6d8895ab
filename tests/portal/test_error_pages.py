"""The pages of DJANGO_DEBUG show no password, in whatever way a library has written it down."""

from __future__ import annotations

import sys
from typing import Any
from urllib.parse import quote

import pytest
from django.test import RequestFactory
from psycopg.conninfo import make_conninfo

from portal.error_pages import Reporter
from portal.hidden import HiddenText

# Each half is a word that the page has for no other reason.
PASSWORD = r"Halfone'and\Halftwo"


@pytest.fixture(autouse=True)
def debugging(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.DEBUG = True
    monkeypatch.setitem(settings.DATABASES["default"], "PASSWORD", HiddenText(PASSWORD))


def connect(written: str, said: str) -> None:
    raise ConnectionError(said or f"{len(written)} letters were not taken")


def fail(written: str, *, said: str = "") -> Reporter:
    """The report of an error in a function that has it in a variable, and of one that says it."""
    try:
        connect(written, said)
    except ConnectionError:
        return Reporter(RequestFactory().get("/"), *sys.exc_info())


WRITTEN = {
    "as it is": PASSWORD,
    "as libpq reads it": make_conninfo(host="db.example.com", password=PASSWORD),
    "in an address": f"postgres://portal:{quote(PASSWORD)}@db.example.com/portal",
    "in a list": str([make_conninfo(password=PASSWORD)]),
}


@pytest.mark.parametrize("written", WRITTEN.values(), ids=WRITTEN)
def test_a_password_in_a_variable_or_an_error_is_not_shown(written: str) -> None:
    for report in (fail(written), fail("", said=f"cannot use {written}")):
        page, text = report.get_traceback_html(), report.get_traceback_text()
        assert "ConnectionError" in page
        assert [half for half in ("Halfone", "Halftwo") for shown in (page, text) if half in shown] == []
