"""Decides whether a request is allowed and explains why. One pass collects the evidence of all policies.

Covers identity policies, permissions boundaries, session policies and role trust policies of one account. Does not
evaluate service and resource control policies, resource policies and VPC endpoint policies. Follows "Policy evaluation
logic" in the IAM User Guide.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import NamedTuple

from iam.failures import UnsupportedPolicy
from iam.policy import Policy
from iam.principals import PrincipalElement
from iam.prose import Mismatch
from iam.request import Principal, Request
from iam.statements import ActionElement, Effect, Part, ResourceElement, Statement, StatementRef


class Outcome(Enum):
    ALLOWED = "Allowed"
    EXPLICITLY_DENIED = "ExplicitlyDenied"
    IMPLICITLY_DENIED = "ImplicitlyDenied"


class Layer(Enum):
    """The kinds of policy, in the order in which AWS evaluates them."""

    IDENTITY = "identity"
    BOUNDARY = "boundary"
    SESSION = "session"
    TRUST = "trust"


@dataclass(frozen=True, slots=True)
class StatementResult:
    """The result of one statement. `mismatch` is its first part that did not match; None if the statement applied."""

    layer: Layer
    statement: StatementRef
    effect: Effect
    mismatch: Mismatch | None


class Evidence(NamedTuple):
    layer: Layer
    statement: Statement
    mismatch: Part | None


@dataclass(frozen=True)
class Decision:
    """`layer` is the kind of policy that decided: the one that denied, or identity or trust if the request is allowed.

    `statement` is the statement that decided; None if no statement allowed the request. `because` and
    `statement_results` are computed when they are first read.
    """

    outcome: Outcome
    layer: Layer
    statement: StatementRef | None
    request: Request
    evidence: tuple[Evidence, ...]

    @property
    def allowed(self) -> bool:
        return self.outcome is Outcome.ALLOWED

    @cached_property
    def statement_results(self) -> tuple[StatementResult, ...]:
        """Every statement of every policy, in the order given."""
        return tuple(_statement_result(evidence, self.request) for evidence in self.evidence)

    @cached_property
    def because(self) -> str:
        """One sentence for a person. AWS never reveals this much: show it to people who may know the policies."""
        if self.outcome is Outcome.IMPLICITLY_DENIED:
            return f"no {_KINDS[self.layer]} allows {_question(self.request)}: {_closest_statements(self)}"
        return "; ".join(_deciding_statements(self))


_KINDS = {
    Layer.IDENTITY: "identity policy",
    Layer.BOUNDARY: "permissions boundary",
    Layer.SESSION: "session policy",
    Layer.TRUST: "trust policy",
}


def decide(
    request: Request,
    *,
    identity: Sequence[Policy],
    boundary: Sequence[Policy] | None = None,
    session: Sequence[Policy] | None = None,
) -> Decision:
    """An explicit Deny anywhere wins.

    Otherwise each kind of policy that is present needs an Allow in one of its policies.

    None means that there is no boundary or no session policy. An empty list means that there is one that allows
    nothing.
    """
    present = {Layer.IDENTITY: identity, Layer.BOUNDARY: boundary, Layer.SESSION: session}
    layers = {layer: policies for layer, policies in present.items() if policies is not None}
    return _decide(request, layers, kind="identity")


def decide_trust(
    action: str, trust: Policy, context: Mapping[str, str | Sequence[str]], *, principal: Principal
) -> Decision:
    """Whether `principal` may do `action`, such as sts:AssumeRoleWithWebIdentity, to the role with this trust policy.

    A request with session tags needs a second decision, for sts:TagSession. An AWS principal of another account, or one
    that is trusted through its account, also needs the permission in its own policies. That is not checked here.
    """
    return _decide(Request(action, "*", context, principal), {Layer.TRUST: [trust]}, kind="trust")


def _decide(request: Request, layers: Mapping[Layer, Sequence[Policy]], *, kind: str) -> Decision:
    evidence = tuple(
        Evidence(layer, statement, statement.mismatch(request))
        for layer, policies in layers.items()
        for policy in policies
        for statement in _statements(policy, kind)
    )
    for layer, statement, mismatch in evidence:
        if mismatch is None and statement.effect is Effect.DENY:
            return Decision(Outcome.EXPLICITLY_DENIED, layer, statement.ref, request, evidence)
    allowing = _allowing_statements(evidence)
    for layer in layers:
        if layer not in allowing:
            return Decision(Outcome.IMPLICITLY_DENIED, layer, None, request, evidence)
    first = next(iter(layers))
    return Decision(Outcome.ALLOWED, first, allowing[first], request, evidence)


def _statements(policy: Policy, kind: str) -> tuple[Statement, ...]:
    if policy.kind != kind:
        raise UnsupportedPolicy(f"{policy.name or 'policy'}: this policy is of kind {policy.kind}, not {kind}")
    return policy.statements


def _allowing_statements(evidence: tuple[Evidence, ...]) -> dict[Layer, StatementRef]:
    """The first statement of each layer that allows the request. Call it only when no Deny matches."""
    found: dict[Layer, StatementRef] = {}
    for layer, statement, mismatch in evidence:
        if mismatch is None:
            found.setdefault(layer, statement.ref)
    return found


def _statement_result(evidence: Evidence, request: Request) -> StatementResult:
    layer, statement, mismatch = evidence
    return StatementResult(layer, statement.ref, statement.effect, mismatch.explain(request) if mismatch else None)


def _question(request: Request) -> str:
    if request.principal is None:
        return f"{request.action} on {request.resource}"
    return f"{request.action} to {request.principal}"


def _deciding_statements(decision: Decision) -> list[str]:
    """A clause for the statement that denied, or for the one in each layer that allowed."""
    request = decision.request
    if decision.statement is not None and decision.outcome is Outcome.EXPLICITLY_DENIED:
        return [f"{decision.statement} ({_KINDS[decision.layer]}) denies {_question(request)}"]
    allowing = _allowing_statements(decision.evidence).items()
    return [f"{ref} ({_KINDS[layer]}) allows {_question(request)}" for layer, ref in allowing]


def _closest_statements(decision: Decision) -> str:
    """The Allow statements of the denying layer that matched the most parts before one did not match."""
    tried = [
        (statement.ref, mismatch)
        for layer, statement, mismatch in decision.evidence
        if layer is decision.layer and statement.effect is Effect.ALLOW and mismatch is not None
    ]
    furthest = max((_match_depth(mismatch) for _, mismatch in tried), default=0)
    nearest = [(ref, mismatch) for ref, mismatch in tried if _match_depth(mismatch) == furthest]
    clauses = [f"{ref} did not match: {mismatch.explain(decision.request)}" for ref, mismatch in nearest]
    return "; ".join(clauses) or "there is no Allow statement"


def _match_depth(mismatch: Part) -> int:
    match mismatch:
        case ActionElement():
            return 1
        case PrincipalElement():
            return 2
        case ResourceElement():
            return 3
        case _:
            return 4
