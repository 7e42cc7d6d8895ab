"""The id of an organisation in Cognito, in tokens and in the keys of its rows."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tenants.domain.errors import InvalidInput

_CANONICAL = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True, order=True)
class OrgId:
    """A canonical lower-case UUID, 36 characters.

    Other spellings are refused: IAM compares the tag byte by byte, so they would be other organisations.
    """

    value: str

    def __post_init__(self) -> None:
        if not is_org_id(self.value):
            raise InvalidInput("An organisation id is a UUID in lower case.", field="org")

    def __str__(self) -> str:
        return self.value


def is_org_id(text: str) -> bool:
    return _CANONICAL.fullmatch(text) is not None
