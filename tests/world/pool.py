"""A pool to compare with the members: only the cast is in it. Edits by hand, and what a comparison says of them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import requests
from django.utils import timezone

from portal.demo.cast import CAST
from tenants.aws.directory import Directory, DirectoryPage
from tenants.domain.actor import Actor, ActorKind
from tenants.domain.roles import Role
from tenants.drift.run import RunOptions, RunResult, reconcile
from tenants.drift.walk import Listener
from tenants.models import Drift, Member, Person, Provisioning, Reconciliation, Tenant
from tests.world.faults import Switches
from tests.world.stage import Stage, tenant_with_people

SOMEBODY_AT_A_TERMINAL = Actor("command", "olive@console", ActorKind.TERMINAL)
Difference = tuple[str, str, str, str]


def with_the_cast_only(stage: Stage) -> None:
    cast = {member.email for member in CAST}
    Switches(stage.world.emulator).show_listing()
    after = None
    while True:
        page = stage.tools.directory.page(after)
        for user in page.users:
            if user.email not in cast:
                by_hand(stage, "admin_delete_user", user.sub)
        if (after := page.after) is None:
            return


def by_hand(stage: Stage, operation: str, who: str, **options: Any) -> None:
    call = getattr(stage.by_hand, operation)
    call(UserPoolId=stage.tools.directory.pool_id, Username=who, **options)


def set_by_hand(stage: Stage, who: str, **attributes: str) -> None:
    """`attributes` are `role` and `email`."""
    names = {"role": "custom:role", "email": "email"}
    changed = [{"Name": names[name], "Value": value} for name, value in attributes.items()]
    if "email" in attributes:
        changed.append({"Name": "email_verified", "Value": "true"})
    by_hand(stage, "admin_update_user_attributes", who, UserAttributes=changed)


def make_by_hand(stage: Stage, email: str, *, org: str = "", role: str = "") -> None:
    attributes = {"email": email, "email_verified": "true", "custom:org": org, "custom:role": role}
    given = [{"Name": name, "Value": value} for name, value in attributes.items() if value]
    by_hand(stage, "admin_create_user", email, UserAttributes=given, MessageAction="SUPPRESS")


def settled_tenant(stage: Stage, name: str, count: int, *, domain: str) -> Tenant:
    """With `count` members who are in the pool."""
    tenant = tenant_with_people(name, count, domain=domain)
    stage.work()
    left = tenant.members.exclude(provisioning=Provisioning.SETTLED)
    assert not left, left.values("provisioning", "last_error", "attempts", "leased_by")
    tenant.refresh_from_db()
    return tenant


def crowd(stage: Stage, tenant: Tenant, count: int, *, domain: str) -> None:
    """Adds `count` viewers to pool and tenant at once, as if they had been provisioned."""
    emulator, emails = stage.world.emulator, [f"c{number}@{domain}" for number in range(count)]
    given = [{"email": email, "custom:org": str(tenant.org_id), "custom:role": "viewer"} for email in emails]
    made = requests.post(
        f"{emulator.endpoint_url}/_emulator/people",
        json={"user_pool_id": stage.tools.directory.pool_id, "people": given},
        headers={"X-Emulator-Root-Secret": emulator.root.secret_access_key},
        timeout=60,
    )
    made.raise_for_status()
    people = Person.objects.bulk_create(
        [Person(email=email, sub=sub) for email, sub in zip(emails, made.json(), strict=True)]
    )
    seen = {"seen_org": str(tenant.org_id), "seen_role": "viewer", "seen_enabled": True, "seen_at": timezone.now()}
    Member.objects.bulk_create(
        Member(
            person=person,
            tenant=tenant,
            role=Role.VIEWER,
            provisioning=Provisioning.SETTLED,
            due_at=None,
            mail_invitation=False,
            seen_status="FORCE_CHANGE_PASSWORD",
            **seen,
        )
        for person in people
    )


@dataclass(frozen=True, slots=True)
class InterruptedDirectory(Directory):
    """A pool where `meanwhile` happens after it has answered for a page, and before the answer arrives."""

    meanwhile: Callable[[str | None], object] = lambda _after: None

    def page(self, after: str | None = None) -> DirectoryPage:
        page = Directory.page(self, after)
        self.meanwhile(after)
        return page


def with_interruptions(stage: Stage, meanwhile: Callable[[str | None], object]) -> Stage:
    directory = InterruptedDirectory(stage.tools.directory.client, stage.tools.directory.pool_id, meanwhile)
    return replace(stage, tools=replace(stage.tools, directory=directory))


@dataclass
class RunLog:
    """What a run said. `then` is called with the number of users whenever the run tells its progress."""

    sentences: list[str] = field(default_factory=list)
    addresses: list[tuple[str, str]] = field(default_factory=list)
    then: Any = None

    def progress(self, done: int, _about: int) -> None:
        if self.then is not None:
            self.then(done)


def compare_pool(
    stage: Stage,
    log: RunLog | None = None,
    *,
    stop: threading.Event | None = None,
    holder: str = "a test",
    **options: Any,
) -> RunResult:
    log = log or RunLog()
    return reconcile(
        RunOptions(**options),
        directory=stage.tools.directory,
        pacer=stage.tools.pacer,
        holder=holder,
        by=SOMEBODY_AT_A_TERMINAL,
        stop=stop or threading.Event(),
        listener=Listener(
            progress=log.progress,
            say=log.sentences.append,
            address=lambda here, there: log.addresses.append((here, there)),
        ),
    )


def state_of_members() -> list[dict[str, object]]:
    """What the members should be, and whether they are due."""
    return list(Member.objects.order_by("pk").values("pk", "role", "enabled", "provisioning", "generation", "due_at"))


def differences(run: Reconciliation | None = None) -> set[Difference]:
    """Of the last run: kind, address, what should be, what is."""
    run = run or Reconciliation.objects.latest("started_at")
    rows = Drift.objects.filter(reconciliation=run).values_list("kind", "email", "wanted", "seen")
    listed = list(rows)
    assert len(listed) == len(set(listed)), "a difference is listed twice"
    return set(listed)
