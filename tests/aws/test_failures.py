"""Every error code that the adapters can meet has a meaning; an unknown one is misconfigured."""

import botocore.session
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError, ReadTimeoutError

from tenants.aws.failures import (
    BY_SERVICE,
    CLOSING,
    EXPORTS,
    IDENTITIES,
    PEOPLE,
    POLICIES,
    RECORDS,
    TAGS,
    CredentialsExpired,
    IdentityUnknown,
    TokenRefused,
    meanings,
    scope_of,
    translate_errors,
)
from tenants.domain.errors import (
    DeniedByAws,
    InvalidInput,
    Misconfigured,
    PortalError,
    RecordChanged,
    RefusedByCognito,
    Throttled,
    Unreachable,
    UserExists,
    UserGone,
)

# The operations that the adapters call, by botocore's name of the service and the table's.
CALLED = {
    ("dynamodb", RECORDS): ("Query", "GetItem", "DeleteItem", "TransactWriteItems"),
    ("cognito-identity", IDENTITIES): ("GetId", "GetCredentialsForIdentity"),
    ("cognito-identity", TAGS): ("GetPrincipalTagAttributeMap",),
    ("cognito-idp", PEOPLE): (
        "AdminCreateUser", "AdminGetUser", "AdminUpdateUserAttributes", "AdminEnableUser", "AdminDisableUser",
        "AdminUserGlobalSignOut", "AdminDeleteSoftwareToken", "AdminDeleteUser", "ListUsers",
    ),
    ("iam", POLICIES): (
        "GetPolicy", "GetPolicyVersion", "ListPolicyVersions", "CreatePolicyVersion", "DeletePolicyVersion",
    ),
    ("sts", CLOSING): ("AssumeRole",),
    ("s3", EXPORTS): ("PutObject", "GetObject", "HeadBucket"),
}  # fmt: skip
# The common codes are not in botocore's models.
COMMON = {"AccessDeniedException", "ExpiredTokenException", "UnrecognizedClientException", "ThrottlingException",
          "InvalidSignatureException", "IncompleteSignatureException", "MissingAuthenticationTokenException",
          "ServiceUnavailable", "ValidationException"}  # fmt: skip


def codes_of(service: str, operation: str) -> set[str]:
    model = botocore.session.Session().get_service_model(service).operation_model(operation)
    return {shape.metadata.get("error", {}).get("code", shape.name) for shape in model.error_shapes}


@pytest.mark.parametrize(
    ("service", "name", "operation"), [(*called, operation) for called, all_ in CALLED.items() for operation in all_]
)
def test_every_error_code_of_an_operation_has_a_meaning(service: str, name: str, operation: str) -> None:
    assert (codes_of(service, operation) | COMMON) - set(meanings(name)) == set()


def refused(code: str, text: str = "", status: int = 400) -> ClientError:
    return ClientError(
        {"Error": {"Code": code, "Message": text}, "ResponseMetadata": {"HTTPStatusCode": status, "RequestId": "r1"}},
        "Query",
    )


def meaning(error: Exception, service: str = RECORDS) -> PortalError:
    with pytest.raises(PortalError) as raised, translate_errors(service):
        raise error
    assert raised.value.__cause__ is error
    return raised.value


def test_a_denial_keeps_awss_own_words_and_what_was_refused() -> None:
    text = (
        "User: arn:aws:sts::1:assumed-role/T/CognitoIdentityCredentials is not authorized to perform: dynamodb:Query "
        "on resource: arn:aws:dynamodb:eu-west-1:1:table/T "
        "because no identity-based policy allows the dynamodb:Query action"
    )
    denied = meaning(refused("AccessDeniedException", text))
    assert isinstance(denied, DeniedByAws)
    assert (denied.action, denied.resource) == ("dynamodb:Query", "arn:aws:dynamodb:eu-west-1:1:table/T")
    assert (denied.answer, denied.aws_request_id) == (text, "r1")


def test_throttling_differs_from_being_unreachable() -> None:
    assert isinstance(meaning(refused("ProvisionedThroughputExceededException")), Throttled)
    assert isinstance(meaning(EndpointConnectionError(endpoint_url="http://x")), Unreachable)
    assert isinstance(meaning(ReadTimeoutError(endpoint_url="http://x")), Unreachable)


def test_an_unknown_identity_differs_from_a_missing_pool() -> None:
    assert isinstance(
        meaning(refused("ResourceNotFoundException", "Identity 'x' not found."), IDENTITIES), IdentityUnknown
    )
    assert isinstance(
        meaning(refused("ResourceNotFoundException", "IdentityPool 'x' not found."), IDENTITIES), Misconfigured
    )


def test_an_unlisted_code_is_misconfigured_and_named() -> None:
    unknown = meaning(refused("BrandNewException", "surprise"))
    assert isinstance(unknown, Misconfigured)
    assert "BrandNewException: surprise" in unknown.why


def test_an_unknown_server_error_can_be_retried() -> None:
    assert isinstance(meaning(refused("503", status=503)), Unreachable)


