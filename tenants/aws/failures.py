"""Translates AWS's errors into the application's own. One table, one context manager.

A second table has the codes that mean something else for one service; `scope_of` says how far a failure reaches.

Codes: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html and the API references
of Cognito and IAM. An unlisted code becomes `Misconfigured`, with the code in the log.
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
    MailLimitReached,
    Misconfigured,
    NotInvited,
    PortalError,
    RecordChanged,
    RefusedByCognito,
    Throttled,
    Unavailable,
    UndeliverableMail,
    Unreachable,
    UserExists,
    UserGone,
)

RECORDS = "The records table"
IDENTITIES = "Sign-in (Cognito)"
TAGS = "The map of principal tags (Cognito)"
PEOPLE = "The user pool (Cognito)"
POLICIES = "The suspension policy (IAM)"
CLOSING = "The closing role (STS)"
EXPORTS = "The export bucket (S3)"
STACK = "The stack"

# A passing failure is worth a retry, a member's concerns one person, a systemic one would meet every other call too,
# and one of mails every other call that Cognito mails somebody about.
Scope = Literal["passing", "member", "mails", "systemic"]
# The API reference does not list it among the errors of AdminCreateUser. Others end with "limit exceeded" too.
_DAILY_MAIL_LIMIT = "exceeded daily email limit"


class CredentialsExpired(Unavailable):
    """The credentials have expired or were revoked: get new ones and try again."""

    def __init__(self, code: str) -> None:
        super().__init__(RECORDS, code)
        self.message = "Your access to the records has to be renewed. Nothing was lost; try again."


class TokenRefused(PortalError):
    """The identity pool refuses this ID token: expired, signed out, or of another user pool."""

    def __init__(self, answer: str) -> None:
        super().__init__("Your session has ended. Sign in again to return to this page.")
        self.answer = answer


class IdentityUnknown(PortalError):
    """The identity pool does not know this identity id; the person needs a new one."""

    def __init__(self, answer: str) -> None:
        super().__init__("Your session has ended. Sign in again to return to this page.")
        self.answer = answer


@dataclass(frozen=True, slots=True)
class AwsError:
    """An error of AWS, untranslated."""

    service: str
    code: str
    text: str
    status: int
    request_id: str
    # Of a transaction that was cancelled: a code and a text for each of its writes, "None" for those that are fine.
    reasons: tuple[tuple[str, str], ...] = ()


_DENIED = re.compile(r"is not authorized to perform: (?P<action>\S+)(?: on resource: (?P<resource>\S+))?")


def _denied(error: AwsError) -> PortalError:
    named = _DENIED.search(error.text)
    return DeniedByAws(
        code=error.code,
        answer=error.text,
        action=named["action"] if named else "",
        resource=(named["resource"] or "") if named else "",
        aws_request_id=error.request_id,
    )


def _throttled(error: AwsError) -> PortalError:
    return Throttled(error.service, error.code)


def _down(error: AwsError) -> PortalError:
    return Unreachable(error.service, f"{error.status} {error.code}")


def _misconfigured(error: AwsError) -> PortalError:
    return Misconfigured(f"{error.service} answered {error.code}: {error.text}")


def _expired(error: AwsError) -> PortalError:
    return CredentialsExpired(error.code)


def _token_refused(error: AwsError) -> PortalError:
    return TokenRefused(error.text)


def _invalid(error: AwsError) -> PortalError:
    return InvalidInput(f"{error.service} does not accept this: {error.text}")


def _resource_not_found(error: AwsError) -> PortalError:
    if error.service == IDENTITIES and error.text.startswith("Identity '"):
        return IdentityUnknown(error.text)
    return _misconfigured(error)


def _changed(error: AwsError) -> PortalError:  # noqa: ARG001 - the tables pass it
    return RecordChanged()


# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html#API_TransactWriteItems_Errors
_BUSY = {"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"}
_INVALID = {"ValidationError", "ItemCollectionSizeLimitExceeded"}


def _cancelled(error: AwsError) -> PortalError:
    """By the first reason that another try would not remove, since the others may pass."""
    for at, (code, text) in enumerate(error.reasons):
        if code == "ConditionalCheckFailed":
            return RecordChanged(at=at)
        if code in _INVALID:
            return InvalidInput(f"{error.service} does not accept this: {text}")
    for code, _ in error.reasons:
        if code in _BUSY:
            return Throttled(error.service, code)
    return _misconfigured(error)


def _user_exists(error: AwsError) -> PortalError:  # noqa: ARG001 - the tables pass it
    return UserExists()


def _user_gone(error: AwsError) -> PortalError:  # noqa: ARG001 - the tables pass it
    return UserGone()


def _refused(error: AwsError) -> PortalError:
    return RefusedByCognito(error.text or error.code)


def _undeliverable(error: AwsError) -> PortalError:
    return UndeliverableMail(error.text or error.code)


def _not_invited(error: AwsError) -> PortalError:
    return NotInvited(error.text or error.code)


def _limit_exceeded(error: AwsError) -> PortalError:
    return MailLimitReached() if _DAILY_MAIL_LIMIT in error.text.lower() else _throttled(error)


def _not_authorized_for_user(error: AwsError) -> PortalError:
    return _refused(error) if error.text.startswith("User is ") else _misconfigured(error)


Meanings = Mapping[str, Callable[[AwsError], PortalError]]

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
    # AWS's own failures, which pass.
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
    # CloudFormation's answer for a stack that does not exist.
    "ValidationError": _misconfigured,
    "InvalidParameterException": _misconfigured,
    "ResourceNotFoundException": _resource_not_found,
    "InvalidEndpointException": _misconfigured,
    "ConditionalCheckFailedException": _changed,
    "TransactionCanceledException": _cancelled,
    # A token of a transaction is never used for another one.
    "IdempotentParameterMismatchException": _misconfigured,
    # Only of a table with a local index, which the portal does not make.
    "ItemCollectionSizeLimitExceededException": _misconfigured,
}

# For calls signed with the program's own credentials: a signed-in person cannot do anything about those.
_OWN_CREDENTIALS: Meanings = dict.fromkeys(
    (
        "AccessDeniedException", "AccessDenied", "ExpiredTokenException", "ExpiredToken", "UnrecognizedClientException",
        "InvalidClientTokenId", "InvalidSignatureException", "SignatureDoesNotMatch", "IncompleteSignatureException",
        "IncompleteSignature", "MissingAuthenticationToken", "RequestExpired", "OptInRequired",
    ),
    _misconfigured,
)  # fmt: skip

# Codes that mean something else for one service than for the others.
BY_SERVICE: Mapping[str, Meanings] = {
    TAGS: {
        **_OWN_CREDENTIALS,
        "NotAuthorizedException": _misconfigured,
        "InvalidParameterException": _misconfigured,
    },
    PEOPLE: {
        **_OWN_CREDENTIALS,
        "UsernameExistsException": _user_exists,
        "AliasExistsException": _user_exists,
        "UserNotFoundException": _user_gone,
        # Concern one member.
        "NotAuthorizedException": _not_authorized_for_user,
        "InvalidParameterException": _refused,
        "ValidationException": _refused,
        "InvalidPasswordException": _refused,
        "UnsupportedUserStateException": _not_invited,
        "PreconditionNotMetException": _refused,
        "UserLambdaValidationException": _refused,
        "UserNotConfirmedException": _refused,
        "PasswordResetRequiredException": _refused,
        "CodeMismatchException": _refused,
        "ExpiredCodeException": _refused,
        "CodeDeliveryFailureException": _undeliverable,
        # Concerns everybody who has to be mailed, or passes.
        "LimitExceededException": _limit_exceeded,
        # Pass.
        "UserImportInProgressException": _throttled,
        "ConcurrentModificationException": _throttled,
        # Concern the pool, its functions or its roles.
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
        # Another writer at the same time.
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
    """All codes listed for a service."""
    return {**ERRORS, **BY_SERVICE.get(service, {})}


def scope_of(error: PortalError) -> Scope:
    """Whether to try again later (passing), to set this member aside (member), to mail nobody for a while (mails), or
    to stop (systemic, the default).
    """
    match error:
        case CredentialsExpired():
            return "systemic"
        case Unavailable():
            return "passing"
        case UserExists() | UserGone() | RefusedByCognito() | NotInvited() | UndeliverableMail() | InvalidInput():
            return "member"
        case MailLimitReached():
            return "mails"
        case _:
            return "systemic"


@contextmanager
def translate_errors(service: str) -> Iterator[None]:
    """Raises the application's errors in place of botocore's. `service` is one of the names above, fit for a person."""
    try:
        yield
    except ClientError as error:
        raise _meaning(aws_error(error, service)) from error
    except ParamValidationError as error:
        raise InvalidInput(f"{service} does not accept this: {error}") from error
    except (HTTPClientError, BotocoreConnectionError) as error:
        raise Unreachable(service, type(error).__name__) from error
    except BotoCoreError as error:
        raise Misconfigured(f"{service}: {error}") from error


def aws_error(error: ClientError, service: str) -> AwsError:
    detail = error.response.get("Error", {})
    metadata = error.response.get("ResponseMetadata", {})
    return AwsError(
        service=service,
        code=str(detail.get("Code", "")),
        text=str(detail.get("Message", "")),
        status=int(metadata.get("HTTPStatusCode", 0)),
        request_id=str(metadata.get("RequestId", "")),
        reasons=tuple(
            (str(reason.get("Code", "")), str(reason.get("Message", "")))
            for reason in error.response.get("CancellationReasons", [])
        ),
    )


def _meaning(error: AwsError) -> PortalError:
    listed = meanings(error.service)
    if error.code in listed:
        return listed[error.code](error)
    return _down(error) if error.status >= 500 else _misconfigured(error)
