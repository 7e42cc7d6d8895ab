"""The user pool as a reconciliation reads it: at the pace of its quotas, and again for a while when Cognito is busy."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import TypeVar

from tenants.aws.directory import Directory, DirectoryPage
from tenants.aws.failures import scope_of
from tenants.domain.errors import Misconfigured, PortalError, RefusedByCognito
from tenants.domain.user_plan import Quota, Seen
from tenants.provisioning.pace import Pacer

_MOST_TRIES = 8
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 15.0
_Got = TypeVar("_Got")


class PageTokenRefused(Exception):
    """Cognito does not take the token of a page. How long a token is good for is not documented."""


@dataclass(frozen=True, slots=True)
class PacedPool:
    """`before_each` is called ahead of every call and may raise to end the run; `pause` waits so many seconds.

    `share` is how much of a quota the calls may use, 1 for all that is free.

    Raises what the directory raises, once trying again has not helped.
    """

    directory: Directory
    pacer: Pacer
    before_each: Callable[[], None]
    pause: Callable[[float], object]
    share: float = 1.0

    @property
    def pool_id(self) -> str:
        return self.directory.pool_id

    def page(self, after: str | None) -> DirectoryPage:
        """`after` is the token of the page before, None for the first page. Raises PageTokenRefused."""
        try:
            return self._call(Quota.LIST, partial(self.directory.page, after))
        except RefusedByCognito as error:
            if after is not None:
                raise PageTokenRefused from error
            raise Misconfigured(f"The user pool (Cognito) does not list its users: {error.why}") from error

    def look(self, name: str) -> Seen | None:
        """The user with this sub or e-mail address."""
        return self._call(Quota.READ, partial(self.directory.look, name))

    def _call(self, quota: Quota, make: Callable[[], _Got]) -> _Got:
        for tries in count(1):
            self.before_each()
            if self.share < 1:
                self.pause(self.pacer.spacing(quota) * (1 / self.share - 1))
                self.before_each()
            answer = self.pacer.call(quota, make)
            if not isinstance(answer, PortalError):
                return answer
            if scope_of(answer) != "passing" or tries == _MOST_TRIES:
                raise answer
            longest = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2**tries)
            self.pause(random.uniform(0, longest))  # noqa: S311 - jitter
        raise AssertionError("the last try returns or raises")