# The scope of each failure of the user pool and of the suspension policy.
PASSING = {
    "ProvisionedThroughputExceededException", "RequestLimitExceeded", "ThrottlingException", "Throttling",
    "TooManyRequestsException", "LimitExceededException", "TransactionInProgressException", "InternalServerError",
    "InternalErrorException", "InternalFailure", "ServiceUnavailable", "ServiceFailure", "ExternalServiceException",
    "UserImportInProgressException", "ConcurrentModificationException", "TransactionConflictException",
    "ReplicatedWriteConflictException", "LimitExceeded", "DeleteConflict", "ConcurrentModification",
}  # fmt: skip
MEMBERS_OWN = {
    "UsernameExistsException", "AliasExistsException", "UserNotFoundException", "InvalidParameterException",
    "ValidationException", "InvalidPasswordException", "UnsupportedUserStateException", "PreconditionNotMetException",
    "UserLambdaValidationException", "UserNotConfirmedException", "PasswordResetRequiredException",
    "CodeMismatchException", "ExpiredCodeException", "CodeDeliveryFailureException",
}  # fmt: skip
# DynamoDB's code for a wrong input; IAM never uses it.
NOT_IAMS = {"ValidationException"}


@pytest.mark.parametrize(
    ("service", "code"), [(service, code) for service in (PEOPLE, POLICIES) for code in sorted(meanings(service))]
)
def test_every_code_has_its_scope(service: str, code: str) -> None:
    scope = scope_of(meaning(refused(code, "Some text."), service))
    if code in PASSING:
        assert scope == "passing"
    elif service == PEOPLE and code in MEMBERS_OWN:
        assert scope == "member"
    elif code not in NOT_IAMS:
        assert scope == "systemic"


def test_time_outs_are_passing_and_unlisted_codes_systemic() -> None:
    assert scope_of(meaning(ReadTimeoutError(endpoint_url="http://x"), PEOPLE)) == "passing"
    assert scope_of(meaning(refused("503", status=503), PEOPLE)) == "passing"
    assert scope_of(meaning(refused("BrandNewException"), PEOPLE)) == "systemic"
    assert scope_of(meaning(NoCredentialsError(), PEOPLE)) == "systemic"
    assert scope_of(CredentialsExpired("ExpiredTokenException")) == "systemic"
    assert scope_of(PortalError("something new")) == "systemic"


def test_a_code_may_mean_something_else_for_one_service() -> None:
    assert isinstance(meaning(refused("NotAuthorizedException"), IDENTITIES), TokenRefused)
    assert isinstance(meaning(refused("NotAuthorizedException"), PEOPLE), Misconfigured)
    assert isinstance(meaning(refused("NotAuthorizedException", "User is disabled."), PEOPLE), RefusedByCognito)
    assert isinstance(meaning(refused("InvalidParameterException"), IDENTITIES), Misconfigured)
    assert isinstance(meaning(refused("AccessDeniedException"), RECORDS), DeniedByAws)
    assert isinstance(meaning(refused("ExpiredTokenException"), RECORDS), CredentialsExpired)
    assert isinstance(meaning(refused("ValidationException"), RECORDS), InvalidInput)


def test_failures_of_the_programs_own_credentials_are_misconfigured() -> None:
    for service in BY_SERVICE:
        for code in ("AccessDeniedException", "ExpiredTokenException"):
            denied = meaning(refused(code, "User: x is not authorized to perform: y"), service)
            assert isinstance(denied, Misconfigured)
            assert f"{code}: User: x is not authorized to perform: y" in denied.why


def test_a_failure_of_a_member_contains_cognitos_words() -> None:
    text = "Attributes did not conform to the schema: custom:role: too long"
    assert text in str(meaning(refused("InvalidParameterException", text), PEOPLE))
    assert "PreconditionNotMetException" in str(meaning(refused("PreconditionNotMetException"), PEOPLE))
    assert "could not be delivered" in str(meaning(refused("CodeDeliveryFailureException"), PEOPLE))
    assert isinstance(meaning(refused("UsernameExistsException"), PEOPLE), UserExists)
    assert isinstance(meaning(refused("UserNotFoundException"), PEOPLE), UserGone)


@pytest.mark.parametrize(
    ("reasons", "meant"),
    [
        (["None", "ConditionalCheckFailed"], RecordChanged),
        (["TransactionConflict", "ConditionalCheckFailed"], RecordChanged),
        (["TransactionConflict", "None"], Throttled),
        (["ThrottlingError"], Throttled),
        (["ProvisionedThroughputExceeded"], Throttled),
        (["None", "ValidationError"], InvalidInput),
        (["Surprise"], Misconfigured),
        ([], Misconfigured),
    ],
)
def test_a_cancelled_transaction_says_what_cancelled_it(reasons: list[str], meant: type[PortalError]) -> None:
    error = refused("TransactionCanceledException")
    error.response["CancellationReasons"] = [{"Code": code, "Message": "why"} for code in reasons]
    found = meaning(error)
    assert isinstance(found, meant)
    if isinstance(found, RecordChanged):
        assert found.at == 1
