"""People, their memberships, and their signed-in browsers."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils import timezone

from tenants.domain.roles import IN_AN_ORGANISATION, Role
from tenants.domain.texts import readable_address
from tenants.domain.user_plan import HAS_PASSWORD, Seen
from tenants.models.tenants import MOST_NAME, MOST_REASON, Tenant

MOST_EMAIL = 254
MOST_BROWSER = 60
MOST_TIME_ZONE = 64


class Theme(models.TextChoices):
    """How pages look to a person; "" in the database is as their system has it."""

    LIGHT = "light", "Light"
    DARK = "dark", "Dark"


# Django's fields take types in checks only.
if TYPE_CHECKING:
    _EmailField = models.EmailField[str, str]
else:
    _EmailField = models.EmailField


class AddressField(_EmailField):
    """In the order of its bytes on every database, so that one index finds an address, finds the beginnings of
    addresses, and lists them in order. SQLite does so by itself."""

    def db_parameters(self, connection: BaseDatabaseWrapper) -> dict[str, Any]:
        collation = "C" if connection.vendor == "postgresql" else None
        return {**super().db_parameters(connection), "collation": collation}


class Person(AbstractBaseUser):
    """Somebody who can sign in. `sub` is None until Cognito has given it. Passwords are Cognito's.

    `email` is case-folded, since the pool compares addresses without case, and its domain is ASCII, as AWS sends mail
    to it; "" where another person has it now.
    """

    password = None  # type: ignore[assignment]
    last_login = None

    sub = models.UUIDField(unique=True, null=True)
    email = AddressField(max_length=MOST_EMAIL, blank=True)
    name = models.CharField(max_length=MOST_NAME, blank=True)
    language = models.CharField(max_length=16, default="en")
    # How often all sessions of the person were ended. A session holds the number that it began with.
    endings = models.PositiveIntegerField(default=0)
    # What pages look like to them; "" is as their system has it, and UTC.
    theme = models.CharField(max_length=8, choices=Theme, blank=True)
    time_zone = models.CharField(max_length=MOST_TIME_ZONE, blank=True)

    USERNAME_FIELD = "sub"

    class Meta:
        indexes = [models.Index(fields=["email"], name="person_by_address")]
        constraints = [
            models.UniqueConstraint(Lower("email"), condition=~Q(email=""), name="one_person_an_email"),
        ]

    def __str__(self) -> str:
        return readable_address(self.email) or self.name or str(self.sub)


class Provisioning(models.TextChoices):
    """How far Cognito matches a member's row. Pages, filters and commands use the same words."""

    DUE = "due", "due"
    SETTLED = "settled", "settled"
    STUCK = "stuck", "stuck"
    CONFLICT = "conflict", "conflict"


class SecondFactor(models.TextChoices):
    """What was last seen of a member's second factor. "" where nobody looked."""

    NONE = "none", "none"
    ENROLLED = "enrolled", "enrolled"


def signed_in_members() -> Q:
    """Members who `has_signed_in`."""
    return Q(signed_in_at__isnull=False) | Q(seen_status__in=HAS_PASSWORD)


def without_user() -> Q:
    """Members for whom Cognito had no user when it was last asked: nobody can sign in as them."""
    return Q(seen_at__isnull=False, seen_enabled=None)


def without_access() -> Q:
    """Members who are disabled or being removed. Members of a suspended tenant are not among them for that."""
    return Q(enabled=False) | Q(removed=True)


