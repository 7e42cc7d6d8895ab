"""The audit trail: written once, in order. Each entry carries the hash of the one before, in the whole trail and in its
organisation's own part.

Only `tenants.audit` writes here. Triggers refuse to change an entry, and to delete one that retention has not passed.
"""

from __future__ import annotations

from typing import Any, NoReturn

from django.db import models


class AppendOnly(Exception):
    """Code tried to change or delete an entry of the audit trail."""

    def __init__(self) -> None:
        super().__init__("The audit trail is append-only: nothing in it is changed or deleted.")


class _Entries(models.QuerySet["AuditEvent"]):
    def update(self, **_: Any) -> NoReturn:
        raise AppendOnly

    def delete(self) -> NoReturn:
        raise AppendOnly

    def bulk_update(self, *_: Any, **__: Any) -> NoReturn:
        raise AppendOnly


class AuditEvent(models.Model):
    """Who did what to what, from what to what, and why.

    `org` is the org id of the tenant that it concerns, None for the platform's own. `actor` is a sub or the name of a
    program, `actor_name` what people called it at the time. It holds no secret and no record of a tenant.
    """

    seq = models.PositiveBigIntegerField(primary_key=True)
    at = models.DateTimeField()
    actor = models.CharField(max_length=120)
    actor_name = models.CharField(max_length=254)
    action = models.CharField(max_length=60)
    org = models.UUIDField(null=True)
    target = models.CharField(max_length=254, blank=True)
    before = models.JSONField(default=dict)
    after = models.JSONField(default=dict)
    why = models.CharField(max_length=500, blank=True)
    request_id = models.CharField(max_length=64, blank=True)
    address = models.CharField(max_length=64, blank=True)
    previous_hash = models.CharField(max_length=64)
    hash = models.CharField(max_length=64)
    # Its place among the entries of its organisation; None and "" for the platform's own.
    org_seq = models.PositiveBigIntegerField(null=True)
    org_previous_hash = models.CharField(max_length=64, blank=True)
    org_hash = models.CharField(max_length=64, blank=True)

    objects = _Entries.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["org", "-seq"], name="audit_of_org"),
            models.Index(fields=["org", "-org_seq"], name="audit_of_org_chain"),
            models.Index(fields=["action", "-seq"], name="audit_of_action"),
            models.Index(fields=["actor", "-seq"], name="audit_of_actor"),
            models.Index(fields=["actor_name", "-seq"], name="audit_of_actor_name"),
            models.Index(fields=["at"], name="audit_at"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(org=None, org_seq=None) | models.Q(org__isnull=False, org_seq__isnull=False),
                name="audit_of_an_org_has_its_place",
            )
        ]

    def __str__(self) -> str:
        return f"{self.seq}: {self.action} by {self.actor_name}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise AppendOnly
        super().save(*args, **{**kwargs, "force_insert": True})

    def delete(self, *_: Any, **__: Any) -> NoReturn:
        raise AppendOnly

    def content(self) -> dict[str, object]:
        """What the entry's hash covers, with the hash of the entry before."""
        return {
            "seq": self.seq,
            "at": self.at,
            "actor": self.actor,
            "actor_name": self.actor_name,
            "action": self.action,
            "org": str(self.org) if self.org else None,
            "target": self.target,
            "before": self.before,
            "after": self.after,
            "why": self.why,
            "request_id": self.request_id,
            "address": self.address,
        }


class ChainHead(models.Model):
    """A chain's last entry, and the last one that retention has passed."""

    seq = models.PositiveBigIntegerField(default=0)
    hash = models.CharField(max_length=64)
    kept_after = models.PositiveBigIntegerField(default=0)
    kept_after_hash = models.CharField(max_length=64)

    class Meta:
        abstract = True


class AuditHead(ChainHead):
    """One row, of the whole trail. Locked while an entry is added."""

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(pk=1), name="one_audit_head")]

    def __str__(self) -> str:
        return f"{self.seq} {self.hash}"


class AuditOrgHead(ChainHead):
    """The same for the entries of one organisation. Its numbers are those of `org_seq`.

    Only the holder of the lock on AuditHead writes it, so it needs no lock of its own.
    """

    org = models.UUIDField(primary_key=True)

    def __str__(self) -> str:
        return f"{self.org}: {self.seq} {self.hash}"
