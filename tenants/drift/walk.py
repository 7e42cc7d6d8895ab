"""The way of a reconciliation: the pool page by page, then the members whom no page showed as they are kept, then once
more the users whom no member was found for. Memory holds one page, however many users there are.

ListUsers is eventually consistent, so a page may be older than what the portal knows. It can only confirm that. Where
it says anything else, AdminGetUser decides, user by user, before anything is noted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Q, QuerySet
from django.utils import timezone

from tenants.domain.errors import Unreachable
from tenants.domain.user_plan import Seen
from tenants.drift.checkpoint import CHECK, MEMBERS, POOL, REPAIR, USERS, Progress
from tenants.drift.comparison import (
    SEEN_FIELDS,
    differences,
    fresh_attempt,
    is_as_kept,
    is_in_hand,
    note_seen,
    unknown_user,
)
from tenants.drift.paced_pool import PacedPool, PageTokenRefused
from tenants.drift.unknown_users import look_again
from tenants.members.addresses import give_address
from tenants.models import Drift, DriftKind, Member, Provisioning, Reconciliation
from tenants.provisioning.attempt import Attempt, Look
from tenants.provisioning.one_member import apply_answer
from tenants.provisioning.queue import Claim

_MANY = 200


@dataclass(frozen=True, slots=True)
class Listener:
    """`progress` hears how many were compared of about how many, `say` a sentence, `address` that a member has another
    e-mail address in Cognito: the portal's, then Cognito's."""

    progress: Callable[[int, int], None] = lambda _done, _all: None
    say: Callable[[str], None] = lambda _sentence: None
    address: Callable[[str, str], None] = lambda _here, _there: None


@dataclass(slots=True)
class PoolComparison:
    """`check_pool` is called once the pool was read, and raises where it cannot be the portal's. `hosted_sign_ups`:
    people may sign up at Cognito's own pages.

    One tenant's members are looked up one by one: Cognito finds no user by their organisation.
    """

    progress: Progress
    pool: PacedPool
    listener: Listener
    check_pool: Callable[[PoolComparison], None]
    hosted_sign_ups: bool = False
    _started_over: bool = False

    @property
    def run(self) -> Reconciliation:
        return self.progress.run

    def compare(self) -> None:
        """To the end of the comparison, from wherever the run is. The differences are in the database then."""
        if self.progress.phase == POOL:
            self._read_the_pool()
        if self.progress.phase == CHECK:
            self.check_pool(self)
            self.progress.start(MEMBERS)
        if self.progress.phase == MEMBERS:
            self._look_for_the_others()
            self.progress.start(USERS)
        if self.progress.phase == USERS:
            self._look_again_for_unknown_users()
            self.progress.start(REPAIR)

    @property
    def members(self) -> QuerySet[Member]:
        """All members that this run is about."""
        return Member.objects.filter(tenant=self.run.tenant) if self.run.tenant else Member.objects.all()

    @property
    def not_seen(self) -> QuerySet[Member]:
        """Members whose user was not seen since the run began, and whom no worker is about to look at."""
        free = Q(leased_until=None) | Q(leased_until__lte=timezone.now())
        before = Q(seen_at=None) | Q(seen_at__lt=self.run.started_at)
        return self.members.filter(free, before).exclude(provisioning=Provisioning.DUE)

    def _read_the_pool(self) -> None:
        about = self.members.count()
        while self.progress.phase == POOL:
            asked_at = timezone.now()
            try:
                page = self.pool.page(self.progress.after or None)
            except PageTokenRefused:
                self._start_over_once()
                continue
            unknown = self._look_up_unknown(page.users)
            # A page may be empty and not be the last.
            phase = POOL if page.after else CHECK
            with self.progress.saved(phase, page.after or "", users=len(page.users)) as drifts:
                self._note_confirmed(page.users, at=asked_at)
                drifts.extend(map(unknown_user, unknown))
            self.listener.progress(self.run.users_seen, max(about, self.run.users_seen))

    def _start_over_once(self) -> None:
        if self._started_over:
            raise Unreachable("The user pool (Cognito)", "it does not take its own tokens for the next page")
        self._started_over = True
        self.progress.start_over()
        self.listener.say("Cognito no longer knows the page where the pool was left. Beginning again with the first.")

    def _look_up_unknown(self, listed: Sequence[Seen]) -> list[Seen]:
        """Users of a page who are no member's, as they are. Without those who are gone."""
        subs = [UUID(user.sub) for user in listed]
        known = set(Member.objects.filter(person__sub__in=subs).values_list("person__sub", flat=True))
        return [user for sub in subs if sub not in known and (user := self.pool.look(str(sub))) is not None]

    def _note_confirmed(self, listed: Sequence[Seen], *, at: datetime) -> None:
        """All other members of the page are looked up later."""
        users = {UUID(user.sub): user for user in listed}
        members = _locked(Member.objects.filter(person__sub__in=list(users)))
        found = [(member, users[sub]) for member in members if (sub := member.person.sub)]
        same = [one.pk for one, user in found if self._is_to_be_compared(one) and is_as_kept(one, user)]
        Member.objects.filter(pk__in=same).update(seen_at=at)

    def _look_for_the_others(self) -> None:
        """One by one: a list that is old, or changes while it is read, does not prove that a user is missing."""
        about = self.members.count()
        if (count := self.not_seen.count()) > _MANY:
            self.listener.say(
                f"{count:,} members were not listed as the portal knows them. Looking them up one by one."
            )
        while others := list(self._not_seen_after(int(self.progress.after))):
            for member in others:
                attempt, user = self._look_up(member)
                with self.progress.saved(MEMBERS, member.pk, users=int(self.run.tenant is not None)) as drifts:
                    self._compare_other(member, attempt, user, drifts)
                self._tell_address(member, attempt, user)
                if self.run.tenant is not None:
                    self.listener.progress(self.run.users_seen, about)

    def _not_seen_after(self, last: int) -> QuerySet[Member]:
        return self.not_seen.filter(pk__gt=last).select_related("person", "tenant", "invited_by").order_by("pk")[:_MANY]

    def _look_up(self, member: Member) -> tuple[Attempt, Seen | None]:
        """And the user that the last look found."""
        claim, user = Claim(member, "", fresh_attempt(member), 0.0), None
        while isinstance(call := claim.attempt.next_call(), Look):
            user = self.pool.look(call.name)
            apply_answer(claim, call, user)
        return claim.attempt, user

    def _compare_other(self, before: Member, attempt: Attempt, user: Seen | None, drifts: list[Drift]) -> None:
        for member in _locked(Member.objects.filter(pk=before.pk, generation=before.generation)):
            if self._is_to_be_compared(member):
                drifts.extend(differences(member, attempt, user))
                note_seen(member, attempt, at=timezone.now())
                member.save(update_fields=SEEN_FIELDS)
                if user is not None and attempt.sub and user.email_verified:
                    give_address(member.person, user.email)

    def _tell_address(self, member: Member, attempt: Attempt, user: Seen | None) -> None:
        here = member.person.email
        if user is not None and attempt.sub and here and here != user.email.casefold():
            self.listener.address(here, user.email)

    def _is_to_be_compared(self, member: Member) -> bool:
        """Once in a run, and not where a worker has looked since it began."""
        seen = member.seen_at is not None and member.seen_at >= self.run.started_at
        return not seen and not is_in_hand(member, timezone.now())

    def _look_again_for_unknown_users(self) -> None:
        unknown = self.run.drifts.strangers().order_by("pk")
        while some := list(unknown.filter(pk__gt=int(self.progress.after))[:_MANY]):
            seen = look_again(some, self.pool, hosted_sign_ups=self.hosted_sign_ups)
            with self.progress.saved(USERS, some[-1].pk):
                Drift.objects.filter(pk__in=seen.known).delete()
                for pk, why in seen.waiting.items():
                    Drift.objects.filter(pk=pk).update(kind=DriftKind.WAITING, seen=why)


def _locked(members: QuerySet[Member]) -> list[Member]:
    """Skips rows that another transaction has locked, so that transactions cannot deadlock."""
    rows = members.select_for_update(skip_locked=True, of=("self",))
    return list(rows.select_related("person", "tenant", "invited_by"))
