"""The actions of the audit trail: the subject, a dot, and what happened to it."""

from __future__ import annotations

from enum import StrEnum


class Action(StrEnum):
    TENANT_CREATED = "tenant.created"
    TENANT_ACTIVATED = "tenant.activated"
    TENANT_RENAMED = "tenant.renamed"
    TENANT_PLAN_CHANGED = "tenant.plan-changed"
    TENANT_METADATA_CHANGED = "tenant.metadata-changed"
    TENANT_CONTACT_CHANGED = "tenant.contact-changed"
    TENANT_DOMAINS_CHANGED = "tenant.invitation-domains-changed"
    TENANT_SUSPENDED = "tenant.suspended"
    TENANT_REACTIVATED = "tenant.reactivated"
    TENANT_CLOSING = "tenant.closing"
    TENANT_REOPENED = "tenant.reopened"
    TENANT_EXPORTED = "tenant.exported"
    TENANT_PURGED = "tenant.purged"
    TENANT_CLOSED = "tenant.closed"
    # Written by an application, and put into the catalogue by an owner. The target is its name.
    COLLECTION_DECLARED = "collection.declared"
    # Rings 2 and 3 of a suspension. Ring 1 is the transition itself.
    TENANT_SIGNED_OUT = "tenant.signed-out"
    TENANT_DENIED = "tenant.denied"
    TENANT_REFUSED = "tenant.refused"

    MEMBER_ADDED = "member.added"
    MEMBER_ROLE_CHANGED = "member.role-changed"
    MEMBER_DISABLED = "member.disabled"
    MEMBER_ENABLED = "member.enabled"
    MEMBER_REMOVED = "member.removed"
    MEMBER_SIGNED_OUT = "member.signed-out"
    MEMBER_MFA_RESET = "member.mfa-reset"
    MEMBER_RETRIED = "member.retried"
    MEMBER_REFUSED = "member.refused"
    MEMBER_INVITED = "member.invited"
    MEMBER_COULD_NOT_JOIN = "member.could-not-join"
    MEMBER_INVITATION_DISMISSED = "member.invitation-dismissed"
    MEMBER_LEFT = "member.left"
    MEMBER_REVOKED = "member.revoked"
    MEMBER_RESENT = "member.resent"
    OWNERSHIP_TRANSFERRED = "member.ownership-transferred"
    # An operator's request to make somebody an owner, and how it ended. Owners and admins can stop it.
    RECOVERY_ASKED = "recovery.asked"
    RECOVERY_DONE = "recovery.done"
    RECOVERY_VETOED = "recovery.stopped"
    RECOVERY_CANCELLED = "recovery.cancelled"
    RECOVERY_ENDED = "recovery.ended"
    RECOVERY_REFUSED = "recovery.refused"
    OWNER_REPLACED = "recovery.replaced"
    # What happened to the member's user in Cognito.
    MEMBER_PROVISIONED = "member.provisioned"
    MEMBER_ADOPTED = "member.adopted"
    MEMBER_DELETED = "member.deleted"
    MEMBER_STUCK = "member.stuck"
    MEMBER_CONFLICT = "member.conflict"
    MEMBER_NOT_REACHED = "member.mail-not-delivered"

    # A sign-up's user in Cognito, before its tenant exists.
    SIGN_UP_MAILED = "sign-up.mailed"
    SIGN_UP_ENDED = "sign-up.ended"

    SIGNED_IN = "person.signed-in"
    SIGN_IN_FAILED = "person.sign-in-failed"
    SIGNED_OUT = "person.signed-out"
    REFUSED = "person.refused"
    # Temporary AWS credentials, shown to the person themselves for a terminal.
    CREDENTIALS_TAKEN = "person.credentials-taken"
    # On the Access page, where people try keys and paths with their own credentials.
    KEY_REFUSED = "person.key-refused"
    PATH_REFUSED = "person.path-refused"
    REFUSED_TOO_OFTEN = "person.refused-too-often"

    # What people write into the records table, by number and collection. Keys and values are never recorded.
    COLLECTION_ADDED = "records.collection-added"
    RECORDS_CHANGED = "records.changed-together"
    RECORDS_DELETED = "records.deleted"
    RECORDS_DELETED_TOGETHER = "records.deleted-together"
    RECORDS_RESTORED = "records.restored"

    PROVISIONING_HALTED = "provisioning.halted"
    INVITATIONS_HALTED = "invitations.halted"
    RECONCILED = "reconciliation.finished"
    RECONCILIATION_STOPPED = "reconciliation.stopped"
    DRIFT_REPAIRED = "drift.repaired"
    # A user of the pool whom the portal did not make.
    USER_UNKNOWN = "user.unknown"
    USER_DISABLE_ASKED = "user.disable-asked"
    USER_DISABLED = "user.disabled"

    AUDIT_EXPORTED = "audit.exported"
    AUDIT_SHORTENED = "audit.shortened"
    BREAK_GLASS_MADE = "break-glass.made"
    BREAK_GLASS_USED = "break-glass.used"
    BREAK_GLASS_REFUSED = "break-glass.refused"
