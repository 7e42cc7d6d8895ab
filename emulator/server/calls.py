"""Reads an HTTP request as one AWS call: service, operation and parameters. Refuses ambiguous requests.

A call is a `POST /` without a query string. An operation in a query string, or a form with a target header, could be
read in two ways. A compressed body is signed as it was sent.
"""

import json
import re
import zlib
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from emulator.cognito.user_pool import SELF_SERVICE
from emulator.wire import AwsError, Incoming, Protocol, Reply, json_error, json_reply, query_error
from iam.nesting import check_nesting

_JSON = re.compile(r"application/x-amz-json-1\.[01](;.*)?")
_FORM = re.compile(r"application/x-www-form-urlencoded(;.*)?")
_SCOPE = re.compile(r"Credential=[^/,\s]+/\d{8}/([a-z0-9-]+)/([a-z0-9-]+)/aws4_request")
# STS accepts it unsigned, because the token proves who calls.
WITH_WEB_IDENTITY = "AssumeRoleWithWebIdentity"
_OPERATION = re.compile(r"[A-Za-z]{1,64}")
# DynamoDB takes values of 32 levels, each of which is two in JSON.
_DEEPEST = 250
MAX_BODY = 16 * 1024 * 1024
_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS
_CORAL = "com.amazon.coral.service#"


@dataclass(frozen=True, slots=True)
class Service:
    """`signing_name` is used in signatures and IAM actions, `label` in faults and counters."""

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


UNSIGNED_IDENTITY = frozenset({"GetId", "GetCredentialsForIdentity", "GetOpenIdToken"})


class UnreadableCall(Exception):
    """The request is not a call of a served service, or could be read as more than one call."""

    def __init__(self, message: str, code: str = "UnknownOperationException", status: int = 400) -> None:
        super().__init__(message)
        self.code, self.status = code, status


@dataclass(frozen=True, slots=True)
class Call:
    """`data` is the parsed body: JSON, or the form's values by name. The engine runs exactly this data."""

    service: Service
    operation: str
    data: dict[str, Any]
    region: str | None
    incoming: Incoming

    @property
    def label(self) -> str:
        return f"{self.service.label}.{self.operation}"


def read_call(incoming: Incoming) -> Call:
    """Raises `UnreadableCall`. Does not check the signature."""
    if incoming.method != "POST" or incoming.path != "/":
        raise UnreadableCall("Nothing is served at this address.", status=404)
    if "?" in incoming.target:
        raise UnreadableCall("An AWS call must not have a query string.")
    if "x-amz-target" in incoming.headers:
        return _json_call(incoming)
    return _form_call(incoming)


def _plain_body(incoming: Incoming) -> bytes:
    """The body, decompressed if it is compressed with gzip or deflate."""
    encoding = incoming.headers.get("content-encoding", "").lower()
    if encoding in ("", "identity"):
        return incoming.body
    if encoding not in ("gzip", "deflate"):
        raise UnreadableCall(f"The content encoding {encoding} is not accepted.", "SerializationException")
    try:
        reader = zlib.decompressobj(_GZIP_OR_ZLIB)
        plain = reader.decompress(incoming.body, MAX_BODY + 1)
    except zlib.error as failure:
        raise UnreadableCall("The body cannot be decompressed.", "SerializationException") from failure
    if len(plain) > MAX_BODY:
        raise UnreadableCall("The body is larger than 16 MB.", "RequestEntityTooLarge", 413)
    if not reader.eof or reader.unused_data:
        raise UnreadableCall("The body cannot be decompressed.", "SerializationException")
    return plain


