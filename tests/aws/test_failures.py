"""Every code the adapters can meet has a meaning, and an unknown one is not guessed at."""

import botocore.session
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError

from tenants.aws.failures import ERRORS, IDENTITIES, RECORDS, IdentityUnknown, translated
from tenants.domain.errors import DeniedByAws, Misconfigured, PortalError, Throttled, Unreachable

# The operations the adapters call. The common codes are not in botocore's models.
CALLED = {
    "dynamodb": ("Query", "GetItem"),
    "cognito-identity": ("GetId", "GetCredentialsForIdentity"),
}
COMMON = {"AccessDeniedException", "ExpiredTokenException", "UnrecognizedClientException", "ThrottlingException",
          "InvalidSignatureException", "IncompleteSignatureException", "MissingAuthenticationTokenException",
          "ServiceUnavailable", "ValidationException"}  # fmt: skip


def codes_of(service: str, operation: str) -> set[str]:
    model = botocore.session.Session().get_service_model(service).operation_model(operation)
    return {shape.metadata.get("error", {}).get("code", shape.name) for shape in model.error_shapes}


@pytest.mark.parametrize(("service", "operation"), [(s, o) for s, operations in CALLED.items() for o in operations])
def test_every_code_an_operation_can_answer_has_a_meaning(service: str, operation: str) -> None:
    assert (codes_of(service, operation) | COMMON) - set(ERRORS) == set()


def refused(code: str, text: str = "", status: int = 400) -> ClientError:
    return ClientError(
        {"Error": {"Code": code, "Message": text}, "ResponseMetadata": {"HTTPStatusCode": status, "RequestId": "r1"}},
        "Query",
    )


def meaning(error: Exception, service: str = RECORDS) -> PortalError:
    with pytest.raises(PortalError) as raised, translated(service):
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


def test_too_much_at_once_is_told_from_not_there() -> None:
    assert isinstance(meaning(refused("ProvisionedThroughputExceededException")), Throttled)
    assert isinstance(meaning(EndpointConnectionError(endpoint_url="http://x")), Unreachable)
    assert isinstance(meaning(ReadTimeoutError(endpoint_url="http://x")), Unreachable)


def test_an_identity_of_another_pool_is_told_from_a_pool_that_is_missing() -> None:
    assert isinstance(
        meaning(refused("ResourceNotFoundException", "Identity 'x' not found."), IDENTITIES), IdentityUnknown
    )
    assert isinstance(
        meaning(refused("ResourceNotFoundException", "IdentityPool 'x' not found."), IDENTITIES), Misconfigured
    )


def test_a_code_nobody_listed_is_an_operators_matter_and_named() -> None:
    unknown = meaning(refused("BrandNewException", "surprise"))
    assert isinstance(unknown, Misconfigured)
    assert "BrandNewException: surprise" in unknown.why


def test_an_unknown_server_error_is_worth_trying_again() -> None:
    assert isinstance(meaning(refused("503", status=503)), Unreachable)
