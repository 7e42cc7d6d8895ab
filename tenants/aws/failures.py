"""What AWS answers when it does not do what was asked, as the application's own errors. One table, one context manager.

Codes: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html and the API references
of Cognito. A code nobody listed is not guessed at: it becomes `Misconfigured`, with the code in the log.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, ParamValidationError
from botocore.exceptions import ConnectionError as BotocoreConnectionError

from tenants.domain.errors import (
    DeniedByAws,
    InvalidInput,
    Misconfigured,
    PortalError,
    Throttled,
    Unavailable,
    Unreachable,
)

RECORDS = "The records table"
IDENTITIES = "Sign-in (Cognito)"
STACK = "The stack"


class CredentialsExpired(Unavailable):
    """The credentials in hand are worth nothing any more: get new ones and ask again."""

    def __init__(self, code: str) -> None:
        super().__init__(RECORDS, code)
        self.message = "Your access to the records has to be renewed. Nothing was lost; try again."


class TokenRefused(PortalError):
    """The identity pool does not take this ID token: expired, signed out, or not one of ours."""

    def __init__(self, answer: str) -> None:
        super().__init__("Your session has ended. Sign in again and you are back on this page.")
        self.answer = answer


class IdentityUnknown(PortalError):
    """The identity id is not of this pool (any more); the person has to be given a new one."""

    def __init__(self, answer: str) -> None:
        super().__init__("Your session has ended. Sign in again and you are back on this page.")
        self.answer = answer


@dataclass(frozen=True, slots=True)
class Answer:
    """AWS's refusal, as it came."""

    service: str
    code: str
    text: str
    status: int
    request_id: str


_DENIED = re.compile(r"is not authorized to perform: (?P<action>\S+)(?: on resource: (?P<resource>\S+))?")


def _denied(answer: Answer) -> PortalError:
    named = _DENIED.search(answer.text)
    return DeniedByAws(
        code=answer.code,
        answer=answer.text,
        action=named["action"] if named else "",
        resource=(named["resource"] or "") if named else "",
        aws_request_id=answer.request_id,
    )


def _throttled(answer: Answer) -> PortalError:
    return Throttled(answer.service, answer.code)


def _down(answer: Answer) -> PortalError:
    return Unreachable(answer.service, f"{answer.status} {answer.code}")


def _misconfigured(answer: Answer) -> PortalError:
    return Misconfigured(f"{answer.service} answered {answer.code}: {answer.text}")


def _expired(answer: Answer) -> PortalError:
    return CredentialsExpired(answer.code)


def _token_refused(answer: Answer) -> PortalError:
    return TokenRefused(answer.text)


def _invalid(answer: Answer) -> PortalError:
    return InvalidInput(f"{answer.service} cannot work with this: {answer.text}")


def _resource_not_found(answer: Answer) -> PortalError:
    if answer.service == IDENTITIES and answer.text.startswith("Identity '"):
        return IdentityUnknown(answer.text)
    return _misconfigured(answer)


ERRORS: dict[str, Callable[[Answer], PortalError]] = {
    "AccessDeniedException": _denied,
    "AccessDenied": _denied,
    # Too much at once.
    "ProvisionedThroughputExceededException": _throttled,
    "RequestLimitExceeded": _throttled,
    "ThrottlingException": _throttled,
    "TooManyRequestsException": _throttled,
    "LimitExceededException": _throttled,
    "TransactionInProgressException": _throttled,
    # Their fault, and it passes.
    "InternalServerError": _down,
    "InternalErrorException": _down,
    "InternalFailure": _down,
    "ServiceUnavailable": _down,
    "ExternalServiceException": _down,
    # The credentials.
    "ExpiredTokenException": _expired,
    "UnrecognizedClientException": _expired,
    "InvalidSignatureException": _expired,
    "IncompleteSignatureException": _expired,
    "MissingAuthenticationTokenException": _misconfigured,
    # The token.
    "NotAuthorizedException": _token_refused,
    "ResourceConflictException": _token_refused,
    "InvalidIdentityPoolConfigurationException": _misconfigured,
    # The request.
    "ValidationException": _invalid,
    # How CloudFormation says that a stack does not exist.
    "ValidationError": _misconfigured,
    "InvalidParameterException": _misconfigured,
    "ResourceNotFoundException": _resource_not_found,
    "InvalidEndpointException": _misconfigured,
}


@contextmanager
def translated(service: str) -> Iterator[None]:
    """Raises one of the application's errors instead of botocore's; `service` is the name a person would know."""
    try:
        yield
    except ClientError as error:
        raise _meaning(answer_of(error, service)) from error
    except ParamValidationError as error:
        raise InvalidInput(f"{service} cannot work with this: {error}") from error
    except (HTTPClientError, BotocoreConnectionError) as error:
        raise Unreachable(service, type(error).__name__) from error
    except BotoCoreError as error:
        raise Misconfigured(f"{service}: {error}") from error


def answer_of(error: ClientError, service: str) -> Answer:
    detail = error.response.get("Error", {})
    metadata = error.response.get("ResponseMetadata", {})
    return Answer(
        service=service,
        code=str(detail.get("Code", "")),
        text=str(detail.get("Message", "")),
        status=int(metadata.get("HTTPStatusCode", 0)),
        request_id=str(metadata.get("RequestId", "")),
    )


def _meaning(answer: Answer) -> PortalError:
    if answer.code in ERRORS:
        return ERRORS[answer.code](answer)
    return _down(answer) if answer.status >= 500 else _misconfigured(answer)