def _json_call(incoming: Incoming) -> Call:
    prefix, _, operation = incoming.headers["x-amz-target"].rpartition(".")
    service = _BY_TARGET.get(prefix)
    if not _OPERATION.fullmatch(operation):
        raise UnreadableCall("The target header does not name an operation.")
    if service is None:
        raise UnreadableCall(f"The service of {prefix[:64]}.{operation} is not served here.")
    if "authorization" not in incoming.headers and _needs_signature(service, operation):
        # Refused when it is authenticated. Until then its body counts for nothing.
        return Call(service, operation, {}, None, incoming)
    if not _JSON.fullmatch(incoming.headers.get("content-type", "")):
        raise UnreadableCall("The content type must be JSON for this operation.")
    code = f"{_CORAL if service.signing_name == 'dynamodb' else ''}SerializationException"
    return Call(service, operation, _json_object(_plain_body(incoming), code), _signed_region(incoming), incoming)


def _needs_signature(service: Service, operation: str) -> bool:
    unsigned = {"cognito-idp": SELF_SERVICE, "cognito-identity": UNSIGNED_IDENTITY}
    return operation not in unsigned.get(service.signing_name, ())


def _json_object(body: bytes, code: str) -> dict[str, Any]:
    """Refuses half a surrogate pair, which could be stored but never sent again. `code` is the error code."""
    try:
        text = body.decode("utf-8")
        check_nesting(text, deepest=_DEEPEST)
        data = json.loads(text, object_pairs_hook=_refuse_duplicates, parse_constant=_refuse_constant)
        if b"\\u" in body:  # only an escape can hold half a pair
            json.dumps(data, ensure_ascii=False).encode("utf-8")
    except ValueError as failure:
        raise UnreadableCall(f"The body is not a JSON object: {failure}", code) from failure
    if not isinstance(data, dict):
        raise UnreadableCall("The body is not a JSON object.", code)
    return data


def _refuse_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name is given twice in one object")
    return found


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _form_call(incoming: Incoming) -> Call:
    if not _FORM.fullmatch(incoming.headers.get("content-type", "")):
        raise UnreadableCall("The request names no operation.")
    try:
        values = parse_qs(_plain_body(incoming).decode("utf-8"), keep_blank_values=True, max_num_fields=2000)
    except ValueError as failure:
        raise UnreadableCall("The body is not a form.", "MalformedQueryString") from failure
    found = _SCOPE.search(incoming.headers.get("authorization", ""))
    unsigned = found is None and values.get("Action") == [WITH_WEB_IDENTITY]
    service = _BY_SCOPE.get("sts" if unsigned else found[2] if found else "")
    if service is None:
        raise _not_for_us(found[2] if found else "")
    if any(len(several) != 1 for several in values.values()) or not _OPERATION.fullmatch(values.get("Action", [""])[0]):
        raise UnreadableCall("The form names no operation, or a parameter twice.", "MalformedQueryString")
    data = {name: value for name, (value,) in values.items()}
    return Call(service, data["Action"], data, _signed_region(incoming), incoming)


def _not_for_us(service: str) -> UnreadableCall:
    if service:
        return UnreadableCall(f"The service {service} is not served here.", "InvalidAction")
    return UnreadableCall("Request is missing Authentication Token", "MissingAuthenticationToken", 403)


def _signed_region(incoming: Incoming) -> str | None:
    """The region in the signature, or None for an unsigned call. Does not check the signature."""
    found = _SCOPE.search(incoming.headers.get("authorization", ""))
    return found[1] if found else None


def is_s3_request(incoming: Incoming) -> bool:
    """Whether the request is signed for S3, whose requests have their own paths and methods."""
    found = _SCOPE.search(incoming.headers.get("authorization", ""))
    return found is not None and found[2] == "s3"


def unreadable_reply(incoming: Incoming, failure: UnreadableCall) -> Reply:
    """A form gets XML, as every service with forms sends it."""
    if _FORM.fullmatch(incoming.headers.get("content-type", "")) and "x-amz-target" not in incoming.headers:
        return query_error(AwsError(failure.code, str(failure), failure.status), "")
    return json_reply({"__type": failure.code, "message": str(failure)}, failure.status)


def error_reply(call: Call, error: AwsError) -> Reply:
    name = call.service.signing_name
    return json_error(error, name) if call.service.protocol == "json" else query_error(error, name)
