"""Makes all AWS clients, with time-outs and retries written out. `wiring` modules keep one of each per process."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

import botocore
import botocore.session
from botocore import UNSIGNED
from botocore.config import Config
from botocore.httpsession import get_cert_path
from botocore.loaders import create_loader
from botocore.utils import get_environ_proxies

from tenants.aws.attribute_values import AttributeValueParserFactory
from tenants.aws.first_attempts import FirstAttempts
from tenants.aws.kept_connections import KeptConnections
from tenants.aws.raw_bodies import register_capture
from tenants.aws.signing import PersonsCredentialsProvider

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cognito_identity import CognitoIdentityClient
    from mypy_boto3_cognito_idp import CognitoIdentityProviderClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_sts import STSClient

# For pages: after about ten seconds at worst, a page says "try again" instead of hanging.
_LIMITS: dict[str, Any] = {
    "connect_timeout": 2,
    "read_timeout": 3,
    "retries": {"mode": "standard", "total_max_attempts": 3},
    # Set in full, since botocore would otherwise compose its own twice for every call.
    "user_agent": f"tenant-portal Botocore/{botocore.__version__}",
}

# For a part of a page that can be left out: it has an answer within two seconds, or none.
HURRIED: dict[str, Any] = {
    **_LIMITS,
    "connect_timeout": 1,
    "read_timeout": 1,
    "retries": {"mode": "standard", "total_max_attempts": 1},
}

# For callers that pace and retry by themselves. Creating a user may send mail and run functions, which may take five
# seconds each.
_PACED: dict[str, Any] = {
    **_LIMITS,
    "read_timeout": 15,
    "retries": {"mode": "standard", "total_max_attempts": 1},
}


# For a background job that retries by itself.
_UNHURRIED: dict[str, Any] = {
    **_LIMITS,
    "connect_timeout": 5,
    "read_timeout": 20,
    "retries": {"mode": "standard", "total_max_attempts": 1},
}


# Parses AWS's service models, some megabytes of JSON, once for all clients.
_SERVICE_MODELS = create_loader()


def _session() -> botocore.session.Session:
    session = botocore.session.Session()
    session.register_component("data_loader", _SERVICE_MODELS)
    return session


def records_client(*, region: str, endpoint_url: str | None, connections: int, hurried: bool = False) -> DynamoDBClient:
    """DynamoDB, signed with the credentials bound by `tenants.aws.signing`. `connections`: the number of threads."""
    limits = HURRIED if hurried else _LIMITS
    return _signing_as_bound(region, endpoint_url, {**limits, "max_pool_connections": connections})


def closing_rows_client(*, region: str, endpoint_url: str | None, connections: int) -> DynamoDBClient:
    """The same for the closing job, without retries."""
    return _signing_as_bound(region, endpoint_url, {**_UNHURRIED, "max_pool_connections": connections})


def _signing_as_bound(region: str, endpoint_url: str | None, limits: dict[str, Any]) -> DynamoDBClient:
    session = _session()
    session.register_component("credential_provider", PersonsCredentialsProvider())
    session.register_component("response_parser_factory", AttributeValueParserFactory())
    register_capture(session)
    # Account-based endpoints depend on the credentials, which are unknown when the endpoint is resolved.
    config = Config(**limits, account_id_endpoint_mode="disabled")
    client = session.create_client("dynamodb", region_name=region, endpoint_url=endpoint_url, config=config)
    _send_attempts(session, client)
    return cast("DynamoDBClient", client)


def _send_attempts(session: botocore.session.Session, client: Any) -> None:
    """Trusts the authorities that botocore trusts. Behind a proxy, and to an address with a path, botocore sends."""
    url, config = client.meta.endpoint_url.removesuffix("/"), client.meta.config
    if get_environ_proxies(url) or urlsplit(url).path:
        return
    given = session.get_config_variable("ca_bundle") or os.environ.get("REQUESTS_CA_BUNDLE")
    connections = KeptConnections(
        url,
        most=config.max_pool_connections,
        connect_timeout=config.connect_timeout,
        read_timeout=config.read_timeout,
        certificates=str(given or get_cert_path(True)),
    )
    FirstAttempts(connections).register(client)


def identities_client(
    *, region: str, endpoint_url: str | None, connections: int, hurried: bool = False
) -> CognitoIdentityClient:
    """The identity pool's public API. Requests are unsigned: the process needs no AWS identity of its own."""
    config = Config(**(HURRIED if hurried else _LIMITS), max_pool_connections=connections, signature_version=UNSIGNED)
    client = _session().create_client("cognito-identity", region_name=region, endpoint_url=endpoint_url, config=config)
    return cast("CognitoIdentityClient", client)


def tags_client(*, region: str, endpoint_url: str | None) -> CognitoIdentityClient:
    """The identity pool's administration, signed with the credentials of the environment."""
    client = _session().create_client(
        "cognito-identity", region_name=region, endpoint_url=endpoint_url, config=Config(**_LIMITS)
    )
    return cast("CognitoIdentityClient", client)


def people_client(*, region: str, endpoint_url: str | None) -> CognitoIdentityProviderClient:
    """The user pool's administration, signed with the credentials of the environment."""
    client = _session().create_client(
        "cognito-idp", region_name=region, endpoint_url=endpoint_url, config=Config(**_LIMITS)
    )
    return cast("CognitoIdentityProviderClient", client)


def directory_client(*, region: str, endpoint_url: str | None, connections: int) -> CognitoIdentityProviderClient:
    """The user pool's administration for callers that pace their calls: no retries and no waiting.

    Signed with the credentials of the environment. `connections`: the number of threads.
    """
    config = Config(**_PACED, max_pool_connections=connections)
    client = _session().create_client("cognito-idp", region_name=region, endpoint_url=endpoint_url, config=config)
    return cast("CognitoIdentityProviderClient", client)


def policies_client(*, region: str, endpoint_url: str | None) -> IAMClient:
    """Signed with the credentials of the environment."""
    client = _session().create_client("iam", region_name=region, endpoint_url=endpoint_url, config=Config(**_LIMITS))
    return cast("IAMClient", client)


def roles_client(*, region: str, endpoint_url: str | None) -> STSClient:
    """Signed with the credentials of the environment."""
    client = _session().create_client("sts", region_name=region, endpoint_url=endpoint_url, config=Config(**_LIMITS))
    return cast("STSClient", client)


def exports_client(*, region: str, endpoint_url: str | None) -> Any:
    """S3, signed with the credentials of the environment. One request may upload some megabytes."""
    # With the bucket in the host name, a local endpoint's name could not be resolved.
    config = Config(**{**_LIMITS, "read_timeout": 60}, s3={"addressing_style": "path"})
    return _session().create_client("s3", region_name=region, endpoint_url=endpoint_url, config=config)


def stacks_client(*, region: str | None, endpoint_url: str | None) -> CloudFormationClient:
    client = _session().create_client(
        "cloudformation", region_name=region, endpoint_url=endpoint_url, config=Config(**_LIMITS)
    )
    return cast("CloudFormationClient", client)
