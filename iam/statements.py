"""A statement and its parts. A statement applies to a request if every part matches.

Each part has `matches` and, for a mismatch, `explain`. `iam.policy` parses them. Follows "IAM JSON policy elements:
Action, NotAction, Resource, NotResource" in the IAM User Guide.
"""

from dataclasses import dataclass
from enum import Enum

from iam.conditions import AnyCondition
from iam.patterns import Template, Test
from iam.principals import PrincipalElement
from iam.prose import Mismatch, join_list
from iam.request import Request


class Effect(Enum):
    ALLOW = "Allow"
    DENY = "Deny"


@dataclass(frozen=True, slots=True)
class StatementRef:
    """Identifies a statement: the policy's name and its `Sid` (either may be empty), and its position in the policy
    from 1.
    """

    policy: str
    sid: str
    number: int

    def __str__(self) -> str:
        return f"statement {self.sid or self.number} of {self.policy or 'an unnamed policy'}"


@dataclass(frozen=True, slots=True)
class ActionElement:
    """`Action` or `NotAction`. Names are compared without regard to case."""

    negated: bool
    written: tuple[str, ...]
    names: frozenset[str]
    patterns: tuple[Test, ...]

    def matches(self, request: Request) -> bool:
        action = request.folded_action
        named = action in self.names or any(matches(action) for matches in self.patterns)
        return named is not self.negated

    def explain(self, request: Request) -> Mismatch:
        element, verb = ("NotAction", "is") if self.negated else ("Action", "is not")
        return Mismatch(element, f'"{request.action}" {verb} among {_quote(self.written)}')


@dataclass(frozen=True, slots=True)
class ResourceElement:
    """`Resource` or `NotResource`. An ARN whose variable has no value matches no resource."""

    negated: bool
    templates: tuple[Template, ...]

    def matches(self, request: Request) -> bool:
        return self._is_named(request) is not self.negated

    def _is_named(self, request: Request) -> bool:
        for template in self.templates:
            test = template.test(request.values)
            if test is not None and test(request.resource):
                return True
        return False

    def explain(self, request: Request) -> Mismatch:
        element, verb = ("NotResource", "is") if self.negated else ("Resource", "is not")
        shown = join_list(template.show(request.values) for template in self.templates)
        return Mismatch(element, f'"{request.resource}" {verb} like {shown}')


Part = PrincipalElement | ActionElement | ResourceElement | AnyCondition


def _quote(texts: tuple[str, ...]) -> str:
    return join_list(f'"{text}"' for text in texts)


@dataclass(frozen=True, slots=True)
class Statement:
    """`parts` are in the order of evaluation: action, principal, resource, then the conditions as written."""

    ref: StatementRef
    effect: Effect
    parts: tuple[Part, ...]

    def mismatch(self, request: Request) -> Part | None:
        """The first part that does not match; None if the statement applies."""
        for part in self.parts:
            if not part.matches(request):
                return part
        return None
