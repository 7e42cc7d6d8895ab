"""Signs in as one person of the demo, then keeps reading with the same credentials, even after a suspension."""

from __future__ import annotations

import threading
from collections.abc import Iterator

from django.conf import settings

from emulator.client.sign_in import credentials_for, sign_in
from portal.demo.cast import CastMember
from tenants.aws import clients
from tenants.aws.identity_pool import provider_name
from tenants.aws.table_trials import RawAnswer, TableTrials
from tenants.domain.credentials import Credentials
from tenants.domain.keys import PUBLIC_SPACE, KeyNames


def credentials_of(member: CastMember, password: str) -> Credentials:
    """Uses the sign-in pages and the identity pool, as a browser would. Raises SignInFailed."""
    tokens = sign_in(
        domain=settings.COGNITO_DOMAIN,
        client_id=settings.OIDC_RP_CLIENT_ID,
        client_secret=settings.OIDC_RP_CLIENT_SECRET,
        redirect_uri=f"{settings.PORTAL_URL}/oidc/callback/",
        email=member.email,
        password=password,
    )
    got = credentials_for(
        endpoint_url=str(settings.AWS_ENDPOINT_URL),
        identity_pool_id=settings.COGNITO_IDENTITY_POOL_ID,
        provider_name=provider_name(settings.AWS_REGION, settings.COGNITO_USER_POOL_ID),
        id_token=tokens.id_token,
    )
    return Credentials(got.access_key_id, got.secret_access_key, got.session_token, got.expiration)


def partition_of(member: CastMember) -> str:
    return member.organisation.space.collection("orders") if member.organisation else PUBLIC_SPACE.collection("news")


def changes_while_reading(
    member: CastMember, credentials: Credentials, *, every_seconds: float, stop: threading.Event
) -> Iterator[RawAnswer]:
    """Yields the first answer, then each answer that allows or refuses differently. Ends when told to `stop`."""
    client = clients.records_client(region=settings.AWS_REGION, endpoint_url=settings.AWS_ENDPOINT_URL, connections=1)
    table, last = TableTrials(client=client, table=settings.RECORDS_TABLE, keys=KeyNames(*settings.RECORDS_KEYS)), None
    while not stop.is_set():
        answer = table.make(credentials, "Query", partition_of(member), "", limit=1)
        if answer.allowed != last:
            last = answer.allowed
            yield answer
        stop.wait(every_seconds)
