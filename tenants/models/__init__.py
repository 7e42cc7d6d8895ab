"""The portal's own database: tenants, people and members, the audit trail, and the work that is due.

Records of tenants are not here. They are in DynamoDB, where people's own credentials reach them.
"""

from tenants.models.audit import AuditEvent, AuditHead, AuditOrgHead
from tenants.models.forms import MOST_SEALED_ADDRESS, SentForm
from tenants.models.joining import Invitation, OwnerRecovery, RecoveryResult, SignUp, SignUpState
from tenants.models.mail import MailOutage, OutgoingMail
from tenants.models.people import (
    MOST_BROWSER,
    MOST_EMAIL,
    BreakGlassLink,
    Member,
    Person,
    Provisioning,
    SecondFactor,
    SignIn,
    Theme,
    signed_in_members,
    without_access,
    without_user,
)
from tenants.models.provisioning import (
    SILENT_AFTER,
    Drift,
    DriftKind,
    Halt,
    Halted,
    Lease,
    Lockout,
    ProvisioningHour,
    QuotaSlot,
    Reconciliation,
    Worker,
)
from tenants.models.rates import RateCount
from tenants.models.standings import standing_row
from tenants.models.tenants import (
    MOST_EXTERNAL_ID,
    MOST_NAME,
    MOST_NAME_WARNING,
    MOST_REASON,
    MOST_SKELETON,
    Closing,
    ReopenKey,
    Suspension,
    Tenant,
)

__all__ = [
    "MOST_BROWSER",
    "MOST_EMAIL",
    "MOST_EXTERNAL_ID",
    "MOST_NAME",
    "MOST_NAME_WARNING",
    "MOST_REASON",
    "MOST_SEALED_ADDRESS",
    "MOST_SKELETON",
    "SILENT_AFTER",
    "AuditEvent",
    "AuditHead",
    "AuditOrgHead",
    "BreakGlassLink",
    "Closing",
    "Drift",
    "DriftKind",
    "Halt",
    "Halted",
    "Invitation",
    "Lease",
    "Lockout",
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
    "ReopenKey",
    "SecondFactor",
    "SentForm",
    "SignIn",
    "SignUp",
    "SignUpState",
    "Suspension",
    "Tenant",
    "Theme",
    "Worker",
    "signed_in_members",
    "standing_row",
    "without_access",
    "without_user",
]
