"""The list of facts is sound: ids are unique, every test names its facts, and no test asserts an unknown one."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.contract.facts import CONFIDENCES, FACTS, confidences, rows

_HERE = Path(__file__).parent


def _tests() -> Iterator[tuple[str, list[str]]]:
    """Each contract test with the ids of its facts."""
    for path in _HERE.glob("test_*.py"):
        if path.name == Path(__file__).name:
            continue
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                yield f"{path.name}::{node.name}", list(_facts_of(node))


def _facts_of(test: ast.FunctionDef) -> Iterator[str]:
    for decorator in test.decorator_list:
        if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "pytest.mark.fact":
            yield from (str(ast.literal_eval(argument)) for argument in decorator.args)


def test_every_fact_has_an_id_a_sentence_a_confidence_and_a_page() -> None:
    listed = [
        line for line in FACTS.read_text("utf-8").splitlines() if line.startswith("| ") and " Id " not in line[:6]
    ]
    assert len(listed) == len(rows()) == len(confidences()) > 90
    for fact, sentence, confidence, page in rows():
        assert confidence in CONFIDENCES, fact
        assert sentence.endswith((".", ".`")), fact
        assert page, fact


def test_every_contract_test_names_known_facts() -> None:
    tests = list(_tests())
    assert len(tests) > 30
    for test, named in tests:
        assert named, f"{test} names no fact"
        assert set(named) <= confidences().keys(), test
        assert "unknown" not in {confidences()[fact] for fact in named}, test


def test_the_main_facts_of_every_chapter_are_checked() -> None:
    checked = {fact for _, named in _tests() for fact in named}
    for chapter in ("A1", "A3", "A5", "B1", "B2", "B6", "C", "D1", "D4"):
        assert sum(fact.startswith(chapter) for fact in checked) >= (1 if chapter == "B2" else 3), chapter
