"""What a person's credentials may do, and which statement says so, decided offline by `iam`.

The policies are those of the template that this version of the portal was deployed with, its references replaced by
this stack's names, and the list of suspended organisations is the portal's own. AWS is not asked: what it has, and what
it answers, can differ.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from iam import Decision, Outcome, Policy, Request, decide, parse_policy
from tenants.domain.errors import Misconfigured
from tenants.domain.suspension_policy import document
from tenants.isolation.template import References, boundary_document, role_documents

_ROLE, _SUSPENSION = "TenantRole", "SuspendedTenants"
_ROLE_ARN = re.compile(r"arn:(?P<partition>[^:]+):iam::(?P<account>\d{12}):role/")
_API_HOST = re.compile(r"https?://(?P<id>[a-z0-9-]+)\.execute-api\.")


@dataclass(frozen=True, slots=True)
class Stack:
    """The names of a deployed stack that its policies mention. `api_url` is "" without an API."""

    role_arn: str
    region: str
    table: str
    client: str
    api_url: str

    @property
    def table_arn(self) -> str:
        return f"arn:{self._of_role('partition')}:dynamodb:{self.region}:{self._of_role('account')}:table/{self.table}"

    def path_arn(self, method: str, path: str) -> str:
        """`path` begins with a slash."""
        where = f"{self.region}:{self._of_role('account')}:{self.api}"
        return f"arn:{self._of_role('partition')}:execute-api:{where}/$default/{method}{path}"

    @property
    def api(self) -> str:
        """The API's id: the first part of its host, or on a local AWS the last part of its path."""
        found = _API_HOST.match(self.api_url)
        return found["id"] if found else self.api_url.rpartition("/")[2]

    def references(self) -> References:
        names = {
            "AWS::Partition": self._of_role("partition"),
            "AWS::AccountId": self._of_role("account"),
            "AWS::Region": self.region,
            "LoginClient": self.client,
            "RecordsApi": self.api or "none",
            "Table.Arn": self.table_arn,
        }
        # One made by the stack and one that was there before have the same ARN here.
        return References(
            ref=_known(names), attribute=_known(names), variable=_known(names), condition=_known({"MakesTable": True})
        )

    def _of_role(self, part: str) -> str:
        found = _ROLE_ARN.match(self.role_arn)
        if found is None:
            raise Misconfigured("TENANT_ROLE_ARN is not the ARN of a role.")
        return found[part]


@dataclass(frozen=True, slots=True)
class Tags:
    """The tags of a person's credentials; "" for one that they do not have."""

    org: str
    role: str
    client: str

    def context(self) -> dict[str, str]:
        tags = {"org": self.org, "role": self.role, "client": self.client}
        return {f"aws:PrincipalTag/{name}": value for name, value in tags.items() if value}


@dataclass(frozen=True, slots=True)
class Verdict:
    """`statement` is the Sid of the one that decided, "" where none allows it. `because` is a sentence about the text
    of the policies, fit for the person whose request it is.
    """

    allowed: bool
    denied_by_statement: bool
    statement: str
    policy: str
    because: str


@dataclass(frozen=True, slots=True)
class Policies:
    """Those of the role that everybody who signs in has. `boundary` limits what `identity` allows."""

    stack: Stack
    identity: Sequence[Policy]
    boundary: Sequence[Policy]

    def on_rows(self, tags: Tags, action: str, *, keys: Sequence[str] | None, index: bool = False) -> Verdict:
        """`action` as IAM names it, without its service. `keys` are partition keys, None for a request without one."""
        context: dict[str, Any] = {**tags.context()}
        if keys:
            context["dynamodb:LeadingKeys"] = list(keys)
        arn = f"{self.stack.table_arn}/index/any" if index else self.stack.table_arn
        return self._decide(Request(f"dynamodb:{action}", arn, context))

    def on_path(self, tags: Tags, method: str, path: str) -> Verdict:
        return self._decide(Request("execute-api:Invoke", self.stack.path_arn(method, path), tags.context()))

    def suspending(self, orgs: Sequence[str]) -> Policies:
        """The same with these organisations in the list of suspended ones."""
        listing = parse_policy(document(orgs), name=_SUSPENSION)
        others = [policy for policy in self.identity if policy.name != _SUSPENSION]
        return Policies(self.stack, [*others, listing], self.boundary)

    def _decide(self, request: Request) -> Verdict:
        return _verdict(decide(request, identity=self.identity, boundary=self.boundary))


def policies_of(template: Mapping[str, Any], stack: Stack) -> Policies:
    """Raises what reading a template does, and `iam.UnsupportedPolicy`."""
    references = stack.references()
    identity = [
        parse_policy(references.resolve(written), name=name)
        for name, written in role_documents(template, _ROLE).items()
    ]
    name, written = boundary_document(template, _ROLE)
    return Policies(stack, identity, [parse_policy(references.resolve(written), name=name)])


def _verdict(decision: Decision) -> Verdict:
    statement = decision.statement
    return Verdict(
        allowed=decision.allowed,
        denied_by_statement=decision.outcome is Outcome.EXPLICITLY_DENIED,
        statement=(statement.sid or str(statement.number)) if statement else "",
        policy=statement.policy if statement else "",
        because=decision.because,
    )


def _known(names: Mapping[str, Any]) -> Any:
    def find(name: str) -> Any:
        if name not in names:
            raise ValueError(f"a policy of {_ROLE} mentions {name}, which is not known here")
        return names[name]

    return find
