"""One request, one answer: which of the things served here it is for, and a refusal for all that is not served.

What AWS would do behind the service's front door happens in this order: read the call, let faults happen, authenticate,
authorize, run. A failure in any of it that is not an AWS error is an error 500, and nothing has run.
"""

import hmac
import json
import logging
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

from emulator import pages
from emulator.access.principals import Root, Sessions
from emulator.access.signing import Keyring
from emulator.calls import NotACall, error_reply, read_call
from emulator.cognito.grants import Grants
from emulator.cognito.hosted_pages import HostedPages
from emulator.cognito.token_endpoint import TokenEndpoint, discovery, jwks, user_info
from emulator.cognito.user_pool import UserPoolApi
from emulator.faults import Switchboard, parse_fault
from emulator.operations import Operations
from emulator.wire import AwsError, Dropped, Incoming, Reply, json_reply

log = logging.getLogger(__name__)

_WELL_KNOWN = re.compile(r"/([\w-]+)/\.well-known/(jwks\.json|openid-configuration)", re.ASCII)
_EXPOSED = "x-amzn-RequestId,x-amzn-ErrorType,x-amzn-ErrorMessage,Date"


@dataclass
class App:
    """Called with each request. All state of this package that is not the engine's hangs here."""

    root: Root
    switchboard: Switchboard = field(default_factory=Switchboard)

    def __post_init__(self) -> None:
        grants, sessions = Grants(), Sessions()
        hosted, tokens = HostedPages(grants), TokenEndpoint(grants)
        self._operations = Operations(Keyring(self.root, sessions), sessions, UserPoolApi(grants))
        self._pages: dict[tuple[str, str], tuple[str, Callable[[Incoming], Reply]]] = {
            ("GET", "/oauth2/authorize"): ("oauth2.authorize", hosted.authorize),
            ("GET", "/login"): ("oauth2.login", hosted.login),
            ("POST", "/login"): ("oauth2.login", hosted.login),
            ("GET", "/logout"): ("oauth2.logout", hosted.logout),
            ("POST", "/oauth2/token"): ("oauth2.token", tokens.token),
            ("POST", "/oauth2/revoke"): ("oauth2.revoke", tokens.revoke),
            ("GET", "/oauth2/userInfo"): ("oauth2.userInfo", user_info),
            ("POST", "/oauth2/userInfo"): ("oauth2.userInfo", user_info),
        }

    async def __call__(self, incoming: Incoming) -> Reply | Dropped:
        try:
            answer = await self._answer(incoming)
        except Exception:  # the boundary of the process: whatever it was, it is logged and nothing has been granted
            log.exception("%s %s failed", incoming.method, incoming.path)
            answer = json_reply({"__type": "InternalFailure", "message": "The emulator failed. Its log says why."}, 500)
        return answer if isinstance(answer, Dropped) else answer.with_headers(*_common_headers(incoming))

    async def _answer(self, incoming: Incoming) -> Reply | Dropped:
        path = incoming.path
        if path.startswith("/_emulator/"):
            return self._control(incoming)
        if path == pages.STYLESHEET and incoming.method == "GET":
            return pages.stylesheet()
        if (incoming.method, path) in self._pages:
            return await self._page(incoming)
        if match := _WELL_KNOWN.fullmatch(path):
            return await self._well_known(incoming, match[1], match[2])
        if path == "/" and incoming.method == "OPTIONS":
            return _preflight(incoming)
        return await self._call(incoming)

    async def _page(self, incoming: Incoming) -> Reply | Dropped:
        operation, page = self._pages[incoming.method, incoming.path]
        try:
            return await self.switchboard.meet(operation) or page(incoming)
        except AwsError as fault:
            return json_reply({"error": fault.code}, fault.status, "application/json")

    async def _well_known(self, incoming: Incoming, pool_id: str, document: str) -> Reply | Dropped:
        try:
            dropped = await self.switchboard.meet(document)
        except AwsError as fault:
            return json_reply({"error": fault.code}, fault.status, "application/json")
        base = f"http://{incoming.headers.get('host', 'localhost')}"
        found = jwks(pool_id) if document == "jwks.json" else discovery(pool_id, base)
        return dropped or found or json_reply({"message": f"User pool {pool_id} does not exist."}, 404)

    async def _call(self, incoming: Incoming) -> Reply | Dropped:
        try:
            call = read_call(incoming)
        except NotACall as failure:
            return json_reply({"__type": failure.code, "message": str(failure)}, failure.status)
        try:
            return await self.switchboard.meet(call.label) or await self._operations.run(call)
        except AwsError as failure:
            return error_reply(call, failure)

    def _control(self, incoming: Incoming) -> Reply:
        """Faults and counters, for whoever holds root's secret."""
        given = incoming.headers.get("x-emulator-root-secret", "")
        if not hmac.compare_digest(given.encode(errors="replace"), self.root.key.secret_access_key.encode()):
            return json_reply({"message": "This needs the root secret."}, 403)
        match incoming.method, incoming.path:
            case "POST", "/_emulator/faults":
                return self._switch_on(incoming)
            case "DELETE", "/_emulator/faults":
                self.switchboard.clear()
            case "DELETE", "/_emulator/calls":
                self.switchboard.calls.clear()
            case "GET", "/_emulator/calls":
                return json_reply(dict(self.switchboard.calls), content_type="application/json")
            case _:
                return json_reply({"message": "There is no such switch."}, 404)
        return Reply(204)

    def _switch_on(self, incoming: Incoming) -> Reply:
        try:
            self.switchboard.switch_on(parse_fault(json.loads(incoming.body)))
        except (ValueError, TypeError) as failure:
            return json_reply({"message": str(failure)}, 400)
        return Reply(204)


def _common_headers(incoming: Incoming) -> list[tuple[str, str]]:
    headers = [("x-amzn-RequestId", str(uuid.uuid4()))]
    if "origin" in incoming.headers and incoming.path == "/":
        headers += [("Access-Control-Allow-Origin", "*"), ("Access-Control-Expose-Headers", _EXPOSED)]
    return headers


def _preflight(incoming: Incoming) -> Reply:
    asked = {
        "Access-Control-Allow-Methods": incoming.headers.get("access-control-request-method", "POST"),
        "Access-Control-Allow-Headers": incoming.headers.get("access-control-request-headers", ""),
        "Access-Control-Max-Age": "172800",
    }
    return Reply(200, b"", tuple(asked.items()))
