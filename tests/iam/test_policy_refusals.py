"""An unreadable policy is refused with its name. A policy that AWS accepts is accepted."""

import json

import pytest

from iam import UnsupportedPolicy, parse_policy, parse_trust_policy

ALLOW = {"Sid": "Rows", "Effect": "Allow", "Action": "dynamodb:Query", "Resource": "*"}
TRUST = {
    "Effect": "Allow",
    "Principal": {"Federated": "cognito-identity.amazonaws.com"},
    "Action": "sts:AssumeRoleWithWebIdentity",
}
TABLE = "arn:aws:dynamodb:eu-west-2:111122223333:table/Records"


def document(*statements, **elements):
    return {"Version": "2012-10-17", "Statement": list(statements), **elements}


def allow(**changes):
    return document(
        {**{key: value for key, value in ALLOW.items() if changes.get(key, "") is not None}, **without_none(changes)}
    )


def trust(**changes):
    return document(
        {**{key: value for key, value in TRUST.items() if changes.get(key, "") is not None}, **without_none(changes)}
    )


def without_none(changes):
    return {key: value for key, value in changes.items() if value is not None}


def condition(operator, value, key="aws:PrincipalTag/org"):
    return allow(Condition={operator: {key: value}})


REFUSED = [
    (allow(Efect="Deny"), "'Efect' is not an element"),
    (allow(resource="*"), "'resource' is not an element"),
    (allow(Effect="allow"), "unknown Effect 'allow'"),
    (allow(Effect=None), "Effect is missing"),
    (allow(Principal="*"), "'Principal' is not an element"),
    (allow(NotPrincipal="*"), "'NotPrincipal' is not an element"),
    (allow(Action=None), "exactly one of Action and NotAction"),
    (allow(NotAction="s3:*"), "exactly one of Action and NotAction"),
    (allow(Resource=None), "exactly one of Resource and NotResource"),
    (allow(NotResource="*"), "exactly one of Resource and NotResource"),
    (allow(Action=[]), "Action is neither text nor a list of text"),
    (allow(Action=[["s3:*"]]), "Action is neither text nor a list of text"),
    (allow(Action="Query"), 'Action "Query" is not of the form service:Action'),
    (allow(Action="dynamodb:Query "), "is not of the form service:Action"),
    (allow(Action="dynamodb:${aws:username}"), "is not of the form service:Action"),
    (allow(Action="dynamo*:Query"), "is not of the form service:Action"),
    (allow(Resource="Records"), 'Resource "Records" is neither an ARN nor "*"'),
    (allow(Resource="**"), 'neither an ARN nor "*"'),
    (allow(Resource="arn:aws"), 'neither an ARN nor "*"'),
    (allow(Resource="arn:aws:dynamo*:::table/x"), 'neither an ARN nor "*"'),
    (allow(Resource=None, NotResource=["x"]), 'NotResource "x" is neither an ARN nor "*"'),
    (allow(Resource="arn:aws:dynamodb:eu-west-2:${aws:PrincipalAccount}:table/x"), "variable before the fifth colon"),
    (allow(Resource="arn:aws:sqs:${aws:username}"), "variable before the fifth colon"),
    (allow(Resource=f"{TABLE}/${{aws:username"), "malformed policy variable ${aws:username"),
    (allow(Resource=f"{TABLE}/${{}}"), "malformed policy variable ${}"),
    (allow(Resource=f"{TABLE}/${{username}}"), "malformed policy variable ${username}"),
    (allow(Resource=f"{TABLE}/${{aws:username,'x'}}"), "malformed policy variable"),
    (allow(Resource=f"{TABLE}/${{aws:username,  'x'}}"), "malformed policy variable"),
    (allow(Resource=f'{TABLE}/${{aws:username, "x"}}'), "malformed policy variable"),
    (allow(Sid="read rows"), "Sid 'read rows' is not made of letters and digits"),
    (allow(Sid=7), "Sid 7 is not made of letters and digits"),
    (allow(Condition=[]), "Condition is not an object"),
    (allow(Condition={"StringEquals": "x"}), "StringEquals is not an object"),
    (condition("StringMatches", "x"), "unknown condition operator StringMatches"),
    (condition("stringequals", "x"), "unknown condition operator stringequals"),
    (condition("BoolNot", "true"), "unknown condition operator BoolNot"),
    (condition("ForSomeValues:StringLike", "x"), "unknown condition operator ForSomeValues:StringLike"),
    (condition(":StringLike", "x"), "unknown condition operator :StringLike"),
    (condition("ForAllValues:ForAnyValue:StringLike", "x"), "unknown condition operator"),
    (condition("StringLikeIfExistsIfExists", "x"), "unknown condition operator"),
    (condition("NullIfExists", "true"), "unknown condition operator NullIfExists"),
    (condition("ForAllValues:Null", "true"), "unknown condition operator ForAllValues:Null"),
    (condition("IfExists", "true"), "unknown condition operator IfExists"),
    (condition("StringEquals", "x", key="org"), '"org" under StringEquals is not a condition key'),
    (condition("StringEquals", []), "StringEquals aws:PrincipalTag/org has an empty list of values"),
    (condition("StringEquals", None), "has a value that is neither text, number nor boolean"),
    (condition("StringEquals", {"x": "y"}), "has a value that is neither text, number nor boolean"),
    (condition("StringEquals", "${aws:username"), "StringEquals aws:PrincipalTag/org: malformed policy variable"),
    (condition("Null", "yes"), '"yes" is not true or false'),
    (condition("Null", "${aws:username}"), "is not true or false"),
    (condition("Bool", "1"), '"1" is not true or false'),
    (condition("Bool", "${aws:username}"), "a policy variable is not supported where true or false is expected"),
    (condition("NumericEquals", "ten"), '"ten" is not a number'),
    (condition("NumericEquals", "1e3"), '"1e3" is not a number'),
    (condition("NumericLessThan", "${aws:username}"), "a policy variable is not supported where a number is expected"),
    (condition("DateLessThan", "tomorrow"), '"tomorrow" is not a date'),
    (condition("DateLessThan", "2026-11-22T10:00:00"), "is not a date"),
    (condition("DateLessThan", "2026-11-*"), "is not a date"),
    (condition("DateLessThan", "${aws:CurrentTime}"), "a policy variable is not supported where a date is expected"),
    (condition("IpAddress", "203.0.113.0/33"), "is not an IP address or range"),
    (condition("NotIpAddress", "${aws:SourceIp}"), "a policy variable is not supported where an IP address or range"),
    (condition("BinaryEquals", "not base64"), "is not base64 text"),
    (condition("BinaryEquals", "${aws:username}"), "a policy variable is not supported where base64 text is expected"),
    (condition("ArnLike", "*"), '"*" is not an ARN of six segments'),
    (condition("ArnEquals", "role/Admin"), '"role/Admin" is not an ARN of six segments'),
    (condition("StringEquals", "snow \u2603"), "may not stand in a policy"),
    (document(ALLOW, ALLOW), "statement 2 (Rows): the Sid is not unique"),
    (document(), "there is no statement"),
    (document("x"), "statement 1: the statement is not an object"),
    ({"Version": "2012-10-17"}, "statement 1: the statement is not an object"),
    ({"Version": "2012-10-18", "Statement": ALLOW}, "unknown Version '2012-10-18'"),
    (document(ALLOW, Statements=[]), "'Statements' is not an element"),
    ("[]", "the document is not an object"),
    ("{", "not a JSON document"),
    ('{"Statement": {"Effect": "Allow", "Effect": "Deny"}}', 'the key "Effect" is given twice'),
]

