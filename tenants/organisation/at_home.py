"""What a member finds on the first page: their collections, open invitations, and what there is to do next.

The page opens also while AWS is slow or away: then the collections say so, after a second or two.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from django.urls import reverse

from tenants.aws.failures import CredentialsExpired
from tenants.domain.errors import DeniedByAws, Misconfigured, Unavailable
from tenants.domain.roles import Role
from tenants.domain.values import Item
from tenants.members.invitation_state import Invited, in_state, invitation_state
from tenants.models import Member
from tenants.records.wiring import hurried_records
from tenants.sign_in.sessions import SignedIn

MOST_LISTED = 6
_log = logging.getLogger(__name__)


class Problem(StrEnum):
    """Why the collections could not be read."""

    AWAY = "away"
    REFUSED = "refused"
    MISCONFIGURED = "misconfigured"


@dataclass(frozen=True, slots=True)
class Collection:
    name: str
    description: str
    address: str


@dataclass(frozen=True, slots=True)
class Collections:
    """The first `MOST_LISTED`, and how many more there are; `and_more` if that is not all of them either."""

    first: Sequence[Collection] = ()
    others: int = 0
    and_more: bool = False
    problem: Problem | None = None


@dataclass(frozen=True, slots=True)
class OpenInvitation:
    """`state` is how far it has come, in words."""

    name: str
    role: str
    state: str
    address: str


@dataclass(frozen=True, slots=True)
class People:
    """`invitations` are the newest ones, at most `MOST_LISTED`; `and_more` if there are others."""

    is_alone: bool
    has_one_owner: bool
    invitations: Sequence[OpenInvitation]
    and_more: bool


@dataclass(frozen=True, slots=True)
class NextStep:
    title: str
    address: str
    why: str


def collections_at_home(who: SignedIn) -> Collections:
    """One query of the catalogue, with the person's own credentials."""
    try:
        page = hurried_records().collections(who, who.space)
    except DeniedByAws:
        return Collections(problem=Problem.REFUSED)
    except (Unavailable, CredentialsExpired):
        return Collections(problem=Problem.AWAY)
    except Misconfigured as error:
        _log.error("collections not listed", extra={"refusal": "Misconfigured", "why": error.for_log})
        return Collections(problem=Problem.MISCONFIGURED)
    others = max(0, len(page.items) - MOST_LISTED)
    return Collections([_collection(item) for item in page.items[:MOST_LISTED]], others, page.after is not None)


def people_at_home(org: str) -> People:
    members = Member.objects.filter(tenant__org_id=org, removed=False)
    owners = members.filter(role=Role.OWNER, enabled=True)
    waiting = members.filter(enabled=True).exclude(in_state(Invited.SIGNED_IN)).select_related("person", "tenant")
    newest = list(waiting.order_by("-id")[: MOST_LISTED + 1])
    return People(
        is_alone=members[:2].count() == 1,
        has_one_owner=owners[:2].count() == 1,
        invitations=[_open_invitation(member) for member in newest[:MOST_LISTED]],
        and_more=len(newest) > MOST_LISTED,
    )


def next_steps(collections: Collections, people: People | None, *, role: str) -> list[NextStep]:
    """`people` is None for those who do not manage them."""
    steps = []
    if people and people.is_alone:
        steps.append(
            NextStep("Invite people", reverse("member_invite"), "They get a mail, and the role that you choose.")
        )
    elif people and people.has_one_owner and role == Role.OWNER:
        why = "You are the only owner. If you lose access, nobody else can make owners."
        steps.append(NextStep("Add a second owner", reverse("members"), why))
    if not collections.first and collections.problem is None:
        why = "There are none yet. A collection appears with its first record."
        steps.append(NextStep("See where records appear", reverse("collections"), why))
    if people and people.is_alone:
        why = "Your credentials reach only your rows. Try another organisation’s key."
        steps.append(NextStep("See what keeps you apart", reverse("access"), why))
    return steps


def _collection(item: Item) -> Collection:
    name = hurried_records().keys.sort_key(item)
    return Collection(name, item.get("description", {}).get("S", ""), reverse("collection", args=[name]))


def _open_invitation(member: Member) -> OpenInvitation:
    return OpenInvitation(
        name=member.person.name or str(member.person),
        role=member.role,
        state=invitation_state(member).in_words,
        address=reverse("member", args=[member.pk]),
    )
