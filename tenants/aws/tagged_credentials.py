"""Credentials of ClosingRole with the session tag of one organisation.

What they may do is IAM's decision; without the tag it is nothing. The environment's credentials are a role's, and
chained roles last an hour at most, so these are renewed in time. See "Role chaining" in
https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles.html
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from tenants.aws.failures import CLOSING, translate_errors
from tenants.domain.credentials import Credentials
from tenants.domain.org_id import OrgId

if TYPE_CHECKING:
    from mypy_boto3_sts import STSClient

LIFETIME_SECONDS = 3600
_RENEW_BEFORE_EXPIRY_SECONDS = 300


class TaggedCredentials:
    """Thread-safe. `clock` returns seconds since the epoch."""

    def __init__(self, client: STSClient, *, role_arn: str, org: OrgId, clock: Callable[[], float] = time.time) -> None:
        self._client, self._role_arn, self._org, self._clock = client, role_arn, org, clock
        self._current: Credentials | None = None
        self._renewing = threading.Lock()

    def get(self) -> Credentials:
        """Valid for at least five minutes. Raises Misconfigured if the environment's credentials may not assume the
        role, Throttled, Unreachable.
        """
        with self._renewing:
            current = self._current
            if current is None or current.expire_within(_RENEW_BEFORE_EXPIRY_SECONDS, now=self._clock()):
                current = self._current = self._assume()
            return current

    def discard(self, refused: Credentials) -> None:
        """Call it with credentials that AWS refuses: `get` then fetches new ones."""
        with self._renewing:
            if self._current is refused:
                self._current = None

    def _assume(self) -> Credentials:
        with translate_errors(CLOSING):
            credentials = self._client.assume_role(
                RoleArn=self._role_arn,
                # CloudTrail shows it with every call.
                RoleSessionName=f"closing-{self._org}",
                DurationSeconds=LIFETIME_SECONDS,
                Tags=[{"Key": "org", "Value": self._org.value}],
            )["Credentials"]
        return Credentials(
            credentials["AccessKeyId"],
            credentials["SecretAccessKey"],
            credentials["SessionToken"],
            credentials["Expiration"].timestamp(),
        )
