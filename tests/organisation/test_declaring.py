"""An owner declares a collection that an application writes: it is listed, exported and purged from then on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from portal.demo.cast import ACME, ACME_EDITOR, ACME_OWNER, ACME_VIEWER, GLOBEX, OPERATOR, CastMember
from portal.demo.world import World
from tenants.audit.actions import Action
from tenants.models import AuditEvent
from tests.world.closings import as_root, everything, put
from tests.world.fixtures import Browser

Browse = Callable[[CastMember], Browser]
ADDRESS = "/collections/declare/"
NAME = "Telemetry of 2026/ü"


@pytest.fixture
def written(world: World) -> Iterator[str]:
    """A collection that an application wrote a record of, and no entry for. Gone afterwards, its entry too."""
    keys = [(ACME.space.collection(NAME), "first"), (ACME.space.catalogue, NAME)]
    put(world, [{"pk": {"S": keys[0][0]}, "sk": {"S": "first"}, "n": {"N": "1"}}])
    yield NAME
    for pk, sk in keys:
        as_root(world).delete_item(TableName=world.settings["RECORDS_TABLE"], Key={"pk": {"S": pk}, "sk": {"S": sk}})


def declare(browser: Browser, name: str, description: str = "") -> Any:
    return browser.post(ADDRESS, {"name": name, "description": description})


def test_a_declared_collection_is_listed_with_its_description(browse_as: Browse, world: World, written: str) -> None:
    browser, before = browse_as(ACME_OWNER), everything(world)
    assert written not in browser.get("/records/").content.decode()
    answer = declare(browser, written, "  Measured   by\nthe depots 👩‍💻 ")
    assert (answer.status_code, answer["Location"]) == (302, "/records/")
    page = browser.get("/records/").content.decode()
    assert written in page
    assert "Measured by the depots 👩‍💻" in page
    after = everything(world)
    (new,) = set(after) - set(before)
    assert new == (ACME.space.catalogue, written)
    assert {key: after[key] for key in before} == before
    assert after[new]["_version"] == {"N": "1"}
    entry = AuditEvent.objects.get(action=Action.COLLECTION_DECLARED)
    assert (str(entry.org), entry.target) == (str(ACME.org_id), written)
    activity = browser.get("/activity/").content.decode()
    assert "declared the collection" in activity
    assert written in activity


def test_a_second_declaration_changes_nothing(browse_as: Browse, world: World, written: str) -> None:
    browser = browse_as(ACME_OWNER)
    declare(browser, written, "first")
    before = everything(world)
    answer = declare(browser, written, "second")
    assert answer.status_code == 400
    assert "This collection is in the list already." in answer.content.decode()
    assert everything(world) == before
    assert AuditEvent.objects.filter(action=Action.COLLECTION_DECLARED).count() == 1


@pytest.mark.parametrize(
    ("name", "description", "words"),
    [
        ("", "", "Enter the collection’s name."),
        ("_deleted", "", "The portal keeps deleted records under this name."),
        ("x" * 1025, "", "A collection’s name has at most 1024 bytes; this one has 1025."),
        ("ü" * 513, "", "this one has 1026"),
        ("no such", "", "There is no record with this collection’s key."),
        ("telemetry of 2026/ü", "", "There is no record with this collection’s key."),
        (NAME, "x" * 201, "A description has at most 200 characters; this one has 201."),
        (NAME, "\u202eright to left", 'id="description-error"'),
    ],
)
def test_what_cannot_be_declared_is_a_message_next_to_its_field(
    browse_as: Browse, world: World, written: str, name: str, description: str, words: str
) -> None:
    before = everything(world)
    answer = declare(browse_as(ACME_OWNER), name, description)
    page = answer.content.decode()
    assert answer.status_code == 400
    assert words in page
    assert 'role="alert"' in page
    assert everything(world) == before


@pytest.mark.parametrize("member", [ACME_EDITOR, ACME_VIEWER, OPERATOR], ids=lambda member: member.email)
def test_only_owners_declare(browse_as: Browse, world: World, written: str, member: CastMember) -> None:
    browser, before = browse_as(member), everything(world)
    assert declare(browser, written).status_code == 403
    assert everything(world) == before
    if member is not OPERATOR:
        assert "Declare it" not in browser.get("/records/").content.decode()


def test_an_owner_finds_the_form_in_their_own_list_only(browse_as: Browse) -> None:
    browser = browse_as(ACME_OWNER)
    assert f'href="{ADDRESS}">Declare it' in browser.get("/records/").content.decode()
    assert "Declare it" not in browser.get("/public/").content.decode()


def test_a_key_of_another_organisation_is_only_a_name_here(browse_as: Browse, world: World) -> None:
    """The name is put after the own org id, whatever it looks like."""
    before = everything(world)
    answer = declare(browse_as(ACME_OWNER), f"{GLOBEX.space.collection('orders')}")
    assert answer.status_code == 400
    assert everything(world) == before
