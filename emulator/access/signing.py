"""Checks AWS Signature Version 4 against the secret of root, a user or a session, and finds the principal.

Every signed call passes through here, root's included. Error codes and texts are DynamoDB's ("Error handling with
DynamoDB") and, for the query protocol, IAM's.
"""

import hashlib
import hmac
from datetime import UTC, datetime
from typing import Any

from emulator import clock, engine
from emulator.access.principals import Principal, Root, Session, Sessions, find_user
from emulator.wire import AwsError, Incoming

_UNSIGNED_HEADERS = ("x-amzn-trace-id",)

_JSON_CODES = {
    "IncompleteSignature": "IncompleteSignatureException",
    "MissingAuthorizationParameter": "IncompleteSignatureException",
    "SignatureDoesNotMatch": "InvalidSignatureException",
    "RequestTimeTooSkewed": "InvalidSignatureException",
    "CredentialDateMismatch": "InvalidSignatureException",
    "MissingAuthenticationToken": "MissingAuthenticationTokenException",
    "InvalidClientTokenId": "UnrecognizedClientException",
    "ExpiredToken": "ExpiredTokenException",
}


def code_for(name: str, protocol: str) -> str:
    """The error code as the protocol spells it. `name` is the query protocol's code."""
    return _JSON_CODES.get(name, name) if protocol == "json" else name


class Keyring:
    """Every key that may sign a request: root's, those of sessions, and those of the engine's IAM users."""

    def __init__(self, root: Root, sessions: Sessions) -> None:
        self.root, self.sessions = root, sessions

    def _find(self, access_key_id: str) -> Principal | None:
        if hmac.compare_digest(access_key_id.encode(errors="replace"), self.root.key.access_key_id.encode()):
            return self.root
        return self.sessions.find(access_key_id) or find_user(access_key_id)

    def authenticate(self, incoming: Incoming, *, service: str) -> Principal:
        """Raises `AwsError` with the query protocol's code."""
        if "authorization" not in incoming.headers:
            raise _refusal("MissingAuthenticationToken", "Request is missing Authentication Token")
        signature = engine.sigv4.parse_header_signature(incoming.headers)
        if isinstance(signature, tuple):
            raise _refusal(*signature)
        _check_scope(incoming, signature, service)
        principal = self._find(signature.access_key_id)
        if principal is None:
            raise _refusal("InvalidClientTokenId", "The security token included in the request is invalid.")
        _check_session_token(incoming, principal)
        _check_signature(incoming, signature, principal.key.secret_access_key)
        _check_expiry(principal)
        return principal


def _refusal(code: str, message: str) -> AwsError:
    return AwsError(code, message, 403, coral=True)


def _check_scope(incoming: Incoming, signature: Any, service: str) -> None:
    algorithm = incoming.headers["authorization"].partition(" ")[0]
    if algorithm != "AWS4-HMAC-SHA256":
        raise _refusal("IncompleteSignature", f"Unsupported AWS 'algorithm': '{algorithm}'.")
    if signature.service != service:
        wanted = f"Credential should be scoped to correct service: '{service}'. "
        raise _refusal("SignatureDoesNotMatch", wanted)
    signed = set(signature.signed_headers.split(";"))
    required = {"host"} | {name for name in incoming.headers if name.startswith("x-amz-")}
    missing = required - signed - set(_UNSIGNED_HEADERS)
    if missing:
        raise _refusal(
            "SignatureDoesNotMatch", f"These headers must be signed but are not: {', '.join(sorted(missing))}."
        )


def _check_session_token(incoming: Incoming, principal: Principal) -> None:
    given = incoming.headers.get("x-amz-security-token", "")
    wanted = principal.token if isinstance(principal, Session) else ""
    if not hmac.compare_digest(given.encode(errors="replace"), wanted.encode()):
        raise _refusal("InvalidClientTokenId", "The security token included in the request is invalid.")


def _check_signature(incoming: Incoming, signature: Any, secret: str) -> None:
    declared = incoming.headers.get("x-amz-content-sha256")
    if declared is not None and declared != hashlib.sha256(incoming.body).hexdigest():
        raise _refusal("SignatureDoesNotMatch", engine.sigv4.SIGNATURE_MISMATCH)
    failure = engine.sigv4.header_signature_failure(
        signature, secret, incoming.method, incoming.path, incoming.every_query_value(), incoming.headers, incoming.body
    ) or engine.sigv4.request_time_failure(signature, now=datetime.fromtimestamp(clock.signing_now(), UTC))
    if failure:
        raise _refusal(*failure)
    if engine.sigv4._amz_datetime(signature.amz_date) is None:
        raise _refusal("IncompleteSignature", "Date must be in ISO-8601 'basic format'.")


def _check_expiry(principal: Principal) -> None:
    if isinstance(principal, Session) and principal.expires_at <= clock.now():
        raise _refusal("ExpiredToken", "The security token included in the request is expired")
