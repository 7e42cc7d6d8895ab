"""How an attempt for a member ended. Writes nothing: `finish` does."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from tenants.aws.failures import scope_of
from tenants.domain.errors import PortalError
from tenants.models import MOST_REASON
from tenants.provisioning.queue import Claim


class Outcome(StrEnum):
    SETTLED = "settled"
    LATER = "later"
    # Due until Cognito sends mails again. The member has not failed.
    WAITING = "waiting"
    STUCK = "stuck"
    CONFLICT = "conflict"
    GIVEN_BACK = "given-back"
    # Changed meanwhile, or taken over by another holder: still due.
    OVERTAKEN = "overtaken"


@dataclass(frozen=True, slots=True, eq=False)
class Attempted:
    """`given_back`: before the attempt was through, which leaves the member as due as it was."""

    claim: Claim
    failure: PortalError | None = None
    given_back: bool = False

    @property
    def outcome(self) -> Outcome:
        """Unless it was overtaken, which only the database knows."""
        if self.given_back:
            return Outcome.GIVEN_BACK
        if self.claim.attempt.conflict:
            return Outcome.CONFLICT
        if self.failure is None:
            return Outcome.SETTLED
        return {"passing": Outcome.LATER, "mails": Outcome.WAITING}.get(scope_of(self.failure), Outcome.STUCK)

    @property
    def why(self) -> str:
        """For operators; "" for a member that is settled or given back."""
        return (self.claim.attempt.conflict or (self.failure.for_operators if self.failure else ""))[:MOST_REASON]
