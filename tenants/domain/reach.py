"""What AWS lets a user of the pool reach, by the organisation and the role in their attributes.

Only words for people: `infra/template.yaml` decides, and a test holds this to it. The portal has no part in it: anybody
who signs in to the user pool gets these credentials from AWS, with or without the portal.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from tenants.domain.roles import Role

# As the trust policy of TenantRole has it.
_ORG_SHAPE = re.compile(r".{8}-.{4}-.{4}-.{4}-.{12}", re.DOTALL)
_LATER = "AWS credentials issued before work for up to an hour."


@dataclass(frozen=True, slots=True)
class Reach:
    """Each is "", "read" or "read and write"."""

    own: str
    public: str

    def in_words(self, whose: str) -> str:
        """With a verb and no subject. `whose` names the organisation."""
        if not self.own and not self.public:
            return "reach no row"
        if self.own == self.public:
            return f"{self.own} the rows of {whose} and the public rows"
        parts = [(self.own, f"the rows of {whose}"), (self.public, "the public rows")]
        return " and ".join(f"{may} {rows}" for may, rows in parts if may)


def reach(org: str, role: str) -> Reach:
    if org and not _ORG_SHAPE.fullmatch(org):
        return Reach("", "")
    if role == Role.OPERATOR:
        return Reach("", "read and write")
    if not org or role not in set(Role):
        return Reach("", "")
    return Reach("read" if role == Role.VIEWER else "read and write", "read")


def who_gets_in(*, enabled: bool, status: str) -> str:
    """A subject for what they reach, such as "anybody who signs in as this user"; "" where nobody can sign in."""
    if not enabled:
        return ""
    return _WHO.get(status, "anybody who signs in as this user")


_WHO = {
    "UNCONFIRMED": "anybody who confirms the address and signs in as this user",
    "FORCE_CHANGE_PASSWORD": "anybody who has the temporary password of this user",
    "RESET_REQUIRED": "anybody who can reset the password of this user",
}


def reach_in_words(*, org: str, role: str, enabled: bool, status: str, whose: str) -> str:
    """A sentence or two. `whose` names the organisation of `org`."""
    who = who_gets_in(enabled=enabled, status=status)
    if not who:
        return f"Disabled in Cognito: nobody signs in as this user. {_LATER}"
    can = reach(org, role)
    if not can.own and not can.public:
        return f"AWS gives {who} no row: {_why_none(org, role)}."
    return f"AWS lets {who} {can.in_words(whose)}, whatever the portal decides."


def _why_none(org: str, role: str) -> str:
    if role in set(Role):
        return "it has no organisation" if not org else "its organisation is no org id"
    return "it has no role" if not role else "the portal has no such role"
