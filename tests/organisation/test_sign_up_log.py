"""What gets around the sign-up's guards is in the log, and nothing of what was typed."""

from __future__ import annotations

import logging
import re
from typing import Any

import pytest

from portal.demo.world import World
from tenants.members import sign_up as sign_ups
from tenants.organisation import sign_up
from tests.world.fixtures import Browser
from tests.world.pages import text_of

GOOD = {"organisation": "Initech", "name": "Bill Lumbergh", "email": "bill@initech.example", "terms": "yes"}


def refusals(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [vars(line)["refusal"] for line in caplog.records if "refusal" in vars(line)]


def send(browser: Browser, **changed: str) -> Any:
    opened = re.search(r'name="opened" value="([^"]*)"', text_of(browser.get("/signup/")))
    assert opened is not None
    return browser.post("/signup/", {"opened": opened[1], **GOOD, **changed})


def test_each_guard_of_the_sign_up_logs_what_it_held_up(
    portal: World, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO)
    browser = Browser(portal)
    send(browser)
    monkeypatch.setattr(sign_up, "_SHORTEST_SECONDS", 0)
    send(browser, opened="forged")
    send(browser, website="https://spam.example")
    monkeypatch.setattr(sign_ups, "MOST_OF_THE_SITE", 0)
    assert send(browser).status_code == 429
    assert refusals(caplog) == ["FormSentTooFast", "FormTooOldOrNotOurs", "FilledInByAProgram", "TooManySignUps"]
    assert not any("initech" in str(vars(line)).casefold() for line in caplog.records if "refusal" in vars(line))


def test_a_good_sign_up_logs_no_refusal(
    portal: World, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(sign_up, "_SHORTEST_SECONDS", 0)
    assert send(Browser(portal)).status_code == 302
    assert refusals(caplog) == []
