"""Signature Version 4 of a POST to `/`, for calls that are too many for botocore's general way of making it.

A property test compares the two.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from hashlib import sha256
from hmac import digest

from botocore.credentials import ReadOnlyCredentials


def sign_post(
    headers: Mapping[str, str], body: bytes, credentials: ReadOnlyCredentials, *, region: str, service: str
) -> dict[str, str]:
    """The headers with those of the signature. It covers all that are given, in the form that AWS will get them."""
    now = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    signed = {**headers, "X-Amz-Date": now}
    if credentials.token:
        signed["X-Amz-Security-Token"] = credentials.token
    lines = sorted([(name.lower(), value) for name, value in signed.items()])
    names = ";".join([name for name, _ in lines])
    canonical = "".join([f"{name}:{value}\n" for name, value in lines])
    request = f"POST\n/\n\n{canonical}\n{names}\n{sha256(body).hexdigest()}"
    scope = f"{now[:8]}/{region}/{service}/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{sha256(request.encode()).hexdigest()}"
    key = f"AWS4{credentials.secret_key}".encode()
    for part in scope.split("/"):
        key = digest(key, part.encode(), "sha256")
    signature = digest(key, text.encode(), "sha256").hex()
    signed["Authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={credentials.access_key}/{scope}, SignedHeaders={names}, Signature={signature}"
    )
    return signed
