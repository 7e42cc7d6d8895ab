"""What the closing job reaches in AWS, made from the settings once per process."""

from __future__ import annotations

from typing import Any

from django.conf import settings

from tenants.aws.clients import closing_rows_client, exports_client, roles_client
from tenants.aws.export_store import open_stores
from tenants.aws.tagged_credentials import TaggedCredentials
from tenants.aws.tenant_rows import DELETED_AT_ONCE, TenantRows
from tenants.domain.errors import Misconfigured
from tenants.domain.keys import KeyNames
from tenants.domain.once import once
from tenants.domain.org_id import OrgId
from tenants.lifecycle.closing import Reach


@once
def reach(*, export_to: str) -> Reach:
    """For the closing job, whose process has the keys of ClosingJobRole. `export_to` is "" for no export.

    Raises Misconfigured without CLOSING_ROLE_ARN, and what `stores_at` does.
    """
    if not settings.CLOSING_ROLE_ARN:
        raise Misconfigured("CLOSING_ROLE_ARN is not set; `manage.py stack_env` prints it.")
    where: dict[str, Any] = {"region": settings.AWS_REGION, "endpoint_url": settings.AWS_ENDPOINT_URL}
    store = open_stores(export_to, client=lambda: exports_client(**where)) if export_to else None
    rows, roles = closing_rows_client(**where, connections=DELETED_AT_ONCE), roles_client(**where)

    def rows_of(org: OrgId) -> TenantRows:
        credentials = TaggedCredentials(roles, role_arn=settings.CLOSING_ROLE_ARN, org=org)
        return TenantRows(rows, settings.RECORDS_TABLE, credentials, KeyNames(*settings.RECORDS_KEYS))

    return Reach(rows_of, store)
