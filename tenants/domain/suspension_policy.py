"""The text of the policy that cuts suspended organisations off from credentials they hold already, and back again.

It is the policy SuspendedTenants of `infra/template.yaml`, with organisations in its list.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from tenants.domain.errors import InvalidInput, Misconfigured, NotNow
from tenants.domain.org_id import OrgId

# Belongs to nobody: a list in a policy may not be empty.
_NOBODY = "00000000-0000-0000-0000-000000000000"
# IAM's limit for a managed policy; white space does not count, and there is none in it.
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
_MOST_CHARACTERS = 6144
_NOT_OURS = "The policy SuspendedTenants does not have the text that the portal gives it: somebody else has changed it."


def _policy(orgs: Iterable[str]) -> dict[str, Any]:
    condition = {"StringEquals": {"aws:PrincipalTag/org": sorted({_NOBODY, *orgs})}}
    statement = {"Sid": "Suspended", "Effect": "Deny", "Action": "*", "Resource": "*", "Condition": condition}
    return {"Version": "2012-10-17", "Statement": [statement]}


def _text(orgs: Iterable[str]) -> str:
    return json.dumps(_policy(orgs), separators=(",", ":"))


# An organisation takes its id, two quotation marks and a comma.
ROOM = (_MOST_CHARACTERS - len(_text(()))) // (len(_NOBODY) + len('"",'))


def document(orgs: Iterable[str]) -> str:
    """The same text for the same organisations. Raises NotNow for more than `ROOM`, InvalidInput for no org id."""
    suspended = {OrgId(org).value for org in orgs} - {_NOBODY}
    if len(suspended) > ROOM:
        raise NotNow(
            f"Only {ROOM} organisations can be cut off from credentials they hold already at the same time, "
            f"and this would be {len(suspended)}. Wait until the earliest of those have run out."
        )
    return _text(suspended)


def listed(document: str) -> frozenset[str]:
    """The organisations in a policy's text. Raises Misconfigured where it is not the text that `document` makes."""
    try:
        found = json.loads(document)
        tags = found["Statement"][0]["Condition"]["StringEquals"]
        tags["aws:PrincipalTag/org"] = orgs = sorted({OrgId(org).value for org in tags["aws:PrincipalTag/org"]})
    except (ValueError, LookupError, TypeError, InvalidInput) as failure:
        raise Misconfigured(_NOT_OURS) from failure
    if found != _policy(orgs):
        raise Misconfigured(_NOT_OURS)
    return frozenset(orgs) - {_NOBODY}
