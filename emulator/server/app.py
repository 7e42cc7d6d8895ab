"""Decides which part of the emulator a request is for, and answers it. Refuses everything that is not served.

A request for another host is refused first: a foreign page whose name resolves to this computer (DNS rebinding) could
read the mailbox. An AWS call then passes these steps: read it, apply faults, authenticate, authorize, run. A failure
that is not an AWS error becomes an error 500, and the call has not run.
"""

import logging
import re
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from emulator import engine
from emulator.access.principals import Root, Sessions
from emulator.access.signing import Keyring
from emulator.cognito.accounts import Accounts
from emulator.cognito.api_sign_in import ApiSignIn
from emulator.cognito.attempts import Attempts
from emulator.cognito.grants import Grants
from emulator.cognito.mail import Mailer
from emulator.cognito.mailbox import Mailbox
from emulator.cognito.second_factor import CodeChecks
from emulator.cognito.user_pool import UserPoolApi
from emulator.functions import lambdas
from emulator.functions.http_api_requests import ApiRequest, answer_api_request, read_api_request
from emulator.hosted_ui import pages
from emulator.hosted_ui.account_pages import AccountPages
from emulator.hosted_ui.browser_sessions import BrowserSessions
from emulator.hosted_ui.mailbox_pages import HTML_PATH, MailboxPages
from emulator.hosted_ui.second_factor_pages import PATH as CODE_PATH
from emulator.hosted_ui.second_factor_pages import SecondFactorPages
from emulator.hosted_ui.sign_in_pages import SignInPages
from emulator.hosted_ui.token_endpoint import TokenEndpoint, discovery, jwks, user_info
from emulator.server import cors
from emulator.server.calls import UnreadableCall, error_reply, is_s3_request, read_call, unreadable_reply
from emulator.server.control import PREFIX, Control
from emulator.server.operations import Operations
from emulator.server.s3 import object_error, read_object_call, run_object_call
from emulator.server.smtp import Inbox
from emulator.state.changes import tracker
from emulator.wire import AwsError, Dropped, Incoming, Reply, json_reply

log = logging.getLogger(__name__)

_HOST = re.compile(r"(?:(?:[a-z0-9_-]+\.)*localhost|127\.0\.0\.1|\[::1\])(?::\d{1,5})?", re.ASCII | re.IGNORECASE)
_API_HOST = re.compile(r"([a-z0-9_-]+)\.execute-api\..+", re.ASCII | re.IGNORECASE)
_WELL_KNOWN = re.compile(r"/([\w-]+)/\.well-known/(jwks\.json|openid-configuration)", re.ASCII)

# Keyed by method and path: the operation's name in faults and counters, and the function that answers.
Page = Callable[[Incoming], Awaitable[Reply]]
Pages = dict[tuple[str, str], tuple[str, Page]]


