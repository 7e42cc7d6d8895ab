"""What AWS IAM policies allow, and why.

    policy = parse_policy(document, name="TenantRows")
    decision = decide(Request("dynamodb:Query", table_arn, context), identity=[policy])
    decision.allowed, decision.because

Standard library only; it knows nothing of tenants, Django or boto3. `python -m iam --help` explains the command line.
"""

from iam.decision import Decision, Layer, Outcome, StatementResult, decide, decide_trust
from iam.failures import InvalidRequest, UnsupportedPolicy
from iam.policy import Policy, parse_policy, parse_trust_policy
from iam.prose import Mismatch
from iam.request import Principal, Request
from iam.statements import Effect, StatementRef

__all__ = [
    "Decision",
    "Effect",
    "InvalidRequest",
    "Layer",
    "Mismatch",
    "Outcome",
    "Policy",
    "Principal",
    "Request",
    "StatementRef",
    "StatementResult",
    "UnsupportedPolicy",
    "decide",
    "decide_trust",
    "parse_policy",
    "parse_trust_policy",
]
