"""Makes the README's pictures: runs the demo, opens its pages in headless Chromium, and writes PNGs beside this file.

    .venv/bin/python docs/pictures/make_pictures.py

Needs Chromium on the machine, and no other demo running from this checkout.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

FOLDER = Path(__file__).resolve().parent
ROOT = FOLDER.parent.parent
WIDTH, HEIGHT = 1000, 700
MOST_BYTES = 150_000
_CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def main() -> None:
    with demo() as (url, password), chromium() as browser:
        for theme in ("light", "dark"):
            page = signed_in(browser, url, "owner@globex.example", password, theme)
            take_refusal(page, url, FOLDER / f"refusal-{theme}.png")
            page = signed_in(browser, url, "operator@platform.example", password, theme)
            take_overview(page, url, FOLDER / f"overview-{theme}.png")


def take_refusal(page: Any, url: str, path: Path) -> None:
    page.goto(f"{url}/access/")
    page.get_by_role("button", name="Try another org", exact=True).click()
    page.locator("#answer").wait_for()
    _take(page, path, first="#try", last="#answer")


def take_overview(page: Any, url: str, path: Path) -> None:
    page.goto(f"{url}/operators/")
    # Its worker has just started, and beats within a second.
    page.get_by_text("Nothing needs attention").wait_for()
    _take(page, path, first="h1", last=".charts")


def _take(page: Any, path: Path, *, first: str, last: str) -> None:
    """From one element to another, with a margin."""
    page.mouse.move(0, 0)
    # Boxes are counted from the top of what is seen.
    page.evaluate("scrollTo(0, 0)")
    top, bottom = (page.locator(where).first.bounding_box() for where in (first, last))
    begin, end = max(0, top["y"] - 24), bottom["y"] + bottom["height"] + 24
    clip = {"x": 0, "y": begin, "width": WIDTH, "height": end - begin}
    page.screenshot(path=str(path), clip=clip, full_page=True, animations="disabled")
    size = path.stat().st_size
    print(f"{path.relative_to(ROOT)}: {size:,} bytes")
    if size > MOST_BYTES:
        sys.exit(f"{path.name} is larger than {MOST_BYTES:,} bytes.")


def signed_in(browser: Any, url: str, email: str, password: str, theme: str) -> Any:
    page = browser.new_context(
        viewport={"width": WIDTH, "height": HEIGHT}, color_scheme=theme, device_scale_factor=1.5
    ).new_page()
    page.goto(f"{url}/oidc/authenticate/")
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{url}/")
    return page


@contextmanager
def demo() -> Iterator[tuple[str, str]]:
    """Its address, and the password of its people."""
    port, emulator_port = _free_port(), _free_port()
    command = [sys.executable, str(ROOT / "manage.py"), "demo"]
    variables = {**os.environ, "PORT": str(port), "EMULATOR_PORT": str(emulator_port), "PYTHONUNBUFFERED": "1"}
    running = subprocess.Popen(  # noqa: S603 - this very program
        command, cwd=ROOT, env=variables, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        yield f"http://localhost:{port}", _password(running)
    finally:
        running.send_signal(signal.SIGINT)
        running.wait(timeout=60)


def _password(running: subprocess.Popen[str]) -> str:
    found = ""
    for line in running.stdout or ():
        if match := re.match(r"password: (\S+)", line):
            found = match[1]
        if line.startswith("Ctrl-C ends"):
            return found
    sys.exit("The demo did not start.")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def chromium() -> Iterator[Any]:
    path = next((found for name in _CHROMIUM if (found := shutil.which(name))), None)
    if path is None:
        sys.exit("There is no Chromium on this machine.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, chromium_sandbox=os.geteuid() != 0)
        yield browser
        browser.close()


if __name__ == "__main__":
    main()
