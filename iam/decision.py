"""Whether a request is allowed, and why: the policies' evidence, gathered in one pass, and the sentence made from it.

Covers identity policies, the permissions boundary, session policies and role trust policies of one account. Service and
resource control policies, resource policies and VPC endpoint policies are not evaluated. Follows "Policy evaluation
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
    """The kinds of policy, in the order in which AWS asks them."""

    IDENTITY = "identity"
    BOUNDARY = "boundary"
    SESSION = "session"
    TRUST = "trust"


@dataclass(frozen=True, slots=True)
class Considered:
    """What one statement had to say; `mismatch` is its first part that did not match, None when the statement
    applied.
    """

    layer: Layer
    statement: StatementRef
    effect: Effect
    mismatch: Mismatch | None


class Evidence(NamedTuple):
    layer: Layer
    statement: Statement
    failed: Part | None


@dataclass(frozen=True)
class Decision:
    """`layer` is the kind of policy that decided: the one that denied, or for a request that is allowed, identity or
    trust.

    `statement` is the statement that decided, None when no statement allowed the request. `because` and `considered`
    are made when first asked for.
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
    def considered(self) -> tuple[Considered, ...]:
        """Every statement of every policy, in the order given."""
        return tuple(_considered(evidence, self.request) for evidence in self.evidence)

    @cached_property
    def because(self) -> str:
        """One sentence for a person. AWS itself never discloses as much: do not send it to whoever was denied."""
        if self.outcome is Outcome.IMPLICITLY_DENIED:
            return f"no {_KINDS[self.layer]} allows {_question(self.request)}: {_nearest(self)}"
        return "; ".join(_decisive(self))


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
    """An explicit Deny anywhere wins; otherwise each kind of policy that is present needs an Allow from one of its
    policies.

    None means that there is no boundary, or no session policy. An empty list means that there is one, and it allows
    nothing.
    """
    present = {Layer.IDENTITY: identity, Layer.BOUNDARY: boundary, Layer.SESSION: session}
    layers = {layer: policies for layer, policies in present.items() if policies is not None}
    return _decide(request, layers, kind="identity")


def decide_trust(
    action: str, trust: Policy, context: Mapping[str, str | Sequence[str]], *, principal: Principal
) -> Decision:
    """Whether `principal` may do `action`, such as sts:AssumeRoleWithWebIdentity, to the role whose trust policy this
    is.

    A request that carries session tags needs a second decision, for sts:TagSession. An AWS principal of another
    account, or one trusted through its account, also needs the permission in its own policies; that is not asked here.
    """
    return _decide(Request(action, "*", context, principal), {Layer.TRUST: [trust]}, kind="trust")


def _decide(request: Request, layers: Mapping[Layer, Sequence[Policy]], *, kind: str) -> Decision:
    evidence = tuple(
        Evidence(layer, statement, statement.mismatch(request))
        for layer, policies in layers.items()
        for policy in policies
        for statement in _statements(policy, kind)
    )
    for layer, statement, failed in evidence:
        if failed is None and statement.effect is Effect.DENY:
            return Decision(Outcome.EXPLICITLY_DENIED, layer, statement.ref, request, evidence)
    allowing = _allowing(evidence)
    for layer in layers:
        if layer not in allowing:
            return Decision(Outcome.IMPLICITLY_DENIED, layer, None, request, evidence)
    first = next(iter(layers))
    return Decision(Outcome.ALLOWED, first, allowing[first], request, evidence)


def _statements(policy: Policy, kind: str) -> tuple[Statement, ...]:
    if policy.kind != kind:
        raise UnsupportedPolicy(f"{policy.name or 'policy'}: this is no {kind} policy")
    return policy.statements


def _allowing(evidence: tuple[Evidence, ...]) -> dict[Layer, StatementRef]:
    """The first statement of each layer that allows the request; called once no Deny is known to match."""
    found: dict[Layer, StatementRef] = {}
    for layer, statement, failed in evidence:
        if failed is None:
            found.setdefault(layer, statement.ref)
    return found


def _considered(evidence: Evidence, request: Request) -> Considered:
    layer, statement, failed = evidence
    return Considered(layer, statement.ref, statement.effect, failed.explain(request) if failed else None)


def _question(request: Request) -> str:
    if request.principal is None:
        return f"{request.action} on {request.resource}"
    return f"{request.action} to {request.principal}"


def _decisive(decision: Decision) -> list[str]:
    """A clause for the statement that denied, or for the one of each layer that allowed."""
    request = decision.request
    if decision.statement is not None and decision.outcome is Outcome.EXPLICITLY_DENIED:
        return [f"{decision.statement} ({_KINDS[decision.layer]}) denies {_question(request)}"]
    allowing = _allowing(decision.evidence).items()
    return [f"{ref} ({_KINDS[layer]}) allows {_question(request)}" for layer, ref in allowing]


def _nearest(decision: Decision) -> str:
    """The Allow statements of the denying layer that got furthest before something did not match."""
    tried = [
        (statement.ref, failed)
        for layer, statement, failed in decision.evidence
        if layer is decision.layer and statement.effect is Effect.ALLOW and failed is not None
    ]
    furthest = max((_reached(failed) for _, failed in tried), default=0)
    nearest = [(ref, failed) for ref, failed in tried if _reached(failed) == furthest]
    clauses = [f"{ref} did not match: {failed.explain(decision.request)}" for ref, failed in nearest]
    return "; ".join(clauses) or "there is no Allow statement"


def _reached(failed: Part) -> int:
    match failed:
        case ActionElement():
            return 1
        case PrincipalElement():
            return 2
        case ResourceElement():
            return 3
        case _:
            return 4
