"""The roles. What a role may do to rows is decided by the IAM policy, not here."""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """`operator` runs the platform and belongs to no organisation; the others are roles in one."""

    OWNER = "owner"
    ADMIN = "admin"
    EDITOR = "editor"
    VIEWER = "viewer"
    OPERATOR = "operator"

    @property
    def in_words(self) -> str:
        """What the role can do, for the page that shows a person who they are."""
        return _IN_WORDS[self]


IN_AN_ORGANISATION = (Role.OWNER, Role.ADMIN, Role.EDITOR, Role.VIEWER)
# Those who see what changes records. IAM decides.
RECORD_WRITERS = (Role.OWNER, Role.ADMIN, Role.EDITOR)

_IN_WORDS = {
    Role.OWNER: "reads and writes records, manages members and settings",
    Role.ADMIN: "reads and writes records, manages members and settings",
    Role.EDITOR: "reads and writes records",
    Role.VIEWER: "reads records",
    Role.OPERATOR: "runs the platform, keeps the public records",
}
