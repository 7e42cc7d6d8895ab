"""Static files after collectstatic: under names that change with what they hold."""

from __future__ import annotations

import re
from pathlib import Path

from django.core.files.storage import FileSystemStorage
from django.test import override_settings

from portal.environment import BASE
from portal.static_files import Storage

ASSETS = BASE / "portal" / "assets"


def test_a_script_that_imports_another_one_gets_the_hashed_one(tmp_path: Path) -> None:
    storage, source = Storage(location=str(tmp_path), base_url="/static/"), FileSystemStorage(location=str(ASSETS))
    names = sorted(path.name for path in ASSETS.glob("*.js"))
    for name in names:
        (tmp_path / name).write_bytes((ASSETS / name).read_bytes())
    failures = [
        told for _, _, told in storage.post_process({name: (source, name) for name in names}) if told is not True
    ]
    assert [told for told in failures if isinstance(told, Exception)] == []
    hashed = {name: (tmp_path / storage.hashed_files[name]).read_text() for name in names}
    imported = {name: re.findall(r'from "\./([^"]+)"', text) for name, text in hashed.items()}
    assert set(imported["direct.js"]) == {
        storage.hashed_files[name] for name in ("aws-direct.js", "record-nodes.js", "record-reader.js")
    }
    assert {name for names in imported.values() for name in names} <= set(storage.hashed_files.values())


def test_an_address_is_kept_for_the_mode_it_was_made_in(tmp_path: Path) -> None:
    storage = Storage(location=str(tmp_path), base_url="/static/")
    storage.hashed_files = {"app.css": "app.1234.css"}
    for _ in range(2):
        with override_settings(DEBUG=True):
            assert storage.url("app.css") == "/static/app.css"
        with override_settings(DEBUG=False):
            assert storage.url("app.css") == "/static/app.1234.css"
