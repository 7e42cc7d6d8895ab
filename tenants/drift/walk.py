"""The way of a reconciliation: the pool page by page, then the members whom no page had, then once more the users whom
no member was found for. Memory holds one page, however many users there are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Q, QuerySet
from django.utils import timezone

from tenants.domain.errors import Unreachable
from tenants.domain.user_plan import Seen
from tenants.drift.checkpoint import CHECK, MEMBERS, POOL, REPAIR, USERS, Progress
from tenants.drift.comparison import SEEN_FIELDS, differences, fresh_attempt, is_in_hand, note_seen, unknown_user
from tenants.drift.paced_pool import PacedPool, PageTokenRefused
from tenants.drift.unknown_users import look_again
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
            try:
                page = self.pool.page(self.progress.after or None)
            except PageTokenRefused:
                self._start_over_once()
                continue
            # A page may be empty and not be the last.
            phase = POOL if page.after else CHECK
            with self.progress.saved(phase, page.after or "", users=len(page.users)) as drifts:
                moved = self._compare_page(page.users, drifts)
            for here, there in moved:
                self.listener.address(here, there)
            self.listener.progress(self.run.users_seen, max(about, self.run.users_seen))

    def _start_over_once(self) -> None:
        if self._started_over:
            raise Unreachable("The user pool (Cognito)", "it does not take its own tokens for the next page")
        self._started_over = True
        self.progress.start_over()
        self.listener.say("Cognito no longer knows the page where the pool was left. Beginning again with the first.")

    def _compare_page(self, users: Sequence[Seen], drifts: list[Drift]) -> list[tuple[str, str]]:
        """Returns the addresses that differ, the portal's first."""
        unknown = {UUID(user.sub): user for user in users}
        members = _locked(Member.objects.filter(person__sub__in=list(unknown)))
        known = [(member, unknown.pop(sub)) for member in members if (sub := member.person.sub)]
        self._compare_known(known, drifts)
        drifts.extend(unknown_user(user) for user in unknown.values())
        both = ((member.person.email, user.email) for member, user in known)
        return [(here, there) for here, there in both if here and here != there.casefold()]

    def _compare_known(self, known: Sequence[tuple[Member, Seen]], drifts: list[Drift]) -> None:
        now = timezone.now()
        changed, same = [], []
        for member, user in known:
            if not self._is_to_be_compared(member):
                continue
            attempt = fresh_attempt(member)
            attempt.take_look(user)
            drifts.extend(differences(member, attempt, user))
            if note_seen(member, attempt, at=now):
                changed.append(member)
            else:
                same.append(member.pk)
        Member.objects.filter(pk__in=same).update(seen_at=now)
        Member.objects.bulk_update(changed, SEEN_FIELDS)

    def _look_for_the_others(self) -> None:
        """One by one: a list that changes while it is read does not prove that a user is missing."""
        about = self.members.count()
        while others := list(self._not_seen_after(int(self.progress.after))):
            for member in others:
                attempt, user = self._look_up(member)
                with self.progress.saved(MEMBERS, member.pk, users=int(self.run.tenant is not None)) as drifts:
                    self._compare_other(member, attempt, user, drifts)
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

    def _is_to_be_compared(self, member: Member) -> bool:
        """Once in a run. What a worker has seen since it began is newer than the page in hand may be."""
        seen = member.seen_at is not None and member.seen_at >= self.run.started_at
        return not seen and not is_in_hand(member, timezone.now())

    def _look_again_for_unknown_users(self) -> None:
        unknown = self.run.drifts.filter(kind=DriftKind.UNKNOWN_USER, member=None).order_by("pk")
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
