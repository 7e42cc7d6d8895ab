"""What AWS answers when it does not do what was asked, as the application's own errors. One table, one context manager.

Beside the table stands what a code means for one service only; `kind_of` says how far a failure reaches.

Codes: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html and the API references
of Cognito and IAM. A code nobody listed is not guessed at: it becomes `Misconfigured`, with the code in the log.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, ParamValidationError
from botocore.exceptions import ConnectionError as BotocoreConnectionError

from tenants.domain.errors import (
    DeniedByAws,
    InvalidInput,
    Misconfigured,
    PortalError,
    RefusedByCognito,
    Throttled,
    Unavailable,
    Unreachable,
    UserExists,
    UserGone,
)

RECORDS = "The records table"
IDENTITIES = "Sign-in (Cognito)"
PEOPLE = "The user pool (Cognito)"
POLICIES = "The suspension policy (IAM)"
CLOSING = "The closing role (STS)"
EXPORTS = "The export bucket (S3)"
STACK = "The stack"

# How far a failure reaches: it passes, it is one member's own, or every other call would end the same way.
Kind = Literal["passing", "member", "systemic"]


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


def _user_exists(answer: Answer) -> PortalError:  # noqa: ARG001 - the tables pass it
    return UserExists()


def _user_gone(answer: Answer) -> PortalError:  # noqa: ARG001 - the tables pass it
    return UserGone()


def _refused(answer: Answer) -> PortalError:
    return RefusedByCognito(answer.text or answer.code)


def _undeliverable(answer: Answer) -> PortalError:
    return RefusedByCognito(f"the invitation could not be delivered ({answer.text or answer.code})")


def _not_authorized_for_user(answer: Answer) -> PortalError:
    return _refused(answer) if answer.text.startswith("User is ") else _misconfigured(answer)


Meanings = Mapping[str, Callable[[Answer], PortalError]]

ERRORS: Meanings = {
    "AccessDeniedException": _denied,
    "AccessDenied": _denied,
    # Too much at once.
    "ProvisionedThroughputExceededException": _throttled,
    "RequestLimitExceeded": _throttled,
    "ThrottlingException": _throttled,
    "Throttling": _throttled,
    "TooManyRequestsException": _throttled,
    "LimitExceededException": _throttled,
    "TransactionInProgressException": _throttled,
    "TransactionConflictException": _throttled,
    "ReplicatedWriteConflictException": _throttled,
    # Their fault, and it passes.
    "InternalServerError": _down,
    "InternalErrorException": _down,
    "InternalFailure": _down,
    "ServiceUnavailable": _down,
    "ServiceFailure": _down,
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
    # Of writes that nothing here asks for: with a condition, or to a table with a local index.
    "ConditionalCheckFailedException": _misconfigured,
    "ItemCollectionSizeLimitExceededException": _misconfigured,
}

# Asked with the program's own credentials: nobody who is signed in can do anything about those.
_OWN_CREDENTIALS: Meanings = dict.fromkeys(
    (
        "AccessDeniedException", "AccessDenied", "ExpiredTokenException", "ExpiredToken", "UnrecognizedClientException",
        "InvalidClientTokenId", "InvalidSignatureException", "SignatureDoesNotMatch", "IncompleteSignatureException",
        "IncompleteSignature", "MissingAuthenticationToken", "RequestExpired", "OptInRequired",
    ),
    _misconfigured,
)  # fmt: skip

# Where a service means something else by a code than the others do.
BY_SERVICE: Mapping[str, Meanings] = {
    PEOPLE: {
        **_OWN_CREDENTIALS,
        "UsernameExistsException": _user_exists,
        "AliasExistsException": _user_exists,
        "UserNotFoundException": _user_gone,
        # One member's own.
        "NotAuthorizedException": _not_authorized_for_user,
        "InvalidParameterException": _refused,
        "ValidationException": _refused,
        "InvalidPasswordException": _refused,
        "UnsupportedUserStateException": _refused,
        "PreconditionNotMetException": _refused,
        "UserLambdaValidationException": _refused,
        "UserNotConfirmedException": _refused,
        "PasswordResetRequiredException": _refused,
        "CodeMismatchException": _refused,
        "ExpiredCodeException": _refused,
        "CodeDeliveryFailureException": _undeliverable,
        # They pass.
        "UserImportInProgressException": _throttled,
        "ConcurrentModificationException": _throttled,
        # The pool, its functions and its roles.
        "UnexpectedLambdaException": _misconfigured,
        "InvalidLambdaResponseException": _misconfigured,
        "InvalidSmsRoleAccessPolicyException": _misconfigured,
        "InvalidSmsRoleTrustRelationshipException": _misconfigured,
        "InvalidEmailRoleAccessPolicyException": _misconfigured,
        "InvalidUserPoolConfigurationException": _misconfigured,
        "OperationNotEnabledException": _misconfigured,
        "ForbiddenException": _misconfigured,
    },
    POLICIES: {
        **_OWN_CREDENTIALS,
        "NoSuchEntity": _misconfigured,
        "InvalidInput": _misconfigured,
        "MalformedPolicyDocument": _misconfigured,
        "ValidationError": _misconfigured,
        # Somebody else was writing it at the same time.
        "LimitExceeded": _throttled,
        "DeleteConflict": _throttled,
        "ConcurrentModification": _throttled,
    },
    CLOSING: {
        **_OWN_CREDENTIALS,
        "MalformedPolicyDocument": _misconfigured,
        "PackedPolicyTooLarge": _misconfigured,
        "RegionDisabledException": _misconfigured,
    },
    EXPORTS: {
        **_OWN_CREDENTIALS,
        "InvalidAccessKeyId": _misconfigured,
        "InvalidRequest": _misconfigured,
        "InvalidObjectState": _misconfigured,
        "InvalidWriteOffset": _misconfigured,
        "TooManyParts": _misconfigured,
        "EncryptionTypeMismatch": _misconfigured,
        "NoSuchBucket": _misconfigured,
        "NoSuchKey": _misconfigured,
        "SlowDown": _throttled,
        "InternalError": _down,
        "RequestTimeout": _down,
    },
}


def meanings(service: str) -> Meanings:
    """Every code that is listed for a service."""
    return {**ERRORS, **BY_SERVICE.get(service, {})}


def kind_of(error: PortalError) -> Kind:
    """Whether to try again later, to set this one member aside, or to stop: unknown means stop."""
    match error:
        case CredentialsExpired():
            return "systemic"
        case Unavailable():
            return "passing"
        case UserExists() | UserGone() | RefusedByCognito() | InvalidInput():
            return "member"
        case _:
            return "systemic"


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
    listed = meanings(answer.service)
    if answer.code in listed:
        return listed[answer.code](answer)
    return _down(answer) if answer.status >= 500 else _misconfigured(answer)
