"""One-time codes of an authenticator: RFC 6238 with SHA-1, six digits and steps of 30 seconds, as Cognito has them."""

import base64
import hmac
import secrets
from urllib.parse import quote, urlencode

STEP_SECONDS = 30
_DIGITS = 6
# A clock may be one step off. AWS does not document how far off it may be.
_SKEW = (0, -1, 1)


def new_secret() -> str:
    """160 bits in base32, which is what people type into an authenticator."""
    return base64.b32encode(secrets.token_bytes(20)).decode()


def code_at(secret: str, step: int, *, digits: int = _DIGITS) -> str:
    digest = hmac.digest(base64.b32decode(secret), step.to_bytes(8, "big"), "sha1")
    start = digest[-1] & 15
    number = int.from_bytes(digest[start : start + 4], "big") & 0x7FFFFFFF
    return f"{number % 10**digits:0{digits}d}"


def step_of(seconds: float) -> int:
    """`seconds` since the epoch."""
    return int(seconds // STEP_SECONDS)


def matching_step(secret: str, code: str, *, now: float) -> int | None:
    """The step that the code belongs to; None if it is neither this one's nor a neighbour's."""
    steps = [step_of(now) + skew for skew in _SKEW]
    return next((step for step in steps if hmac.compare_digest(code_at(secret, step).encode(), code.encode())), None)


def otpauth_uri(secret: str, *, account: str, issuer: str) -> str:
    """What authenticators read from a QR code or a link."""
    label = quote(f"{issuer}:{account}", safe="@:")
    return f"otpauth://totp/{label}?{urlencode({'secret': secret, 'issuer': issuer}, quote_via=quote)}"
