"""What signing in needs of Cognito, made from the settings once per process."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.core.cache import cache

from tenants.aws.clients import identities_client
from tenants.aws.id_tokens import IdTokenVerifier, SigningKeys
from tenants.aws.identity_pool import IdentityPool
from tenants.aws.token_endpoint import TokenEndpoint
from tenants.domain.once import once
from tenants.sign_in.federation import Federation
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
def sessions() -> Sessions:
    return Sessions(
        sealer=Sealer(settings.TOKEN_KEYS),
        tokens=token_endpoint(),
        verifier=verifier(),
        flights=SingleFlight(cache),
        lifetime=timedelta(seconds=settings.SESSION_COOKIE_AGE),
    )


@once
def federation() -> Federation:
    client = identities_client(
        region=settings.AWS_REGION, endpoint_url=settings.AWS_ENDPOINT_URL, connections=settings.AWS_CONNECTIONS
    )
    pool = IdentityPool(client=client, pool_id=settings.COGNITO_IDENTITY_POOL_ID, provider=_provider())
    held = sessions()
    return Federation(pool=pool, sessions=held, sealer=held.sealer, cache=cache, flights=held.flights)


def _provider() -> str:
    """The user pool's name as an issuer, without the scheme."""
    return f"cognito-idp.{settings.AWS_REGION}.amazonaws.com/{settings.COGNITO_USER_POOL_ID}"
