"""Reads an HTTP request as one AWS call: which service, which operation, which parameters. Ambiguity is refused.

Only `POST /` without a query string is a call: an operation in a query string, a form beside a target header or a
body in another encoding could each be read in two ways.
"""

import json
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from emulator.wire import AwsError, Incoming, Protocol, Reply, json_error, query_error

_JSON = re.compile(r"application/x-amz-json-1\.[01](;.*)?")
_FORM = re.compile(r"application/x-www-form-urlencoded(;.*)?")
_SCOPE = re.compile(r"Credential=[^/,\s]+/\d{8}/([a-z0-9-]+)/([a-z0-9-]+)/aws4_request")
# STS takes it unsigned: the token is what proves the caller.
WITH_WEB_IDENTITY = "AssumeRoleWithWebIdentity"
_OPERATION = re.compile(r"[A-Za-z]{1,64}")
_CORAL = "com.amazon.coral.service#"


@dataclass(frozen=True, slots=True)
class Service:
    """`signing_name` is the service's name in signatures and IAM actions, `label` its name in faults and counters."""

    signing_name: str
    label: str
    protocol: Protocol


_BY_TARGET = {
    "DynamoDB_20120810": Service("dynamodb", "DynamoDB", "json"),
    "DynamoDBStreams_20120810": Service("dynamodb", "DynamoDBStreams", "json"),
    "AWSCognitoIdentityProviderService": Service("cognito-idp", "CognitoIdentityProvider", "json"),
    "AWSCognitoIdentityService": Service("cognito-identity", "CognitoIdentity", "json"),
}
_BY_SCOPE = {
    "iam": Service("iam", "IAM", "query"),
    "sts": Service("sts", "STS", "query"),
    "cloudformation": Service("cloudformation", "CloudFormation", "query"),
}


class UnreadableCall(Exception):
    """The request is no call of a service that is served here, or may be more than one."""

    def __init__(self, message: str, code: str = "UnknownOperationException", status: int = 400) -> None:
        super().__init__(message)
        self.code, self.status = code, status


@dataclass(frozen=True, slots=True)
class Call:
    """`data` is the request's one parsed body: JSON, or a form's first value by name. The engine runs exactly this."""

    service: Service
    operation: str
    data: dict[str, Any]
    region: str | None
    incoming: Incoming

    @property
    def label(self) -> str:
        return f"{self.service.label}.{self.operation}"


def read_call(incoming: Incoming) -> Call:
    """Raises `UnreadableCall`. The signature has not been checked."""
    if incoming.method != "POST" or incoming.path != "/":
        raise UnreadableCall("Nothing is served at this address.", status=404)
    if "?" in incoming.target:
        raise UnreadableCall("An AWS call here has no query string.")
    if incoming.headers.get("content-encoding"):
        raise UnreadableCall("An encoded body is not accepted.")
    if "x-amz-target" in incoming.headers:
        return _json_call(incoming)
    return _form_call(incoming)


def _json_call(incoming: Incoming) -> Call:
    prefix, _, operation = incoming.headers["x-amz-target"].rpartition(".")
    service = _BY_TARGET.get(prefix)
    if service is None or not _OPERATION.fullmatch(operation):
        raise UnreadableCall("The target header names no operation that is served here.")
    if not _JSON.fullmatch(incoming.headers.get("content-type", "")):
        raise UnreadableCall("The body of this operation is JSON, and the content type does not say so.")
    code = f"{_CORAL if service.signing_name == 'dynamodb' else ''}SerializationException"
    return Call(service, operation, _json_object(incoming.body, code), _signed_region(incoming), incoming)


def _json_object(body: bytes, code: str) -> dict[str, Any]:
    """Half of a surrogate pair is no text: it could be stored and never be sent again. `code` names a refusal."""
    try:
        data = json.loads(body.decode("utf-8"), object_pairs_hook=_refuse_duplicates, parse_constant=_refuse_constant)
        if b"\\u" in body:  # only what is written as an escape can be half a pair
            json.dumps(data, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError) as failure:
        raise UnreadableCall(f"The body is no JSON object: {failure}", code) from failure
    if not isinstance(data, dict):
        raise UnreadableCall("The body is no JSON object.", code)
    return data


def _refuse_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name is given twice in one object")
    return found


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _form_call(incoming: Incoming) -> Call:
    if not _FORM.fullmatch(incoming.headers.get("content-type", "")):
        raise UnreadableCall("The request names no operation.")
    try:
        values = parse_qs(incoming.body.decode("utf-8"), keep_blank_values=True, max_num_fields=2000)
    except ValueError as failure:
        raise UnreadableCall("The body is no form.", "MalformedQueryString") from failure
    found = _SCOPE.search(incoming.headers.get("authorization", ""))
    unsigned = found is None and values.get("Action") == [WITH_WEB_IDENTITY]
    service = _BY_SCOPE.get("sts" if unsigned else found[2] if found else "")
    if service is None:
        raise UnreadableCall(
            "The request is signed for no service that is served here.", "MissingAuthenticationToken", 403
        )
    if any(len(several) != 1 for several in values.values()) or not _OPERATION.fullmatch(values.get("Action", [""])[0]):
        raise UnreadableCall("The form names no operation, or a parameter twice.", "MalformedQueryString")
    data = {name: value for name, (value,) in values.items()}
    return Call(service, data["Action"], data, _signed_region(incoming), incoming)


def _signed_region(incoming: Incoming) -> str | None:
    """The region that the signature is made for. None for an unsigned call; whether it is good is checked elsewhere."""
    found = _SCOPE.search(incoming.headers.get("authorization", ""))
    return found[1] if found else None


def is_s3_request(incoming: Incoming) -> bool:
    """Whether it is signed for S3, whose requests have paths and methods of their own."""
    found = _SCOPE.search(incoming.headers.get("authorization", ""))
    return found is not None and found[2] == "s3"


def error_reply(call: Call, error: AwsError) -> Reply:
    name = call.service.signing_name
    return json_error(error, name) if call.service.protocol == "json" else query_error(error, name)
