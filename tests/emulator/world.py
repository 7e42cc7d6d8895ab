"""The world of the emulator's tests: a stack, its people, and clients that sign for them. HTTP and boto3 only."""

import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import boto3
import jwt
from botocore.client import BaseClient
from botocore.config import Config
from botocore.exceptions import ClientError

from emulator.client.deploy import deploy
from emulator.client.process import Emulator
from emulator.client.sign_in import Credentials, Tokens, credentials_for, sign_in

TEMPLATE = Path(__file__).resolve().parents[2] / "infra" / "template.yaml"
REGION = "eu-west-1"
REDIRECT = "http://localhost:8000/oidc/callback/"
PASSWORD = "Correct-horse-7-battery"
ACME = "11111111-1111-4111-8111-111111111111"
GLOBEX = "22222222-2222-4222-8222-222222222222"


@dataclass(frozen=True)
class Person:
    email: str
    org: str
    role: str


ACME_OWNER = Person("owner@acme.example", ACME, "owner")
ACME_EDITOR = Person("editor@acme.example", ACME, "editor")
ACME_VIEWER = Person("viewer@acme.example", ACME, "viewer")
GLOBEX_OWNER = Person("owner@globex.example", GLOBEX, "owner")
OPERATOR = Person("operator@platform.example", "", "operator")
CAST = (ACME_OWNER, ACME_EDITOR, ACME_VIEWER, GLOBEX_OWNER, OPERATOR)


@dataclass
class Stack:
    emulator: Emulator
    outputs: Mapping[str, str]
    _credentials: dict[Person, Credentials] = field(default_factory=dict)

    @property
    def table(self) -> str:
        return self.outputs["TableName"]

    @property
    def pool_id(self) -> str:
        return self.outputs["UserPoolId"]

    @property
    def client_id(self) -> str:
        return self.outputs["LoginClientId"]

    @property
    def provider(self) -> str:
        return f"cognito-idp.{REGION}.amazonaws.com/{self.pool_id}"

    def root(self, service: str) -> Any:
        return client(self.emulator, service, self.emulator.root)

    @cached_property
    def _secret(self) -> str:
        described = self.root("cognito-idp").describe_user_pool_client(UserPoolId=self.pool_id, ClientId=self.client_id)
        return str(described["UserPoolClient"]["ClientSecret"])

    def secret(self) -> str:
        return self._secret

    def create(self, person: Person, *, password: str = PASSWORD, permanent: bool = True, **attributes: str) -> str:
        """Returns the sub."""
        given = {"email": person.email, "email_verified": "true", "custom:org": person.org, "custom:role": person.role}
        entries = [{"Name": name, "Value": value} for name, value in {**given, **attributes}.items() if value]
        pools = self.root("cognito-idp")
        user = pools.admin_create_user(
            UserPoolId=self.pool_id,
            Username=person.email,
            MessageAction="SUPPRESS",
            TemporaryPassword=password,
            UserAttributes=entries,
        )["User"]
        if permanent:
            pools.admin_set_user_password(
                UserPoolId=self.pool_id, Username=person.email, Password=password, Permanent=True
            )
        return next(entry["Value"] for entry in user["Attributes"] if entry["Name"] == "sub")

    def newcomer(self, *, org: str = ACME, role: str = "editor", **attributes: str) -> Person:
        """Creates a person for one test, who may be changed without affecting the cast."""
        person = Person(f"{secrets.token_hex(6)}@acme.example", org, role)
        self.create(person, **attributes)
        return person

    def tokens(self, person: Person, *, password: str = PASSWORD) -> Tokens:
        return sign_in(
            domain=self.emulator.endpoint_url,
            client_id=self.client_id,
            client_secret=self.secret(),
            redirect_uri=REDIRECT,
            email=person.email,
            password=password,
        )

    def exchange(self, id_token: str) -> Credentials:
        return credentials_for(
            endpoint_url=self.emulator.endpoint_url,
            identity_pool_id=self.outputs["IdentityPoolId"],
            provider_name=self.provider,
            id_token=id_token,
        )

    def credentials(self, person: Person) -> Credentials:
        if person not in self._credentials:
            self._credentials[person] = self.exchange(self.tokens(person).id_token)
        return self._credentials[person]

    def dynamodb(self, person: Person) -> Any:
        return client(self.emulator, "dynamodb", self.credentials(person))


def build(emulator: Emulator, *, name: str, template: str | Path = TEMPLATE, **parameters: str) -> Stack:
    outputs = deploy(
        emulator.endpoint_url,
        emulator.root,
        template=template,
        stack_name=name,
        parameters={"DeletionProtection": "false", "DomainPrefix": name, **parameters},
    )
    stack = Stack(emulator, outputs)
    for person in CAST:
        stack.create(person)
    table = stack.root("dynamodb")
    for org in (ACME, GLOBEX, "PUBLIC"):
        for number in range(3):
            table.put_item(TableName=stack.table, Item=row(org, str(number)))
    return stack


def row(org: str, sk: str, **more: Any) -> dict[str, Any]:
    return {"pk": {"S": f"{org}#orders"}, "sk": {"S": sk}, **more}


def key(org: str, sk: str = "0") -> dict[str, Any]:
    return row(org, sk)


def client(emulator: Emulator, service: str, credentials: Any) -> BaseClient:
    token = getattr(credentials, "session_token", None)
    return _client(emulator.endpoint_url, service, credentials.access_key_id, credentials.secret_access_key, token)


@cache
def _client(endpoint_url: str, service: str, key_id: str, secret: str, token: str | None) -> BaseClient:
    return boto3.client(
        service,
        endpoint_url=endpoint_url,
        region_name=REGION,
        aws_access_key_id=key_id,
        aws_secret_access_key=secret,
        aws_session_token=token,
        config=Config(
            retries={"total_max_attempts": 1}, parameter_validation=False, connect_timeout=5, read_timeout=10
        ),
    )


def refusal(call: Any, **parameters: Any) -> dict[str, Any]:
    """The error of a call: code, message and HTTP status. Fails if the call succeeds."""
    try:
        answer = call(**parameters)
    except ClientError as failure:
        error = failure.response["Error"]
        status = failure.response["ResponseMetadata"]["HTTPStatusCode"]
        return {"code": error["Code"], "message": error.get("Message", ""), "status": status}
    raise AssertionError(f"The call succeeded: {answer}")


def claims(token: str) -> dict[str, Any]:
    return jwt.decode(token, options={"verify_signature": False})


def wait(seconds: float) -> None:
    time.sleep(seconds)
