"""Bookkeeping of the programs that make Cognito match: leases, a halt, pace, heartbeats, and the drift they found."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import IntegrityError, models, transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone

from tenants.models.people import Member
from tenants.models.tenants import Tenant

# A worker beats every five seconds.
SILENT_AFTER = timedelta(seconds=30)


class _Leases(models.QuerySet["Lease"]):
    """By the database's clock, since the machines' clocks may differ."""

    def take(self, name: str, *, holder: str, seconds: float) -> bool:
        """Takes or renews the lease for `seconds` from now. False while another holder has it."""
        until = Now() + timedelta(seconds=seconds)
        # SQLite's clock counts whole milliseconds.
        free = Q(holder=holder) | Q(until__lt=Now() + timedelta(milliseconds=1))
        if self.filter(free, name=name).update(holder=holder, until=until):
            return True
        try:
            with transaction.atomic():
                self.create(name=name, holder=holder, until=until)
        except IntegrityError:
            return False
        return True

    def renew(self, name: str, *, holder: str, seconds: float) -> bool:
        """False where it was not the holder's all the time: another one has had it since it was taken."""
        return bool(self.filter(name=name, holder=holder).update(until=Now() + timedelta(seconds=seconds)))

    def give_back(self, name: str, *, holder: str) -> None:
        self.filter(name=name, holder=holder).delete()


class Lease(models.Model):
    """Something that only one program may do at a time, until it gives it back or the lease runs out."""

    name = models.CharField(max_length=80, primary_key=True)
    holder = models.CharField(max_length=64)
    until = models.DateTimeField()

    objects = _Leases.as_manager()

    def __str__(self) -> str:
        return f"{self.name} by {self.holder}"


class Halted(models.IntegerChoices):
    """What is halted: every change in Cognito, or only changes that Cognito mails somebody about."""

    EVERYTHING = 1, "provisioning"
    MAILS = 2, "invitations"


class Halt(models.Model):
    """One row for everything that is halted, with its number for a key. `why` is for the operators."""

    began_at = models.DateTimeField(default=timezone.now)
    why = models.TextField()

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(pk__in=list(Halted)), name="halt_is_known")]

    def __str__(self) -> str:
        return f"halted since {self.began_at:%Y-%m-%d %H:%M}: {self.why}"


class QuotaSlot(models.Model):
    """When the next call of a quota category may be made, by any worker. `next_at` is in seconds since the epoch."""

    category = models.CharField(max_length=32, primary_key=True)
    next_at = models.FloatField(default=0)

    def __str__(self) -> str:
        return self.category


class _Workers(models.QuerySet["Worker"]):
    def alive(self, now: datetime) -> _Workers:
        """Workers that were not stopped and whose last beat is recent."""
        return self.filter(stopped_at=None, beat_at__gt=now - SILENT_AFTER)


class Worker(models.Model):
    """A running `provision --watch`. Counts are since its start: changes applied, calls throttled, members failed.

    `unwritten` is why it cannot write the suspended tenants into the policy SuspendedTenants, "" where it can.
    """

    name = models.CharField(max_length=64, primary_key=True)
    started_at = models.DateTimeField(default=timezone.now)
    beat_at = models.DateTimeField(default=timezone.now)
    stopped_at = models.DateTimeField(null=True)
    applied = models.PositiveBigIntegerField(default=0)
    throttled = models.PositiveBigIntegerField(default=0)
    failed = models.PositiveBigIntegerField(default=0)
    unwritten = models.CharField(max_length=500, blank=True)

    objects = _Workers.as_manager()

    def __str__(self) -> str:
        return self.name


class ProvisioningHour(models.Model):
    """What all workers did in an hour, for the overview."""

    hour = models.DateTimeField(primary_key=True)
    applied = models.PositiveBigIntegerField(default=0)
    throttled = models.PositiveBigIntegerField(default=0)
    failed = models.PositiveBigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.hour:%Y-%m-%d %H}:00"