@dataclass
class App:
    """Called with each request. Owns all state of this package that is not the engine's."""

    root: Root

    def __post_init__(self) -> None:
        grants, sessions = Grants(), Sessions()
        self._control = Control(self.root)
        self._faults = self._control.switchboard
        lambdas.runtime_context.sessions = sessions
        self.mailbox = Mailbox()
        self.inbox = Inbox(self.mailbox, self._faults)
        accounts = Accounts(Mailer(self.mailbox, self._control.mail_limits), Attempts())
        browsers = BrowserSessions(grants)
        codes, tokens = SecondFactorPages(browsers, CodeChecks(accounts.attempts)), TokenEndpoint(grants)
        hosted = SignInPages(browsers, accounts.attempts, codes)
        own, mail = AccountPages(accounts, browsers), MailboxPages(self.mailbox)
        user_pools = UserPoolApi(accounts, ApiSignIn(grants, accounts.attempts))
        self._operations = Operations(Keyring(self.root, sessions), sessions, user_pools)
        self._pages: Pages = {
            ("GET", "/oauth2/authorize"): ("oauth2.authorize", hosted.authorize),
            **_form_routes("/login", hosted.login),
            **_form_routes(CODE_PATH, codes.answer),
            ("GET", "/logout"): ("oauth2.logout", hosted.logout),
            **_form_routes("/signup", own.sign_up),
            **_form_routes("/confirmUser", own.confirm),
            **_form_routes("/forgotPassword", own.forgot),
            **_form_routes("/confirmForgotPassword", own.reset),
            ("POST", "/resendcode"): ("oauth2.resendcode", own.resend),
            ("GET", "/mailbox"): ("mailbox", mail.show),
            ("GET", "/mailbox.json"): ("mailbox", mail.as_json),
            ("GET", HTML_PATH): ("mailbox", mail.frame),
            ("POST", "/oauth2/token"): ("oauth2.token", tokens.token),
            ("POST", "/oauth2/revoke"): ("oauth2.revoke", tokens.revoke),
            ("GET", "/oauth2/userInfo"): ("oauth2.userInfo", user_info),
            ("POST", "/oauth2/userInfo"): ("oauth2.userInfo", user_info),
        }

    async def __call__(self, incoming: Incoming) -> Reply | Dropped:
        host = incoming.headers.get("host", "")
        if not _HOST.fullmatch(host):
            return Reply(421, b"Only localhost is served here.\n", (("Content-Type", "text/plain"),))
        if named := _API_HOST.fullmatch(host):
            return await self._catch_failures(
                incoming, self._api(ApiRequest(named[1].lower(), incoming.path, incoming))
            )
        answer = await self._catch_failures(incoming, self._answer(incoming))
        return answer if isinstance(answer, Dropped) else answer.with_headers(*cors.sharing_headers(incoming))

    async def _catch_failures(self, incoming: Incoming, answering: Awaitable[Reply | Dropped]) -> Reply | Dropped:
        try:
            answer = await answering
        except Exception:  # the boundary of the process: every failure is logged, and nothing has been granted
            log.exception("%s %s failed", incoming.method, incoming.path)
            answer = json_reply({"__type": "InternalFailure", "message": "The emulator failed. See its log."}, 500)
        return answer if isinstance(answer, Dropped) else answer.with_headers(("x-amzn-RequestId", str(uuid.uuid4())))

    async def _answer(self, incoming: Incoming) -> Reply | Dropped:
        path = incoming.path
        if cors.is_preflight(incoming):
            return cors.preflight(incoming)
        if path == "/" and incoming.method in ("GET", "HEAD") and "authorization" not in incoming.headers:
            return _healthy(incoming)
        if f"{path}/".startswith(PREFIX):
            return self._control.answer(incoming)
        if is_s3_request(incoming):
            return await self._object(incoming)
        if path in (pages.STYLESHEET, pages.MAILBOX_STYLESHEET) and incoming.method == "GET":
            return pages.stylesheet(path)
        if (incoming.method, path) in self._pages:
            return await self._page(incoming)
        if match := _WELL_KNOWN.fullmatch(path):
            return await self._well_known(match[1], match[2])
        if request := read_api_request(incoming):
            return await self._api(request)
        return await self._call(incoming)

    async def _page(self, incoming: Incoming) -> Reply | Dropped:
        operation, page = self._pages[incoming.method, incoming.path]
        try:
            return await self._faults.apply(operation, signed=False) or await page(incoming)
        except AwsError as fault:
            return json_reply({"error": fault.code}, fault.status, "application/json")
        finally:
            tracker.call_answered(operation)

    async def _well_known(self, pool_id: str, document: str) -> Reply | Dropped:
        try:
            dropped = await self._faults.apply(document, signed=False)
        except AwsError as fault:
            return json_reply({"error": fault.code}, fault.status, "application/json")
        here = lambdas.runtime_context.endpoint_url
        found = jwks(pool_id) if document == "jwks.json" else discovery(pool_id, here)
        tracker.call_answered(document)
        return dropped or found or json_reply({"message": f"User pool {pool_id} does not exist."}, 404)

    async def _api(self, request: ApiRequest) -> Reply | Dropped:
        try:
            return await self._faults.apply("ExecuteApi.Invoke") or await answer_api_request(
                request, self._operations.keyring
            )
        except AwsError as fault:
            return json_reply({"message": fault.message}, fault.status, "application/json")

    async def _object(self, incoming: Incoming) -> Reply | Dropped:
        try:
            call = read_object_call(incoming)
            with engine.scope():
                return await self._faults.apply(call.label) or run_object_call(call, self._operations.keyring)
        except AwsError as failure:
            return object_error(failure)

    async def _call(self, incoming: Incoming) -> Reply | Dropped:
        try:
            call = read_call(incoming)
        except UnreadableCall as failure:
            return unreadable_reply(incoming, failure)
        try:
            signed = "authorization" in incoming.headers
            return await self._faults.apply(call.label, signed=signed) or await self._operations.run(call)
        except AwsError as failure:
            return error_reply(call, failure)
        finally:
            tracker.call_answered(call.label)


def _healthy(incoming: Incoming) -> Reply:
    """What DynamoDB answers to a load balancer or a person."""
    return Reply(200, f"healthy: {incoming.headers['host']} ".encode(), (("Content-Type", "text/plain"),))


def _form_routes(path: str, page: Page) -> Pages:
    return {(method, path): (f"oauth2.{path.strip('/')}", page) for method in ("GET", "POST")}
