"""The request that policies decide: who wants to do which action on which resource, in which context.

Knows nothing of policies. Follows "The request context" in the IAM User Guide: condition keys ignore case, and the
request, not the policy, says whether a key is single-valued or multivalued.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from iam.failures import InvalidRequest

ContextValue = str | tuple[str, ...]
Context = Mapping[str, ContextValue]

_ACTION = re.compile(r"[\w.-]+:[\w.-]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks to assume a role.

    `id` is a provider's name or ARN (Federated), a service's host name (Service), or an ARN (AWS).
    """

    type: Literal["Federated", "Service", "AWS"]
    id: str

    def __str__(self) -> str:
        return f"{self.type} {self.id}"


@dataclass(frozen=True)
class Request:
    """One action on one resource.

    In `context`, text is a single value; a list or tuple is a multivalued key of any length.

    A multivalued key whose values are all empty counts as absent, as the IAM User Guide says of set operators. Raises
    `InvalidRequest` for an action with a wildcard, a value that is not text, or a duplicate key.
    """

    action: str
    resource: str
    context: Mapping[str, str | Sequence[str]]
    principal: Principal | None = None
    folded_action: str = field(init=False, repr=False, compare=False)
    values: Context = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not isinstance(self.action, str) or not _ACTION.fullmatch(self.action):
            raise InvalidRequest(f"action {self.action!r} is not of the form service:Action")
        if not isinstance(self.resource, str) or not self.resource:
            raise InvalidRequest(f"resource {self.resource!r} is not an ARN")
        object.__setattr__(self, "folded_action", self.action.lower())
        object.__setattr__(self, "values", _normalise(self.context))


def _normalise(context: Mapping[str, str | Sequence[str]]) -> dict[str, ContextValue]:
    if not isinstance(context, Mapping):
        raise InvalidRequest("context is not a mapping of condition keys to values")
    values: dict[str, ContextValue] = {}
    seen: set[str] = set()
    for key, given in context.items():
        folded = _fold_key(key)
        if folded in seen:
            raise InvalidRequest(f"context key {key} is given twice (keys are case-insensitive)")
        seen.add(folded)
        value = given if isinstance(given, str) else _read_list(key, given)
        if value is not None:
            values[folded] = value
    return values


def _fold_key(key: object) -> str:
    if not isinstance(key, str) or not key:
        raise InvalidRequest(f"context key {key!r} is not text")
    return key.lower()


def _read_list(key: str, given: object) -> tuple[str, ...] | None:
    if not isinstance(given, list | tuple) or not all(isinstance(value, str) for value in given):
        raise InvalidRequest(f"context key {key} is neither text nor a list of text")
    return tuple(given) if any(given) else None
