"""Asks `iam` whether a principal may make a call, and words the refusal as AWS does.

Every check of a call must be allowed before any part of the call runs. Only root may call an operation that has no
known check.
"""

import time
from collections.abc import Mapping, Sequence

from emulator import clock, engine
from emulator.access.checks import Check
from emulator.access.principals import Principal, Root
from emulator.wire import AwsError, Incoming
from iam import Decision, Layer, Outcome, Request, decide

_KINDS = {
    Layer.IDENTITY: ("identity-based policy", "an identity-based policy"),
    Layer.BOUNDARY: ("permissions boundary", "a permissions boundary"),
    Layer.SESSION: ("session policy", "a sessions policy"),
    Layer.TRUST: ("resource-based policy", "a resource-based policy"),
}


def authorize(principal: Principal, checks: Sequence[Check], incoming: Incoming) -> None:
    """Raises `AwsError`: AccessDeniedException for the first check that is denied, then ValidationException for any
    flaw.
    """
    if isinstance(principal, Root):
        return
    policies = principal.effective_policies()
    common = {**connection_context(incoming), **principal.context()}
    for check in checks:
        request = Request(check.action, check.resource, {**common, **check.context})
        decision = decide(request, identity=policies.identity, boundary=policies.boundary, session=policies.session)
        if not decision.allowed:
            raise AwsError("AccessDeniedException", denial(principal.arn, check, decision), coral=True)
    for check in checks:
        if check.flaw:
            raise AwsError("ValidationException", check.flaw)


def connection_context(incoming: Incoming) -> Mapping[str, str | Sequence[str]]:
    """The condition keys that every request has.

    AWS endpoints are reached over TLS only. Here loopback counts as secure transport.
    """
    now = clock.now()
    return {
        "aws:CurrentTime": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now)),
        "aws:EpochTime": str(int(now)),
        "aws:PrincipalAccount": engine.ACCOUNT,
        "aws:RequestedRegion": engine.region(),
        "aws:SecureTransport": "true",
        "aws:SourceIp": incoming.client_ip,
        "aws:UserAgent": incoming.headers.get("user-agent", ""),
    }


def denial(arn: str, check: Check, decision: Decision) -> str:
    """The text that AWS sends (IAM User Guide, "Troubleshoot access denied error messages").

    AWS never says which condition failed.
    """
    allowing, denying = _KINDS[decision.layer]
    if decision.outcome is Outcome.EXPLICITLY_DENIED:
        reason = f"with an explicit deny in {denying}"
    else:
        reason = f"because no {allowing} allows the {check.action} action"
    on = f" on resource: {check.resource}"
    return f"User: {arn} is not authorized to perform: {check.action}{on} {reason}"
