"""How clients are made: once per process, with time-outs and retries written out. Nothing else constructs one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import botocore
import botocore.session
from botocore import UNSIGNED
from botocore.config import Config

from tenants.aws.attribute_values import AttributeValueParserFactory
from tenants.aws.raw_bodies import keep_bodies_of
from tenants.aws.signing import PersonsCredentialsProvider

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cognito_identity import CognitoIdentityClient
    from mypy_boto3_cognito_idp import CognitoIdentityProviderClient
    from mypy_boto3_dynamodb import DynamoDBClient

# A page would rather say "try again" than hang: the worst case is about ten seconds.
_LIMITS: dict[str, Any] = {
    "connect_timeout": 2,
    "read_timeout": 3,
    "retries": {"mode": "standard", "total_max_attempts": 3},
    # Written out whole: botocore would put its own together anew, twice for every call.
    "user_agent": f"tenant-portal Botocore/{botocore.__version__}",
}


def records_client(*, region: str, endpoint_url: str | None, connections: int) -> DynamoDBClient:
    """DynamoDB, signing as whoever `tenants.aws.signing` has bound. `connections`: as many as threads use it."""
    session = botocore.session.Session()
    session.register_component("credential_provider", PersonsCredentialsProvider())
    session.register_component("response_parser_factory", AttributeValueParserFactory())
    keep_bodies_of(session)
    # Account-based endpoints are chosen from the credentials, which are not known yet when the endpoint is.
    config = Config(**_LIMITS, max_pool_connections=connections, account_id_endpoint_mode="disabled")
    made = session.create_client("dynamodb", region_name=region, endpoint_url=endpoint_url, config=config)
    return cast("DynamoDBClient", made)


def identities_client(*, region: str, endpoint_url: str | None, connections: int) -> CognitoIdentityClient:
    """The identity pool's public API, which nobody signs for: the process needs no AWS identity of its own."""
    config = Config(**_LIMITS, max_pool_connections=connections, signature_version=UNSIGNED)
    made = botocore.session.Session().create_client(
        "cognito-identity", region_name=region, endpoint_url=endpoint_url, config=config
    )
    return cast("CognitoIdentityClient", made)


def people_client(*, region: str, endpoint_url: str | None) -> CognitoIdentityProviderClient:
    """The user pool's administration, signed with the credentials of the environment."""
    made = botocore.session.Session().create_client(
        "cognito-idp", region_name=region, endpoint_url=endpoint_url, config=Config(**_LIMITS)
    )
    return cast("CognitoIdentityProviderClient", made)


def stacks_client(*, region: str | None, endpoint_url: str | None) -> CloudFormationClient:
    made = botocore.session.Session().create_client(
        "cloudformation", region_name=region, endpoint_url=endpoint_url, config=Config(**_LIMITS)
    )
    return cast("CloudFormationClient", made)
