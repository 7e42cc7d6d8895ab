"""What a worker calls in AWS, made from the settings once per process."""

from __future__ import annotations

from typing import Any

from django.conf import settings

from tenants.aws.clients import directory_client, policies_client, tags_client
from tenants.aws.directory import Directory
from tenants.aws.identity_pool import provider_name
from tenants.aws.principal_tags import PrincipalTags
from tenants.aws.suspension_policy import SuspensionPolicy
from tenants.domain.once import once
from tenants.provisioning.dispatcher import Tools
from tenants.provisioning.pace import Pacer


@once
def tools(*, threads: int) -> Tools:
    """For the worker, whose process has AWS keys; the web processes have none. `threads` make calls at once."""
    where: dict[str, Any] = {"region": settings.AWS_REGION, "endpoint_url": settings.AWS_ENDPOINT_URL}
    return Tools(
        directory=Directory(directory_client(**where, connections=threads), settings.COGNITO_USER_POOL_ID),
        policy=SuspensionPolicy(policies_client(**where), settings.SUSPENSION_POLICY_ARN),
        pacer=Pacer(settings.COGNITO_CALLS_PER_SECOND),
    )


@once
def principal_tags() -> PrincipalTags:
    """With the worker's keys."""
    client = tags_client(region=settings.AWS_REGION, endpoint_url=settings.AWS_ENDPOINT_URL)
    provider = provider_name(settings.AWS_REGION, settings.COGNITO_USER_POOL_ID)
    return PrincipalTags(client, settings.COGNITO_IDENTITY_POOL_ID, provider)
