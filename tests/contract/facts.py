"""The facts of docs/aws-facts.md, by id."""

import re
from functools import cache
from pathlib import Path

FACTS = Path(__file__).resolve().parents[2] / "docs" / "aws-facts.md"
CONFIDENCES = {"documented", "reported", "inferred", "unknown"}
_ROW = re.compile(r"\| ([A-Z]\d+(?:\.\d+)?[a-z]?) \| (.+) \| (\w+) \| (.+) \|")


@cache
def confidences() -> dict[str, str]:
    return {fact: confidence for fact, _, confidence, _ in rows()}


def rows() -> list[tuple[str, str, str, str]]:
    """Each fact as (id, sentence, confidence, page)."""
    return [match.groups() for line in FACTS.read_text("utf-8").splitlines() if (match := _ROW.fullmatch(line))]  # type: ignore[misc]
