"""The steps that people take with their own account, operators too: what they say is said to the person themselves."""

from __future__ import annotations

from collections.abc import Sequence

from django.urls import reverse

from tenants.domain.actor import Actor
from tenants.domain.errors import InvalidInput
from tenants.domain.permissions import MemberAction, who_helps
from tenants.domain.roles import Role
from tenants.domain.steps import Field, Step, Typed, refusal_of
from tenants.members import roster
from tenants.members.in_cognito import no_worker
from tenants.members.rights import may
from tenants.models import Member
from tenants.sign_in.sessions import SignedIn

SIGNED_OUT_EVERYWHERE = "You are signed out everywhere."
ACCOUNT_DELETED = "Your account is deleted."
MAY_COME_BACK = "For up to an hour after its last sign-in, it may come back without a password"
_CREDENTIALS = "AWS credentials already issued to you work until they expire, for up to an hour."


def _with_worker(*sentences: str) -> tuple[str, ...]:
    return (*sentences, *filter(None, [no_worker()]))


def _prevented(member: Member) -> str:
    tenant = member.tenant
    return "" if tenant is None else refusal_of(lambda: roster.check_may_change(tenant))


SIGN_OUT_MYSELF = Step(
    name="sign-out",
    verb="Sign out everywhere",
    help="end all one’s own sessions",
    heading=lambda _: "Sign out everywhere",
    fields=(),
    expects=lambda _member, _typed: _with_worker(
        "All your sessions end at once, in every browser, and in this one too.",
        "The worker also signs you out in Cognito, usually within seconds.",
        _CREDENTIALS,
        "You may sign in again at once. A browser in which you signed in less than an hour ago may not ask for the "
        "password then, because Cognito’s own page remembers it.",
    ),
    prevented=_prevented,
    does=lambda member, _typed, by: roster.sign_out(member, by=by),
    done=lambda _: SIGNED_OUT_EVERYWHERE,
    allowed=may(MemberAction.SIGN_OUT),
)


_THE_ONLY_ONE = {
    Role.OWNER: " Nobody can do that while you are the only owner: make somebody else an owner first.",
    Role.OPERATOR: " Nobody can do that while you are the only operator: add another one first.",
}


def if_device_is_lost(role: Role) -> str:
    """What somebody with this role does. Neither a sign-out nor a new password ends what Cognito's page remembers."""
    return (
        f"Sign out everywhere, change your password on the sign-in page, and ask {who_helps(role)} to disable you for "
        f"an hour. Only disabling keeps that browser out in this hour.{_THE_ONLY_ONE.get(role, '')}"
    )


def _delete(member: Member, typed: Typed, by: Actor) -> Member:
    if typed["email"].casefold() not in {member.person.email, str(member.person).casefold()} - {""}:
        raise InvalidInput(f"Type {member.person} to delete this account.", field="email")
    return roster.delete_account(member, by=by)


def deleting_prevented(member: Member) -> str:
    """Why somebody cannot delete their account now, and what they can do instead; "" where they can."""
    only = refusal_of(lambda: roster.check_owner_remains(member, {"removed": True}))
    only = only.replace(f"{member.person} is ", "You are ", 1)
    if only and member.role == Role.OWNER:
        only = f"{only} You can transfer your ownership to another member, or close the organisation in its settings."
    return _prevented(member) or only


def _deleting_expects(member: Member, _: Typed) -> Sequence[str]:
    wrote = f"Records that you wrote stay with {member.tenant}. " if member.tenant else ""
    return _with_worker(
        "At once: all your sessions end, in every browser, and the portal does not let you in any more.",
        "Usually within seconds: the worker deletes your user in Cognito with its password, and then your membership, "
        "name, e-mail address and settings in the portal.",
        _CREDENTIALS,
        f"{wrote}The audit trail keeps its entries about you, with your name and address.",
        "You get a mail that confirms it. The portal deletes its copy of that mail after a week.",
        "This cannot be undone. To come back, you need a new invitation.",
    )


DELETE_ACCOUNT = Step(
    name="delete",
    verb="Delete my account",
    help="end one’s own membership, and be forgotten",
    heading=lambda member: f"Delete the account {member.person}",
    fields=(Field("email", "Your e-mail address", "Type it to confirm.", widget="email"),),
    expects=_deleting_expects,
    prevented=deleting_prevented,
    does=_delete,
    done=lambda _: ACCOUNT_DELETED,
    allowed=may(MemberAction.LEAVE),
    grave=True,
)


def page_for_oneself(step: Step, member: Member, who: SignedIn) -> str:
    """Where somebody signs themselves out everywhere: that page speaks to them, and says so afterwards."""
    is_own = step.name == SIGN_OUT_MYSELF.name and member.person_id == who.standing.person_id
    return reverse("account_sign_out") if is_own else ""