REFUSED_TRUST = [
    (trust(Resource="*"), "'Resource' is not an element"),
    (trust(NotAction="sts:AssumeRole", Action=None), "'NotAction' is not an element"),
    (trust(NotPrincipal={"AWS": "*"}), "'NotPrincipal' is not an element"),
    (trust(Principal=None), "Principal is missing"),
    (trust(Principal="cognito-identity.amazonaws.com"), 'Principal is neither "*" nor an object'),
    (trust(Principal={}), 'Principal is neither "*" nor an object'),
    (trust(Principal={"Federation": "x"}), "unknown kind of Principal 'Federation'"),
    (trust(Principal={"CanonicalUser": "79a5"}), "unknown kind of Principal 'CanonicalUser'"),
    (trust(Principal={"AWS": []}), "Principal AWS [] is malformed"),
    (trust(Principal={"AWS": "1111"}), "Principal AWS '1111' is malformed"),
    (trust(Principal={"AWS": "arn:aws:iam::111122223333:role/*"}), "is malformed"),
    (trust(Principal={"Federated": "*"}), "Principal Federated '*' is malformed"),
    (trust(Principal={"Service": "lambda"}), "Principal Service 'lambda' is malformed"),
    (trust(Action="s3:GetObject"), 'Action "s3:GetObject" is not an action of sts'),
]

