"""The rules of IAM, one sentence each, with the decision and the reason. They are in the JSON files in `cases/`.

A case names its policies, has one `condition` in a statement that allows everything, or asks a `trust` policy.
"""

import json
import re
from pathlib import Path

import pytest

from iam import Principal, Request, decide, decide_trust, parse_policy, parse_trust_policy
from iam.operators import OPERATORS

FILES = sorted(Path(__file__).with_name("cases").glob("*.json"))
EVALUATED_RULES = {f"C{number}" for number in (*range(1, 15), 16, 18, 20)} | {"B3"}
ANYTHING = {"action": "dynamodb:Query", "resource": "arn:aws:dynamodb:eu-west-2:111122223333:table/Records"}


def load():
    for path in FILES:
        shared = json.loads(path.read_text())
        for case in shared["cases"]:
            yield pytest.param(case, shared, id=f"{path.stem}: {case['sentence']}")


CASES = list(load())


def outcome_of(case, shared):
    if "trust" in case:
        return trust_decision(case, shared)
    if "condition" in case:
        return condition_decision(case)
    layers = {
        layer: named_policies(case[layer], shared) for layer in ("identity", "boundary", "session") if layer in case
    }
    request = shared["requests"][case["request"]] if isinstance(case["request"], str) else case["request"]
    return decide(Request(**request, context=case["context"]), **layers)


def named_policies(names, shared):
    return [parse_policy(shared["policies"][name], name=name) for name in names]


def condition_decision(case):
    statement = {
        "Sid": "TheCondition",
        "Effect": "Allow",
        "Action": "*",
        "Resource": "*",
        "Condition": case["condition"],
    }
    policy = parse_policy({"Version": case.get("version", "2012-10-17"), "Statement": statement}, name="OneCondition")
    return decide(Request(**ANYTHING, context=case["context"]), identity=[policy])


def trust_decision(case, shared):
    trust = parse_trust_policy(shared["policies"][case["trust"]], name=case["trust"])
    return decide_trust(
        case["action"], trust, case["context"], principal=Principal(**shared["people"][case["principal"]])
    )


@pytest.mark.parametrize(("case", "shared"), CASES)
def test_the_rule_holds(case, shared):
    decision = outcome_of(case, shared)

    assert decision.outcome.value == case["decision"], decision.because
    assert case["because"] in decision.because
    assert decision.layer.value == case.get("layer", decision.layer.value)


def test_every_rule_has_a_case():
    assert {case.values[0]["rule"] for case in CASES} == EVALUATED_RULES


def test_sentences_are_unique():
    sentences = [case.id for case in CASES]

    assert len(sentences) == len(set(sentences))


@pytest.mark.parametrize("operator", OPERATORS)
def test_every_operator_has_a_case_that_matches_and_one_that_does_not(operator):
    conditions = [case.values[0] for case in CASES if "condition" in case.values[0]]
    exact = re.compile(rf"(For(All|Any)Values?:)?{operator}(IfExists)?")
    decisions = {case["decision"] for case in conditions if any(map(exact.fullmatch, case["condition"]))}

    assert decisions == {"Allowed", "ImplicitlyDenied"}
