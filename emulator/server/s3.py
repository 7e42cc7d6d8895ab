"""The part of S3 that exports need: which operation a request is, its IAM check, and the answer.

The bucket is the first part of the path. A request is signed in its headers, with a hash of its body. Operations that
are not in the table below are refused. The engine stores the objects in memory only.
"""

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import unquote
from xml.sax.saxutils import escape

from emulator import engine
from emulator.access.authorization import authorize
from emulator.access.checks import Check
from emulator.access.principals import Principal
from emulator.access.signing import Keyring
from emulator.wire import AwsError, Incoming, Reply

_HOST = re.compile(r"(?:localhost|127\.0\.0\.1|\[::1\])(?::\d{1,5})?", re.ASCII)
_LIST_PARAMETERS = frozenset({"list-type", "prefix", "delimiter", "max-keys", "continuation-token", "start-after",
                      "encoding-type", "fetch-owner"})  # fmt: skip
# Any other x-amz header would change what S3 does.
_KNOWN_HEADERS = re.compile(r"x-amz-(?:date|security-token|content-sha256|sdk-checksum-algorithm|checksum-\w+)")
_CODES = {
    "InvalidClientTokenId": ("InvalidAccessKeyId", 403),
    "ExpiredToken": ("ExpiredToken", 400),
    "AccessDeniedException": ("AccessDenied", 403),
    "MissingAuthenticationToken": ("AccessDenied", 403),
}


@dataclass(frozen=True, slots=True)
class Operation:
    name: str
    action: str
    on: Literal["bucket", "object"]


# Keyed by method and by whether there is a key.
OPERATIONS: Mapping[tuple[str, bool], Operation] = {
    ("PUT", False): Operation("CreateBucket", "s3:CreateBucket", "bucket"),
    ("HEAD", False): Operation("HeadBucket", "s3:ListBucket", "bucket"),
    ("GET", False): Operation("ListObjectsV2", "s3:ListBucket", "bucket"),
    ("PUT", True): Operation("PutObject", "s3:PutObject", "object"),
    ("GET", True): Operation("GetObject", "s3:GetObject", "object"),
    ("HEAD", True): Operation("HeadObject", "s3:GetObject", "object"),
    ("DELETE", True): Operation("DeleteObject", "s3:DeleteObject", "object"),
}


@dataclass(frozen=True, slots=True)
class ObjectCall:
    operation: Operation
    bucket: str
    key: str
    incoming: Incoming

    @property
    def label(self) -> str:
        return f"S3.{self.operation.name}"

    @property
    def bucket_arn(self) -> str:
        return f"arn:aws:s3:::{self.bucket}"

    @property
    def check(self) -> Check:
        of_object = self.operation.on == "object"
        return Check(self.operation.action, f"{self.bucket_arn}/{self.key}" if of_object else self.bucket_arn)


def read_object_call(incoming: Incoming) -> ObjectCall:
    """Does not check the signature. Raises `AwsError` for a request that is not served."""
    bucket, _, key = unquote(incoming.path.removeprefix("/")).partition("/")
    operation = OPERATIONS.get((incoming.method, bool(key)))
    asked = set(incoming.every_query_value())
    listing = operation is not None and operation.name == "ListObjectsV2"
    if operation is None or not bucket or (not asked <= _LIST_PARAMETERS if listing else asked):
        raise _not_served("operation")
    if listing and incoming.query().get("list-type") != "2":
        raise _not_served("operation")
    if not _HOST.fullmatch(incoming.headers.get("host", "")):
        raise _not_served("address, in which the bucket is not the first part of the path,")
    unknown = [name for name in incoming.headers if name.startswith("x-amz-") and not _KNOWN_HEADERS.fullmatch(name)]
    if unknown or any(character in bucket + key for character in "*?\n"):
        raise _not_served(f"header {unknown[0]}" if unknown else "name")
    return ObjectCall(operation, bucket, key, incoming)


def run_object_call(call: ObjectCall, keyring: Keyring) -> Reply:
    """Raises `AwsError`."""
    try:
        principal = keyring.authenticate(call.incoming, service="s3")
        _check_bucket(call)
        authorize(principal, [call.check], call.incoming)
        return _answer(call, principal)
    except AwsError as failure:
        code, status = _CODES.get(failure.code, (failure.code, failure.status))
        raise AwsError(code, failure.message, status) from failure


def _check_bucket(call: ObjectCall) -> None:
    """S3 tells every caller that a bucket does not exist, whatever their permissions."""
    if call.operation.name != "CreateBucket" and call.bucket not in engine.s3._buckets:
        raise AwsError("NoSuchBucket", "The specified bucket does not exist", 404)


def _answer(call: ObjectCall, principal: Principal) -> Reply:
    # The HTTP server omits the body of an answer to HEAD and sends its length.
    method = "GET" if call.operation.name == "HeadObject" else call.incoming.method
    incoming = call.incoming
    status, headers, body = engine.s3._dispatch(
        method, call.bucket, call.key, dict(incoming.headers), incoming.body, incoming.every_query_value()
    )
    if status == 404 and call.operation.action == "s3:GetObject":
        # Callers who may not list the bucket do not learn that an object is missing.
        authorize(principal, [Check("s3:ListBucket", call.bucket_arn)], incoming)
    kept = ((name, value) for name, value in headers.items() if name.lower() != "content-length")
    return Reply(status, body, tuple(kept))


def object_error(failure: AwsError) -> Reply:
    text = f"<Code>{escape(failure.code)}</Code><Message>{escape(failure.message)}</Message>"
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error>{text}<RequestId>{uuid.uuid4()}</RequestId></Error>'
    return Reply(failure.status, body.encode(), (("Content-Type", "application/xml"),))


def _not_served(what: str) -> AwsError:
    return AwsError("NotImplemented", f"This {what} is not served here.", 501)
