"""Makes the attempts of botocore's calls to DynamoDB, at a third of the time that botocore takes for one.

botocore still checks and writes the parameters, and decides on everything that is not an answer of 200. Two of its
events are used. Before a call, its first attempt is signed and sent here. An answer of 200 is the answer of the call.
Anything else is kept for the moment in which botocore would send, and it goes on from there: its own errors, its own
conditions, pauses and number of retries, and its own signatures of them. Retries are only sent here.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from zlib import crc32

from botocore.awsrequest import AWSResponse
from botocore.exceptions import HTTPClientError

from tenants.aws.attribute_values import AttributeValueParser
from tenants.aws.kept_connections import Answer, KeptConnections
from tenants.aws.raw_bodies import capture
from tenants.aws.signature import sign_post
from tenants.aws.signing import bound_credentials

_KEPT = "result of the first attempt"
_UNSIGNED = "User-Agent"
_PARSER = AttributeValueParser()


@dataclass(frozen=True, slots=True)
class FirstAttempts:
    connections: KeptConnections

    def register(self, client: Any) -> None:
        client.meta.events.register("before-call.dynamodb", self._before_call)
        client.meta.events.register("before-send.dynamodb", self._before_send)

    def _before_call(
        self, model: Any, params: dict[str, Any], request_signer: Any, context: dict[str, Any], **_: Any
    ) -> tuple[AWSResponse, Any] | None:
        """The answer and what it says, or None: botocore goes on, and comes to `_before_send`."""
        body: bytes = params["body"]
        given = {**params["headers"], "Host": self.connections.host}
        agent = given.pop(_UNSIGNED)
        headers = sign_post(
            given, body, bound_credentials(), region=request_signer.region_name, service=request_signer.signing_name
        )
        retries = context.setdefault("retries", {})
        retries["invocation-id"] = str(uuid.uuid4())
        headers |= {
            _UNSIGNED: agent,
            "amz-sdk-invocation-id": retries["invocation-id"],
            "amz-sdk-request": "attempt=1",
            "Accept-Encoding": "identity",
        }
        try:
            answer = self.connections.post(headers, body)
        except HTTPClientError as error:
            context[_KEPT] = error
            return None
        if answer.status != 200 or not _is_as_sent(answer):
            context[_KEPT] = self._response(answer)
            return None
        capture(answer.body)
        parsed = _PARSER.parse({"status_code": 200, "headers": answer.headers, "body": answer.body}, model.output_shape)
        parsed["ResponseMetadata"]["RetryAttempts"] = 0
        return self._response(answer), parsed

    def _before_send(self, request: Any, **_: Any) -> AWSResponse:
        kept: AWSResponse | HTTPClientError | None = request.context.pop(_KEPT, None)
        if isinstance(kept, HTTPClientError):
            raise kept
        if kept is not None:
            return kept
        headers = {name: _text(value) for name, value in request.headers.items() if name != "Content-Length"}
        headers |= {"Host": self.connections.host, "Accept-Encoding": "identity"}
        return self._response(self.connections.post(headers, request.body))

    def _response(self, answer: Answer) -> AWSResponse:
        headers: Any = answer.headers
        return AWSResponse(f"{self.connections.url}/", answer.status, headers, _Body(answer.body))


def _is_as_sent(answer: Answer) -> bool:
    """False where DynamoDB's checksum is another: botocore then asks again."""
    return answer.headers.get("x-amz-crc32") in {None, str(crc32(answer.body))}


@dataclass(frozen=True, slots=True)
class _Body:
    """A body of an answer as botocore reads it."""

    content: bytes

    def stream(self) -> Iterator[bytes]:
        yield self.content


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
