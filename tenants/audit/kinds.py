"""The kinds of entries in words, in groups: what people choose from above a list of the trail."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tenants.audit.actions import Action

A = Action


@dataclass(frozen=True, slots=True)
class KindGroup:
    """`name` is the group's value in an address; `kinds` are its actions in words."""

    name: str
    label: str
    kinds: tuple[tuple[Action, str], ...]


_ORGANISATION = KindGroup(
    "organisation",
    "Organisation",
    (
        (A.TENANT_CREATED, "Created"),
        (A.TENANT_ACTIVATED, "Became active"),
        (A.SIGN_UP_MAILED, "Sign-up: owner invited"),
        (A.SIGN_UP_ENDED, "Sign-up: user deleted"),
        (A.TENANT_RENAMED, "Renamed"),
        (A.TENANT_PLAN_CHANGED, "Plan changed"),
        (A.TENANT_METADATA_CHANGED, "Metadata changed"),
        (A.TENANT_CONTACT_CHANGED, "Contact changed"),
        (A.TENANT_DOMAINS_CHANGED, "Allowed e-mail domains changed"),
        (A.TENANT_SUSPENDED, "Suspended"),
        (A.TENANT_SIGNED_OUT, "Suspended: signed out in Cognito"),
        (A.TENANT_DENIED, "Suspended: refused by AWS"),
        (A.TENANT_REACTIVATED, "Reactivated"),
        (A.TENANT_CLOSING, "Closing began"),
        (A.TENANT_REOPENED, "Reopened"),
        (A.COLLECTION_DECLARED, "Collection declared"),
        (A.TENANT_EXPORTED, "Records exported"),
        (A.TENANT_PURGED, "Records deleted"),
        (A.TENANT_CLOSED, "Closed for good"),
        (A.TENANT_REFUSED, "Change refused"),
    ),
)
_MEMBERS = KindGroup(
    "members",
    "Members",
    (
        (A.MEMBER_INVITED, "Invited"),
        (A.MEMBER_RESENT, "Invitation sent again"),
        (A.MEMBER_REVOKED, "Invitation taken back"),
        (A.MEMBER_NOT_REACHED, "Invitation not delivered"),
        (A.MEMBER_COULD_NOT_JOIN, "Could not join"),
        (A.MEMBER_INVITATION_DISMISSED, "Invitation dismissed"),
        (A.MEMBER_ADDED, "Added"),
        (A.MEMBER_ROLE_CHANGED, "Role changed"),
        (A.OWNERSHIP_TRANSFERRED, "Ownership transferred"),
        (A.MEMBER_DISABLED, "Disabled"),
        (A.MEMBER_ENABLED, "Enabled"),
        (A.MEMBER_SIGNED_OUT, "Signed out everywhere"),
        (A.MEMBER_MFA_RESET, "Second factor reset"),
        (A.MEMBER_REMOVED, "Removed"),
        (A.MEMBER_LEFT, "Left"),
        (A.MEMBER_REFUSED, "Change of a member refused"),
    ),
)
_SIGN_IN = KindGroup(
    "sign-in",
    "Sign-in",
    (
        (A.SIGNED_IN, "Signed in"),
        (A.SIGNED_OUT, "Signed out"),
        (A.SIGN_IN_FAILED, "Sign-in failed"),
        (A.CREDENTIALS_TAKEN, "Credentials taken for a command line"),
    ),
)
_ACCESS = KindGroup(
    "access",
    "Refused access",
    (
        (A.KEY_REFUSED, "Key of a record refused by AWS"),
        (A.PATH_REFUSED, "API path refused by AWS"),
        (A.REFUSED, "Page refused"),
        (A.REFUSED_TOO_OFTEN, "Refused too often"),
    ),
)
_RECORDS = KindGroup(
    "records",
    "Records",
    (
        (A.COLLECTION_ADDED, "Collection added"),
        (A.RECORDS_CHANGED, "Several changed together"),
        (A.RECORDS_DELETED, "Deleted"),
        (A.RECORDS_DELETED_TOGETHER, "Several deleted together"),
        (A.RECORDS_RESTORED, "Deletion undone"),
    ),
)
_RECOVERY = KindGroup(
    "recovery",
    "Owner recovery",
    (
        (A.RECOVERY_ASKED, "Asked for"),
        (A.RECOVERY_VETOED, "Stopped"),
        (A.RECOVERY_CANCELLED, "Cancelled"),
        (A.RECOVERY_DONE, "Done"),
        (A.RECOVERY_ENDED, "Ended"),
        (A.OWNER_REPLACED, "Owner replaced"),
        (A.RECOVERY_REFUSED, "Recovery refused"),
    ),
)
_USERS = KindGroup(
    "users",
    "Users in Cognito",
    (
        (A.MEMBER_PROVISIONED, "User made to match"),
        (A.MEMBER_ADOPTED, "User linked"),
        (A.MEMBER_DELETED, "User deleted"),
        (A.MEMBER_STUCK, "User stuck"),
        (A.MEMBER_CONFLICT, "User in conflict"),
        (A.MEMBER_RETRIED, "User retried"),
        (A.RECONCILED, "Compared with Cognito"),
        (A.RECONCILIATION_STOPPED, "Comparison interrupted"),
        (A.DRIFT_REPAIRED, "Difference repaired"),
        (A.USER_UNKNOWN, "Unknown user found"),
        (A.USER_DISABLE_ASKED, "Disabling of an unknown user asked for"),
        (A.USER_DISABLED, "Unknown user disabled"),
    ),
)
_TRAIL = KindGroup(
    "trail", "Audit trail", ((A.AUDIT_EXPORTED, "Entries exported"), (A.AUDIT_SHORTENED, "Oldest entries moved"))
)
_PLATFORM = KindGroup(
    "platform",
    "Platform",
    (
        (A.PROVISIONING_HALTED, "Provisioning halted"),
        (A.INVITATIONS_HALTED, "Invitations halted"),
        (A.BREAK_GLASS_MADE, "Emergency link made"),
        (A.BREAK_GLASS_USED, "Emergency link used"),
        (A.BREAK_GLASS_REFUSED, "Emergency link refused"),
    ),
)
_IN_GROUPS = (_MEMBERS, _SIGN_IN, _ORGANISATION, _RECORDS, _ACCESS, _RECOVERY, _USERS, _TRAIL, _PLATFORM)
_LISTED = {action for group in _IN_GROUPS for action, _ in group.kinds}
_OTHERS = KindGroup(
    "other",
    "Other",
    tuple(
        (action, action.replace(".", ": ").replace("-", " ").capitalize()) for action in Action if action not in _LISTED
    ),
)

