"""Temporary AWS credentials, handed from the adapter that gets them to the signer."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Credentials:
    """`expires_at` is in seconds since the epoch. A repr leaves the secrets out, so no traceback or log has them."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str = field(repr=False)
    expires_at: float

    def expire_within(self, seconds: float, *, now: float) -> bool:
        return now + seconds >= self.expires_at
