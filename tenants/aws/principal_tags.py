"""Which claims of a person's token become principal tags: the map of the identity pool. Read only.

Without the map nobody's credentials name an organisation, so the policies give nobody a row.
https://docs.aws.amazon.com/cognitoidentity/latest/APIReference/API_GetPrincipalTagAttributeMap.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from tenants.aws.failures import TAGS, aws_error, translate_errors
from tenants.domain.errors import Misconfigured

if TYPE_CHECKING:
    from mypy_boto3_cognito_identity import CognitoIdentityClient


@dataclass(frozen=True, slots=True)
class PrincipalTags:
    """`provider` is the user pool as the identity pool names it."""

    client: CognitoIdentityClient
    identity_pool_id: str
    provider: str

    def mapped(self) -> Mapping[str, str]:
        """Claims by tag; empty if there is no map. Raises Misconfigured, Throttled or Unreachable."""
        try:
            answer = self._answer()
        except Misconfigured as error:
            # AWS's own answer often names no pool.
            asked = f"Asked about {self.identity_pool_id} and its provider {self.provider}."
            raise Misconfigured(f"{error.why.rstrip('.')}. {asked}") from error
        # Cognito's defaults are tags of other names. With them, `PrincipalTags` does not count.
        return {} if answer.get("UseDefaults") else answer.get("PrincipalTags", {})

    def _answer(self) -> Mapping[str, Any]:
        with translate_errors(TAGS):
            try:
                return dict(
                    self.client.get_principal_tag_attribute_map(
                        IdentityPoolId=self.identity_pool_id, IdentityProviderName=self.provider
                    )
                )
            except ClientError as error:
                if aws_error(error, TAGS).code.startswith("ResourceNotFound"):
                    return {}
                raise
