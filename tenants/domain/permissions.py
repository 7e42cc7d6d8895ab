"""Who may do what to members and invitations. The one table: pages, commands and use cases ask it, and tests read it.

IAM decides what people may do to rows. This decides who may be among the people.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from tenants.domain.actor import Actor, ActorKind
from tenants.domain.errors import NotAllowed
from tenants.domain.roles import IN_AN_ORGANISATION, Role


class MemberAction(StrEnum):
    """`REVOKE` takes back an invitation of somebody who never signed in, `REMOVE` ends a membership."""

    SEE = "see"
    INVITE = "invite"
    RESEND = "resend"
    REVOKE = "revoke"
    SET_ROLE = "set-role"
    DISABLE = "disable"
    ENABLE = "enable"
    REMOVE = "remove"
    LEAVE = "leave"
    TRANSFER = "transfer"
    SIGN_OUT = "sign-out"
    TRY_NOW = "try-now"
    RECOVER_OWNER = "recover-owner"
    VETO_RECOVERY = "veto-recovery"
    RESET_MFA = "reset-mfa"


class Rule(StrEnum):
    """When somebody may. `NOT_OWNERS`: where the member is no owner and becomes none."""

    YES = "yes"
    NO = "no"
    NOT_OWNERS = "not owners"
    ON_ONESELF = "only themselves"
    # Operators, until an owner of the organisation has signed in.
    BEFORE_AN_OWNER = "before an owner has signed in"
    # Operators undo what operators did, and an organisation what its own people did.
    ONLY_OF_OPERATORS = "only whom an operator disabled"
    ONLY_OF_THEIRS = "only whom no operator disabled"
    ONLY_OF_THEIRS_NOT_OWNERS = "only whom no operator disabled, not owners"
    ONLY_OWNERS = "only for owners"


@dataclass(frozen=True, slots=True)
class Question:
    """What a rule looks at. `role` is the member's now, "" for somebody new; `new_role` is what they would get.

    `of_operators`: the member is an operator, or would be one, and in no organisation.
    """

    role: str = ""
    new_role: str = ""
    is_self: bool = False
    of_operators: bool = False
    owner_has_signed_in: bool = False
    is_disabled: bool = False
    disabled_by_operator: bool = False


A, R = MemberAction, Rule
_OWNER = {
    A.SEE: R.YES, A.INVITE: R.YES, A.RESEND: R.YES, A.REVOKE: R.YES, A.SET_ROLE: R.YES, A.DISABLE: R.YES,
    A.ENABLE: R.ONLY_OF_THEIRS, A.REMOVE: R.YES, A.LEAVE: R.YES, A.TRANSFER: R.YES, A.VETO_RECOVERY: R.YES,
    A.SIGN_OUT: R.YES, A.RESET_MFA: R.YES,
}  # fmt: skip
_ADMIN = {
    A.SEE: R.YES, A.INVITE: R.NOT_OWNERS, A.RESEND: R.NOT_OWNERS, A.REVOKE: R.NOT_OWNERS, A.SET_ROLE: R.NOT_OWNERS,
    A.DISABLE: R.NOT_OWNERS, A.ENABLE: R.ONLY_OF_THEIRS_NOT_OWNERS, A.REMOVE: R.NOT_OWNERS, A.LEAVE: R.YES,
    A.VETO_RECOVERY: R.YES, A.SIGN_OUT: R.NOT_OWNERS, A.RESET_MFA: R.NOT_OWNERS,
}  # fmt: skip
_OTHERS = {A.LEAVE: R.YES, A.SIGN_OUT: R.ON_ONESELF}
_OPERATOR = {
    A.SEE: R.YES, A.INVITE: R.BEFORE_AN_OWNER, A.RESEND: R.BEFORE_AN_OWNER, A.REVOKE: R.YES,
    A.SET_ROLE: R.BEFORE_AN_OWNER, A.DISABLE: R.YES, A.ENABLE: R.ONLY_OF_OPERATORS, A.REMOVE: R.YES, A.TRY_NOW: R.YES,
    A.RECOVER_OWNER: R.YES, A.SIGN_OUT: R.YES, A.LEAVE: R.ON_ONESELF,
    A.RESET_MFA: R.ONLY_OWNERS,
}  # fmt: skip
_BREAK_GLASS = {
    A.SEE: R.YES, A.REVOKE: R.YES, A.DISABLE: R.YES, A.REMOVE: R.YES, A.TRY_NOW: R.YES, A.SIGN_OUT: R.YES,
}  # fmt: skip
_EVERYTHING = dict.fromkeys(A, R.YES)

# By the role of a member of the organisation, or by the kind of any other actor. What is missing is a no.
MAY: Mapping[str, Mapping[MemberAction, Rule]] = {
    Role.OWNER: _OWNER,
    Role.ADMIN: _ADMIN,
    Role.EDITOR: _OTHERS,
    Role.VIEWER: _OTHERS,
    ActorKind.OPERATOR: _OPERATOR,
    ActorKind.BREAK_GLASS: _BREAK_GLASS,
    ActorKind.TERMINAL: _EVERYTHING,
    ActorKind.WORKER: _EVERYTHING,
    ActorKind.VISITOR: {},
}
# The roles of an organisation that see who is in it.
MANAGERS = tuple(role for role in IN_AN_ORGANISATION if MAY[role].get(A.SEE, R.NO) != R.NO)
_ON_ONESELF = "You cannot do this to yourself. To go, leave the organisation."
_NOT_ONES_OWN_FACTOR = "You cannot reset your own second factor. An owner can, and for an owner an operator too."
_ONLY_ONESELF = "Only they themselves can do this."
MAKES_NOBODY = "Break-glass access makes, raises and enables nobody. Somebody who is signed in has to do it."


_WHO_HELPS = {Role.OWNER: "another owner or an operator", Role.OPERATOR: "another operator"}


def who_helps(role: str) -> str:
    """Whom somebody asks, by their own role, for what nobody does to themselves: being disabled, a lost phone."""
    return _WHO_HELPS.get(Role(role), "an owner or an admin")


def rule_for(by: Actor, action: MemberAction) -> Rule:
    return MAY.get(by.role if by.kind == ActorKind.MEMBER else by.kind, {}).get(action, Rule.NO)


def why_not(by: Actor, action: MemberAction, about: Question) -> str:
    """Why `by` may not do it, "" where they may. Not checked: that both are in the same organisation."""
    rule = rule_for(by, action)
    if rule == Rule.NO:
        return _no(by, action)
    if by.kind in (ActorKind.TERMINAL, ActorKind.WORKER):
        return ""
    if action == A.RESET_MFA and about.is_self:
        return _NOT_ONES_OWN_FACTOR
    if about.of_operators:
        return "" if about.is_self else _on_others(action)
    return (_on_oneself(action, about) if about.is_self else _on_others(action)) or _BY_RULE[rule](about)


def check_makes_people(by: Actor) -> None:
    """For what lets people in who never were: creating and activating a tenant. Raises NotAllowed."""
    if by.kind == ActorKind.BREAK_GLASS:
        raise NotAllowed(MAKES_NOBODY)


def _on_others(action: MemberAction) -> str:
    return _ONLY_ONESELF if action in (A.LEAVE, A.TRANSFER) else ""


def _on_oneself(action: MemberAction, about: Question) -> str:
    if action == A.SET_ROLE:
        return "" if _is_lower(about.new_role, than=about.role) else "Nobody can raise their own role."
    return _ON_ONESELF if action in (A.REVOKE, A.DISABLE, A.ENABLE, A.REMOVE, A.RESEND) else ""


def _is_lower(role: str, *, than: str) -> bool:
    """Also where the new role is not chosen yet: some lower one may be."""
    ranks = [Role.OWNER, Role.ADMIN, Role.EDITOR, Role.VIEWER]
    if not role:
        return than != Role.VIEWER
    return role in ranks and than in ranks and ranks.index(Role(role)) > ranks.index(Role(than))


def _no(by: Actor, action: MemberAction) -> str:
    if by.kind == ActorKind.BREAK_GLASS:
        return MAKES_NOBODY
    if by.kind == ActorKind.OPERATOR:
        return "Only the organisation’s own people can do this."
    if action in (A.TRY_NOW, A.RECOVER_OWNER):
        return "Only operators can do this."
    if action == A.TRANSFER:
        return "Only owners can do this."
    return "Only owners can do this." if by.role == Role.ADMIN else "Only owners and admins can do this."


def _not_owners(about: Question) -> str:
    return "Only owners can do this to owners, and make owners." if Role.OWNER in (about.role, about.new_role) else ""


def _on_nobody_else(about: Question) -> str:
    return "" if about.is_self else "Only owners and admins can do this."


def _before_an_owner(about: Question) -> str:
    if not about.owner_has_signed_in:
        return ""
    return (
        "An owner of this organisation has signed in, so its own people decide who is a member, and as what. "
        "If nobody of them can, ask for an owner recovery."
    )


def _only_of_operators(about: Question) -> str:
    if about.disabled_by_operator or not about.is_disabled:
        return ""
    return "The organisation itself disabled them, so only it can enable them."


def _only_of_theirs(about: Question) -> str:
    return "An operator disabled them, so only an operator can enable them." if about.disabled_by_operator else ""


def _only_owners(about: Question) -> str:
    if about.role == Role.OWNER:
        return ""
    return "Operators do this only for owners. For other members, an owner or an admin of the organisation does it."


_BY_RULE: Mapping[Rule, Callable[[Question], str]] = {
    R.YES: lambda _: "",
    R.NOT_OWNERS: _not_owners,
    R.ON_ONESELF: _on_nobody_else,
    R.BEFORE_AN_OWNER: _before_an_owner,
    R.ONLY_OF_OPERATORS: _only_of_operators,
    R.ONLY_OF_THEIRS: _only_of_theirs,
    R.ONLY_OWNERS: _only_owners,
    R.ONLY_OF_THEIRS_NOT_OWNERS: lambda about: _not_owners(about) or _only_of_theirs(about),
}
