"""CORS headers, which let a page of another origin read an answer. Any origin may, as on AWS.

Access is protected by credentials, not by CORS. Follows what DynamoDB and Cognito answer. It covers the OAuth endpoints
for public clients, but not the hosted pages.
"""

import re

from emulator.wire import Incoming, Reply

_EXPOSED = "x-amzn-RequestId,x-amzn-ErrorType,x-amzn-ErrorMessage,x-amz-crc32,Date"
_SHARED = re.compile(r"/|/oauth2/(token|revoke|userInfo)|/[\w-]+/\.well-known/[\w.-]+", re.ASCII)
_TWO_DAYS = "172800"


def is_preflight(incoming: Incoming) -> bool:
    return incoming.method == "OPTIONS" and _SHARED.fullmatch(incoming.path) is not None


def preflight(incoming: Incoming) -> Reply:
    asked = {
        "Access-Control-Allow-Methods": incoming.headers.get("access-control-request-method", "POST"),
        "Access-Control-Allow-Headers": incoming.headers.get("access-control-request-headers", ""),
        "Access-Control-Max-Age": _TWO_DAYS,
    }
    return Reply(200, b"", tuple(asked.items()) if "origin" in incoming.headers else ())


def sharing_headers(incoming: Incoming) -> list[tuple[str, str]]:
    """Empty for a request that does not come from a page of another origin."""
    if "origin" not in incoming.headers or not _SHARED.fullmatch(incoming.path):
        return []
    return [("Access-Control-Allow-Origin", "*"), ("Access-Control-Expose-Headers", _EXPOSED)]
