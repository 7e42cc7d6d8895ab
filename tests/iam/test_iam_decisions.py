"""What a decision contains besides its outcome, and which requests are invalid."""

import pytest

from iam import (
    Effect,
    InvalidRequest,
    Layer,
    Mismatch,
    Outcome,
    Principal,
    Request,
    StatementRef,
    UnsupportedPolicy,
    decide,
    decide_trust,
    parse_policy,
    parse_trust_policy,
)

TABLE = "arn:aws:dynamodb:eu-west-2:111122223333:table/Records"
OWN_ROWS = parse_policy(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Sid": "Files", "Effect": "Allow", "Action": "s3:*", "Resource": "*"},
            {
                "Sid": "OwnRows",
                "Effect": "Allow",
                "Action": "dynamodb:Query",
                "Resource": TABLE,
                "Condition": {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": "${aws:PrincipalTag/org}#*"}},
            },
            {"Effect": "Deny", "Action": "dynamodb:Scan", "Resource": "*"},
        ],
    },
    name="TenantRows",
)
FILES_ONLY = parse_policy({"Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}}, name="Boundary")
TRUST = parse_trust_policy(
    {"Statement": {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}},
    name="Trust",
)


def ask(key, action="dynamodb:Query", resource=TABLE):
    return Request(action, resource, {"aws:PrincipalTag/org": "acme", "dynamodb:LeadingKeys": [key]})


def test_an_allowed_decision_names_its_statement_and_layer():
    decision = decide(ask("acme#orders"), identity=[OWN_ROWS])

    assert decision.allowed
    assert decision.outcome is Outcome.ALLOWED
    assert decision.layer is Layer.IDENTITY
    assert decision.statement == StatementRef("TenantRows", "OwnRows", 2)


def test_a_denial_names_a_statement_without_sid_by_number():
    decision = decide(ask("acme#orders", action="dynamodb:Scan"), identity=[OWN_ROWS])

    assert not decision.allowed
    assert decision.statement == StatementRef("TenantRows", "", 3)
    assert str(decision.statement) == "statement 3 of TenantRows"


def test_an_implicit_denial_names_no_statement():
    assert decide(ask("globex#orders"), identity=[OWN_ROWS]).statement is None


def test_every_statement_is_listed_with_its_mismatch():
    statement_results = decide(ask("globex#orders"), identity=[OWN_ROWS]).statement_results

    assert [(entry.statement.number, entry.effect, entry.layer) for entry in statement_results] == [
        (1, Effect.ALLOW, Layer.IDENTITY),
        (2, Effect.ALLOW, Layer.IDENTITY),
        (3, Effect.DENY, Layer.IDENTITY),
    ]
    assert statement_results[1].mismatch == Mismatch(
        "Condition",
        '"globex#orders" is not like "acme#*"',
        operator="ForAllValues:StringLike",
        key="dynamodb:LeadingKeys",
    )
    assert statement_results[0].mismatch == Mismatch("Action", '"dynamodb:Query" is not among "s3:*"')


def test_a_statement_that_applied_has_no_mismatch():
    assert decide(ask("acme#orders"), identity=[OWN_ROWS]).statement_results[1].mismatch is None


def test_the_sentence_names_only_the_closest_statements():
    assert decide(ask("globex#orders"), identity=[OWN_ROWS]).because == (
        f"no identity policy allows dynamodb:Query on {TABLE}: statement OwnRows of TenantRows did not match: "
        'ForAllValues:StringLike dynamodb:LeadingKeys — "globex#orders" is not like "acme#*"'
    )


def test_the_sentence_names_only_the_denying_kind_of_policy():
    because = decide(ask("acme#orders"), identity=[OWN_ROWS], boundary=[FILES_ONLY]).because

    assert because == (
        f"no permissions boundary allows dynamodb:Query on {TABLE}: "
        'statement 1 of Boundary did not match: Action — "dynamodb:Query" is not among "s3:*"'
    )


def test_the_sentence_shortens_a_long_list_of_values():
    keys = [f"globex#{number}" for number in range(100)]
    request = Request("dynamodb:Query", TABLE, {"aws:PrincipalTag/org": "acme", "dynamodb:LeadingKeys": keys})

    assert '"globex#3" and 96 others are not like "acme#*"' in decide(request, identity=[OWN_ROWS]).because


def test_the_sentence_is_made_once_and_on_demand():
    decision = decide(ask("globex#orders"), identity=[OWN_ROWS])

    assert "because" not in vars(decision)
    assert decision.because is decision.because


def test_a_policy_without_a_name_can_be_explained():
    policy = parse_policy({"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}})

    assert decide(ask("x"), identity=[policy]).because.startswith("statement 1 of an unnamed policy")


def test_a_trust_decision_has_the_trust_layer():
    decision = decide_trust("sts:AssumeRole", TRUST, {}, principal=Principal("Service", "lambda.amazonaws.com"))

    assert decision.allowed
    assert decision.layer is Layer.TRUST


def test_a_trust_policy_is_not_an_identity_policy():
    with pytest.raises(UnsupportedPolicy, match="Trust: this policy is of kind trust, not identity"):
        decide(ask("x"), identity=[TRUST])


def test_an_identity_policy_is_not_a_trust_policy():
    with pytest.raises(UnsupportedPolicy, match="TenantRows: this policy is of kind identity, not trust"):
        decide_trust("sts:AssumeRole", OWN_ROWS, {}, principal=Principal("Service", "lambda.amazonaws.com"))


def test_a_trust_policy_cannot_be_a_boundary():
    with pytest.raises(UnsupportedPolicy):
        decide(ask("acme#orders"), identity=[OWN_ROWS], boundary=[TRUST])


@pytest.mark.parametrize(
    ("action", "resource", "context", "reason"),
    [
        ("Query", TABLE, {}, "action 'Query' is not of the form service:Action"),
        ("dynamodb:*", TABLE, {}, "is not of the form"),
        (None, TABLE, {}, "action None"),
        ("dynamodb:Query", "", {}, "resource '' is not an ARN"),
        ("dynamodb:Query", None, {}, "resource None is not an ARN"),
        ("dynamodb:Query", TABLE, [], "context is not a mapping"),
        ("dynamodb:Query", TABLE, {"aws:a": None}, "context key aws:a is neither text nor a list of text"),
        ("dynamodb:Query", TABLE, {"aws:a": True}, "neither text nor a list"),
        ("dynamodb:Query", TABLE, {"aws:a": ["x", 1]}, "neither text nor a list"),
        ("dynamodb:Query", TABLE, {"aws:a": "1", "AWS:A": "2"}, "context key AWS:A is given twice"),
        ("dynamodb:Query", TABLE, {"aws:a": [], "AWS:A": "2"}, "context key AWS:A is given twice"),
        ("dynamodb:Query", TABLE, {"": "1"}, "context key '' is not text"),
    ],
)
def test_an_invalid_request_is_refused(action, resource, context, reason):
    with pytest.raises(InvalidRequest, match=reason.replace("(", r"\(")):
        Request(action, resource, context)
