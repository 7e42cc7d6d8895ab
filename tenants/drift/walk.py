"""The way of a reconciliation: the pool page by page, then the members whom no page had, then once more the users whom
nobody seemed to know. Memory holds one page, however many users there are.

What a step finds and the place to go on from are one transaction, so a run that is killed goes on where it stopped.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Lower
from django.utils import timezone

from tenants.domain.errors import NotNow, Unreachable
from tenants.domain.user_plan import Seen
from tenants.drift.comparison import (
    SEEN_FIELDS,
    differences,
    fresh_attempt,
    is_in_hand,
    is_let_in,
    note_seen,
    unknown_user,
)
from tenants.drift.paced_pool import PacedPool, PlaceForgotten
from tenants.lifecycle.suspension import begin_again
from tenants.models import Drift, DriftKind, Lease, Member, Person, Provisioning, Reconciliation
from tenants.provisioning.attempt import Attempt, Look
from tenants.provisioning.one_member import apply_answer
from tenants.provisioning.queue import Claim

LEASE = "reconciliation"
LEASE_SECONDS = 60.0
_MANY = 200


@dataclass(frozen=True, slots=True)
class Listener:
    """Whoever watches: `progress` hears how many were compared of about how many, `say` a sentence, `address` of a
    member who has another e-mail address in Cognito than the portal's, which comes first."""

    progress: Callable[[int, int], None] = lambda _done, _all: None
    say: Callable[[str], None] = lambda _sentence: None
    address: Callable[[str, str], None] = lambda _here, _there: None