class Member(models.Model):
    """A person in a tenant, or an operator, who is in none: the desired state, and what was last seen in Cognito.

    The desired state is `role`, `enabled` and `removed`. Every change of it adds one to `generation`, so that a worker
    with an older generation leaves the member due. Only one constraint below assumes that a person is in one tenant.
    """

    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="memberships")
    # Without an index of its own: two of those below begin with it.
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="members", null=True, db_index=False)
    role = models.CharField(max_length=16, choices=[(role, role) for role in Role])
    enabled = models.BooleanField(default=True)
    removed = models.BooleanField(default=False)
    # They deleted their account: once they are gone from Cognito, the person is deleted with the membership.
    forgotten = models.BooleanField(default=False)
    # The identity pool's id for this person, kept because GetId has the lowest quota of all calls.
    identity_id = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    invited_by = models.ForeignKey(Person, on_delete=models.SET_NULL, related_name="+", null=True)
    invited_at = models.DateTimeField(null=True)
    mail_invitation = models.BooleanField(default=True)
    # An invitation has to be mailed to a user who exists already.
    resend = models.BooleanField(default=False)
    # When Cognito last mailed an invitation; its temporary password ends INVITATION_LASTS later.
    mailed_at = models.DateTimeField(null=True)
    # Why the last invitation was not delivered; "" where it was, as far as Cognito knows.
    mail_problem = models.CharField(max_length=MOST_REASON, blank=True)
    signed_in_at = models.DateTimeField(null=True)
    # An operator disabled them, so the organisation itself cannot enable them, and an operator can.
    disabled_by_operator = models.BooleanField(default=False)

    # Tokens issued so far must stop working, and the worker has not signed the user out yet.
    sign_out = models.BooleanField(default=False)
    # Their authenticator has to be deleted, and the worker has not done so yet.
    reset_mfa = models.BooleanField(default=False)
    # "" and None where Cognito has no such user. `seen_at` is None until Cognito is first asked.
    seen_at = models.DateTimeField(null=True)
    seen_org = models.CharField(max_length=36, blank=True)
    seen_role = models.CharField(max_length=16, blank=True)
    seen_enabled = models.BooleanField(null=True)
    seen_status = models.CharField(max_length=32, blank=True)
    # Only a look at one user shows it, and lists do not, so it may be older than the rest.
    second_factor = models.CharField(max_length=16, choices=SecondFactor, blank=True)
    second_factor_seen_at = models.DateTimeField(null=True)

    provisioning = models.CharField(max_length=16, choices=Provisioning, default=Provisioning.DUE)
    generation = models.PositiveIntegerField(default=1)
    due_at = models.DateTimeField(null=True, default=timezone.now)
    leased_until = models.DateTimeField(null=True)
    leased_by = models.CharField(max_length=64, blank=True)
    attempts = models.PositiveIntegerField(default=0)
    last_error = models.CharField(max_length=MOST_REASON, blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["due_at", "id"], condition=Q(provisioning="due"), name="member_due"),
            # With settled members too: SQLite does not infer that "stuck" is not "settled".
            models.Index(fields=["provisioning", "tenant"], name="member_provisioning"),
            models.Index(fields=["provisioning", "-id"], name="member_newest_in_provisioning"),
            models.Index(fields=["tenant", "id"], name="member_of_tenant"),
            models.Index(fields=["role", "-id"], name="member_newest_in_role"),
            # Without statistics, of the two above either would be taken for the owners of a tenant.
            models.Index(fields=["tenant", "role"], name="member_of_tenant_in_role"),
            models.Index(fields=["-id"], condition=without_access(), name="member_newest_without_access"),
        ]
        constraints = [
            # A user pool's user carries one org, so today a person is in one organisation.
            models.UniqueConstraint(fields=["person"], name="one_membership_per_person"),
            models.CheckConstraint(
                condition=Q(tenant__isnull=True, role=Role.OPERATOR)
                | Q(tenant__isnull=False, role__in=IN_AN_ORGANISATION),
                name="operators_are_in_no_organisation",
            ),
            models.CheckConstraint(
                condition=Q(provisioning__in=list(Provisioning)), name="member_provisioning_is_known"
            ),
            models.CheckConstraint(
                condition=~Q(provisioning=Provisioning.DUE) | Q(due_at__isnull=False), name="due_member_has_its_time"
            ),
            models.CheckConstraint(
                condition=~Q(provisioning__in=[Provisioning.STUCK, Provisioning.CONFLICT]) | ~Q(last_error=""),
                name="stuck_member_says_why",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.person} as {self.role}"

    @property
    def org_id(self) -> uuid.UUID | None:
        """The tenant's, None for an operator. Needs `tenant`."""
        return self.tenant.org_id if self.tenant else None

    @property
    def has_signed_in(self) -> bool:
        """Also true of people who could: they have chosen a password."""
        return self.signed_in_at is not None or self.seen_status in HAS_PASSWORD

    @property
    def is_without_user(self) -> bool:
        """As `without_user`. Somebody for whom Cognito was never asked may have one."""
        return self.seen_at is not None and self.seen_enabled is None

    @property
    def seen(self) -> Seen | None:
        """The pool's user as last seen; None where there was no user, or the pool was never asked."""
        if self.seen_enabled is None or self.person.sub is None:
            return None
        return Seen(
            sub=str(self.person.sub),
            email=self.person.email,
            name=self.person.name,
            org=self.seen_org,
            role=self.seen_role,
            enabled=self.seen_enabled,
            status=self.seen_status,
        )


class SignIn(models.Model):
    """One signed-in browser's tokens, sealed for this row. Deleted at sign-out, and when it is not used any more."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="sign_ins")
    sealed_tokens = models.BinaryField()
    # The browser's session as Django's table knows it, so that another browser can end it.
    session_hash = models.CharField(max_length=40, blank=True)
    # In plain words, such as "Firefox on Windows"; "" where it did not say.
    browser = models.CharField(max_length=MOST_BROWSER, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    # Exact to the minute.
    used_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [models.Index(fields=["used_at"], name="sign_in_used")]

    def __str__(self) -> str:
        return f"{self.person} since {self.created_at:%Y-%m-%d %H:%M}"


class BreakGlassLink(models.Model):
    """A one-time way into the operators' pages for when Cognito cannot sign anybody in. Its key is not kept."""

    key_hash = models.CharField(max_length=64, unique=True)
    made_by = models.CharField(max_length=120)
    reason = models.CharField(max_length=MOST_REASON)
    made_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"break-glass link of {self.made_by}, {self.made_at:%Y-%m-%d %H:%M}"
