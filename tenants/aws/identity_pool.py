"""The Cognito identity pool: an ID token in, temporary credentials out (enhanced flow).

https://docs.aws.amazon.com/cognitoidentity/latest/APIReference/API_GetCredentialsForIdentity.html
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tenants.aws.failures import IDENTITIES, translated
from tenants.domain.credentials import Credentials

if TYPE_CHECKING:
    from mypy_boto3_cognito_identity import CognitoIdentityClient


@dataclass(frozen=True, slots=True)
class IdentityPool:
    """`provider` is `cognito-idp.<region>.amazonaws.com/<user pool id>`, the key under which tokens are handed in."""

    client: CognitoIdentityClient
    pool_id: str
    provider: str

    def identity_id(self, id_token: str) -> str:
        """Stable for a person and this pool. The scarcest call there is (25 a second): keep the answer."""
        with translated(IDENTITIES):
            return self.client.get_id(IdentityPoolId=self.pool_id, Logins={self.provider: id_token})["IdentityId"]

    def credentials(self, identity_id: str, id_token: str) -> Credentials:
        """One hour's credentials, tagged by the pool with the token's `custom:org` and `custom:role`.

        Raises TokenRefused, IdentityUnknown, Throttled, Unreachable or Misconfigured.
        """
        with translated(IDENTITIES):
            answer = self.client.get_credentials_for_identity(IdentityId=identity_id, Logins={self.provider: id_token})[
                "Credentials"
            ]
        return Credentials(
            access_key_id=answer["AccessKeyId"],
            secret_access_key=answer["SecretKey"],
            session_token=answer["SessionToken"],
            expires_at=answer["Expiration"].timestamp(),
        )
