"""Whether the pools still exist, asked without AWS keys. An answer that does not come says nothing about that.

A pool that somebody deleted takes every sign-in with it, and a process that has its keys would not notice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import requests
from botocore.exceptions import BotoCoreError, ClientError

from tenants.aws.bounded_http import NoAnswer, call

if TYPE_CHECKING:
    from mypy_boto3_cognito_identity import CognitoIdentityClient

_SECONDS = 3


@dataclass(frozen=True, slots=True)
class Pools:
    """`keys_url` is the address of the user pool's signing keys. `provider` is the key of its tokens in `Logins`."""

    keys_url: str
    client: CognitoIdentityClient
    identity_pool_id: str
    provider: str

    def user_pool_is_gone(self) -> bool:
        try:
            return call(requests.Request("GET", self.keys_url).prepare(), seconds=_SECONDS).status in {400, 404}
        except NoAnswer:
            return False

    def identity_pool_is_gone(self) -> bool:
        """Asks with a token that is none, so no identity is made. AWS looks for the pool first."""
        try:
            self.client.get_id(IdentityPoolId=self.identity_pool_id, Logins={self.provider: "no token"})
        except ClientError as error:
            return error.response["Error"]["Code"] == "ResourceNotFoundException"
        except BotoCoreError:
            return False
        return False
