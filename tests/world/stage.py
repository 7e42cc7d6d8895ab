"""A stack to provision into, with the worker's tools and PortalRole's keys, and a look at what is there afterwards."""

from __future__ import annotations

import os
import threading
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import requests
from django.db import connection
from django.db.models import QuerySet

from emulator.client import seeding
from emulator.client.process import RootKey
from portal.demo.world import World
from tenants.audit.actions import Action
from tenants.audit.chain import GENESIS, entry_hash
from tenants.domain.actor import Actor, ActorKind
from tenants.domain.errors import PortalError
from tenants.domain.roles import Role
from tenants.domain.user_plan import Quota, Seen
from tenants.lifecycle.transitions import create_tenant
from tenants.members.roster import add_member
from tenants.models import AuditEvent, Member, Provisioning, Tenant
from tenants.provisioning.dispatcher import Dispatcher, Tally, Tools
from tenants.provisioning.one_member import apply_answer, make_call
from tenants.provisioning.pace import Pacer
from tenants.provisioning.queue import Claim
from tenants.provisioning.worker import Worker

SOMEBODY = Actor("test", "a test", ActorKind.OPERATOR)
FAST = {Quota.CREATION: 2000.0, Quota.UPDATE: 2000.0, Quota.READ: 2000.0, Quota.LIST: 2000.0}


@cache
def _pool_by_hand(endpoint_url: str, root: RootKey) -> Any:
    return seeding.clients(endpoint_url, root)("cognito-idp")


@dataclass(frozen=True)
class Stage:
    world: World
    tools: Tools

    @property
    def by_hand(self) -> Any:
        """The pool as an administrator in AWS's console has it."""
        return _pool_by_hand(self.world.emulator.endpoint_url, self.world.emulator.root)

    def work(self, *, threads: int = 4) -> Tally:
        """Runs a worker until nothing is due."""
        worker = Worker(self.tools, threading.Event(), threads=threads)
        worker.work(forever=False)
        return worker.tally

    def try_once(self) -> None:
        """Gives each due member one try. What fails is not waited for."""
        dispatcher = Dispatcher(self.tools, holder="one try", threads=1, stop=threading.Event(), tally=Tally())
        while dispatcher.run_once():
            pass
        dispatcher.drain()
        dispatcher.close()

    def user(self, member: Member | str) -> Seen | None:
        email = member if isinstance(member, str) else Member.objects.get(pk=member.pk).person.email
        return self.tools.directory.look(email)

    def sub_of(self, email: str) -> str:
        seen = self.tools.directory.look(email)
        assert seen is not None
        return seen.sub

    def mails_to(self, email: str) -> int:
        """How many invitations and codes were delivered to the address."""
        page = requests.get(f"{self.world.emulator.endpoint_url}/mailbox.json", params={"to": email}, timeout=60)
        page.raise_for_status()
        return len(page.json()["mails"])

    def attributes_of(self, email: str) -> dict[str, str]:
        """As the pool has them."""
        user = self.by_hand.admin_get_user(UserPoolId=self.tools.directory.pool_id, Username=email)
        return {entry["Name"]: entry["Value"] for entry in user["UserAttributes"]}

    def choose_password(self, email: str) -> None:
        """As somebody does who follows their invitation."""
        pool = self.tools.directory.pool_id
        self.by_hand.admin_set_user_password(
            UserPoolId=pool, Username=email, Password=f"Aa1!{uuid.uuid4()}", Permanent=True
        )

    def make_by_hand(self, email: str, *, org: str = "", role: str = "") -> str:
        attributes = {"email": email, "email_verified": "true", "custom:org": org, "custom:role": role}
        made = self.by_hand.admin_create_user(
            UserPoolId=self.tools.directory.pool_id,
            Username=email,
            UserAttributes=[{"Name": name, "Value": value} for name, value in attributes.items() if value],
            MessageAction="SUPPRESS",
        )
        return next(entry["Value"] for entry in made["User"]["Attributes"] if entry["Name"] == "sub")

    def users_of(self, domain: str) -> list[Seen]:
        """All users in the pool with an address in this domain."""
        users, after = [], None
        while True:
            page = self.tools.directory.page(after)
            users += [user for user in page.users if user.email.endswith(f"@{domain}")]
            if (after := page.after) is None:
                return users

    def at_this_pace(self, **rates: float) -> Stage:
        return replace(self, tools=replace(self.tools, pacer=Pacer({**FAST, **rates})))


