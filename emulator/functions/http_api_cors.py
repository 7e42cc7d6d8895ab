"""CORS of an HTTP API, as its template configures it.

Follows "Configure CORS for HTTP APIs" in the API Gateway Developer Guide: the API answers preflights by itself, adds
its own headers to a function's answer, and ignores those that the function gave. Whether AWS also adds them to its own
refusals is not documented. Here it does not.
"""

from emulator.functions.http_api import Cors
from emulator.wire import Incoming, Reply

_PREFIX = "access-control-"


def is_preflight(incoming: Incoming) -> bool:
    asked = {"origin", "access-control-request-method"}
    return incoming.method == "OPTIONS" and asked <= set(incoming.headers)


def preflight(cors: Cors, incoming: Incoming) -> Reply:
    """No headers for an origin that may not read: the browser then does not send the request."""
    headers = _origin_headers(cors, incoming)
    if headers:
        headers += [
            ("access-control-allow-methods", ",".join(cors.methods)),
            ("access-control-allow-headers", ",".join(cors.headers)),
        ]
        headers += [] if cors.max_age is None else [("access-control-max-age", str(cors.max_age))]
    return Reply(204, b"", tuple(headers))


def with_sharing_headers(cors: Cors, incoming: Incoming, answer: Reply) -> Reply:
    kept = [(name, value) for name, value in answer.headers if not name.lower().startswith(_PREFIX)]
    headers = _origin_headers(cors, incoming)
    if headers and cors.exposed:
        headers.append(("access-control-expose-headers", ",".join(cors.exposed)))
    return Reply(answer.status, answer.body, (*kept, *headers))


def _origin_headers(cors: Cors, incoming: Incoming) -> list[tuple[str, str]]:
    origin = incoming.headers.get("origin", "")
    if not origin or not cors.allows(origin):
        return []
    headers = [("access-control-allow-origin", "*" if "*" in cors.origins else origin), ("vary", "origin")]
    return [*headers, ("access-control-allow-credentials", "true")] if cors.credentials else headers
