"""docs/data.md classifies every column of the database and lists every secret setting."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from django.apps import apps

from portal.environment import BASE, SETTINGS
from portal.secret_files import SECRETS

PAGE = (BASE / "docs" / "data.md").read_text("utf-8")
SOUNDS_SECRET = re.compile(
    r"SECRET|TOKEN|PASSWORD|(?<!PUBLIC_)(?<!RECORDS_)KEYS?\b|(?<!RECORDS)_KEY|(DATABASE|CACHE|EMAIL)_URL"
)
HASHED_OR_SEALED = re.compile(r"_hash$|^sealed_")


def rows(heading: str) -> Iterator[list[str]]:
    part = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in part.splitlines() if line.startswith("|")]
    yield from ([cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:])


def classified() -> dict[str, list[str]]:
    return {row[0].strip("`"): [name for cell in row[1:] for name in re.findall(r"\w+", cell)]
            for row in rows("Columns of the database")}  # fmt: skip


def test_every_column_is_in_one_class() -> None:
    models = {model.__name__: model for model in apps.get_app_config("tenants").get_models()}
    assert classified().keys() == models.keys()
    for name, model in models.items():
        assert sorted(classified()[name]) == sorted(field.name for field in model._meta.fields), name


def test_a_secret_column_is_hashed_or_sealed() -> None:
    secret = [name for row in rows("Columns of the database") for name in re.findall(r"\w+", row[1])]
    assert secret
    assert [name for name in secret if not HASHED_OR_SEALED.search(name)] == []


def test_every_secret_setting_is_listed() -> None:
    listed = {match[1] for row in rows("Secrets") if (match := re.match(r"`(\w+)`", row[0]))}
    assert listed == set(SECRETS)


def test_what_sounds_like_a_secret_is_one() -> None:
    assert {name for name in SETTINGS if SOUNDS_SECRET.search(name)} == set(SECRETS)


@pytest.mark.parametrize("heading", ["Kinds of data", "Secrets"])
def test_no_cell_is_empty(heading: str) -> None:
    assert [row for row in rows(heading) if not all(row)] == []
