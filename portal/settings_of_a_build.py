"""Settings for `collectstatic` while an image is built, where there is neither a stack nor a secret.

Every name is invented, and every key is made for this one process. It must never serve a page.
"""

import base64
import os
import secrets

_ACCOUNT = "arn:aws:iam::123456789012"

os.environ |= {
    "PORTAL_URL": "https://build.invalid",
    "DATABASE_URL": "sqlite://:memory:",
    "CACHE_URL": "locmemcache://",
    "AWS_REGION": "eu-west-1",
    "COGNITO_USER_POOL_ID": "eu-west-1_build",
    "COGNITO_DOMAIN": "https://build.auth.eu-west-1.amazoncognito.com",
    "COGNITO_CLIENT_ID": "build",
    "COGNITO_IDENTITY_POOL_ID": "eu-west-1:00000000-0000-0000-0000-000000000000",
    "RECORDS_TABLE": "build",
    "TENANT_ROLE_ARN": f"{_ACCOUNT}:role/build",
    "SUSPENSION_POLICY_ARN": f"{_ACCOUNT}:policy/build",
    "DJANGO_SECRET_KEY": secrets.token_urlsafe(60),
    "TOKEN_ENCRYPTION_KEYS": base64.b64encode(secrets.token_bytes(32)).decode(),
    "COGNITO_CLIENT_SECRET": secrets.token_urlsafe(30),
}

from portal.settings import *  # noqa: E402, F403 - the environment had to be there first
