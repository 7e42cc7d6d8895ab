"""The only wiring: from the settings to the adapters and use cases, once per process."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.cache import cache

from tenants.aws import clients
from tenants.aws.directory import Directory
from tenants.aws.export_store import open_stores
from tenants.aws.id_tokens import IdTokenVerifier, SigningKeys
from tenants.aws.identity_pool import IdentityPool
from tenants.aws.records_table import RecordsTable
from tenants.aws.suspension_policy import SuspensionPolicy
from tenants.aws.tagged_credentials import TaggedCredentials
from tenants.aws.tenant_rows import DELETED_AT_ONCE, TenantRows
from tenants.aws.token_endpoint import TokenEndpoint
from tenants.domain.errors import Misconfigured
from tenants.domain.org_id import OrgId
from tenants.lifecycle.closing import Reach
from tenants.provisioning.dispatcher import Tools
from tenants.provisioning.pace import Pacer
from tenants.records.reading import Records
from tenants.sign_in.federation import Federation
from tenants.sign_in.sealing import Sealer
from tenants.sign_in.sessions import Sessions
from tenants.sign_in.single_flight import SingleFlight


@dataclass(frozen=True, slots=True)
class Connections:
    verifier: IdTokenVerifier
    tokens: TokenEndpoint
    sessions: Sessions
    federation: Federation
    records: Records


_made: Connections | None = None
_making = threading.Lock()


def connections() -> Connections:
    """The same ones for every thread of the process."""
    global _made
    if _made is None:
        with _making:
            _made = _made or _make()
    return _made


def forget_connections() -> None:
    """The next call makes new ones, from the settings as they are then."""
    global _made
    _made = None


def _make() -> Connections:
    provider = f"cognito-idp.{settings.AWS_REGION}.amazonaws.com/{settings.COGNITO_USER_POOL_ID}"
    verifier = IdTokenVerifier(
        issuer=f"https://{provider}",
        audience=settings.OIDC_RP_CLIENT_ID,
        keys=SigningKeys(settings.OIDC_OP_JWKS_ENDPOINT),
    )
    tokens = TokenEndpoint(
        domain=settings.COGNITO_DOMAIN,
        client_id=settings.OIDC_RP_CLIENT_ID,
        client_secret=settings.OIDC_RP_CLIENT_SECRET,
    )
    sealer, flights = Sealer(settings.TOKEN_KEYS), SingleFlight(cache)
    sessions = Sessions(
        sealer=sealer,
        tokens=tokens,
        verifier=verifier,
        flights=flights,
        lifetime=timedelta(seconds=settings.SESSION_COOKIE_AGE),
    )
    pool = IdentityPool(
        client=clients.identities_client(
            region=settings.AWS_REGION, endpoint_url=settings.AWS_ENDPOINT_URL, connections=settings.AWS_CONNECTIONS
        ),
        pool_id=settings.COGNITO_IDENTITY_POOL_ID,
        provider=provider,
    )
    federation = Federation(pool=pool, sessions=sessions, sealer=sealer, cache=cache, flights=flights)
    table = RecordsTable(
        client=clients.records_client(
            region=settings.AWS_REGION, endpoint_url=settings.AWS_ENDPOINT_URL, connections=settings.AWS_CONNECTIONS
        ),
        name=settings.RECORDS_TABLE,
    )
    return Connections(verifier, tokens, sessions, federation, Records(table=table, federation=federation))


def provisioning_tools(*, threads: int) -> Tools:
    """For the worker, whose process has AWS keys; the web processes have none. `threads` make calls at once."""
    where: dict[str, Any] = {"region": settings.AWS_REGION, "endpoint_url": settings.AWS_ENDPOINT_URL}
    return Tools(
        directory=Directory(clients.directory_client(**where, connections=threads), settings.COGNITO_USER_POOL_ID),
        policy=SuspensionPolicy(clients.policies_client(**where), settings.SUSPENSION_POLICY_ARN),
        pacer=Pacer(settings.COGNITO_CALLS_PER_SECOND),
    )


def closing_reach(*, export_to: str) -> Reach:
    """For the closing job, whose process has the keys of ClosingJobRole. `export_to` is "" for no export.

    Raises Misconfigured without CLOSING_ROLE_ARN, and what `stores_at` does.
    """
    if not settings.CLOSING_ROLE_ARN:
        raise Misconfigured("CLOSING_ROLE_ARN is not set; `manage.py stack_env` prints it.")
    where: dict[str, Any] = {"region": settings.AWS_REGION, "endpoint_url": settings.AWS_ENDPOINT_URL}
    store = open_stores(export_to, client=lambda: clients.exports_client(**where)) if export_to else None
    rows, roles = clients.closing_rows_client(**where, connections=DELETED_AT_ONCE), clients.roles_client(**where)

    def rows_of(org: OrgId) -> TenantRows:
        credentials = TaggedCredentials(roles, role_arn=settings.CLOSING_ROLE_ARN, org=org)
        return TenantRows(rows, settings.RECORDS_TABLE, credentials)

    return Reach(rows_of, store)
