"""Templates: every part that one names is there."""

from __future__ import annotations

import re

from portal.environment import BASE

TEMPLATES = BASE / "templates"
NAMED = re.compile(r"{%\s*(?:include|extends)\s+[\"']([^\"']+)[\"']")


def test_every_template_that_is_named_exists() -> None:
    named = {
        (str(path.relative_to(TEMPLATES)), name)
        for path in TEMPLATES.rglob("*.html")
        for name in NAMED.findall(path.read_text("utf-8"))
    }
    assert len(named) > 100
    assert {(where, name) for where, name in named if not (TEMPLATES / name).is_file()} == set()
