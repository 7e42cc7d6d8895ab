"""Tests in a browser wait for what they assert: on a slower machine or another Python the page comes later."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from portal.environment import BASE

# Of Playwright; each answers at once, whatever is on the page. `expect` has one that waits for each of them.
READS = {
    "all_inner_texts", "all_text_contents", "count", "inner_html", "inner_text", "input_value", "is_checked",
    "is_disabled", "is_editable", "is_enabled", "is_hidden", "is_visible", "text_content", "title",
}  # fmt: skip
FILES = [path for path in sorted((BASE / "tests").rglob("test_*.py")) if "mark.browser" in path.read_text()]


def reads_without_waiting(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(").all") and not node.args:
            yield ast.unparse(node)
        if isinstance(node, ast.Assert):
            yield from (ast.unparse(part) for part in ast.walk(node.test) if _reads(part))


def _reads(node: ast.AST) -> bool:
    if isinstance(node, ast.Attribute):
        return node.attr == "url" and ast.unparse(node.value).endswith("page")
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return False
    counts_in_a_text = node.func.attr == "count" and bool(node.args)
    return (node.func.attr in READS and not counts_in_a_text) or "document.activeElement" in ast.unparse(node)


@pytest.mark.parametrize("file", [path for path in FILES if path != Path(__file__)], ids=lambda path: path.stem)
def test_no_assertion_reads_a_page_without_waiting(file: Path) -> None:
    assert list(reads_without_waiting(file.read_text())) == []


@pytest.mark.parametrize(
    "line",
    [
        "assert page.locator('a').count() == 1",
        "assert not page.get_by_text('x').is_visible()",
        "assert 'Acme' in page.inner_text('header')",
        "assert window.page.url == address",
        "assert page.title().startswith('Error')",
        "assert page.evaluate('document.activeElement.id') == 'name'",
        "for field in page.locator('input').all(): field.fill('x')",
    ],
)
def test_a_read_without_waiting_is_found(line: str) -> None:
    assert list(reads_without_waiting(line))
