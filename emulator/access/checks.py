"""One question for IAM: an action on a resource, with the condition keys of the request."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Check:
    """`context` holds the request's own condition keys. The keys of the principal and the connection are added later.

    `flaw` says why an allowed request still cannot run. Only callers who are allowed to make the request see it.
    """

    action: str
    resource: str
    context: Mapping[str, str | Sequence[str]] = field(default_factory=dict)
    flaw: str = ""
