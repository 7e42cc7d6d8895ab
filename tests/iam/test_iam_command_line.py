"""`python -m iam` reads cases from standard input and writes decisions to standard output."""

import json
import os
import select
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CASES = Path(__file__).with_name("iam_cases.jsonl")
CASE = {
    "id": "one",
    "identity": [{"Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}}],
    "request": {"action": "s3:GetObject", "resource": "arn:aws:s3:::b/k", "context": {}},
}


def run(text, *arguments):
    return subprocess.run(
        [sys.executable, "-m", "iam", *arguments], cwd=ROOT, input=text.encode(), capture_output=True, check=False
    )


def answers(text):
    finished = run(text)
    assert finished.stderr == b""
    return finished.returncode, [json.loads(line) for line in finished.stdout.splitlines()]


def changed(**changes):
    return json.dumps({key: value for key, value in {**CASE, **changes}.items() if value is not ...})


def test_recorded_cases_are_answered_in_order():
    code, decided = answers(CASES.read_text())
    recorded = [json.loads(line) for line in CASES.read_text().splitlines()]

    assert code == 0
    assert [(answer["id"], answer["decision"]) for answer in decided] == [
        (case["id"], case["expect"]) for case in recorded
    ]
    assert all(answer["because"] for answer in decided)


def test_an_answer_gives_the_reason():
    assert answers(changed()) == (
        0,
        [
            {
                "id": "one",
                "decision": "Allowed",
                "because": "statement 1 of identity policy 1 (identity policy) allows s3:GetObject on arn:aws:s3:::b/k",
            }
        ],
    )


def test_boundary_and_session_policies_are_evaluated():
    _, (bounded, in_session) = answers(changed(boundary=[]) + "\n" + changed(session=[]))

    assert bounded["because"].startswith("no permissions boundary allows")
    assert in_session["because"].startswith("no session policy allows")


@pytest.mark.parametrize(
    ("line", "name", "error"),
    [
        ("{", None, "not a line of JSON"),
        ("[]", None, "the line is not an object"),
        ('{"id": 7, "id": 8}', None, 'the key "id" is given twice'),
        (changed(boundry=[]), "one", "unknown key 'boundry'"),
        (changed(identity=...), "one", "identity is missing"),
        (changed(identity={}), "one", "identity is not a list of policy documents"),
        (changed(identity=[{"Statement": {}}]), "one", "identity policy 1: statement 1: "),
        (changed(identity=[7]), "one", "identity policy 1: the document is not an object"),
        (changed(request=...), "one", "request is not an object"),
        (changed(request={**CASE["request"], "principal": "x"}), "one", "unknown key 'principal'"),
        (changed(request={**CASE["request"], "action": 7}), "one", "action 7 is not of the form"),
        (changed(request={**CASE["request"], "context": {"aws:a": 7}}), "one", "context key aws:a is neither"),
    ],
)
def test_a_bad_line_is_an_error_and_other_lines_are_answered(line, name, error):
    code, (before, bad, after) = answers(f"{changed()}\n{line}\n{changed()}")

    assert code == 2
    assert bad["id"] == name
    assert error in bad["error"]
    assert before["decision"] == after["decision"] == "Allowed"


def test_bytes_that_are_not_text_are_a_bad_line():
    finished = subprocess.run(
        [sys.executable, "-m", "iam"], cwd=ROOT, input=b"\xff\xfe\n", capture_output=True, check=False
    )

    assert finished.returncode == 2
    assert b"not a line of JSON" in finished.stdout


def test_empty_input_gives_empty_output():
    assert answers("\n  \n") == (0, [])


def test_an_answer_comes_before_the_next_line_is_sent():
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    command = [sys.executable, "-m", "iam"]
    with subprocess.Popen(command, cwd=ROOT, env=buffered, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        for name in ("first", "second"):
            process.stdin.write(changed(id=name).encode() + b"\n")
            process.stdin.flush()
            ready, _, _ = select.select([process.stdout], [], [], 30)
            assert ready, "no answer came"
            assert json.loads(process.stdout.readline())["id"] == name


def test_help_explains_the_lines():
    finished = run("", "--help")

    assert finished.returncode == 0
    assert b'{"id", "decision"' in finished.stdout
