"""Answers a request to an HTTP API: authorizes it on its actual path and invokes the route's function.

Payload format 2.0. Follows "Control access to HTTP APIs with AWS Identity and Access Management authorization" and
"Create AWS Lambda proxy integrations for HTTP APIs" in the API Gateway Developer Guide. AWS does not document what it
does with double slashes, encoded slashes and dots in a path. Here such a path is refused before anything reads it.
"""

import base64
import json
import re
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from emulator import clock, engine
from emulator.access.authorization import authorize
from emulator.access.checks import Check
from emulator.access.principals import Principal, Session
from emulator.access.signing import Keyring
from emulator.functions import lambdas
from emulator.functions.http_api import PREFIX, STAGE, Api, RouteMatch, apis, match_route
from emulator.functions.http_api_cors import is_preflight, preflight, with_sharing_headers
from emulator.wire import AwsError, Incoming, Reply, json_reply

_SECONDS = 30.0
# No encoded separator, dot, control character or percent sign; no backslash, wildcard or byte that is not ASCII.
_SEGMENT = re.compile(r"(?:[A-Za-z0-9._~!$&'()+,;=:@-]|%(?!2[EeFf5]|5[Cc]|[01]|7[Ff])[0-9A-Fa-f]{2})+")
_JSON = "application/json"


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """`path` is the part after the API's address."""

    api_id: str
    path: str
    incoming: Incoming


def read_api_request(incoming: Incoming) -> ApiRequest | None:
    """Reads a request by address (`/_apis/<id>/…`). The server handles requests by host name. None for others."""
    if not incoming.path.startswith(PREFIX):
        return None
    api_id, slash, rest = incoming.path.removeprefix(PREFIX).partition("/")
    return ApiRequest(api_id, slash + rest, incoming)


async def answer_api_request(request: ApiRequest, keyring: Keyring) -> Reply:
    """Refuses odd paths first. A caller without permission gets 403, whatever the function would answer."""
    api = apis.get(request.api_id)
    if api is None:
        return _message("Not Found", 404)
    with engine.scope(api.region):
        segments = request.path.split("/")[1:]
        if not all(_is_plain(part) for part in (segments[:-1] if segments[-1:] == [""] else segments)):
            return _message("Forbidden", 403)
        found = match_route(api, request.incoming.method, request.path)
        # Without a route, or on an open one. A route that needs IAM and takes every method takes OPTIONS too.
        if api.cors and is_preflight(request.incoming) and (not found or found.route.authorization == "NONE"):
            return preflight(api.cors, request.incoming)
        if found is None:
            return _message("Not Found", 404)
        try:
            caller = _authorize(api, request, keyring) if found.route.authorization == "AWS_IAM" else None
        except AwsError:
            return _message("Forbidden", 403)
        answer = await _invoke_function(api, request, found, caller)
        return with_sharing_headers(api.cors, request.incoming, answer) if api.cors else answer


def _is_plain(segment: str) -> bool:
    return _SEGMENT.fullmatch(segment) is not None and segment not in (".", "..")


def _authorize(api: Api, request: ApiRequest, keyring: Keyring) -> Principal:
    principal = keyring.authenticate(request.incoming, service="execute-api")
    resource = api.arn(request.incoming.method, request.path)
    authorize(principal, [Check("execute-api:Invoke", resource)], request.incoming)
    return principal


async def _invoke_function(api: Api, request: ApiRequest, found: RouteMatch, caller: Principal | None) -> Reply:
    source = f"arn:aws:execute-api:{api.region}:{engine.ACCOUNT}:{api.id}/{STAGE}/{found.route.key.replace(' ', '')}"
    if not lambdas.may_invoke(found.function_arn, principal="apigateway.amazonaws.com", source_arn=source):
        return _message("Internal Server Error", 500)
    try:
        result = await lambdas.run_handler(found.function_arn, _event(api, request, found, caller), seconds=_SECONDS)
        return _reply(result)
    except lambdas.HandlerFailed as failure:
        late = failure.kind == "timed-out"
        return _message("Service Unavailable" if late else "Internal Server Error", 503 if late else 500)
    except (ValueError, TypeError, AttributeError):  # a malformed response
        return _message("Internal Server Error", 500)


