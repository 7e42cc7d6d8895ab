"""Only static files that a page uses are served and collected, and none that a page uses is missing."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as configured
from django.contrib.staticfiles import finders
from django.contrib.staticfiles.finders import AppDirectoriesFinder, get_finders
from django.core.management import call_command
from django.test import Client

from portal.demo.cast import ACME_OWNER, OPERATOR, CastMember
from portal.demo.world import World
from portal.environment import BASE
from portal.static_files import Serving, used_files
from tests.house.test_matrix import addresses
from tests.world.fixtures import Browser

Browse = Callable[[CastMember], Browser]
ASSETS = BASE / "portal" / "assets"
USED_OF_PACKAGES = {"django_htmx/htmx-2.min.js", "django_htmx/django-htmx.js"}
OF_A_PAGE = "django_htmx/htmx-2.min.js"
OF_A_PACKAGE = "django_htmx/htmx-2.js"


def of_packages() -> Iterator[str]:
    """Unused files of the installed packages, and those of Django's admin, which could be installed."""
    yield from (path for path, _ in AppDirectoriesFinder().list(None) if path not in USED_OF_PACKAGES)
    admin = Path(importlib.import_module("django.contrib").__path__[0]) / "admin" / "static"
    yield from (str(path.relative_to(admin)) for path in admin.rglob("*") if path.is_file())


def test_each_asset_is_used_and_each_used_file_is_there() -> None:
    assert used_files() == {path.name for path in ASSETS.iterdir()} | USED_OF_PACKAGES
    assert [name for name in used_files() if not finders.find(name)] == []


def test_templates_name_static_files_in_full() -> None:
    """A name from a variable could not be read from the template."""
    asked = [tag for path in (BASE / "templates").rglob("*") if path.is_file()
             for tag in re.findall(r"{%\s*(?:static|get_static_prefix)\b[^%]*%}", path.read_text())]  # fmt: skip
    assert asked
    assert [tag for tag in asked if not re.fullmatch(r"{% static '[\w.-]+' %}", tag)] == []


def test_no_unused_file_of_a_package_is_found() -> None:
    listed = {path for finder in get_finders() for path, _ in finder.list([])}
    assert listed == used_files()
    strange = list(of_packages())
    assert OF_A_PACKAGE in strange
    assert [name for name in strange if finders.find(name)] == []


@pytest.fixture(params=["from their sources", "collected"])
def served(request: pytest.FixtureRequest, settings: Any, tmp_path: Path) -> Client:
    """Beside what a former version collected."""
    settings.STATIC_ROOT, settings.WHITENOISE_AUTOREFRESH = str(tmp_path), False
    if request.param == "collected":
        call_command("collectstatic", interactive=False, verbosity=0)
    for name in ("admin/js/core.js", OF_A_PACKAGE, "old.css", "old.0123456789ab.css"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return Client(headers={"host": "localhost"})


def status_of(client: Client, name: str) -> int:
    answer = client.get(f"{configured.STATIC_URL}{name}")
    if answer.streaming:
        # Closes the file.
        list(answer.streaming_content)
    return answer.status_code


def test_every_file_that_pages_name_is_served(served: Client, portal: World, browse_as: Browse) -> None:
    """As the pages say when they are rendered, by whatever tag."""
    named: set[str] = set()
    for person in (OPERATOR, ACME_OWNER):
        browser = browse_as(person)
        for name, address in addresses().items():
            if name not in {"oidc_logout", "readyz"}:
                page = browser.get(address).content.decode(errors="replace")
                named |= set(re.findall(r"""["']/static/([^"'?#]+)["']""", page))
    assert {"app.css", OF_A_PAGE} <= {re.sub(r"\.[0-9a-f]{12}\.", ".", name) for name in named}
    assert {name: status for name in named if (status := status_of(served, name)) != 200} == {}


def test_only_used_files_are_served(served: Client, db: None) -> None:
    collected = {str(path.relative_to(configured.STATIC_ROOT)) for path in Path(configured.STATIC_ROOT).rglob("*.*")}
    hashed = {name for name in collected if re.search(r"\.[0-9a-f]{12}\.\w+$", name) and not name.startswith("old")}
    assert len(hashed) in {0, len(used_files())}
    asked = {*used_files(), *collected, *of_packages()}
    assert {name for name in asked if status_of(served, name) == 200} == used_files() | hashed


def test_a_file_is_served_below_static_only(served: Client, db: None) -> None:
    assert "app.css" in used_files()
    answers = {path: served.get(path).status_code for path in ("/app.css", "/staticapp.css", "/x/static/app.css")}
    assert set(answers.values()) == {404}


def test_other_pages_cost_no_look_for_a_file(settings: Any, db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[str] = []
    monkeypatch.setattr(Serving, "get_name_without_hash", lambda _, name: looked.append(name) or name)
    client = Client(headers={"host": "localhost"})
    client.get("/livez/x")
    assert looked == []
    client.get(f"{settings.STATIC_URL}none.css")
    assert looked == ["none.css"]


def test_hashed_files_are_kept_for_ever_and_others_not(settings: Any, tmp_path: Path, db: None) -> None:
    settings.STATIC_ROOT, settings.WHITENOISE_AUTOREFRESH = str(tmp_path), False
    call_command("collectstatic", interactive=False, verbosity=0)
    client = Client(headers={"host": "localhost"})
    (name,) = (path.name for path in tmp_path.iterdir() if re.fullmatch(r"app\.[0-9a-f]{12}\.css", path.name))
    assert "immutable" in client.head(f"{configured.STATIC_URL}{name}")["Cache-Control"]
    assert "immutable" not in client.head(f"{configured.STATIC_URL}app.css")["Cache-Control"]
