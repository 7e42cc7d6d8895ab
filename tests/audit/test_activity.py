"""An organisation's part of the trail as its own people read it: whose entries, in whose words."""

from __future__ import annotations

from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from portal.demo.cast import ACME, ACME_EDITOR, ACME_OWNER, ACME_VIEWER, GLOBEX, GLOBEX_OWNER, OPERATOR, CastMember
from portal.demo.world import World
from tenants.audit import record
from tenants.audit.actions import Action
from tenants.audit.activity import recent_activity
from tenants.audit.sentences import plain_text
from tenants.domain.actor import VISITOR, WORKER, Actor, ActorKind
from tenants.models import Person
from tests.world.stage import member_called

ACME_ID, GLOBEX_ID = UUID(str(ACME.org_id)), UUID(str(GLOBEX.org_id))
TERMINAL = Actor("command", "root@vm", ActorKind.TERMINAL)
GLASS = Actor("break-glass 7", "a link made by olive", ActorKind.BREAK_GLASS)


def actor(person: CastMember) -> Actor:
    kind = ActorKind.OPERATOR if person is OPERATOR else ActorKind.MEMBER
    sub = str(Person.objects.get(email=person.email).sub)
    return Actor(sub, person.email, kind, "" if person is OPERATOR else person.role)


def sentences(by: CastMember = ACME_OWNER, org: UUID = ACME_ID, limit: int = 20) -> list[str]:
    return [plain_text(entry.sentence) for entry in recent_activity(org, by=actor(by), limit=limit)]


def test_people_have_names_and_the_platforms_people_have_none(portal: World) -> None:
    for by in (actor(ACME_OWNER), actor(OPERATOR), TERMINAL, GLASS, WORKER):
        record(Action.MEMBER_REMOVED, by=by, org=ACME_ID, target=ACME_EDITOR.email)
    record(Action.REFUSED, by=VISITOR, org=ACME_ID, target="/members/")
    assert sentences(limit=6) == [
        "Somebody who is not signed in was refused the page /members/.",
        "The worker removed Edgar Acme.",
        "An operator with emergency access removed Edgar Acme.",
        "An operator at the terminal removed Edgar Acme.",
        "An operator of the platform removed Edgar Acme.",
        "Ada Acme removed Edgar Acme.",
    ]


def test_a_persons_address_stands_beside_their_name(portal: World) -> None:
    record(Action.MEMBER_REMOVED, by=actor(ACME_OWNER), org=ACME_ID, target=ACME_EDITOR.email)
    (entry,) = recent_activity(ACME_ID, by=actor(ACME_OWNER), limit=1)
    named = {part.text: part.address for part in entry.sentence if part.is_name}
    assert named == {"Ada Acme": ACME_OWNER.email, "Edgar Acme": ACME_EDITOR.email}


def test_a_former_member_keeps_the_address_and_a_former_operator_gets_none(portal: World) -> None:
    left = Actor("0e1f0000-0000-4000-8000-000000000001", "left@acme.example", ActorKind.MEMBER, "admin")
    ours = Actor("0e1f0000-0000-4000-8000-000000000002", "gone@platform.example", ActorKind.OPERATOR)
    record(Action.SIGNED_IN, by=left, org=ACME_ID)
    record(Action.MEMBER_REMOVED, by=left, org=ACME_ID, target="x@acme.example")
    record(Action.MEMBER_REMOVED, by=ours, org=ACME_ID, target="x@acme.example")
    assert sentences(limit=2) == [
        "Somebody who is no longer here removed x@acme.example.",
        "left@acme.example removed x@acme.example.",
    ]


def test_a_member_of_another_organisation_is_not_named(portal: World) -> None:
    record(Action.MEMBER_REMOVED, by=WORKER, org=GLOBEX_ID, target=ACME_EDITOR.email)
    assert sentences(GLOBEX_OWNER, GLOBEX_ID, limit=1) == ["The worker removed editor@acme.example."]
    record(Action.KEY_REFUSED, by=actor(ACME_OWNER), org=ACME_ID, after={"asked_for": str(GLOBEX.org_id)})
    record(Action.KEY_REFUSED, by=actor(ACME_OWNER), org=ACME_ID, after={"asked_for": str(ACME.org_id)})
    assert sentences(limit=2) == [
        "Ada Acme tried a key of your own organisation: AWS refused it.",
        "Ada Acme tried a key of another organisation: AWS refused it.",
    ]


def test_an_operators_reason_is_read_where_a_mail_says_it_too(portal: World) -> None:
    record(Action.TENANT_SUSPENDED, by=actor(OPERATOR), org=ACME_ID, why="Legal asked for it.")
    record(Action.MEMBER_DISABLED, by=actor(OPERATOR), org=ACME_ID, target="x@acme.example", why="A stolen laptop.")
    record(Action.MEMBER_REVOKED, by=actor(ACME_OWNER), org=ACME_ID, target="x@acme.example", why="A typo.")
    record(Action.MEMBER_STUCK, by=WORKER, org=ACME_ID, target="x@acme.example", why="ThrottlingException")
    record(Action.KEY_REFUSED, by=actor(ACME_OWNER), org=ACME_ID, why="AccessDeniedException")
    entries = recent_activity(ACME_ID, by=actor(ACME_OWNER), limit=5)
    assert [entry.why for entry in entries] == ["", "", "A typo.", "A stolen laptop.", ""]


def test_where_operators_keep_exports_is_theirs(portal: World) -> None:
    record(Action.TENANT_EXPORTED, by=WORKER, org=ACME_ID, target="Acme Ltd", after={"rows": 5, "to": "s3://vault/a"})
    assert sentences(limit=1) == ["The worker exported the records of Acme Ltd."]


def test_editors_and_viewers_read_only_what_they_did(portal: World) -> None:
    for by in (ACME_OWNER, ACME_EDITOR, ACME_VIEWER):
        record(Action.SIGNED_IN, by=actor(by), org=ACME_ID, after={"role": by.role})
    record(Action.MEMBER_DISABLED, by=actor(ACME_OWNER), org=ACME_ID, target=ACME_EDITOR.email)
    assert sentences(ACME_EDITOR) == ["Edgar Acme signed in as editor."]
    assert sentences(ACME_VIEWER) == ["Vera Acme signed in as viewer."]
    assert sentences(ACME_OWNER, limit=1) == ["Ada Acme disabled Edgar Acme: they cannot sign in."]


def test_the_newest_come_first_and_cost_few_queries(portal: World) -> None:
    for number in range(30):
        by = Actor(f"0e1f0000-0000-4000-8000-{number:012}", f"p{number}@acme.example", ActorKind.MEMBER)
        record(Action.MEMBER_REMOVED, by=by, org=ACME_ID, target=f"q{number}@acme.example")
    owner = actor(ACME_OWNER)
    with CaptureQueriesContext(connection) as asked:
        entries = recent_activity(ACME_ID, by=owner, limit=25)
    assert len(asked) == 3
    assert [entry.seq for entry in entries] == sorted((entry.seq for entry in entries), reverse=True)
    assert len(entries) == 25


@pytest.mark.parametrize("name", ["The worker", "An operator of the platform"])
def test_a_name_that_pretends_has_its_address_beside_it(portal: World, name: str) -> None:
    Person.objects.filter(pk=member_called(ACME_EDITOR.email).person_id).update(name=name)
    record(Action.SIGNED_IN, by=actor(ACME_EDITOR), org=ACME_ID)
    (entry,) = recent_activity(ACME_ID, by=actor(ACME_OWNER), limit=1)
    assert entry.sentence[0].address == ACME_EDITOR.email
