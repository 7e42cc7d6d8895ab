"""What a deployer does by hand: create people, assume a role, write rows. Uses boto3 over HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from typing import Any, Protocol

import botocore.session
from botocore.config import Config
from botocore.loaders import create_loader

from emulator.client.sign_in import Credentials

ROOT_ARN = "arn:aws:iam::123456789012:root"
REGION = "eu-west-1"
# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html
_MOST_ROWS_A_CALL = 25
# The service models are read once for all callers.
_MODELS = create_loader()


class KeyPair(Protocol):
    @property
    def access_key_id(self) -> str: ...
    @property
    def secret_access_key(self) -> str: ...


def clients(endpoint_url: str, credentials: KeyPair) -> Callable[[str], Any]:
    """Returns a function that makes a boto3 client for a service, signing with these credentials."""
    session = botocore.session.Session()
    session.register_component("data_loader", _MODELS)

    def client(service: str) -> Any:
        return session.create_client(
            service,
            region_name=REGION,
            endpoint_url=endpoint_url,
            aws_access_key_id=credentials.access_key_id,
            aws_secret_access_key=credentials.secret_access_key,
            aws_session_token=getattr(credentials, "session_token", None),
        )

    return client


def make_bucket(endpoint_url: str, credentials: KeyPair, name: str) -> None:
    """Leaves an existing bucket unchanged."""
    files: Any = botocore.session.Session().create_client(
        "s3",
        region_name=REGION,
        endpoint_url=endpoint_url,
        aws_access_key_id=credentials.access_key_id,
        aws_secret_access_key=credentials.secret_access_key,
        config=Config(s3={"addressing_style": "path"}),
    )
    with suppress(files.exceptions.BucketAlreadyOwnedByYou):
        files.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})


def create_person(user_pool: Any, pool_id: str, *, email: str, name: str, org: str, role: str, password: str) -> str:
    """Creates a confirmed user with a permanent password.

    `org` is "" for a person without an organisation. Returns the sub.
    """
    wanted = {"email": email, "email_verified": "true", "name": name, "custom:org": org, "custom:role": role}
    user = user_pool.admin_create_user(
        UserPoolId=pool_id,
        Username=email,
        MessageAction="SUPPRESS",
        UserAttributes=[{"Name": key, "Value": value} for key, value in wanted.items() if value],
    )["User"]
    user_pool.admin_set_user_password(UserPoolId=pool_id, Username=email, Password=password, Permanent=True)
    sub: str = next(item["Value"] for item in user["Attributes"] if item["Name"] == "sub")
    return sub


def subs_by_email(user_pool: Any, pool_id: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for page in user_pool.get_paginator("list_users").paginate(UserPoolId=pool_id):
        for user in page["Users"]:
            attributes = {entry["Name"]: entry["Value"] for entry in user["Attributes"]}
            found[attributes.get("email", "")] = attributes["sub"]
    return found


def put_rows(table_client: Any, table: str, rows: Iterable[Mapping[str, Any]]) -> None:
    remaining = iter(rows)
    while batch := list(islice(remaining, _MOST_ROWS_A_CALL)):
        _put_batch(table_client, table, batch)


def assume_role(sts: Any, role_arn: str, *, seconds: int, name: str = "portal") -> Credentials:
    answer = sts.assume_role(RoleArn=role_arn, RoleSessionName=name, DurationSeconds=seconds)["Credentials"]
    return Credentials(answer["AccessKeyId"], answer["SecretAccessKey"], answer["SessionToken"])


def _put_batch(table_client: Any, table: str, batch: Sequence[Mapping[str, Any]]) -> None:
    requests: Any = {table: [{"PutRequest": {"Item": dict(row)}} for row in batch]}
    while requests:
        requests = table_client.batch_write_item(RequestItems=requests).get("UnprocessedItems")
