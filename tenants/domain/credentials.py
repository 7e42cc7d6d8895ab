"""Temporary AWS credentials of one person, as they travel between the identity pool and the signer."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Credentials:
    """`expires_at` is in seconds since the epoch. The secrets never show in a repr, so never in a traceback or log."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str = field(repr=False)
    expires_at: float

    def expire_within(self, seconds: float, *, now: float) -> bool:
        return now + seconds >= self.expires_at