class _Reconciliations(models.QuerySet["Reconciliation"]):
    def of_the_pool(self) -> Reconciliation | None:
        """The newest comparison of the whole pool. A comparison of one tenant says nothing of the others."""
        return self.filter(tenant=None).order_by("-started_at").first()

    def newest_and_complete(self) -> tuple[Reconciliation | None, Reconciliation | None]:
        """As `of_the_pool` and `complete`, with one query: few runs are kept."""
        newest_first = list(self.filter(tenant=None).order_by("-started_at"))
        complete = (run for run in newest_first if run.finished_at is not None)
        return next(iter(newest_first), None), next(complete, None)

    def complete(self) -> Reconciliation | None:
        """The newest comparison of the whole pool that came to its end."""
        return self.filter(tenant=None, finished_at__isnull=False).order_by("-started_at").first()


class Reconciliation(models.Model):
    """A comparison of the whole pool, or of one tenant's members. After an interruption it continues at `after`."""

    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+", null=True)
    started_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True)
    repairing = models.BooleanField(default=False)
    after = models.TextField(blank=True)
    users_seen = models.PositiveBigIntegerField(default=0)
    found = models.PositiveBigIntegerField(default=0)
    repaired = models.PositiveBigIntegerField(default=0)
    last_error = models.CharField(max_length=500, blank=True)

    objects = _Reconciliations.as_manager()

    class Meta:
        indexes = [models.Index(fields=["-started_at"], name="reconciliation_newest")]

    def __str__(self) -> str:
        return f"reconciliation of {self.started_at:%Y-%m-%d %H:%M}"


class DriftKind(models.TextChoices):
    """`waiting` is no difference: an organisation's owner who signed up and has not signed in yet."""

    UNKNOWN_USER = "unknown-user", "a user the portal does not know"
    MISSING_USER = "missing-user", "a member without a user in Cognito"
    ORG = "org", "another organisation in Cognito"
    ROLE = "role", "another role in Cognito"
    ENABLED = "enabled", "enabled or disabled in Cognito only"
    WAITING = "waiting", "signed up, and waiting for the first sign-in"


class _Drifts(models.QuerySet["Drift"]):
    def strangers(self) -> _Drifts:
        """Users whom the portal did not make. One of a removed member is not counted: the worker deletes it."""
        return self.filter(kind=DriftKind.UNKNOWN_USER, member=None)

    def that_can_sign_in(self) -> _Drifts:
        return self.exclude(seen_enabled=False)


class Drift(models.Model):
    """One difference that a reconciliation found. `wanted` and `seen` are a few words for people.

    `seen_…` are the attributes of the user in the pool. `seen_enabled` None: there is no user.
    """

    reconciliation = models.ForeignKey(Reconciliation, on_delete=models.CASCADE, related_name="drifts")
    kind = models.CharField(max_length=16, choices=DriftKind)
    member = models.ForeignKey(Member, on_delete=models.SET_NULL, related_name="+", null=True)
    org = models.CharField(max_length=36, blank=True)
    sub = models.CharField(max_length=36, blank=True)
    email = models.CharField(max_length=254, blank=True)
    wanted = models.CharField(max_length=120, blank=True)
    seen = models.CharField(max_length=120, blank=True)
    seen_org = models.CharField(max_length=36, blank=True)
    seen_role = models.CharField(max_length=16, blank=True)
    seen_enabled = models.BooleanField(null=True)
    seen_status = models.CharField(max_length=32, blank=True)
    found_at = models.DateTimeField(default=timezone.now)
    repaired_at = models.DateTimeField(null=True)

    objects = _Drifts.as_manager()

    class Meta:
        indexes = [models.Index(fields=["reconciliation", "id"], name="drift_of_run")]
        constraints = [models.CheckConstraint(condition=Q(kind__in=list(DriftKind)), name="drift_kind_is_known")]

    def __str__(self) -> str:
        return f"{self.kind}: {self.email or self.sub}"


class Lockout(models.Model):
    """Somebody asked to disable a user of the pool whom no member has. A worker does it while `due_at` is set.

    `last_error` is why it was not done, or not yet.
    """

    sub = models.CharField(max_length=36, primary_key=True)
    email = models.CharField(max_length=254, blank=True)
    org = models.CharField(max_length=36, blank=True)
    asked_at = models.DateTimeField(default=timezone.now)
    due_at = models.DateTimeField(default=timezone.now, null=True)
    done_at = models.DateTimeField(null=True)
    last_error = models.CharField(max_length=500, blank=True)

    class Meta:
        indexes = [models.Index(fields=["due_at"], name="lockout_due")]

    def __str__(self) -> str:
        return self.email or self.sub