def tenant_with_people(name: str, count: int, *, domain: str) -> Tenant:
    """`count` members, the first of them its owner. Nobody is mailed."""
    tenant = create_tenant(name=name, owner_email=f"p0@{domain}", mail_invitation=False, by=SOMEBODY)
    for number in range(1, count):
        add_member(
            tenant=tenant,
            email=f"p{number}@{domain}",
            name=f"Person {number}",
            role=Role.VIEWER,
            by=SOMEBODY,
            mail_invitation=False,
        )
    return tenant


def member_called(email: str) -> Member:
    return Member.objects.select_related("person", "tenant").get(person__email=email)


def recorded_actions(target: str = "") -> list[str]:
    events: Iterable[AuditEvent] = AuditEvent.objects.order_by("seq")
    return [event.action for event in events if not target or event.target == target]


def make_all_calls(stage: Stage, claimed: Claim) -> None:
    """Makes all calls for a member as a worker does, and does not write them down yet."""
    while (call := claimed.attempt.next_call()) is not None:
        try:
            answer: Seen | PortalError | None = make_call(stage.tools.directory, call, claimed.attempt.seen)
        except PortalError as error:
            answer = error
        assert apply_answer(claimed, call, answer) is None


def database_url() -> str:
    """Of the test's own database."""
    name = connection.settings_dict["NAME"]
    if connection.vendor == "sqlite":
        return f"sqlite:///{name}"
    # PostgreSQL may be anywhere, even at a socket: TEST_DATABASE_URL says where.
    return urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{name}").geturl()


def environment_of(stage: Stage, **changed: str) -> dict[str, str]:
    """For a process with the same settings, credentials and database as the test's own."""
    url = database_url()
    pace = ",".join(f"{category}=500" for category in Quota)
    # A test that wants a comparison says so.
    own = {
        "DATABASE_URL": url,
        "RECONCILE_EVERY": "off",
        "DJANGO_SETTINGS_MODULE": "portal.settings",
        "COGNITO_CALLS_PER_SECOND": pace,
    }
    return {**os.environ, **stage.world.settings, **own, **changed}


def assert_all_agree(stage: Stage, domain: str, count: int) -> None:
    """Database, Cognito and the audit trail say the same, and every member is exactly one user."""
    members = {member.person.email: member for member in _members_at(domain)}
    users = {user.email: user for user in stage.users_of(domain)}
    assert len(members) == len(users) == count
    for email, member in members.items():
        user = users[email]
        assert member.provisioning == Provisioning.SETTLED, member.last_error
        assert member.seen == replace(user, name=member.person.name)
        assert member.tenant is not None
        expected = (str(member.tenant.org_id), member.role, member.enabled)
        assert (user.org, user.role, user.enabled) == expected
    _assert_the_trail_is_complete(domain, set(members))
    previous = GENESIS
    for event in AuditEvent.objects.order_by("seq"):
        assert event.previous_hash == previous
        previous = entry_hash(previous, event.content())
        assert event.hash == previous


def _assert_the_trail_is_complete(domain: str, members: set[str]) -> None:
    """Every user was created once, every removed one deleted once, and each change that was asked for was made."""
    entries = list(AuditEvent.objects.filter(target__endswith=f"@{domain}").order_by("seq"))
    deleted = [event.target for event in entries if event.action == Action.MEMBER_DELETED]
    made = [event.target for event in entries if _says_created(event)]
    assert sorted(made) == sorted([*members, *deleted])
    assert not members & set(deleted)
    for change in entries:
        if change.action not in _CARRIED_OUT:
            continue
        later = [entry for entry in entries if entry.target == change.target and entry.seq > change.seq]
        texts = [text for entry in later for text in (*_texts(entry), entry.action)]
        assert any(text.startswith(_CARRIED_OUT[Action(change.action)]) for text in texts), (change.target, texts)


_CARRIED_OUT = {
    Action.MEMBER_ROLE_CHANGED: "set the role to",
    Action.MEMBER_DISABLED: "disable",
    Action.MEMBER_REMOVED: Action.MEMBER_DELETED,
}


def _texts(event: AuditEvent) -> list[str]:
    """What was done to the user, in words."""
    return [*event.after.get("changes", ()), *event.after.get("found", ())]


def _members_at(domain: str) -> QuerySet[Member]:
    return Member.objects.filter(person__email__endswith=f"@{domain}").select_related("person", "tenant")


def _says_created(event: AuditEvent) -> bool:
    """One of two entries: created, or found created by a worker that could not write it down."""
    created = any(words.startswith("create") for words in _texts(event))
    return event.action == Action.MEMBER_ADOPTED or (event.action == Action.MEMBER_PROVISIONED and created)
