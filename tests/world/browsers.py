"""Headless Chromium for the tests that need a real browser."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

_CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_CHROMIUM_ON_MACOS = Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome")


def chromium_path() -> str | None:
    found = next((path for name in _CHROMIUM if (path := shutil.which(name))), None)
    return found or (str(_CHROMIUM_ON_MACOS) if _CHROMIUM_ON_MACOS.exists() else None)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """Headless; where none is installed the test is skipped, unless REQUIRE_BROWSER says that it may not be.

    It ends with the module: while Playwright's event loop runs, Django refuses every query in this thread.
    """
    path = chromium_path()
    if path is None:
        if os.environ.get("REQUIRE_BROWSER"):
            pytest.fail("REQUIRE_BROWSER is set and there is no Chromium")
        pytest.skip("no Chromium on this machine")
    from playwright.sync_api import expect, sync_playwright

    # A page may take long on a machine that is busy.
    expect.set_options(timeout=60_000)

    # Without these it looks things up outside; as root (in a container) it needs to do without its sandbox.
    arguments = ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=arguments, chromium_sandbox=os.geteuid() != 0)
        yield browser
        browser.close()
