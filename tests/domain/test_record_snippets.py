"""A query as code: whatever it holds, each program reads exactly the parameters, and nothing else."""

from __future__ import annotations

import ast
import json
import shlex
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenants.domain.record_snippets import Endpoint, snippets
from tests.domain.test_entered_values import VALUES

ON_AWS, AT_HOME = Endpoint("eu-west-1"), Endpoint("eu-west-1", "http://localhost:4566")
AWKWARD = 'it\'s "$(date)" `id` \\ \n\t\x00\u202e\u2028 !x 🦊 __proto__ ${x} %s </script>'


def codes(parameters: Mapping[str, Any], endpoint: Endpoint = ON_AWS) -> tuple[str, str, str]:
    cli, python, javascript = (snippet.code for snippet in snippets(parameters, endpoint))
    return cli, python, javascript


def asked_of(text: str) -> dict[str, Any]:
    return {"TableName": "Records", "ExpressionAttributeValues": {":v0": {"S": text}}, "Limit": 25}


@pytest.mark.parametrize("text", [AWKWARD, "'", "\\'", "-", "", "a\r\nb", "\x7f"])
def test_a_shell_hands_over_the_text_as_it_is(text: str) -> None:
    words = shlex.split(codes(asked_of(text))[0])
    assert json.loads(words[words.index("--cli-input-json") + 1]) == asked_of(text)
    assert words[:4] == ["aws", "dynamodb", "query", "--no-paginate"]


@settings(deadline=None)
@given(st.dictionaries(st.text(max_size=5), VALUES, max_size=3))
def test_python_reads_the_values_as_they_are(values: dict[str, Any]) -> None:
    parameters = {"TableName": "Records", "ExpressionAttributeValues": values, "ConsistentRead": True, "Limit": 25}
    called = next(
        node for node in ast.walk(ast.parse(codes(parameters)[1])) if isinstance(node, ast.Call) and node.keywords
        and any(keyword.arg == "TableName" for keyword in node.keywords)
    )  # fmt: skip
    assert {str(keyword.arg): ast.literal_eval(keyword.value) for keyword in called.keywords} == parameters


def test_a_shell_says_how_bytes_are_written() -> None:
    bytes_in_a_map = {"TableName": "Records", "ExpressionAttributeValues": {":v0": {"M": {"a": {"B": b"x"}}}}}
    assert "--cli-binary-format base64" in codes(bytes_in_a_map)[0]
    assert "--cli-binary-format" not in codes(asked_of("x"))[0]


def test_javascript_gets_bytes_and_no_prototype() -> None:
    values = {":v0": {"B": b"\x00\xff"}, ":v1": {"M": {"__proto__": {"S": "x"}}}}
    code = codes({"TableName": "Records", "ExpressionAttributeValues": values})[2]
    assert 'Buffer.from("AP8=", "base64")' in code
    assert '["__proto__"]: {"S": "x"}' in code


def test_what_nobody_can_see_is_written_as_an_escape() -> None:
    for code in codes(asked_of(AWKWARD)):
        assert all(character.isprintable() or character == "\n" for character in code)


def test_only_a_portal_with_an_endpoint_of_its_own_names_one() -> None:
    assert all("localhost:4566" in code for code in codes(asked_of("x"), AT_HOME))
    assert not any("endpoint" in code for code in codes(asked_of("x")))


def test_no_code_holds_credentials() -> None:
    assert not any("key_id" in code.lower() or "secret" in code.lower() for code in codes(asked_of("x"), AT_HOME))
