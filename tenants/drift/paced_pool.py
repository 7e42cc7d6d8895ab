"""The user pool for whoever only looks: asked at the pace of its quotas, and again for a while when it is busy."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import TypeVar

from tenants.aws.directory import Directory, DirectoryPage
from tenants.aws.failures import scope_of
from tenants.domain.errors import Misconfigured, RefusedByCognito, Throttled, Unavailable
from tenants.domain.user_plan import Quota, Seen
from tenants.provisioning.pace import Pacer

_MOST_TRIES = 8
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.5, 15.0
_Answer = TypeVar("_Answer")


class PlaceForgotten(Exception):
    """Cognito does not take the page's token (any more). Where it is good for how long is not documented."""


@dataclass(frozen=True, slots=True)
class PacedPool:
    """`before_each` is called ahead of every call and may raise to end it all; `pause` waits so many seconds.

    What Cognito answers in the end is raised as the directory raises it.
    """

    directory: Directory
    pacer: Pacer
    before_each: Callable[[], None]
    pause: Callable[[float], object]

    @property
    def pool_id(self) -> str:
        return self.directory.pool_id

    def page(self, after: str | None) -> DirectoryPage:
        """Raises PlaceForgotten where `after` is not taken."""
        try:
            return self._asked(Quota.LIST, partial(self.directory.page, after))
        except RefusedByCognito as error:
            if after is not None:
                raise PlaceForgotten from error
            raise Misconfigured(f"The user pool (Cognito) does not list its users: {error.why}") from error

    def look(self, name: str) -> Seen | None:
        return self._asked(Quota.READ, partial(self.directory.look, name))

    def _asked(self, quota: Quota, ask: Callable[[], _Answer]) -> _Answer:
        for tries in count(1):
            self.before_each()
            self.pacer.wait(quota)
            try:
                return ask()
            except Unavailable as error:
                if scope_of(error) != "passing" or tries == _MOST_TRIES:
                    raise
                if isinstance(error, Throttled):
                    self.pacer.push_back(quota)
                longest = min(_LONGEST_PAUSE_SECONDS, _FIRST_PAUSE_SECONDS * 2**tries)
                self.pause(random.uniform(0, longest))  # noqa: S311 - jitter
        raise AssertionError("the last try returns or raises")
