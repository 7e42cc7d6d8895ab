"""What an update of the stack may have broken: the map of principal tags, and the list of suspended organisations.

CloudFormation knows neither who is suspended nor that the map was dropped, so its success proves nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from tenants.aws.principal_tags import PrincipalTags
from tenants.aws.suspension_policy import SuspensionPolicy
from tenants.domain.errors import Misconfigured
from tenants.lifecycle.suspension_list import orgs_to_list

# As PrincipalTags of infra/template.yaml.
TAGS = {"org": "custom:org", "role": "custom:role", "client": "aud"}
_WRITE_THE_LIST = (
    "The worker writes the list every minute: start `manage.py provision --watch`, wait a minute, and run this again."
)


@dataclass(frozen=True, slots=True)
class Finding:
    """`remedy` is what to run."""

    subject: Literal["principal-tags", "suspended-tenants"]
    problem: str
    remedy: str


def findings(tags: PrincipalTags, policy: SuspensionPolicy) -> list[Finding]:
    """What differs from the template and the database; empty if nothing does. Raises Misconfigured, Unreachable, …"""
    return [*_of_tags(tags), *_of_suspensions(policy)]


def _of_tags(tags: PrincipalTags) -> Iterator[Finding]:
    mapped = dict(tags.mapped())
    if mapped != TAGS:
        wanted = ",".join(f"{tag}={claim}" for tag, claim in TAGS.items())
        found = ", ".join(f"{tag} from {claim}" for tag, claim in sorted(mapped.items())) or "nothing"
        yield Finding(
            "principal-tags",
            f"The identity pool maps {found}. Credentials then do not carry the organisation as the policies expect.",
            "aws cognito-identity set-principal-tag-attribute-map"
            f" --identity-pool-id {tags.identity_pool_id} --identity-provider-name {tags.provider}"
            f" --no-use-defaults --principal-tags {wanted}",
        )


def _of_suspensions(policy: SuspensionPolicy) -> Iterator[Finding]:
    try:
        listed = policy.listed()
    except Misconfigured as error:
        yield Finding("suspended-tenants", error.why, _WRITE_THE_LIST)
        return
    wanted = orgs_to_list()
    if missing := sorted(wanted - listed):
        problem = f"SuspendedTenants lacks {', '.join(missing)}: credentials that these tenants hold still work."
        yield Finding("suspended-tenants", problem, _WRITE_THE_LIST)
    if extra := sorted(listed - wanted):
        problem = f"SuspendedTenants lists {', '.join(extra)}: these tenants are shut out and are not suspended."
        yield Finding("suspended-tenants", problem, _WRITE_THE_LIST)
