"""Six hundred decisions recorded from an independent evaluator of IAM policies. This one must agree with each."""

import json
from collections import Counter
from pathlib import Path

import pytest

from iam import Request, decide, parse_policy

CASES = [json.loads(line) for line in Path(__file__).with_name("iam_cases.jsonl").read_text().splitlines()]


def decide_case(case):
    policies = {
        layer: [parse_policy(document) for document in case.get(layer) or []] for layer in ("identity", "boundary")
    }
    boundary = policies["boundary"] if "boundary" in case else None
    return decide(Request(**case["request"]), identity=policies["identity"], boundary=boundary)


def test_each_outcome_is_recorded_equally_often():
    assert Counter(case["expect"] for case in CASES) == {
        "Allowed": 200,
        "ExplicitlyDenied": 200,
        "ImplicitlyDenied": 200,
    }


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_the_decision_agrees_with_the_recorded_one(case):
    decision = decide_case(case)

    assert decision.outcome.value == case["expect"], decision.because


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_every_decision_can_be_explained(case):
    decision = decide_case(case)

    assert case["request"]["action"] in decision.because
    assert all(str(result.mismatch) for result in decision.statement_results)
