"""The policies of this stack, read from the template once per process."""

from __future__ import annotations

from django.conf import settings

from iam import UnsupportedPolicy
from tenants.domain.errors import Misconfigured
from tenants.domain.once import once
from tenants.isolation.explain import Policies, Stack, Tags, policies_of
from tenants.isolation.template import parse_template
from tenants.lifecycle.suspension import to_deny
from tenants.sign_in.sessions import SignedIn


def policies_now(org: str) -> Policies:
    """With this organisation in the list of suspended ones, where the portal has it there."""
    policies = _policies(_stack())
    listed = [org] if org and to_deny().filter(tenant__org_id=org, denied_at__isnull=False).exists() else []
    return policies.suspending(listed)


def tags_of(who: SignedIn) -> Tags:
    """As the identity pool makes them of the ID token."""
    return Tags(org=who.claims.org, role=who.claims.role, client=settings.OIDC_RP_CLIENT_ID)


@once
def _policies(stack: Stack) -> Policies:
    """Raises Misconfigured for a template that cannot be read."""
    try:
        return policies_of(parse_template(settings.POLICY_TEMPLATE.read_text()), stack)
    except (UnsupportedPolicy, OSError, ValueError, TypeError, KeyError) as error:
        raise Misconfigured(f"The policies of {settings.POLICY_TEMPLATE} cannot be read: {error}") from error


def _stack() -> Stack:
    return Stack(
        role_arn=settings.TENANT_ROLE_ARN,
        region=settings.AWS_REGION,
        table=settings.RECORDS_TABLE,
        client=settings.OIDC_RP_CLIENT_ID,
        api_url=settings.RECORDS_API_URL,
    )
