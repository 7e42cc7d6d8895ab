"""HTTP requests and replies, and how AWS formats an error in each of its two protocols.

It knows nothing about what services do. `AwsError` becomes an answer; any other exception becomes an error 500.
"""

import json
import logging
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

log = logging.getLogger(__name__)

Protocol = Literal["json", "query"]

XML_NAMESPACES = {
    "iam": "https://iam.amazonaws.com/doc/2010-05-08/",
    "sts": "https://sts.amazonaws.com/doc/2011-06-15/",
    "cloudformation": "http://cloudformation.amazonaws.com/doc/2010-05-15/",
}


@dataclass(frozen=True, slots=True)
class Incoming:
    """A whole HTTP request. `target` is unchanged from the request line; header names are lower-case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    client_ip: str = "127.0.0.1"

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def query_string(self) -> str:
        return self.target.partition("?")[2]

    def query(self) -> dict[str, str]:
        return first_values(self.query_string)

    def every_query_value(self) -> dict[str, list[str]]:
        return parse_qs(self.query_string, keep_blank_values=True)

    def form(self) -> dict[str, str]:
        return first_values(self.body.decode("utf-8", errors="replace"))

    def cookies(self) -> dict[str, str]:
        pairs = (part.strip().partition("=") for part in self.headers.get("cookie", "").split(";"))
        return {name: value for name, _, value in pairs if name}


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()

    def with_headers(self, *more: tuple[str, str]) -> "Reply":
        return Reply(self.status, self.body, (*self.headers, *more))


@dataclass(frozen=True, slots=True)
class Dropped:
    """The connection is closed without an answer, because a fault asked for it."""


@dataclass(eq=False)
class AwsError(Exception):
    """A refusal in AWS's words.

    `coral` marks errors that DynamoDB sends from the layer in front of the service.
    """

    code: str
    message: str
    status: int = 400
    coral: bool = False
    members: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


def first_values(text: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(text, keep_blank_values=True).items()}


@contextmanager
def refusing(operation: str, code: str, message: str) -> Iterator[None]:
    """Around a call of the engine. Bad input that it does not foresee ends in an exception, and becomes an `AwsError`.

    An error 500 would make clients repeat the request.
    """
    try:
        yield
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as failure:
        log.warning("%s was refused because the engine failed", operation, exc_info=failure)
        raise AwsError(code, message) from failure


def json_reply(data: Any, status: int = 200, content_type: str = "application/x-amz-json-1.1") -> Reply:
    return Reply(status, json.dumps(data, ensure_ascii=False).encode(), (("Content-Type", content_type),))


def json_error(error: AwsError, service: str) -> Reply:
    if service != "dynamodb":
        body = {"__type": error.code, "message": error.message, **error.members}
        reply = json_reply(body, error.status)
    else:
        prefix = "com.amazon.coral.service" if error.coral else "com.amazonaws.dynamodb.v20120810"
        text = "Message" if error.coral else "message"
        body = {"__type": f"{prefix}#{error.code}", text: error.message, **error.members}
        reply = json_reply(body, error.status, "application/x-amz-json-1.0")
    return reply.with_headers(("x-amzn-ErrorType", error.code))


def query_error(error: AwsError, service: str) -> Reply:
    namespace = XML_NAMESPACES.get(service, "")
    kind = "Sender" if error.status < 500 else "Receiver"
    body = (
        f'<ErrorResponse xmlns="{namespace}"><Error><Type>{kind}</Type><Code>{escape(error.code)}</Code>'
        f"<Message>{escape(error.message)}</Message></Error><RequestId>{uuid.uuid4()}</RequestId></ErrorResponse>"
    )
    return Reply(error.status, body.encode(), (("Content-Type", "text/xml"),))


def query_result(action: str, service: str, result: str) -> Reply:
    """The XML envelope of a successful query-protocol action. `result` is escaped XML."""
    body = (
        f'<{action}Response xmlns="{XML_NAMESPACES[service]}"><{action}Result>{result}</{action}Result>'
        f"<ResponseMetadata><RequestId>{uuid.uuid4()}</RequestId></ResponseMetadata></{action}Response>"
    )
    return Reply(200, body.encode(), (("Content-Type", "text/xml"),))
