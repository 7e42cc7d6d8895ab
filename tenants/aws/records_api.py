"""The HTTP API whose paths begin with an organisation, called with a person's credentials.

Which paths they reach is IAM's decision. Nothing here compares an org.
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-access-control-iam.html
"""

from __future__ import annotations

from dataclasses import dataclass, field

import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials

from tenants.domain.credentials import Credentials
from tenants.domain.errors import Throttled, Unreachable

SERVICE = "The API (API Gateway)"
_TIMEOUT = (2, 5)
_MOST_BYTES = 64_000


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
    session: requests.Session = field(default_factory=requests.Session, repr=False)

    def get(self, credentials: Credentials, path: str) -> ApiAnswer:
        """`path` begins with a slash and is sent as it is. An answer of 403 or 404 is an answer.

        Raises Throttled or Unreachable.
        """
        signed = AWSRequest("GET", f"{self.url}{path}")
        SigV4Auth(_frozen(credentials), "execute-api", self.region).add_auth(signed)
        try:
            answer = self.session.send(_as_it_is(signed), timeout=_TIMEOUT, allow_redirects=False, stream=False)
        except requests.RequestException as error:
            raise Unreachable(SERVICE, type(error).__name__) from error
        if answer.status_code == requests.codes.too_many_requests:
            raise Throttled(SERVICE, "it answered 429")
        if answer.status_code >= 500:
            raise Unreachable(SERVICE, f"it answered {answer.status_code}")
        return ApiAnswer(answer.status_code, answer.headers.get("apigw-requestid", ""), answer.text[:_MOST_BYTES])


def _as_it_is(signed: AWSRequest) -> requests.PreparedRequest:
    """requests would tidy the path up, and the signature would be of another one."""
    prepared = requests.Request("GET", signed.url, headers=dict(signed.headers)).prepare()
    prepared.url = signed.url
    return prepared


def _frozen(credentials: Credentials) -> ReadOnlyCredentials:
    return ReadOnlyCredentials(
        credentials.access_key_id, credentials.secret_access_key, credentials.session_token, None
    )
