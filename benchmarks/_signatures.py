"""Checks Signature Version 4 from its definition, not with botocore, which made the signatures.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from tenants.domain.credentials import Credentials

_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key_id>[^/]+)/(?P<scope>[^,]+), "
    r"SignedHeaders=(?P<names>[^,]+), Signature=(?P<signature>[0-9a-f]{64})"
)


@dataclass(frozen=True, slots=True)
class Request:
    """`target` is the first line. Names of headers are in lower case."""

    target: str
    headers: Mapping[str, str]
    body: bytes


def signed_by(person: Credentials, request: Request) -> bool:
    """Whether key id, session token and signature are this person's. Only for a POST to `/` without a query."""
    given = _AUTHORIZATION.fullmatch(request.headers.get("authorization", ""))
    if given is None or given["key_id"] != person.access_key_id:
        return False
    if "x-amz-security-token" not in given["names"].split(";"):
        return False
    if request.headers["x-amz-security-token"] != person.session_token:
        return False
    return hmac.compare_digest(_signature(person.secret_access_key, given["scope"], given["names"], request), given[4])


def _signature(secret: str, scope: str, names: str, request: Request) -> str:
    signed = [f"{name}:{request.headers[name]}" for name in names.split(";")]
    canonical = "\n".join(["POST", "/", "", *signed, "", names, hashlib.sha256(request.body).hexdigest()])
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    text = "\n".join(["AWS4-HMAC-SHA256", request.headers["x-amz-date"], scope, digest])
    return _mac(_signing_key(secret, scope), text).hex()


@cache
def _signing_key(secret: str, scope: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = _mac(key, part)
    return key


def _mac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")
