"""The HTTP API whose paths begin with an organisation, called with a person's credentials.

Which paths they reach is IAM's decision. Nothing here compares an org.
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-access-control-iam.html
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials

from tenants.aws.bounded_http import NoAnswer, call
from tenants.domain.credentials import Credentials
from tenants.domain.errors import InvalidInput, Throttled, Unreachable

SERVICE = "The API (API Gateway)"
# API Gateway answers with 10 MB at most.
_MOST_BYTES = 10 * 1024 * 1024
_MOST_CHARACTERS = 64_000
MOST_PATH = 500
# What an address may hold as it is; everything else has to be encoded.
_PATH = re.compile(r"/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class ApiAnswer:
    """`request_id` is API Gateway's, "" where it gave none. `body` is the text as it came."""

    status: int
    request_id: str
    body: str

    @property
    def allowed(self) -> bool:
        return self.status < 400


@dataclass(frozen=True, slots=True)
class RecordsApi:
    """`url` has no slash at its end."""

    url: str
    region: str

    def get(self, credentials: Credentials, path: str) -> ApiAnswer:
        """`path` begins with a slash and is sent as it is. An answer of 403 or 404 is an answer.

        Raises InvalidInput, Throttled or Unreachable.
        """
        if len(path) > MOST_PATH or not _PATH.fullmatch(path):
            raise InvalidInput(
                f"Enter a path that begins with a slash, of at most {MOST_PATH} characters: letters, digits, and "
                "everything else percent-encoded.",
                field="path",
            )
        signed = AWSRequest("GET", f"{self.url}{path}")
        SigV4Auth(_frozen(credentials), "execute-api", self.region).add_auth(signed)
        try:
            answer = call(_as_it_is(signed), most_bytes=_MOST_BYTES)
        except NoAnswer as error:
            raise Unreachable(SERVICE, str(error)) from error
        if answer.status == requests.codes.too_many_requests:
            raise Throttled(SERVICE, "it answered 429")
        if answer.status >= 500:
            raise Unreachable(SERVICE, f"it answered {answer.status}")
        text = answer.body.decode(errors="replace")[:_MOST_CHARACTERS]
        return ApiAnswer(answer.status, answer.headers.get("apigw-requestid", ""), text)


def _as_it_is(signed: AWSRequest) -> requests.PreparedRequest:
    """requests would tidy the path up, and the signature would be of another one."""
    prepared = requests.Request("GET", signed.url, headers=dict(signed.headers)).prepare()
    prepared.url = signed.url
    return prepared


def _frozen(credentials: Credentials) -> ReadOnlyCredentials:
    return ReadOnlyCredentials(
        credentials.access_key_id, credentials.secret_access_key, credentials.session_token, None
    )
