"""Properties that hold for all requests and policies, tested with generated examples."""

import re

from hypothesis import example, given
from hypothesis import strategies as st

from iam import Request, decide, parse_policy
from iam.patterns import parse_pattern

TABLE = "arn:aws:dynamodb:eu-west-2:111122223333:table/Records"
GUARD = {"dynamodb:LeadingKeys": "false", "aws:PrincipalTag/org": "false"}
OWN_ROWS = parse_policy(
    {
        "Version": "2012-10-17",
        "Statement": {
            "Effect": "Allow",
            "Action": "dynamodb:*",
            "Resource": "*",
            "Condition": {
                "ForAllValues:StringLike": {"dynamodb:LeadingKeys": "${aws:PrincipalTag/org}#*"},
                "Null": GUARD,
            },
        },
    }
)

orgs = st.text(max_size=8) | st.sampled_from(["*", "?", "acme", "acm", "a*", "${*}", "${aws:userid}", "#", ""])
keys = st.lists(st.text(max_size=12) | st.builds("{}#{}".format, orgs, st.text(max_size=4)), max_size=5)
patterns = st.text("ab*?\n", max_size=8)
values = st.text("ab\n*", max_size=8)

actions = st.sampled_from(["dynamodb:Query", "dynamodb:Get*", "*", "s3:GetObject"])
conditions = st.dictionaries(
    st.sampled_from(
        ["StringEquals", "StringNotLike", "ForAllValues:StringLike", "ForAnyValue:StringEquals", "StringLikeIfExists"]
    ),
    st.dictionaries(
        st.sampled_from(["aws:PrincipalTag/org", "dynamodb:LeadingKeys"]),
        st.lists(st.sampled_from(["acme", "acme#*", "${aws:PrincipalTag/org}#*", "*"]), min_size=1, max_size=2),
        min_size=1,
        max_size=2,
    ),
    max_size=2,
)
statements = st.fixed_dictionaries(
    {
        "Effect": st.sampled_from(["Allow", "Allow", "Deny"]),
        "Action": actions,
        "Resource": st.sampled_from(["*", TABLE, "arn:aws:s3:::x"]),
        "Condition": conditions,
    }
)
contexts = st.fixed_dictionaries(
    {},
    optional={
        "aws:PrincipalTag/org": st.sampled_from(["acme", "globex", ""]),
        "dynamodb:LeadingKeys": st.lists(st.sampled_from(["acme#a", "globex#b", "acme"]), max_size=3),
    },
)


def policy(given_statements, name="P"):
    return parse_policy({"Version": "2012-10-17", "Statement": given_statements}, name=name)


def query(context):
    return Request("dynamodb:Query", TABLE, context)


@given(org=orgs, leading_keys=keys)
def test_a_policy_of_own_keys_never_allows_a_foreign_key(org, leading_keys):
    decision = decide(query({"aws:PrincipalTag/org": org, "dynamodb:LeadingKeys": leading_keys}), identity=[OWN_ROWS])

    own = org != "" and any(leading_keys) and all(key.startswith(f"{org}#") for key in leading_keys)
    assert decision.allowed == own


@given(leading_keys=keys)
def test_a_policy_of_own_keys_allows_nobody_without_an_org(leading_keys):
    assert not decide(query({"dynamodb:LeadingKeys": leading_keys}), identity=[OWN_ROWS]).allowed


@given(pattern=patterns, value=values)
@example(pattern="ab*ba", value="aba")
@example(pattern="*ab*b*", value="ab")
@example(pattern="*a?*?a*", value="aba")
def test_a_pattern_matches_what_the_regular_expression_matches(pattern, value):
    expression = "".join({"*": ".*", "?": "."}.get(character, re.escape(character)) for character in pattern)

    assert parse_pattern(pattern)(value) == bool(re.fullmatch(expression, value, re.DOTALL))


def test_many_stars_do_not_take_exponential_time():
    assert not parse_pattern("a*" * 40 + "b")("a" * 5000)


@given(st.lists(statements, min_size=1, max_size=4), contexts)
def test_a_deny_of_everything_always_wins(given_statements, context):
    deny = {"Effect": "Deny", "Action": "*", "Resource": "*"}
    decision = decide(query(context), identity=[policy([*given_statements, deny])])

    assert decision.outcome.value == "ExplicitlyDenied"


@given(st.lists(statements, min_size=1, max_size=5), contexts, st.randoms(use_true_random=False))
def test_the_order_of_statements_does_not_matter(given_statements, context, random):
    shuffled = random.sample(given_statements, len(given_statements))

    first = decide(query(context), identity=[policy(given_statements)])
    second = decide(query(context), identity=[policy(shuffled)])
    assert first.outcome is second.outcome


@given(st.lists(statements, min_size=1, max_size=4), contexts)
def test_splitting_a_policy_in_two_does_not_matter(given_statements, context):
    together = decide(query(context), identity=[policy(given_statements)])
    apart = decide(query(context), identity=[policy([statement]) for statement in given_statements])

    assert together.outcome is apart.outcome


@given(st.lists(statements, min_size=1, max_size=4), st.lists(statements, min_size=1, max_size=4), contexts)
def test_a_boundary_or_session_policy_never_adds_a_permission(identity, limit, context):
    alone = decide(query(context), identity=[policy(identity)])
    bounded = decide(query(context), identity=[policy(identity)], boundary=[policy(limit)])
    in_session = decide(query(context), identity=[policy(identity)], session=[policy(limit)])

    assert alone.allowed or not (bounded.allowed or in_session.allowed)
    assert bounded.outcome is in_session.outcome


@given(st.lists(statements, min_size=1, max_size=4), contexts)
def test_the_case_of_actions_and_context_keys_does_not_matter(given_statements, context):
    shouted = Request("DYNAMODB:QUERY", TABLE, {key.upper(): value for key, value in context.items()})

    assert (
        decide(shouted, identity=[policy(given_statements)]).outcome
        is decide(query(context), identity=[policy(given_statements)]).outcome
    )


@given(st.lists(statements, min_size=1, max_size=4), contexts)
def test_every_sentence_names_a_statement_or_says_there_is_none(given_statements, context):
    decision = decide(query(context), identity=[policy(given_statements)])

    assert "of P" in decision.because or "there is no Allow statement" in decision.because