# All kinds, for operators.
GROUPS = (*_IN_GROUPS, _OTHERS) if _OTHERS.kinds else _IN_GROUPS
# Those that can stand in the trail of an organisation.
_NEVER_OF_AN_ORGANISATION = {A.AUDIT_SHORTENED, *(action for action, _ in _PLATFORM.kinds)}
OWN_GROUPS = tuple(
    KindGroup(group.name, group.label, tuple(kind for kind in group.kinds if kind[0] not in _NEVER_OF_AN_ORGANISATION))
    for group in GROUPS
    if group is not _PLATFORM
)


def actions_of(kind: str, groups: Sequence[KindGroup] = GROUPS) -> tuple[Action, ...]:
    """Of a group's name, or of one action. Empty for what is neither."""
    for group in groups:
        actions = tuple(action for action, _ in group.kinds)
        if kind == group.name:
            return actions
        if kind in actions:
            return (Action(kind),)
    return ()


def kind_in_words(kind: str, groups: Sequence[KindGroup] = GROUPS) -> str:
    """ "Members" for a group, "Members: Removed" for an action, the kind itself where it is neither."""
    for group in groups:
        if kind == group.name:
            return group.label
        for action, label in group.kinds:
            if kind == action:
                return f"{group.label}: {label}"
    return kind
