"""One IAM question: an action on a resource, with the condition keys that this request has."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Check:
    """`context` holds the keys of the request itself; those of principal and connection are added when it is asked.

    `flaw` says why the request cannot be run as it was judged; those who may do what they ask are told it.
    """

    action: str
    resource: str
    context: Mapping[str, str | Sequence[str]] = field(default_factory=dict)
    flaw: str = ""
