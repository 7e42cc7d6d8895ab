"""How clients are made: once per process, with time-outs and retries written out. Nothing else constructs one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import botocore
import botocore.session
from botocore import UNSIGNED
from botocore.config import Config
from botocore.loaders import create_loader

from tenants.aws.attribute_values import AttributeValueParserFactory
from tenants.aws.raw_bodies import register_capture
from tenants.aws.signing import PersonsCredentialsProvider

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cognito_identity import CognitoIdentityClient
    from mypy_boto3_cognito_idp import CognitoIdentityProviderClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_sts import STSClient

# A page would rather say "try again" than hang: the worst case is about ten seconds.
_LIMITS: dict[str, Any] = {
    "connect_timeout": 2,
    "read_timeout": 3,
    "retries": {"mode": "standard", "total_max_attempts": 3},
    # Written out whole: botocore would put its own together anew, twice for every call.
    "user_agent": f"tenant-portal Botocore/{botocore.__version__}",
}

# Whoever uses it keeps to Cognito's pace and waits between tries. Making a user may mean mail and functions: they
# have five seconds each.
_PACED: dict[str, Any] = {
    **_LIMITS,
    "read_timeout": 15,
    "retries": {"mode": "standard", "total_max_attempts": 1},
}


# A job that nobody waits for; whoever uses it tries again.
_UNHURRIED: dict[str, Any] = {
    **_LIMITS,
    "connect_timeout": 5,
    "read_timeout": 20,
    "retries": {"mode": "standard", "total_max_attempts": 1},
}


# Parses AWS's descriptions of its services, some megabytes of JSON, once for all clients.
_DESCRIPTIONS = create_loader()


def _session() -> botocore.session.Session:
    session = botocore.session.Session()
    session.register_component("data_loader", _DESCRIPTIONS)
    return session


def records_client(*, region: str, endpoint_url: str | None, connections: int) -> DynamoDBClient:
    """DynamoDB, signing as whoever `tenants.aws.signing` has bound. `connections`: as many as threads use it."""
    return _signing_as_bound(region, endpoint_url, {**_LIMITS, "max_pool_connections": connections})


def closing_rows_client(*, region: str, endpoint_url: str | None, connections: int) -> DynamoDBClient:
    """The same for the closing job: nothing is tried twice."""
    return _signing_as_bound(region, endpoint_url, {**_UNHURRIED, "max_pool_connections": connections})


def _signing_as_bound(region: str, endpoint_url: str | None, limits: dict[str, Any]) -> DynamoDBClient:
    session = _session()
    session.register_component("credential_provider", PersonsCredentialsProvider())
    session.register_component("response_parser_factory", AttributeValueParserFactory())
    register_capture(session)
    # Account-based endpoints are chosen from the credentials, which are not known yet when the endpoint is.
    config = Config(**limits, account_id_endpoint_mode="disabled")
    made = session.create_client("dynamodb", region_name=region, endpoint_url=endpoint_url, config=config)
    return cast("DynamoDBClient", made)


def identities_client(*, region: str, endpoint_url: str | None, connections: int) -> CognitoIdentityClient:
    """The identity pool's public API, which nobody signs for: the process needs no AWS identity of its own."""
    config = Config(**_LIMITS, max_pool_connections=connections, signature_version=UNSIGNED)
    made = _session().create_client("cognito-identity", region_name=region, endpoint_url=endpoint_url, config=config)
    return cast("CognitoIdentityClient", made)


def people_client(*, region: str, endpoint_url: str | None) -> CognitoIdentityProviderClient:
    """The user pool's administration, signed with the credentials of the environment."""
    made = _session().create_client(
        "cognito-idp", region_name=region, endpoint_url=endpoint_url, config=Config(**_LIMITS)
    )
    return cast("CognitoIdentityProviderClient", made)


def directory_client(*, region: str, endpoint_url: str | None, connections: int) -> CognitoIdentityProviderClient:
    """The user pool's administration for one who paces the calls: nothing is tried twice, and nothing waits.

    Signed with the credentials of the environment. `connections`: as many as threads use it.
    """
    config = Config(**_PACED, max_pool_connections=connections)
    made = _session().create_client("cognito-idp", region_name=region, endpoint_url=endpoint_url, config=config)
    return cast("CognitoIdentityProviderClient", made)


def policies_client(*, region: str, endpoint_url: str | None) -> IAMClient:
    """Signed with the credentials of the environment."""
    made = _session().create_client("iam", region_name=region, endpoint_url=endpoint_url, config=Config(**_LIMITS))
    return cast("IAMClient", made)


def roles_client(*, region: str, endpoint_url: str | None) -> STSClient:
    """Signed with the credentials of the environment."""
    made = _session().create_client("sts", region_name=region, endpoint_url=endpoint_url, config=Config(**_LIMITS))
    return cast("STSClient", made)


def exports_client(*, region: str, endpoint_url: str | None) -> Any:
    """S3, signed with the credentials of the environment. A file of some megabytes is put in one request."""
    # Where the bucket is a part of the host's name, it has to be one that the machine can look up.
    config = Config(**{**_LIMITS, "read_timeout": 60}, s3={"addressing_style": "path"})
    return _session().create_client("s3", region_name=region, endpoint_url=endpoint_url, config=config)


def stacks_client(*, region: str | None, endpoint_url: str | None) -> CloudFormationClient:
    made = _session().create_client(
        "cloudformation", region_name=region, endpoint_url=endpoint_url, config=Config(**_LIMITS)
    )
    return cast("CloudFormationClient", made)
