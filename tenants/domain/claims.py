"""The claims of a verified ID token. `tenants.aws.id_tokens` verifies it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from tenants.domain.org_id import is_org_id
from tenants.domain.roles import Role


@dataclass(frozen=True, slots=True)
class Claims:
    """`org` and `role` are the values of the principal tags, "" if the token has none.

    `email` is "" unless Cognito has verified it: anybody may claim an address that nobody has verified.
    `expires_at` is in seconds since the epoch.
    """

    sub: str
    email: str
    name: str
    org: str
    role: str
    expires_at: int

    @classmethod
    def from_verified(cls, payload: Mapping[str, object]) -> Claims:
        """`payload` is the body of a token whose signature, issuer, audience and expiry have been checked."""
        return cls(
            sub=_text(payload, "sub"),
            email=_text(payload, "email") if _is_verified(payload) else "",
            name=_text(payload, "name"),
            org=_text(payload, "custom:org"),
            role=_text(payload, "custom:role"),
            expires_at=int(str(payload["exp"])),
        )

    @classmethod
    def from_session(cls, stored: Mapping[str, object]) -> Claims:
        """The reverse of `for_session`. Raises KeyError, TypeError or ValueError for anything else."""
        texts = {name: _required_text(stored, name) for name in ("sub", "email", "name", "org", "role")}
        return cls(**texts, expires_at=int(str(stored["expires_at"])))

    @property
    def may_own_an_organisation(self) -> bool:
        """Whether they are those of an owner, perhaps of an organisation that has no tenant yet."""
        return self.role == Role.OWNER and is_org_id(self.org)

    def for_session(self) -> dict[str, str | int]:
        return asdict(self)


def _is_verified(payload: Mapping[str, object]) -> bool:
    """Cognito writes a boolean, or text where the address came from another identity provider."""
    verified = payload.get("email_verified")
    return verified is True or verified == "true"


def _text(payload: Mapping[str, object], name: str) -> str:
    value = payload.get(name, "")
    return value if isinstance(value, str) else ""


def _required_text(stored: Mapping[str, object], name: str) -> str:
    value = stored[name]
    if not isinstance(value, str):
        raise TypeError(f"{name} is not text")
    return value
