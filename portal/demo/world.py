"""Builds the world of the demo and the tests: the stack in an emulator, with its people and rows.

The deployer sets everybody's password, in place of an invitation. People write the rows themselves, with their own
temporary credentials, as they do in the portal.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from emulator.client import seeding
from emulator.client.deploy import deploy
from emulator.client.process import Emulator
from emulator.client.sign_in import Credentials, credentials_for, sign_in
from portal.demo.cast import ACME_OWNER, CAST, GLOBEX_OWNER, OPERATOR, CastMember, rows_written_by
from portal.environment import BASE
from tenants.aws.identity_pool import provider_name
from tenants.aws.stack import stack_settings
from tenants.domain.keys import USUAL_KEYS, KeyNames

TEMPLATE = BASE / "infra" / "template.yaml"
STACK_NAME = "portal"
EXPORT_BUCKET = "portal-exports"
MAIL_FROM = "Tenant portal <no-reply@portal.example>"
SIGN_UPS = ("portal", "hosted-ui")


@dataclass(frozen=True, slots=True)
class World:
    """`settings` are those of the stack, by the names of environment variables. `subs` has e-mail addresses as keys."""

    emulator: Emulator
    outputs: Mapping[str, str]
    settings: Mapping[str, str] = field(repr=False)
    portal_url: str
    password: str = field(repr=False)
    subs: Mapping[str, str]

    def credentials_of(self, member: CastMember) -> Credentials:
        """Signs in through the hosted pages and gives the ID token to the identity pool, as any client would."""
        tokens = sign_in(
            domain=self.settings["COGNITO_DOMAIN"],
            client_id=self.settings["COGNITO_CLIENT_ID"],
            client_secret=self.settings["COGNITO_CLIENT_SECRET"],
            redirect_uri=f"{self.portal_url}/oidc/callback/",
            email=member.email,
            password=self.password,
        )
        return credentials_for(
            endpoint_url=self.emulator.endpoint_url,
            identity_pool_id=self.settings["COGNITO_IDENTITY_POOL_ID"],
            provider_name=self.provider,
            id_token=tokens.id_token,
        )

    @property
    def provider(self) -> str:
        return provider_name(self.settings["AWS_REGION"], self.settings["COGNITO_USER_POOL_ID"])


def build(
    *,
    emulator: Emulator,
    portal_url: str,
    sign_up: str = "portal",
    keys: KeyNames = USUAL_KEYS,
    tell: Callable[[str], None] = lambda _: None,
    **parameters: str,
) -> World:
    """Deploys infra/template.yaml into a running emulator, creates the cast and writes their rows as them.

    `sign_up` is the template's parameter SignUp, `keys` its PartitionKey and SortKey; `parameters` are others of it.
    """
    parameters = {"PartitionKey": keys.partition, "SortKey": keys.sort, **parameters}
    outputs, settings = _deploy(emulator, portal_url, sign_up, tell, parameters)
    deployer = seeding.clients(emulator.endpoint_url, emulator.root)
    tell("Creating people")
    password = new_password()
    subs = {
        member.email: seeding.create_person(
            deployer("cognito-idp"),
            settings["COGNITO_USER_POOL_ID"],
            email=member.email,
            name=member.name,
            org=member.org,
            role=member.role,
            password=password,
        )
        for member in CAST
    }
    world = World(emulator, outputs, settings, portal_url, password, subs)
    for member in (ACME_OWNER, GLOBEX_OWNER, OPERATOR):
        tell(f"Writing records as {member.email}")
        own = seeding.clients(emulator.endpoint_url, world.credentials_of(member))
        rows = (keys.named(row) for row in rows_written_by(member))
        seeding.put_rows(own("dynamodb"), settings["RECORDS_TABLE"], rows)
    return world


def resume(
    *, emulator: Emulator, portal_url: str, password: str, tell: Callable[[str], None] = lambda _: None
) -> World:
    """The world in an emulator that kept its data. Updates the stack; people, rows and the way to sign up stay."""
    outputs, settings = _deploy(emulator, portal_url, kept_sign_up(emulator), tell)
    user_pool = seeding.clients(emulator.endpoint_url, emulator.root)("cognito-idp")
    emails = {member.email for member in CAST}
    subs = seeding.subs_by_email(user_pool, settings["COGNITO_USER_POOL_ID"])
    return World(
        emulator,
        outputs,
        settings,
        portal_url,
        password,
        {email: sub for email, sub in subs.items() if email in emails},
    )


def is_built(emulator: Emulator) -> bool:
    """Whether the emulator has the stack from an earlier run."""
    stacks = seeding.clients(emulator.endpoint_url, emulator.root)("cloudformation")
    pages = stacks.get_paginator("list_stacks").paginate()
    found = (summary for page in pages for summary in page["StackSummaries"])
    return any(summary["StackName"] == STACK_NAME and summary["StackStatus"] != "DELETE_COMPLETE" for summary in found)


def kept_sign_up(emulator: Emulator) -> str:
    """How people sign up in the stack of an earlier run. It cannot change: a user pool keeps its schema."""
    stacks = seeding.clients(emulator.endpoint_url, emulator.root)("cloudformation")
    parameters = stacks.describe_stacks(StackName=STACK_NAME)["Stacks"][0].get("Parameters", [])
    given = {entry["ParameterKey"]: entry["ParameterValue"] for entry in parameters}
    return str(given.get("SignUp", SIGN_UPS[0]))


def _deploy(
    emulator: Emulator,
    portal_url: str,
    sign_up: str,
    tell: Callable[[str], None],
    more: Mapping[str, str] = MappingProxyType({}),
) -> tuple[dict[str, str], dict[str, str]]:
    """The stack's outputs, then its settings. `more` are parameters of the template."""
    tell("Deploying infra/template.yaml")
    parameters = {
        "PortalUrl": portal_url,
        "PortalPrincipal": seeding.ROOT_ARN,
        "ClosingPrincipal": seeding.ROOT_ARN,
        "ExportBucket": EXPORT_BUCKET,
        "PublicReads": "true",
        "BrowserReads": "true",
        "SignUp": sign_up,
        "MailSource": MAIL_FROM,
        "MailIdentityArn": "arn:aws:ses:eu-west-1:123456789012:identity/portal.example",
        "DeletionProtection": "false",
        **more,
    }
    seeding.make_bucket(emulator.endpoint_url, emulator.root, EXPORT_BUCKET)
    outputs = deploy(
        emulator.endpoint_url, emulator.root, template=TEMPLATE, stack_name=STACK_NAME, parameters=parameters
    )
    deployer = seeding.clients(emulator.endpoint_url, emulator.root)
    settings = stack_settings(
        deployer("cloudformation"), deployer("cognito-idp"), STACK_NAME, endpoint_url=emulator.endpoint_url
    )
    return outputs, settings


def portal_credentials(world: World) -> Credentials:
    """Of PortalRole, for twelve hours. For the worker; the web process gets none."""
    deployer = seeding.clients(world.emulator.endpoint_url, world.emulator.root)
    return seeding.assume_role(deployer("sts"), world.outputs["PortalRoleArn"], seconds=12 * 60 * 60)


def closing_credentials(world: World) -> Credentials:
    """Of ClosingJobRole, for twelve hours. For the closing job only, never for the portal or the worker."""
    deployer = seeding.clients(world.emulator.endpoint_url, world.emulator.root)
    role = world.outputs["ClosingJobRoleArn"]
    return seeding.assume_role(deployer("sts"), role, seconds=12 * 60 * 60, name="closing-job")


def deployer_credentials(world: World) -> Credentials:
    """Of the emulated account's root, for `stack_env`. They do not lapse, and never for the portal or the worker."""
    return Credentials(world.emulator.root.access_key_id, world.emulator.root.secret_access_key, session_token="")


def new_password() -> str:
    """Meets the pool's password policy."""
    return f"Demo-{secrets.token_hex(4)}-{secrets.randbelow(9000) + 1000}"
