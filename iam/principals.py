"""The Principal element of a role's trust policy.

Knows nothing of actions or conditions. Follows "AWS JSON policy elements: Principal" in the IAM User Guide.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from iam.failures import UnsupportedPolicy
from iam.prose import Mismatch, join_list
from iam.request import Principal, Request

_ACCOUNT_OF = re.compile(r"arn:[\w-]+:[\w-]+::(\d{12}):", re.ASCII)
_ROOT = re.compile(r"arn:[\w-]+:iam::(\d{12}):root", re.ASCII)
_SESSION = re.compile(r"arn:([\w-]+):sts::(\d{12}):assumed-role/([^/]+)/[^/]+", re.ASCII)
_ROLE = re.compile(r"arn:([\w-]+):iam::(\d{12}):role/(?:.*/)?([^/]+)", re.ASCII)
_KNOWN = {
    "AWS": re.compile(r"\*|\d{12}|A[A-Z0-9]{15,}|arn:[\w-]+:(iam|sts)::\d{12}:[^*?]+", re.ASCII),
    "Federated": re.compile(r"[^*?\s]+", re.ASCII),
    "Service": re.compile(r"[\w.-]+\.amazonaws\.com(\.cn)?", re.ASCII),
}
ANYONE = Principal("AWS", "*")


@dataclass(frozen=True, slots=True)
class PrincipalElement:
    """`everyone` is true for `"*"` and `{"AWS": "*"}`, which mean the same to AWS."""

    named: frozenset[Principal]

    @property
    def everyone(self) -> bool:
        return ANYONE in self.named

    def matches(self, request: Request) -> bool:
        if self.everyone:
            return True
        return request.principal is not None and not self.named.isdisjoint(_names(request.principal))

    def explain(self, request: Request) -> Mismatch:
        return Mismatch(
            "Principal", f"{request.principal or 'nobody'} is not {join_list(sorted(map(str, self.named)))}"
        )


def _names(principal: Principal) -> set[Principal]:
    """Every way in which a policy may name this principal: itself, the role of its session, its account."""
    if principal.type != "AWS":
        return {principal}
    ids = {principal.id, _normal_form(principal.id), _role_of_session(principal.id), _account(principal.id)}
    return {Principal("AWS", name) for name in ids}


def _role_of_session(arn: str) -> str:
    session = _SESSION.fullmatch(arn)
    return "arn:{}:iam::{}:role/{}".format(*session.groups()) if session else arn


def _account(arn: str) -> str:
    account = _ACCOUNT_OF.match(arn)
    return account[1] if account else arn


def parse_principal(element: object) -> PrincipalElement:
    if element == "*":
        return PrincipalElement(frozenset({ANYONE}))
    if not isinstance(element, Mapping) or not element:
        raise UnsupportedPolicy('Principal is neither "*" nor an object')
    return PrincipalElement(frozenset(_parse_entries(element)))


def _parse_entries(element: Mapping[object, object]) -> Iterable[Principal]:
    for kind, ids in element.items():
        for name in ids if isinstance(ids, list | tuple) and ids else [ids]:
            yield _parse_one(kind, name)


def _parse_one(kind: object, name: object) -> Principal:
    match kind:
        case "AWS" | "Federated" | "Service":
            if not isinstance(name, str) or not _KNOWN[kind].fullmatch(name):
                raise UnsupportedPolicy(f"Principal {kind} {name!r} is malformed")
            return Principal(kind, _normal_form(name) if kind == "AWS" else name)
        case _:
            raise UnsupportedPolicy(f"unknown kind of Principal {kind!r}")


def _normal_form(name: str) -> str:
    """One spelling for an account and for a role. A session's ARN has no role path, so the path is removed."""
    if root := _ROOT.fullmatch(name):
        return root[1]
    role = _ROLE.fullmatch(name)
    return "arn:{}:iam::{}:role/{}".format(*role.groups()) if role else name
