"""What has to be so before a member is changed. A tenant keeps an owner, and the platform an operator."""

from __future__ import annotations

from collections.abc import Mapping

from django.db.models import QuerySet

from tenants.domain.errors import InvalidInput, NotNow
from tenants.domain.roles import Role
from tenants.domain.tenant_state import MAY_SIGN_IN, TenantState, in_words
from tenants.models import Member, Tenant, signed_in_members, without_user

NOT_IN_HERE = "Choose another member of this organisation."


def owners(tenant: Tenant) -> QuerySet[Member]:
    """The owners who can act: disabled and removed ones do not count."""
    return Member.objects.filter(tenant=tenant, role=Role.OWNER, enabled=True, removed=False)


def operators() -> QuerySet[Member]:
    return Member.objects.filter(tenant=None, enabled=True, removed=False)


def check_may_change(tenant: Tenant) -> None:
    """Raises NotNow for a tenant that is being closed or is closed."""
    if not TenantState(tenant.state).may_be_changed:
        raise NotNow(f"{tenant} {in_words(tenant.state)}, so its members stay as they are.")


def check_never_signed_in(member: Member) -> None:
    """Raises NotNow."""
    if member.has_signed_in:
        raise NotNow(f"{member.person} has signed in already, so there is no invitation any more.")


def check_may_resend(member: Member) -> None:
    """Raises NotNow for somebody who has signed in, or may not."""
    check_never_signed_in(member)
    if not member.enabled:
        raise NotNow(f"{member.person} is disabled. Enable them first.")
    if member.tenant is not None and member.tenant.state not in MAY_SIGN_IN:
        raise NotNow(f"{member.tenant} {in_words(member.tenant.state)}, so nobody is invited now.")


def check_may_transfer(member: Member, *, to: Member) -> None:
    """Raises InvalidInput if `to` cannot be the owner, NotNow if `member` is none."""
    if member.role != Role.OWNER:
        raise NotNow(f"{member.person} is not an owner. Nothing was changed.")
    if to.pk == member.pk:
        raise InvalidInput(NOT_IN_HERE, field="to")
    if to.role == Role.OWNER:
        raise InvalidInput(f"{to.person} is an owner already.", field="to")
    if not to.enabled:
        raise InvalidInput(f"{to.person} is disabled. Enable them first.", field="to")
    if to.is_without_user:
        raise InvalidInput(
            f"{to.person} has no user in Cognito any more, so they cannot sign in. Choose somebody else.", field="to"
        )
    if not to.has_signed_in:
        raise InvalidInput(
            f"{to.person} has never signed in, so it is not known whether they can. Choose somebody who has.",
            field="to",
        )


def check_owner_remains(member: Member, should_be: Mapping[str, bool | str]) -> None:
    """Raises NotNow if with these fields the tenant would have no owner, or the platform no operator.

    An owner who has signed in counts only on others who have, and one with a user in Cognito only on others with one:
    an organisation that nobody can enter has no owner.
    """
    if stays(member, should_be):
        return
    if member.tenant is None:
        peers, kind, whose = operators(), "operator", ""
    else:
        peers, kind, whose = owners(member.tenant), "owner", f" of {member.tenant}"
    if member not in peers:
        return
    others = peers.exclude(pk=member.pk)
    first = "Make somebody else an owner first." if member.tenant else "Add another one first."
    if not others.exists():
        raise NotNow(f"{member.person} is the only {kind}{whose}. {first}")
    if member.is_without_user:
        return
    able = others.exclude(without_user())
    if not able.exists():
        raise NotNow(f"{member.person} is the only {kind}{whose} who has a user in Cognito. {first}")
    if member.has_signed_in and not able.filter(signed_in_members()).exists():
        raise NotNow(f"{member.person} is the only {kind}{whose} who has signed in. Another one has to do so first.")


def stays(member: Member, should_be: Mapping[str, bool | str]) -> bool:
    """Whether they remain what they are, and able to act."""
    same = should_be.get("role", member.role) == member.role and should_be.get("enabled", member.enabled)
    return bool(same) and not should_be.get("removed", False)
