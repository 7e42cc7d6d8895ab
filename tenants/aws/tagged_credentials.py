"""Credentials of ClosingRole that carry the session tag of one organisation, got with those of the environment.

What they reach is IAM's decision; without that tag it is nothing. Credentials that one role's credentials were traded
for live an hour at most, so they are renewed on the way. See "Role chaining" in
https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles.html
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from tenants.aws.failures import CLOSING, translated
from tenants.domain.credentials import Credentials
from tenants.domain.org_id import OrgId

if TYPE_CHECKING:
    from mypy_boto3_sts import STSClient

LIFETIME_SECONDS = 3600
_RENEWED_BEFORE_END_SECONDS = 300


class TaggedCredentials:
    """Shared by the threads that work for this organisation."""

    def __init__(self, client: STSClient, *, role_arn: str, org: OrgId, clock: Callable[[], float] = time.time) -> None:
        self._client, self._role_arn, self._org, self._clock = client, role_arn, org, clock
        self._kept: Credentials | None = None
        self._renewing = threading.Lock()

    def get(self) -> Credentials:
        """Good for some minutes at least. Raises Misconfigured where the environment's may not have them, Throttled,
        Unreachable.
        """
        with self._renewing:
            kept = self._kept
            if kept is None or kept.expire_within(_RENEWED_BEFORE_END_SECONDS, now=self._clock()):
                kept = self._kept = self._assume()
            return kept

    def forget(self, refused: Credentials) -> None:
        """AWS does not take them any more: the next ones are new."""
        with self._renewing:
            if self._kept is refused:
                self._kept = None

    def _assume(self) -> Credentials:
        with translated(CLOSING):
            given = self._client.assume_role(
                RoleArn=self._role_arn,
                # CloudTrail shows it with every call.
                RoleSessionName=f"closing-{self._org}",
                DurationSeconds=LIFETIME_SECONDS,
                Tags=[{"Key": "org", "Value": self._org.value}],
            )["Credentials"]
        return Credentials(
            given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"], given["Expiration"].timestamp()
        )