ACCEPTED = [
    document(ALLOW),
    {"Statement": ALLOW},
    document(ALLOW, Id="Rows-2026"),
    document({**ALLOW, "Sid": ""}, {**ALLOW, "Sid": ""}),
    allow(Action="*"),
    allow(Action="*:*"),
    allow(Action=["dynamodb:PartiQL*", "s3:?et*"]),
    allow(Resource="arn:aws:s3:::bucket"),
    allow(Resource="arn:aws:sqs"),
    allow(Resource="arn:aws-us-gov:s3:::bucket/*"),
    allow(Resource="arn:aws:execute-api:eu-west-2:111122223333:abc123/$default/GET/${aws:PrincipalTag/org}/*"),
    allow(Resource="arn:aws:s3:::b/${aws:PrincipalTag/cost center, 'no one'}"),
    allow(Resource="arn:aws:s3:::b/${cognito-identity.amazonaws.com:sub}/${*}"),
    allow(Resource="arn:aws:logs:eu-west-2:111122223333:log-group:x:*"),
    allow(Condition={}),
    condition("StringEquals", ["x", 1, True]),
    condition("StringLike", "text of German umlauts: äöü"),
    condition("ArnLike", "arn:aws:iam::${aws:PrincipalAccount}:role/*"),
    condition("StringLike", "x", key="aws:PrincipalTag/Cost Center+x=y@z"),
    {"Version": "2008-10-17", "Statement": {**ALLOW, "Resource": "arn:aws:s3:${not:a:variable"}},
]


@pytest.mark.parametrize(("refused", "reason"), REFUSED)
def test_an_unknown_or_malformed_policy_is_refused(refused, reason):
    with pytest.raises(UnsupportedPolicy) as refusal:
        parse_policy(refused, name="TenantRows")

    assert reason in str(refusal.value)
    assert str(refusal.value).startswith("TenantRows: ")


@pytest.mark.parametrize(("refused", "reason"), REFUSED_TRUST)
def test_an_unknown_or_malformed_trust_policy_is_refused(refused, reason):
    with pytest.raises(UnsupportedPolicy) as refusal:
        parse_trust_policy(refused, name="TenantRole")

    assert reason in str(refusal.value)


@pytest.mark.parametrize("accepted", ACCEPTED)
def test_valid_policies_are_accepted_as_text_and_object(accepted):
    assert parse_policy(accepted, name="Rows").statements
    assert parse_policy(json.dumps(accepted), name="Rows").statements


def test_a_refusal_names_the_statement_by_number_and_sid():
    with pytest.raises(UnsupportedPolicy, match=r"^Rows: statement 2 \(Broken\): unknown Effect 'No'$"):
        parse_policy(document(ALLOW, {**ALLOW, "Sid": "Broken", "Effect": "No"}), name="Rows")


@pytest.mark.parametrize("levels", [33, 100_000])
def test_a_deeply_nested_document_is_refused(levels):
    with pytest.raises(UnsupportedPolicy, match=r"not a JSON document: .* more than 32 levels deep"):
        parse_policy("[" * levels)


def test_a_deeply_nested_value_is_refused():
    deep = []
    for _ in range(20_000):
        deep = [deep]
    with pytest.raises(UnsupportedPolicy, match="not a JSON document"):
        parse_policy(document({**ALLOW, "Condition": deep}))


def test_the_old_version_has_no_variables():
    old = {
        "Version": "2008-10-17",
        "Statement": {**ALLOW, "Condition": {"NumericEquals": {"s3:max-keys": "${aws:username}"}}},
    }

    with pytest.raises(UnsupportedPolicy, match="is not a number"):
        parse_policy(old)
