"""The Cognito identity pool: exchanges an ID token for temporary credentials (enhanced flow).

https://docs.aws.amazon.com/cognitoidentity/latest/APIReference/API_GetCredentialsForIdentity.html
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tenants.aws.failures import IDENTITIES, translate_errors
from tenants.domain.credentials import Credentials

if TYPE_CHECKING:
    from mypy_boto3_cognito_identity import CognitoIdentityClient


def provider_name(region: str, user_pool_id: str) -> str:
    """What the identity pool calls a user pool: the key of its tokens in `Logins`, and of its principal tags."""
    return f"cognito-idp.{region}.amazonaws.com/{user_pool_id}"


@dataclass(frozen=True, slots=True)
class IdentityPool:
    """`provider` is the user pool's `provider_name`."""

    client: CognitoIdentityClient
    pool_id: str
    provider: str

    def identity_id(self, id_token: str) -> str:
        """Always the same for a person and this pool. Keep it: the call has the lowest quota (25 a second)."""
        with translate_errors(IDENTITIES):
            return self.client.get_id(IdentityPoolId=self.pool_id, Logins={self.provider: id_token})["IdentityId"]

    def credentials(self, identity_id: str, id_token: str) -> Credentials:
        """Credentials for one hour. The pool tags them with the token's `custom:org` and `custom:role`.

        Raises TokenRefused, IdentityUnknown, Throttled, Unreachable or Misconfigured.
        """
        with translate_errors(IDENTITIES):
            answer = self.client.get_credentials_for_identity(IdentityId=identity_id, Logins={self.provider: id_token})[
                "Credentials"
            ]
        return Credentials(
            access_key_id=answer["AccessKeyId"],
            secret_access_key=answer["SecretKey"],
            session_token=answer["SessionToken"],
            expires_at=answer["Expiration"].timestamp(),
        )
