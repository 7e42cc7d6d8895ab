"""The portal's own database: tenants, people and members, the audit trail, and the work that is due.

Records of tenants are not here. They are in DynamoDB, and only a person's own credentials reach them.
"""

from tenants.models.audit import AuditEvent, AuditHead
from tenants.models.joining import Invitation, OwnerRecovery, RecoveryResult, SignUp, SignUpState
from tenants.models.mail import MailOutage, OutgoingMail
from tenants.models.people import (
    MOST_EMAIL,
    BreakGlassLink,
    Member,
    Person,
    Provisioning,
    SignIn,
    signed_in_members,
)
from tenants.models.provisioning import (
    SILENT_AFTER,
    Drift,
    DriftKind,
    Halt,
    Halted,
    Lease,
    ProvisioningHour,
    QuotaSlot,
    Reconciliation,
    Worker,
)
from tenants.models.rates import RateCount
from tenants.models.tenants import MOST_EXTERNAL_ID, MOST_NAME, MOST_REASON, Closing, Suspension, Tenant

__all__ = [
    "MOST_EMAIL",
    "MOST_EXTERNAL_ID",
    "MOST_NAME",
    "MOST_REASON",
    "SILENT_AFTER",
    "AuditEvent",
    "AuditHead",
    "BreakGlassLink",
    "Closing",
    "Drift",
    "DriftKind",
    "Halt",
    "Halted",
    "Invitation",
    "Lease",
    "MailOutage",
    "Member",
    "OutgoingMail",
    "OwnerRecovery",
    "Person",
    "Provisioning",
    "ProvisioningHour",
    "QuotaSlot",
    "RateCount",
    "Reconciliation",
    "RecoveryResult",
    "SignIn",
    "SignUp",
    "SignUpState",
    "Suspension",
    "Tenant",
    "Worker",
    "signed_in_members",
]
