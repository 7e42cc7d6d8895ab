"""The steps of a member's life, each with what it says and the use case of `roster` that does it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from django.conf import settings

from tenants.domain.actor import Actor
from tenants.domain.errors import InvalidInput
from tenants.domain.permissions import MemberAction
from tenants.domain.roles import Role
from tenants.domain.steps import WHY_OPTIONAL, Field, Step, Typed, refusal_of, with_reason
from tenants.members import checks, roster
from tenants.members.adding_step import ADD, PERSON_FIELD, ROLE_FIELD
from tenants.members.addresses import address
from tenants.members.in_cognito import has_drifted, in_cognito, is_locked, with_worker
from tenants.members.recovery_steps import CANCEL_RECOVERY, RECOVER_OWNER
from tenants.members.rights import may
from tenants.members.second_factor import check_may_reset
from tenants.models import Member, Provisioning

__all__ = ["ADD", "CANCEL_RECOVERY", "DISABLE", "ENABLE", "LEAVE", "MEMBER_STEPS", "OWN_MEMBER_STEPS", "PERSON_FIELD",
           "RECOVER_OWNER", "REMOVE", "RESEND", "RESET_MFA", "REVOKE", "ROLE", "SIGN_OUT", "TRANSFER",
           "TRY_NOW"]  # fmt: skip
_DOOR = "From their next request on, the portal does not let them in."
_CREDENTIALS = "AWS credentials already issued to them work until they expire, for up to an hour."


def _prevented(member: Member) -> str:
    if member.removed:
        return f"{member.person} has been removed already."
    tenant = member.tenant
    return "" if tenant is None else refusal_of(lambda: checks.check_may_change(tenant))


def _only_owner(member: Member, **should_be: bool | str) -> str:
    return refusal_of(lambda: checks.check_owner_remains(member, should_be))


def _says(sentence: str, not_yet: str) -> Callable[[Member], str]:
    """`not_yet` is what the worker does next, left out where it has nothing to do."""

    def done(member: Member) -> str:
        follows = "" if member.provisioning == Provisioning.SETTLED else f" {not_yet}"
        return f"{member.person} {sentence}{follows}"

    return done


def _role_prevented(member: Member) -> str:
    if member.tenant_id is None:
        return "Operators have no role in an organisation."
    return _prevented(member) or _only_owner(member, role="another")


ROLE = Step(
    name="role",
    verb="Change role",
    help="another role in the same tenant",
    heading=lambda member: f"Change the role of {member.person}",
    fields=(ROLE_FIELD, WHY_OPTIONAL),
    values=lambda member: {"role": member.role},
    expects=lambda _member, _typed: with_worker(
        "From their next request on, the portal asks them to sign in again, in every browser.",
        "Until Cognito has the new role too, the portal does not let them in. The worker usually sets it within "
        "seconds, and signs them out there.",
        "From then on the portal calls AWS for them with the new role only, and never with the old one.",
        "AWS credentials already issued to them carry the old role until they expire, for up to an hour.",
    ),
    then=lambda member: (in_cognito(member),),
    prevented=_role_prevented,
    does=lambda member, typed, by: roster.set_role(member, typed["role"], why=typed["reason"], by=by),
    done=lambda member: _says(
        f"is {member.role} now.", "Not done yet: the new role in Cognito. The worker sets it next."
    )(member),
    allowed=may(MemberAction.SET_ROLE),
)


def _disabling_prevented(member: Member) -> str:
    already = "" if member.enabled else f"{member.person} is disabled already."
    return _prevented(member) or already or _only_owner(member, enabled=False)


DISABLE = Step(
    name="disable",
    verb="Disable",
    help="lock them out, and keep them in the tenant",
    heading=lambda member: f"Disable {member.person}",
    expects=lambda member, _: with_worker(
        _DOOR,
        in_cognito(member, enabled=False, sign_out=True),
        _CREDENTIALS,
        "They stay a member, and can be enabled again.",
    ),
    prevented=_disabling_prevented,
    does=with_reason(roster.disable),
    done=_says("is locked out of the portal.", "Not done yet: disabling them in Cognito. The worker does it next."),
    allowed=may(MemberAction.DISABLE),
    grave=True,
)


def _enabling_prevented(member: Member) -> str:
    return _prevented(member) or (f"{member.person} is enabled already." if member.enabled else "")


def _enabling_expects(member: Member, _: Typed) -> Sequence[str]:
    if is_locked(member.tenant):
        return (_can_sign_in_once(member),)
    return with_worker(in_cognito(member, enabled=True), _can_sign_in_once(member))


def _can_sign_in_once(member: Member) -> str:
    if is_locked(member.tenant):
        return f"They can sign in once members of {member.tenant} may."
    return "They can sign in again once the worker has enabled them in Cognito."


ENABLE = Step(
    name="enable",
    verb="Enable",
    help="let them in again",
    heading=lambda member: f"Enable {member.person}",
    expects=_enabling_expects,
    prevented=_enabling_prevented,
    does=with_reason(roster.enable),
    done=lambda member: f"{member.person} is enabled. {_can_sign_in_once(member)}",
    allowed=may(MemberAction.ENABLE),
)


def _removing_prevented(member: Member) -> str:
    return _prevented(member) or _only_owner(member, removed=True)


REMOVE = Step(
    name="remove",
    verb="Remove",
    help="out of the tenant; their user in Cognito is deleted",
    heading=lambda member: f"Remove {member.person}",
    expects=lambda member, _: with_worker(
        _DOOR,
        in_cognito(member, removed=True, sign_out=True),
        _CREDENTIALS,
        "To come back they need a new invitation.",
        "Records they wrote stay with the tenant.",
    ),
    prevented=_removing_prevented,
    does=with_reason(roster.remove),
    done=_says("was removed.", "Not done yet: deleting their user in Cognito. The worker does it next."),
    allowed=may(MemberAction.REMOVE),
    grave=True,
)


def _revoking_prevented(member: Member) -> str:
    signed_in = refusal_of(lambda: checks.check_never_signed_in(member))
    return _prevented(member) or signed_in or _only_owner(member, removed=True)


REVOKE = Step(
    name="revoke",
    verb="Revoke invitation",
    help="take back the invitation of somebody who never signed in",
    heading=lambda member: f"Revoke the invitation of {member.person}",
    expects=lambda member, _: with_worker(
        "The temporary password in the invitation stops working once their user is deleted.",
        in_cognito(member, removed=True, sign_out=True),
        "Nobody is mailed. They can be invited again.",
    ),
    prevented=_revoking_prevented,
    does=with_reason(roster.revoke),
    done=_says("is not invited any more.", "Not done yet: deleting their user in Cognito. The worker does it next."),
    allowed=may(MemberAction.REVOKE),
    grave=True,
)


SIGN_OUT = Step(
    name="sign-out",
    verb="Sign out everywhere",
    help="end all their sessions; they may sign in again",
    heading=lambda member: f"Sign {member.person} out everywhere",
    expects=lambda member, _: with_worker(
        "From their next request on, the portal asks them to sign in again, in every browser.",
        in_cognito(member, sign_out=True),
        _CREDENTIALS,
        "They may sign in again at once. A browser in which they signed in less than an hour ago may not ask for the "
        "password then, because Cognito’s own page remembers it. To keep somebody out, disable them.",
    ),
    prevented=_prevented,
    does=with_reason(roster.sign_out),
    done=_says("is signed out of the portal.", "Not done yet: signing them out in Cognito. The worker does it next."),
    allowed=may(MemberAction.SIGN_OUT),
)


def _resending_prevented(member: Member) -> str:
    return _prevented(member) or refusal_of(lambda: checks.check_may_resend(member))


def _resetting_prevented(member: Member) -> str:
    return _prevented(member) or refusal_of(lambda: check_may_reset(member))


def _resetting_expects(member: Member, _: Typed) -> Sequence[str]:
    needs = "set up a new authenticator app" if settings.REQUIRE_MFA else "sign in with their password alone"
    return with_worker(
        "From their next request on, the portal asks them to sign in again, in every browser.",
        in_cognito(member, reset_mfa=True, sign_out=True),
        f"At their next sign-in they {needs}. Anybody who knows their password can do that, so first make sure that it "
        "is they who ask, for example by a call.",
        _CREDENTIALS,
        "They and the owners are told by mail. The old authenticator cannot be brought back.",
    )


RESET_MFA = Step(
    name="reset-mfa",
    verb="Reset second factor",
    help="delete the authenticator of somebody who lost their phone, and sign them out everywhere",
    heading=lambda member: f"Reset the second factor of {member.person}",
    expects=_resetting_expects,
    prevented=_resetting_prevented,
    does=with_reason(roster.reset_mfa),
    done=_says(
        "is signed out of the portal.",
        "Not done yet: deleting their authenticator. The worker does it next.",
    ),
    allowed=may(MemberAction.RESET_MFA),
    grave=True,
)


RESEND = Step(
    name="resend",
    verb="Send invitation again",
    help="mail the invitation again to somebody who never signed in",
    heading=lambda member: f"Send {member.person} the invitation again",
    expects=lambda member, _: with_worker(
        f"The worker has Cognito mail {member.person} a new temporary password, usually within seconds.",
        "A temporary password that they have from before stops working.",
    ),
    prevented=_resending_prevented,
    does=with_reason(roster.resend),
    done=_says("is to get the invitation again.", "It is not mailed yet. The worker has Cognito mail it next."),
    allowed=may(MemberAction.RESEND),
)


def _leaving_prevented(member: Member) -> str:
    return _prevented(member) or _only_owner(member, removed=True)


LEAVE = Step(
    name="leave",
    verb="Leave",
    help="end one’s own membership",
    heading=lambda member: f"Leave {member.tenant}",
    fields=(),
    expects=lambda member, _: with_worker(
        "From your next request on, the portal does not let you in.",
        "Your user in Cognito is deleted, so you cannot sign in any more.",
        "AWS credentials already issued to you work until they expire, for up to an hour.",
        f"To come back, somebody at {member.tenant} has to invite you again.",
        "Records that you wrote stay with the organisation.",
    ),
    prevented=_leaving_prevented,
    does=lambda member, typed, by: roster.leave(member, why=typed.get("reason", ""), by=by),
    done=lambda member: f"You have left {member.tenant}.",
    allowed=may(MemberAction.LEAVE),
    grave=True,
)


def _transfer(member: Member, typed: Typed, by: Actor) -> Member:
    email = address(typed["to"])
    members = Member.objects.select_related("person", "tenant").filter(tenant=member.tenant, removed=False)
    to = members.filter(person__email=email).first()
    if to is None:
        raise InvalidInput(f"{email} is not a member of {member.tenant}.", field="to")
    return roster.transfer(member, to=to, why=typed["reason"], by=by)


def _transferring_prevented(member: Member) -> str:
    return _prevented(member) or ("" if member.role == Role.OWNER else f"{member.person} is not an owner.")


TRANSFER = Step(
    name="transfer",
    verb="Transfer ownership",
    help="make another member owner in one’s own place, and become an admin",
    heading=lambda member: f"Transfer {member.person}’s ownership of {member.tenant}",
    fields=(
        Field(
            "to", "E-mail address of the new owner", "A member who has signed in before.", widget="email", check=address
        ),
        WHY_OPTIONAL,
    ),
    expects=lambda member, _: with_worker(
        f"The other member becomes an owner, and {member.person} an admin. Both are changed at once, or neither.",
        "Both have to sign in again, in every browser. Until Cognito has the new roles too, the portal lets neither of "
        "them in. That usually takes seconds.",
        "Only an owner can undo this.",
    ),
    prevented=_transferring_prevented,
    does=_transfer,
    done=_says(
        "is an admin now, and no longer an owner.",
        "Not done yet: both new roles in Cognito. The worker sets them next.",
    ),
    allowed=may(MemberAction.TRANSFER),
    grave=True,
)


def _try_now(member: Member, typed: Typed, by: Actor) -> Member:
    roster.try_now(member, why=typed.get("reason", ""), by=by)
    return member


def _trying_prevented(member: Member) -> str:
    if member.provisioning != Provisioning.SETTLED or has_drifted(member):
        return ""
    return f"{member.person} is settled: Cognito already matches."


TRY_NOW = Step(
    name="try-now",
    verb="Try now",
    help="have the worker try again now, however often it failed",
    heading=lambda member: f"Try {member.person} again now",
    fields=(),
    allowed=may(MemberAction.TRY_NOW),
    expects=lambda _member, _typed: with_worker(
        "The worker compares them with Cognito again in its next round, however often that failed before.",
        "If the problem is still there, the worker reports it again.",
    ),
    prevented=_trying_prevented,
    does=_try_now,
    done=_says("is next in line.", "Nothing was tried yet. Look again in a few seconds."),
)
# What operators do with a member, and what an organisation's own people do.
MEMBER_STEPS = (TRY_NOW, ROLE, ENABLE, RESEND, SIGN_OUT, DISABLE, REVOKE, REMOVE, RESET_MFA)
OWN_MEMBER_STEPS = (ROLE, ENABLE, RESEND, TRANSFER, SIGN_OUT, DISABLE, REVOKE, REMOVE, RESET_MFA)