# ── The event for the function ──────────────────────────────────────────────────────────────────────────────────────


def _event(api: Api, request: ApiRequest, found: RouteMatch, caller: Principal | None) -> dict[str, Any]:
    incoming, now = request.incoming, clock.now()
    headers = {name: value for name, value in incoming.headers.items() if name != "cookie"}
    cookies = [part.strip() for part in incoming.headers.get("cookie", "").split(";") if part.strip()]
    query = {name: ",".join(values) for name, values in parse_qs(incoming.query_string, True).items()}
    authorizer = {"authorizer": {"iam": _identity(caller)}} if caller else {}
    text, encoded = _body(incoming.body)
    optional = {
        "cookies": cookies, "queryStringParameters": query, "pathParameters": dict(found.parameters), "body": text,
    }  # fmt: skip
    return {
        "version": "2.0",
        "routeKey": found.route.key,
        "rawPath": request.path,
        "rawQueryString": incoming.query_string,
        "headers": headers,
        "requestContext": {
            "accountId": engine.ACCOUNT,
            "apiId": api.id,
            **authorizer,
            "domainName": f"{api.id}.execute-api.{api.region}.amazonaws.com",
            "domainPrefix": api.id,
            "http": {
                "method": incoming.method,
                "path": request.path,
                "protocol": "HTTP/1.1",
                "sourceIp": incoming.client_ip,
                "userAgent": incoming.headers.get("user-agent", ""),
            },
            "requestId": str(uuid.uuid4()),
            "routeKey": found.route.key,
            "stage": STAGE,
            "time": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(now)),
            "timeEpoch": int(now * 1000),
        },
        "isBase64Encoded": encoded,
        **{name: value for name, value in optional.items() if value},
    }


def _identity(caller: Principal) -> dict[str, Any]:
    """Session tags are not passed to the function."""
    federation: Mapping[str, Any] = caller.federation if isinstance(caller, Session) else {}
    pool = "cognito-identity.amazonaws.com"
    cognito = {
        "amr": federation[f"{pool}:amr"],
        "identityId": federation[f"{pool}:sub"],
        "identityPoolId": federation[f"{pool}:aud"],
    } if f"{pool}:sub" in federation else None  # fmt: skip
    return {
        "accessKey": caller.key.access_key_id,
        "accountId": engine.ACCOUNT,
        "callerId": caller.unique_id,
        "cognitoIdentity": cognito,
        "principalOrgId": None,
        "userArn": caller.arn,
        "userId": caller.unique_id,
    }


def _body(body: bytes) -> tuple[str, bool]:
    try:
        return body.decode("utf-8"), False
    except UnicodeDecodeError:
        return base64.b64encode(body).decode(), True


# ── The function's response ─────────────────────────────────────────────────────────────────────────────────────────


def _reply(result: Any) -> Reply:
    if not isinstance(result, dict) or "statusCode" not in result:
        return Reply(200, json.dumps(result).encode(), (("Content-Type", _JSON),))
    body = result.get("body") or ""
    content = base64.b64decode(body) if result.get("isBase64Encoded") else str(body).encode()
    headers = {str(name).lower(): str(value) for name, value in (result.get("headers") or {}).items()}
    headers.setdefault("content-type", "text/plain;charset=UTF-8")
    cookies = [("Set-Cookie", str(cookie)) for cookie in result.get("cookies") or []]
    if any(character in text for pair in (*headers.items(), *cookies) for text in pair for character in "\r\n"):
        raise ValueError("a header contains a line break")
    return Reply(int(result["statusCode"]), content, (*headers.items(), *cookies))


def _message(text: str, status: int) -> Reply:
    return json_reply({"message": text}, status, _JSON)
