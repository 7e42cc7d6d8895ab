"""The text of the policy SuspendedTenants, which denies everything to credentials that suspended organisations hold.

It is the text of `infra/template.yaml`, with the org ids in its list.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from tenants.domain.errors import InvalidInput, Misconfigured, NotNow
from tenants.domain.org_id import OrgId

# No organisation has this id. It is always listed, because a list in a policy may not be empty.
_NOBODY = "00000000-0000-0000-0000-000000000000"
# IAM's limit for a managed policy; white space does not count, and there is none in it.
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
_MOST_CHARACTERS = 6144
_NOT_OURS = "The policy SuspendedTenants does not have the text that the portal writes: somebody else has changed it."


def _policy(orgs: Iterable[str]) -> dict[str, Any]:
    condition = {"StringEquals": {"aws:PrincipalTag/org": sorted({_NOBODY, *orgs})}}
    statement = {"Sid": "Suspended", "Effect": "Deny", "Action": "*", "Resource": "*", "Condition": condition}
    return {"Version": "2012-10-17", "Statement": [statement]}


def _text(orgs: Iterable[str]) -> str:
    return json.dumps(_policy(orgs), separators=(",", ":"))


# How many organisations fit into the policy. Each takes its id, two quotation marks and a comma.
ROOM = (_MOST_CHARACTERS - len(_text(()))) // (len(_NOBODY) + len('"",'))


def document(orgs: Iterable[str]) -> str:
    """The policy that lists `orgs`, whatever their order. Raises NotNow for more than `ROOM`, InvalidInput."""
    suspended = {OrgId(org).value for org in orgs} - {_NOBODY}
    if len(suspended) > ROOM:
        raise NotNow(
            f"Only {ROOM} organisations can be cut off at the same time from credentials they hold, "
            f"and this would be {len(suspended)}. Wait until the oldest of those credentials have expired."
        )
    return _text(suspended)


def orgs_in(document: str) -> frozenset[str]:
    """The organisations that a policy's text lists. Raises Misconfigured unless `document` could have made the text."""
    try:
        policy = json.loads(document)
        tags = policy["Statement"][0]["Condition"]["StringEquals"]
        tags["aws:PrincipalTag/org"] = orgs = sorted({OrgId(org).value for org in tags["aws:PrincipalTag/org"]})
    except (ValueError, LookupError, TypeError, InvalidInput) as failure:
        raise Misconfigured(_NOT_OURS) from failure
    if policy != _policy(orgs):
        raise Misconfigured(_NOT_OURS)
    return frozenset(orgs) - {_NOBODY}
