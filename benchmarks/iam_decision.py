"""How long does one decision take?

Prints the median microseconds of `iam.decide`, with and without building the request and the explanation. The policies
are those of TenantRole in infra/template.yaml, repeated here with an ARN in place of CloudFormation's functions.

    .venv/bin/python benchmarks/iam_decision.py
"""

from collections.abc import Callable
from statistics import median
from time import perf_counter_ns

import _project  # noqa: F401 - before any module of the project

from iam import Request, decide, parse_policy

ORG = "0b6f6c0e-6c1a-4f0e-9a53-3a1c7f1d0a11"
OTHER = "7d1c9b7a-2d40-4c55-8f53-91b0a2f4c0de"
TABLE = "arn:aws:dynamodb:eu-west-2:111122223333:table/Records"
READS = ["dynamodb:GetItem", "dynamodb:Query", "dynamodb:BatchGetItem"]
WRITES = [
    f"dynamodb:{name}" for name in ("PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "ConditionCheckItem")
]
OWN, PUBLIC = "${aws:PrincipalTag/org}#*", "PUBLIC#*"
ROUNDS, CALLS = 40, 250


def allow(sid: str, actions: list[str], keys: list[str], roles: list[str] | None) -> dict[str, object]:
    needed = {"dynamodb:LeadingKeys": "false"}
    if OWN in keys:
        needed["aws:PrincipalTag/org"] = "false"
    condition: dict[str, object] = {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": keys}, "Null": needed}
    if roles:
        condition["StringEquals"] = {"aws:PrincipalTag/role": roles}
    return {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": TABLE, "Condition": condition}


ROWS = parse_policy(
    {
        "Version": "2012-10-17",
        "Statement": [
            allow("ReadOwnAndPublicRows", READS, [OWN, PUBLIC], ["owner", "admin", "editor", "viewer"]),
            allow("WriteOwnRows", WRITES, [OWN], ["owner", "admin", "editor"]),
            allow("OperatorsKeepPublicRows", READS + WRITES, [PUBLIC], ["operator"]),
            {
                "Sid": "NoPathPastTheKeys",
                "Effect": "Deny",
                "Action": ["dynamodb:Scan", "dynamodb:PartiQL*", "dynamodb:RestoreTable*", "dynamodb:GetRecords"],
                "Resource": "*",
            },
        ],
    },
    name="rows",
)
SUSPENDED = parse_policy(
    {
        "Version": "2012-10-17",
        "Statement": {
            "Sid": "Suspended",
            "Effect": "Deny",
            "Action": "*",
            "Resource": "*",
            "Condition": {"StringEquals": {"aws:PrincipalTag/org": [OTHER]}},
        },
    },
    name="SuspendedTenants",
)
BOUNDARY = parse_policy(
    {
        "Version": "2012-10-17",
        "Statement": [
            allow("OwnAndPublicRows", READS + WRITES, [OWN, PUBLIC], None),
            allow("PublicRowsWithoutAnOrganisation", READS + WRITES, [PUBLIC], None),
        ],
    },
    name="TenantBoundary",
)


def ask(*keys: str, action: str = "dynamodb:Query", org: str = ORG) -> Request:
    context = {
        "dynamodb:LeadingKeys": keys,
        "dynamodb:Attributes": ("pk", "sk"),
        "aws:PrincipalTag/org": org,
        "aws:PrincipalTag/role": "owner",
        "aws:TokenIssueTime": "2026-11-22T09:00:00Z",
        "aws:SecureTransport": "true",
    }
    return Request(action, TABLE, context)


def answer(request: Request) -> str:
    decision = decide(request, identity=[ROWS, SUSPENDED], boundary=[BOUNDARY])
    return "" if decision.allowed else decision.because


def microseconds(call: Callable[[], object]) -> float:
    samples = []
    for _ in range(ROUNDS):
        start = perf_counter_ns()
        for _ in range(CALLS):
            call()
        samples.append((perf_counter_ns() - start) / CALLS / 1000)
    return median(samples)


def main() -> None:
    own, foreign = ask(f"{ORG}#orders"), ask(f"{OTHER}#orders")
    hundred = ask(*[f"{ORG}#orders{number}" for number in range(100)], action="dynamodb:BatchGetItem")
    organisations = iter(range(10**9))
    cases: dict[str, Callable[[], object]] = {
        "own key, allowed": lambda: answer(own),
        "own key, allowed, with building the request": lambda: answer(ask(f"{ORG}#orders")),
        "own key, allowed, an organisation never seen before": lambda: answer(
            ask("x#orders", org=f"{next(organisations)}")
        ),
        "100 own keys, allowed": lambda: answer(hundred),
        "foreign key, denied, without the sentence": lambda: decide(
            foreign, identity=[ROWS, SUSPENDED], boundary=[BOUNDARY]
        ),
        "foreign key, denied, with the sentence": lambda: answer(foreign),
    }
    for name, call in cases.items():
        print(f"{microseconds(call):8.1f} µs  {name}")


if __name__ == "__main__":
    main()
