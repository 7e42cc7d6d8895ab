"""What signing in needs of Cognito, made from the settings once per process."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from django.conf import settings
from django.core.cache import cache

from tenants.aws.clients import identities_client
from tenants.aws.id_tokens import IdTokenVerifier
from tenants.aws.identity_pool import IdentityPool, provider_name
from tenants.aws.pools import Pools
from tenants.aws.signing_keys import SigningKeys
from tenants.aws.token_endpoint import TokenEndpoint
from tenants.domain.once import once
from tenants.sign_in.code_flows import CodeFlows
from tenants.sign_in.federation import Federation
from tenants.sign_in.idle import Uses
from tenants.sign_in.sealing import Sealer
from tenants.sign_in.sessions import Sessions
from tenants.sign_in.single_flight import SingleFlight


@once
def verifier() -> IdTokenVerifier:
    return IdTokenVerifier(
        issuer=f"https://{_provider()}",
        audience=settings.OIDC_RP_CLIENT_ID,
        keys=SigningKeys(settings.OIDC_OP_JWKS_ENDPOINT),
    )


@once
def token_endpoint() -> TokenEndpoint:
    return TokenEndpoint(
        domain=settings.COGNITO_DOMAIN,
        client_id=settings.OIDC_RP_CLIENT_ID,
        client_secret=settings.OIDC_RP_CLIENT_SECRET,
    )


@once
def sealer() -> Sealer:
    return Sealer(settings.TOKEN_KEYS)


@once
def code_flows() -> CodeFlows:
    return CodeFlows(sealer())


@once
def sessions() -> Sessions:
    return Sessions(
        sealer=sealer(),
        tokens=token_endpoint(),
        verifier=verifier(),
        flights=SingleFlight(cache),
        uses=Uses(
            idle=timedelta(minutes=settings.SESSION_IDLE_MINUTES),
            lifetime=timedelta(seconds=settings.SESSION_COOKIE_AGE),
        ),
    )


@once
def federation() -> Federation:
    held = sessions()
    return Federation(
        pool=_identity_pool(hurried=False), sessions=held, sealer=held.sealer, cache=cache, flights=held.flights
    )


@once
def hurried_federation() -> Federation:
    """The same credentials, for a part of a page that can be left out: it does not wait for a slow identity pool."""
    return replace(federation(), pool=_identity_pool(hurried=True))


def _identity_pool(*, hurried: bool) -> IdentityPool:
    client = identities_client(
        region=settings.AWS_REGION,
        endpoint_url=settings.AWS_ENDPOINT_URL,
        connections=settings.AWS_CONNECTIONS,
        hurried=hurried,
    )
    return IdentityPool(client=client, pool_id=settings.COGNITO_IDENTITY_POOL_ID, provider=_provider())


@once
def pools() -> Pools:
    client = identities_client(region=settings.AWS_REGION, endpoint_url=settings.AWS_ENDPOINT_URL, connections=1)
    return Pools(settings.OIDC_OP_JWKS_ENDPOINT, client, settings.COGNITO_IDENTITY_POOL_ID, _provider())


def _provider() -> str:
    """Also the issuer of its tokens, without the scheme."""
    return provider_name(settings.AWS_REGION, settings.COGNITO_USER_POOL_ID)