@dataclass(slots=True)
class RunLock:
    """One program at a time. `go_on` is asked before each call, `keep` in each transaction; both raise NotNow."""

    holder: str
    stop: threading.Event
    _renew_at: float = 0.0

    def take(self) -> None:
        if Lease.objects.take(LEASE, holder=self.holder, seconds=LEASE_SECONDS):
            return
        other = Lease.objects.filter(name=LEASE).first()
        until = f"{other.until:%H:%M:%S} UTC" if other else "now"
        raise NotNow(f"Another reconciliation is running. If it was killed, this can be run again from {until} on.")

    def go_on(self) -> None:
        if self.stop.is_set():
            raise NotNow("It was interrupted. Nothing is lost: run it again, and it goes on where it stopped.")
        if time.monotonic() >= self._renew_at:
            self.keep()

    def keep(self) -> None:
        if not Lease.objects.take(LEASE, holder=self.holder, seconds=LEASE_SECONDS):
            raise NotNow("Another reconciliation has taken over, since this one did not move for a while.")
        self._renew_at = time.monotonic() + LEASE_SECONDS / 4

    def give_back(self) -> None:
        Lease.objects.give_back(LEASE, holder=self.holder)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Where a run goes on, as `Reconciliation.after` keeps it. Good for this pool only."""

    pool_id: str
    phase: str
    after: str = ""

    @classmethod
    def of(cls, run: Reconciliation) -> Checkpoint:
        pool_id, phase, after = [*run.after.split(" ", 2), "", "", ""][:3]
        return cls(pool_id, phase, after)

    def __str__(self) -> str:
        return f"{self.pool_id} {self.phase} {self.after}"


POOL, CHECK, MEMBERS, USERS, REPAIR = "pool", "check", "members", "users", "repair"


@dataclass(slots=True)
class PoolComparison:
    """`check_pool` is asked once the pool was read, and raises where it cannot be the portal's.

    One tenant's members are asked for one by one: Cognito finds nobody by their organisation.
    """

    run: Reconciliation
    pool: PacedPool
    turn: RunLock
    listener: Listener
    check_pool: Callable[[PoolComparison], None]
    _begun_again: bool = False

    def compare(self) -> None:
        """To the end of the comparison, from wherever the run is. What was found is in the database."""
        if self._phase == POOL:
            self._read_the_pool()
        if self._phase == CHECK:
            self.check_pool(self)
            self._arrive(MEMBERS, 0)
        if self._phase == MEMBERS:
            self._look_for_the_others()
            self._arrive(USERS, 0)
        if self._phase == USERS:
            self._ask_again_about_unknown_users()
            self._arrive(REPAIR, 0)

    @property
    def members(self) -> QuerySet[Member]:
        """All that this run is about."""
        return Member.objects.filter(tenant=self.run.tenant) if self.run.tenant else Member.objects.all()

    @property
    def not_met(self) -> QuerySet[Member]:
        """Nobody has seen their user since the run began, and no worker is about to."""
        free = Q(leased_until=None) | Q(leased_until__lte=timezone.now())
        since = Q(seen_at=None) | Q(seen_at__lt=self.run.started_at)
        return self.members.filter(free, since).exclude(provisioning=Provisioning.DUE)

    def begin_again(self, why: str = "") -> None:
        """From the first page: what was found so far counts no more."""
        with transaction.atomic():
            self.turn.keep()
            self.run.drifts.all().delete()
            self.run.started_at, self.run.users_seen, self.run.found = timezone.now(), 0, 0
            self.run.after = str(Checkpoint(self.pool.pool_id, CHECK if self.run.tenant else POOL))
            self.run.save()
        if why:
            self.listener.say(why)

    @property
    def _phase(self) -> str:
        return Checkpoint.of(self.run).phase

    @property
    def _after(self) -> str:
        return Checkpoint.of(self.run).after

    def _arrive(self, phase: str, after: object) -> None:
        with self._step(phase, after):
            pass

    @contextmanager
    def _step(self, phase: str, after: object, *, users: int = 0) -> Iterator[list[Drift]]:
        """What is put into the list is found; it is saved with the place to go on from, or neither is."""
        found: list[Drift] = []
        with transaction.atomic():
            self.turn.keep()
            yield found
            for drift in found:
                drift.reconciliation = self.run
            Drift.objects.bulk_create(found)
            self.run.after = str(Checkpoint(self.pool.pool_id, phase, str(after)))
            counted = {"users_seen": F("users_seen") + users, "found": F("found") + len(found)}
            Reconciliation.objects.filter(pk=self.run.pk).update(after=self.run.after, **counted)
        self.run.users_seen += users
        self.run.found += len(found)
        # Not before the members' rows are let go of: whoever suspends a tenant locks these two the other way round.
        let_in = {drift.member.tenant_id for drift in found if is_let_in(drift) and drift.member is not None}
        begin_again([pk for pk in let_in if pk is not None])

    def _read_the_pool(self) -> None:
        about = self.members.count()
        while self._phase == POOL:
            try:
                page = self.pool.page(self._after or None)
            except PlaceForgotten:
                self._begin_again_once()
                continue
            # A page may be empty and not be the last.
            with self._step(POOL if page.after else CHECK, page.after or "", users=len(page.users)) as found:
                moved = self._note_page(page.users, found)
            for here, there in moved:
                self.listener.address(here, there)
            self.listener.progress(self.run.users_seen, max(about, self.run.users_seen))

    def _begin_again_once(self) -> None:
        if self._begun_again:
            raise Unreachable("The user pool (Cognito)", "it does not take its own tokens for the next page")
        self._begun_again = True
        self.begin_again("Cognito no longer knows the page where the pool was left. Beginning again with the first.")

    def _note_page(self, users: Sequence[Seen], found: list[Drift]) -> list[tuple[str, str]]:
        """Returns the addresses that differ, ours first."""
        unknown = {UUID(user.sub): user for user in users}
        members = self._locked(Member.objects.filter(person__sub__in=list(unknown)))
        theirs = [(member, unknown.pop(sub)) for member in members if (sub := member.person.sub)]
        self._note(theirs, found)
        found.extend(unknown_user(user) for user in unknown.values())
        both = ((member.person.email, user.email) for member, user in theirs)
        return [(here, there) for here, there in both if here and here != there.casefold()]

    def _note(self, theirs: Sequence[tuple[Member, Seen]], found: list[Drift]) -> None:
        now = timezone.now()
        changed, same = [], []
        for member, user in theirs:
            if not self._is_to_be_compared(member):
                continue
            attempt = fresh_attempt(member)
            attempt.looked(user)
            found.extend(differences(member, attempt, user))
            if note_seen(member, attempt, at=now):
                changed.append(member)
            else:
                same.append(member.pk)
        Member.objects.filter(pk__in=same).update(seen_at=now)
        Member.objects.bulk_update(changed, SEEN_FIELDS)

    def _look_for_the_others(self) -> None:
        """One by one: that a list does not have them proves nothing, since it changes while it is read."""
        about = self.members.count()
        while others := list(self._others_after(int(self._after))):
            for member in others:
                attempt, user = self._looked_up(member)
                with self._step(MEMBERS, member.pk, users=int(self.run.tenant is not None)) as found:
                    self._note_other(member, attempt, user, found)
                if self.run.tenant is not None:
                    self.listener.progress(self.run.users_seen, about)

    def _others_after(self, last: int) -> QuerySet[Member]:
        return self.not_met.filter(pk__gt=last).select_related("person", "tenant").order_by("pk")[:_MANY]

    def _looked_up(self, member: Member) -> tuple[Attempt, Seen | None]:
        """And the user who came last."""
        claim, user = Claim(member, "", fresh_attempt(member), 0.0), None
        while isinstance(step := claim.attempt.next_step(), Look):
            user = self.pool.look(step.name)
            apply_answer(claim, step, user)
        return claim.attempt, user

    def _note_other(self, before: Member, attempt: Attempt, user: Seen | None, found: list[Drift]) -> None:
        for member in self._locked(Member.objects.filter(pk=before.pk, generation=before.generation)):
            if self._is_to_be_compared(member):
                found.extend(differences(member, attempt, user))
                note_seen(member, attempt, at=timezone.now())
                member.save(update_fields=SEEN_FIELDS)

    def _locked(self, members: QuerySet[Member]) -> list[Member]:
        """Without those that somebody is changing right now: nobody waits for us holding what we wait for."""
        rows = members.select_for_update(skip_locked=True, of=("self",))
        return list(rows.select_related("person", "tenant"))

    def _is_to_be_compared(self, member: Member) -> bool:
        """Once in a run; and what a worker saw since it began is newer than the page in hand may be."""
        met = member.seen_at is not None and member.seen_at >= self.run.started_at
        return not met and not is_in_hand(member, timezone.now())

    def _ask_again_about_unknown_users(self) -> None:
        """Some were on their way in or out while the pool was read, and some a member's difference tells of already."""
        unknown = self.run.drifts.filter(kind=DriftKind.UNKNOWN_USER, member=None).order_by("pk")
        while some := list(unknown.filter(pk__gt=int(self._after))[:_MANY]):
            people = _People(some)
            known = [drift.pk for drift in some if self._is_known_after_all(drift, people)]
            with self._step(USERS, some[-1].pk):
                Drift.objects.filter(pk__in=known).delete()

    def _is_known_after_all(self, drift: Drift, people: _People) -> bool:
        if people.member_with(sub=drift.sub):
            return True
        if (person := people.with_address(drift.email)) is None:
            return False
        member = next(iter(person.memberships.all()), None)
        if member is None:
            return self.pool.look(drift.sub) is None
        return is_in_hand(member, timezone.now()) or member.seen_enabled is None


class _People:
    """Whom the portal knows by the subs or the addresses of some drifts."""

    def __init__(self, drifts: Sequence[Drift]) -> None:
        subs = [UUID(drift.sub) for drift in drifts]
        emails = {drift.email.casefold() for drift in drifts}
        people = Person.objects.alias(folded=Lower("email")).prefetch_related("memberships")
        self._by_sub = {str(person.sub): person for person in people.filter(sub__in=subs)}
        self._by_email = {person.email: person for person in people.filter(folded__in=emails).exclude(email="")}

    def member_with(self, *, sub: str) -> bool:
        person = self._by_sub.get(sub)
        return person is not None and bool(person.memberships.all())

    def with_address(self, email: str) -> Person | None:
        return self._by_email.get(email.casefold())
