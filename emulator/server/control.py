"""Switches for tests over HTTP, protected by root's secret: faults, call counts, clock, delays, mails, users.

The page at the top and the health need no secret: they say nothing about what is stored here.
"""

import hmac
import json
import math
from dataclasses import dataclass, field

from emulator import clock
from emulator.access import iam_records
from emulator.access.principals import Root
from emulator.cognito import listing
from emulator.cognito.bulk_users import create_users
from emulator.cognito.mail_limits import MailLimits, parse_limit
from emulator.faults import Switchboard, parse_fault
from emulator.server import overview
from emulator.state.changes import tracker
from emulator.wire import Incoming, Reply, json_reply

PREFIX = "/_emulator/"
_JSON = "application/json"


@dataclass
class Control:
    root: Root
    switchboard: Switchboard = field(default_factory=Switchboard)

    def __post_init__(self) -> None:
        self.mail_limits = MailLimits(self.switchboard)

    def answer(self, incoming: Incoming) -> Reply:
        if incoming.method in ("GET", "HEAD") and (page := overview.find_page(incoming)):
            return page()
        given = incoming.headers.get("x-emulator-root-secret", "")
        if not hmac.compare_digest(given.encode(errors="replace"), self.root.key.secret_access_key.encode()):
            return json_reply({"message": "This needs the root secret."}, 403)
        try:
            return self._run(incoming.method, incoming.path.removeprefix(PREFIX), incoming.body)
        except (ValueError, TypeError) as failure:
            return json_reply({"message": str(failure)}, 400)

    def _run(self, method: str, what: str, body: bytes) -> Reply:
        match method:
            case "GET":
                return self._show(what)
            case "POST":
                return self._begin(what, body)
            case "DELETE":
                return self._end(what)
            case _:
                return _unknown()

    def _begin(self, what: str, body: bytes) -> Reply:
        match what:
            case "faults":
                self.switchboard.switch_on(parse_fault(json.loads(body)))
            case "clock":
                _move_clock(json.loads(body))
            case "daily-mails":
                self.mail_limits.begin(parse_limit(json.loads(body)))
            case "people":
                tracker.call_answered("_emulator.people")
                return json_reply(create_users(json.loads(body)), content_type=_JSON)
            case "listing":
                listing.hold_back(json.loads(body))
            case "propagation":
                iam_records.set_delay(json.loads(body))
            case _:
                return _unknown()
        return Reply(204)

    def _end(self, what: str) -> Reply:
        match what:
            case "faults":
                self.switchboard.clear()
            case "calls":
                self.switchboard.calls.clear()
            case "clock":
                clock.move_to_offset(0)
            case "listing":
                listing.show_all()
            case _:
                return _unknown()
        return Reply(204)

    def _show(self, what: str) -> Reply:
        match what:
            case "faults":
                return json_reply(self.switchboard.active_faults(), content_type=_JSON)
            case "calls":
                return json_reply(dict(self.switchboard.calls), content_type=_JSON)
            case "daily-mails":
                return json_reply({"per_day": self.mail_limits.per_day}, content_type=_JSON)
            case "clock":
                return json_reply({"offset_seconds": clock.offset(), "now": clock.now()}, content_type=_JSON)
            case _:
                return _unknown()


def _unknown() -> Reply:
    return json_reply({"message": "The switch does not exist."}, 404)


def _move_clock(data: object) -> None:
    if not isinstance(data, dict) or set(data) - {"offset_seconds", "signatures"}:
        raise ValueError("The body must have offset_seconds and may have signatures.")
    seconds, signatures = data.get("offset_seconds"), data.get("signatures", False)
    if not isinstance(seconds, int | float) or isinstance(seconds, bool) or not math.isfinite(seconds):
        raise ValueError("offset_seconds must be a number.")
    if not isinstance(signatures, bool) or abs(seconds) > 10**9:
        raise ValueError("offset_seconds is too large, or signatures is not true or false.")
    clock.move_to_offset(seconds, signatures=signatures)
