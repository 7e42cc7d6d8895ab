"""Writing records with the person's own credentials: every type, other writers, tampering, and ten minutes to undo."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from portal.demo.cast import ACME, ACME_EDITOR, ACME_OWNER, ACME_VIEWER, GLOBEX, GLOBEX_OWNER, OPERATOR, CastMember
from portal.demo.world import World
from tenants.audit.actions import Action
from tenants.aws.records_writes import MOST_COMPARED
from tenants.domain.errors import DeniedByAws, InvalidInput, NotNow, RecordChanged, RecordNotFound
from tenants.domain.keys import PUBLIC_SPACE
from tenants.domain.record_edits import RecordPlace, digest, own_attributes
from tenants.domain.values import Item
from tenants.models import AuditEvent
from tenants.records.bulk import Bulk, BulkChange, Result, Selected
from tenants.records.deleting import Deleting
from tenants.records.editing import Editing
from tenants.records.wiring import editing
from tenants.sign_in.access import person_of_session
from tenants.sign_in.sessions import SignedIn
from tests.world.closings import EVERY_TYPE, leaving_the_catalogue_as_it_was
from tests.world.fixtures import Browser

Browse = Callable[[CastMember], Browser]
TEXT = {"S": "a text"}


@dataclass(frozen=True)
class Desk:
    """Somebody's use cases. `rows` is an application that writes with the same credentials."""

    who: SignedIn
    editing: Editing

    @property
    def deleting(self) -> Deleting:
        return Deleting(self.editing)

    @property
    def bulk(self) -> Bulk:
        return Bulk(self.editing, self.deleting)

    def item(self, place: RecordPlace) -> Item | None:
        return self.editing.as_it_is(self.who, place)

    def put_raw(self, place: RecordPlace, **attributes: Any) -> None:
        """As an application that knows nothing of the portal."""
        client, name = self.editing.writes.client, self.editing.writes.name
        key = self.editing.keys.key(place.partition, place.sort)
        self.as_application(lambda: client.put_item(TableName=name, Item={**attributes, **key}))

    def as_application(self, call: Callable[[], Any]) -> None:
        from tenants.aws.signing import signing_as

        def signed(held: Any) -> None:
            with signing_as(held):
                call()

        self.editing.records.with_credentials(self.who, signed)


@pytest.fixture
def desk_of(browse_as: Browse, new_process: None) -> Callable[[CastMember], Desk]:
    def desk(member: CastMember) -> Desk:
        browser = browse_as(member)
        request: Any = type("Request", (), {"session": browser.session})()
        who = person_of_session(request)
        assert who is not None
        return Desk(who, editing())

    return desk


@pytest.fixture
def desk(desk_of: Callable[[CastMember], Desk]) -> Desk:
    return desk_of(ACME_OWNER)


@pytest.fixture(autouse=True)
def no_collections_left(world: World) -> Iterator[None]:
    """The world outlives a test, and other tests list Acme's collections."""
    yield from leaving_the_catalogue_as_it_was(world, ACME.org_id)


@pytest.fixture
def place() -> RecordPlace:
    return RecordPlace(ACME.space, f"edited-{uuid.uuid4().hex[:8]}", "a key / with # and ü")


def created(desk: Desk, place: RecordPlace, **attributes: Any) -> Item:
    desk.editing.create(desk.who, place, attributes)
    item = desk.item(place)
    assert item is not None
    return item


def own(desk: Desk, item: Item) -> Item:
    return own_attributes(item, desk.editing.keys)


def test_a_new_record_has_a_version_an_author_and_a_listed_collection(desk: Desk, place: RecordPlace) -> None:
    item = created(desk, place, **EVERY_TYPE)
    assert digest(own(desk, item)) == digest(EVERY_TYPE)
    assert item["_version"] == {"N": "1"}
    assert item["_updated_by"] == {"S": desk.who.claims.sub}
    assert item["_updated_at"]["S"].endswith("+00:00")
    names = [desk.editing.keys.sort_key(one) for one in desk.editing.records.collections(desk.who, ACME.space).items]
    assert place.collection in names


def test_a_key_that_is_taken_overwrites_nothing(desk: Desk, place: RecordPlace) -> None:
    before = created(desk, place, text=TEXT)
    with pytest.raises(InvalidInput) as refused:
        desk.editing.create(desk.who, place, {"text": {"S": "another"}})
    assert refused.value.field == "record_key"
    assert desk.item(place) == before


def test_a_second_record_leaves_the_catalogues_entry_alone(desk: Desk, place: RecordPlace) -> None:
    created(desk, place, text=TEXT)
    before = desk.editing.records.collections(desk.who, ACME.space).items
    created(desk, replace(place, key="second"), text=TEXT)
    assert desk.editing.records.collections(desk.who, ACME.space).items == before


@pytest.mark.parametrize("name", sorted(EVERY_TYPE))
def test_saving_one_attribute_leaves_the_others_byte_for_byte(desk: Desk, place: RecordPlace, name: str) -> None:
    before = created(desk, place, **EVERY_TYPE)
    changed = {**own(desk, before), name: {"S": "changed"}}
    assert desk.editing.save(desk.who, place, opened=before, attributes=changed)
    after = desk.item(place)
    assert after is not None
    assert own(desk, after) == changed
    assert after["_version"] == {"N": "2"}


def test_saving_nothing_writes_nothing(desk: Desk, place: RecordPlace) -> None:
    before = created(desk, place, **EVERY_TYPE)
    assert not desk.editing.save(desk.who, place, opened=before, attributes=own(desk, before))
    assert desk.item(place) == before


def test_the_second_of_two_people_is_told_and_overwrites_nothing(
    desk_of: Callable[[CastMember], Desk], place: RecordPlace
) -> None:
    owner, editor = desk_of(ACME_OWNER), desk_of(ACME_EDITOR)
    opened = created(owner, place, text=TEXT, other=TEXT)
    editor.editing.save(editor.who, place, opened=opened, attributes={"text": {"S": "editor's"}, "other": TEXT})
    now = owner.item(place)
    with pytest.raises(RecordChanged):
        owner.editing.save(owner.who, place, opened=opened, attributes={"text": TEXT, "other": {"S": "owner's"}})
    assert owner.item(place) == now


def test_an_application_that_raises_no_version_is_not_overwritten(desk: Desk, place: RecordPlace) -> None:
    opened = created(desk, place, text=TEXT, other=TEXT)
    desk.put_raw(place, **{**opened, "text": {"S": "the application's"}})
    with pytest.raises(RecordChanged):
        desk.editing.save(desk.who, place, opened=opened, attributes={"text": {"S": "mine"}, "other": TEXT})
    with pytest.raises(RecordChanged):
        desk.editing.save(desk.who, place, opened=opened, attributes={"other": TEXT})
    assert desk.editing.save(desk.who, place, opened=opened, attributes={"text": TEXT, "other": {"S": "mine"}})
    item = desk.item(place)
    assert item is not None
    assert own(desk, item) == {"text": {"S": "the application's"}, "other": {"S": "mine"}}


def test_an_attribute_added_by_an_application_is_not_overwritten(desk: Desk, place: RecordPlace) -> None:
    opened = created(desk, place, text=TEXT)
    desk.put_raw(place, **{**opened, "new": {"S": "the application's"}})
    with pytest.raises(RecordChanged):
        desk.editing.save(desk.who, place, opened=opened, attributes={"text": TEXT, "new": {"S": "mine"}})


def test_a_record_without_a_version_gets_one(desk: Desk, place: RecordPlace) -> None:
    desk.put_raw(place, text=TEXT)
    opened = desk.item(place)
    assert opened is not None
    desk.editing.save(desk.who, place, opened=opened, attributes={"text": {"S": "mine"}})
    now = desk.item(place)
    assert now is not None
    assert now["_version"] == {"N": "1"}


def test_a_record_that_was_deleted_meanwhile_does_not_come_back(desk: Desk, place: RecordPlace) -> None:
    opened = created(desk, place, text=TEXT)
    desk.deleting.delete(desk.who, place, shown=digest(opened))
    with pytest.raises(RecordChanged):
        desk.editing.save(desk.who, place, opened=opened, attributes={"text": {"S": "mine"}})
    assert desk.item(place) is None


def test_values_near_400_kb_can_be_changed(desk: Desk, place: RecordPlace) -> None:
    opened = created(desk, place, text={"S": "x" * 390_000}, other=TEXT)
    desk.editing.save(desk.who, place, opened=opened, attributes={"text": {"S": "y" * 390_000}, "other": TEXT})
    now = desk.item(place)
    assert now is not None
    assert now["text"] == {"S": "y" * 390_000}
    with pytest.raises(InvalidInput, match="at most 409,600 bytes"):
        desk.editing.save(desk.who, place, opened=now, attributes={"text": {"S": "y" * 409_600}})


def test_as_many_attributes_as_an_expression_compares_can_be_changed(desk: Desk, place: RecordPlace) -> None:
    names = [f"a.b-{number}" for number in range(MOST_COMPARED - 1)]
    opened = created(desk, place, text=TEXT)
    desk.editing.save(desk.who, place, opened=opened, attributes=dict.fromkeys(names[1:], TEXT))
    opened = desk.item(place) or {}
    assert len(own(desk, opened)) == MOST_COMPARED - 2
    desk.editing.save(desk.who, place, opened=opened, attributes={})
    with pytest.raises(InvalidInput, match="attributes at a time"):
        desk.editing.save(desk.who, place, opened=desk.item(place) or {}, attributes=dict.fromkeys([*names, "z"], TEXT))


@pytest.mark.parametrize("name", ["_version", "_anything", "pk", "sk", "", "x" * 65_536])
def test_names_that_are_not_the_persons_are_refused(desk: Desk, place: RecordPlace, name: str) -> None:
    opened = created(desk, place, text=TEXT)
    with pytest.raises(InvalidInput):
        desk.editing.save(desk.who, place, opened=opened, attributes={"text": TEXT, name: TEXT})
    assert desk.item(place) == opened


@pytest.mark.parametrize("name", ["size", "a.b", "a b", "“quoted”", "#pk", ":v", "👩‍💻", "SET", "a\nb"])
def test_any_other_name_can_be_written(desk: Desk, place: RecordPlace, name: str) -> None:
    opened = created(desk, place, **{name: TEXT})
    desk.editing.save(desk.who, place, opened=opened, attributes={name: {"S": "mine"}})
    assert (desk.item(place) or {})[name] == {"S": "mine"}


@pytest.mark.parametrize("collection", ["_deleted", "_anything", "", " spaced", "x" * 1025])
def test_names_of_the_portals_collections_are_refused(desk: Desk, collection: str) -> None:
    with pytest.raises(InvalidInput):
        desk.editing.create(desk.who, RecordPlace(ACME.space, collection, "key"), {"text": TEXT})
    with pytest.raises(InvalidInput):
        desk.editing.add_collection(desk.who, ACME.space, collection, "")


def test_a_new_collection_is_listed_and_recorded_once(desk: Desk) -> None:
    name = f"new-{uuid.uuid4().hex[:8]}"
    desk.editing.add_collection(desk.who, ACME.space, name, "What is in it")
    with pytest.raises(InvalidInput) as refused:
        desk.editing.add_collection(desk.who, ACME.space, name, "Again")
    assert refused.value.field == "collection"
    entry = AuditEvent.objects.get(action=Action.COLLECTION_ADDED)
    assert (entry.target, entry.org) == (name, uuid.UUID(ACME.org_id.value))


def test_another_key_moves_a_record_as_it_is(desk: Desk, place: RecordPlace) -> None:
    before = created(desk, place, **EVERY_TYPE)
    to = RecordPlace(place.space, f"{place.collection}-2", "x" * 1024)
    desk.editing.move(desk.who, place, to=to, shown=digest(before))
    assert desk.item(place) is None
    moved = desk.item(to)
    assert moved is not None
    assert own(desk, moved) == own(desk, before)
    assert moved["_version"] == {"N": "2"}


def test_a_record_is_not_moved_onto_another_or_after_a_change(desk: Desk, place: RecordPlace) -> None:
    before, taken = created(desk, place, text=TEXT), replace(place, key="taken")
    created(desk, taken, text={"S": "other"})
    with pytest.raises(InvalidInput) as refused:
        desk.editing.move(desk.who, place, to=taken, shown=digest(before))
    assert refused.value.field == "record_key"
    with pytest.raises(RecordChanged):
        desk.editing.move(desk.who, place, to=replace(place, key="free"), shown="an older digest")
    assert desk.item(place) == before
    assert (desk.item(taken) or {})["text"] == {"S": "other"}


def test_a_deleted_record_comes_back_byte_for_byte_with_a_higher_version(desk: Desk, place: RecordPlace) -> None:
    before = created(desk, place, **EVERY_TYPE, deep=nested(31))
    assert desk.deleting.delete(desk.who, place, shown=digest(before))
    assert desk.item(place) is None
    (copy,) = desk.deleting.deleted(desk.who, place.space, place.collection)
    assert desk.deleting.restore(desk.who, place.space, place.collection, copy.id) == place
    assert desk.item(place) == {**before, "_version": {"N": "2"}}
    assert desk.deleting.deleted(desk.who, place.space, place.collection) == []
    with pytest.raises(NotNow):
        desk.deleting.restore(desk.who, place.space, place.collection, copy.id)


def nested(levels: int) -> dict[str, Any]:
    value: dict[str, Any] = {"S": "deep"}
    for _ in range(levels):
        value = {"L": [value]}
    return value


def test_undo_goes_by_time_although_the_copy_is_still_there(desk: Desk, place: RecordPlace) -> None:
    item = created(desk, place, text=TEXT)
    desk.deleting.delete(desk.who, place, shown=digest(item))
    (copy,) = desk.deleting.deleted(desk.who, place.space, place.collection)
    later = Deleting(replace(desk.editing, now=lambda: timezone.now() + timedelta(minutes=10, seconds=1)))
    assert later.deleted(desk.who, place.space, place.collection) == []
    with pytest.raises(NotNow, match="ten minutes are over"):
        later.restore(desk.who, place.space, place.collection, copy.id)
    assert desk.item(place) is None


def test_undo_does_not_overwrite_a_new_record_with_the_same_key(desk: Desk, place: RecordPlace) -> None:
    item = created(desk, place, text=TEXT)
    desk.deleting.delete(desk.who, place, shown=digest(item))
    created(desk, place, text={"S": "new"})
    (copy,) = desk.deleting.deleted(desk.who, place.space, place.collection)
    with pytest.raises(NotNow, match="new record"):
        desk.deleting.restore(desk.who, place.space, place.collection, copy.id)
    assert (desk.item(place) or {})["text"] == {"S": "new"}


def test_a_record_too_large_for_a_copy_is_deleted_without_one(desk: Desk, place: RecordPlace) -> None:
    import random

    item = created(desk, place, big={"B": random.Random(1).randbytes(409_000)})
    assert not desk.deleting.can_be_undone(desk.who, place, item)
    assert not desk.deleting.delete(desk.who, place, shown=digest(item))
    assert desk.item(place) is None
    assert desk.deleting.deleted(desk.who, place.space, place.collection) == []


def test_a_record_that_changed_is_not_deleted(desk: Desk, place: RecordPlace) -> None:
    item = created(desk, place, text=TEXT)
    desk.put_raw(place, **{**item, "added": TEXT})
    with pytest.raises(RecordChanged):
        desk.deleting.delete(desk.who, place, shown=digest(item))
    with pytest.raises(RecordNotFound):
        desk.deleting.delete(desk.who, replace(place, key="none"), shown=digest(item))


def test_deleted_records_are_no_collection(desk: Desk, place: RecordPlace) -> None:
    item = created(desk, place, text=TEXT)
    desk.deleting.delete(desk.who, place, shown=digest(item))
    with pytest.raises(InvalidInput):
        desk.editing.records.page(desk.who, ACME.space, "_deleted")


@pytest.mark.parametrize("member", [ACME_VIEWER, GLOBEX_OWNER, OPERATOR], ids=lambda member: member.email)
def test_iam_refuses_every_write_of_those_who_may_not(
    desk_of: Callable[[CastMember], Desk], place: RecordPlace, member: CastMember
) -> None:
    owner, other = desk_of(ACME_OWNER), desk_of(member)
    item = created(owner, place, text=TEXT)
    deleted = replace(place, key="deleted")
    owner.deleting.delete(owner.who, deleted, shown=digest(created(owner, deleted, text=TEXT)))
    (copy,) = owner.deleting.deleted(owner.who, place.space, place.collection)
    for write in (
        lambda: other.editing.create(other.who, replace(place, key="new"), {"text": TEXT}),
        lambda: other.editing.save(other.who, place, opened=item, attributes={"text": {"S": "theirs"}}),
        lambda: other.editing.move(other.who, place, to=replace(place, key="moved"), shown=digest(item)),
        lambda: other.editing.add_collection(other.who, place.space, "theirs", ""),
        lambda: other.deleting.delete(other.who, place, shown=digest(item)),
        lambda: other.deleting.delete_row(other.who, place, item, copy_id="x"),
        lambda: other.deleting.restore(other.who, place.space, place.collection, copy.id),
    ):
        with pytest.raises(DeniedByAws):
            write()
    assert owner.item(place) == item


def test_operators_write_public_records_and_members_do_not(desk_of: Callable[[CastMember], Desk]) -> None:
    operator, owner = desk_of(OPERATOR), desk_of(ACME_OWNER)
    place = RecordPlace(PUBLIC_SPACE, "news", f"ZZZ-{uuid.uuid4().hex}")
    item = created(operator, place, text=TEXT)
    with pytest.raises(DeniedByAws):
        owner.editing.save(owner.who, place, opened=item, attributes={"text": {"S": "theirs"}})
    operator.deleting.delete(operator.who, place, shown=digest(item))


@pytest.fixture
def three(desk: Desk, place: RecordPlace) -> list[RecordPlace]:
    places = [replace(place, key=f"k{number}") for number in range(3)]
    for one in places:
        created(desk, one, text=TEXT)
    return places


def selected(desk: Desk, places: list[RecordPlace]) -> list[Selected]:
    return [Selected(one.key, digest(desk.item(one) or {})) for one in places]


def test_each_record_of_a_bulk_step_has_its_own_result(
    desk: Desk, place: RecordPlace, three: list[RecordPlace]
) -> None:
    chosen = [*selected(desk, three), Selected("none", "x")]
    desk.put_raw(three[1], text={"S": "the application's"})
    lines = desk.bulk.delete(desk.who, place.space, place.collection, chosen, began=timezone.now())
    assert [line.result for line in lines] == [Result.DONE, Result.CHANGED, Result.DONE, Result.GONE]
    assert AuditEvent.objects.get(action=Action.RECORDS_DELETED_TOGETHER).after == {"rows": 4}


def test_a_bulk_step_taken_again_does_and_copies_nothing_twice(
    desk: Desk, place: RecordPlace, three: list[RecordPlace]
) -> None:
    chosen, began = selected(desk, three), timezone.now()
    desk.bulk.delete(desk.who, place.space, place.collection, chosen[:2], began=began)
    lines = desk.bulk.delete(desk.who, place.space, place.collection, chosen, began=began)
    assert [line.result for line in lines] == [Result.ALREADY, Result.ALREADY, Result.DONE]
    assert len(desk.deleting.deleted(desk.who, place.space, place.collection)) == 3


def test_a_bulk_change_taken_again_raises_no_version_twice(
    desk: Desk, place: RecordPlace, three: list[RecordPlace]
) -> None:
    chosen, change = selected(desk, three), BulkChange("state", {"S": "paid"})
    desk.bulk.change(desk.who, place.space, place.collection, chosen[:1], change)
    lines = desk.bulk.change(desk.who, place.space, place.collection, chosen, change)
    assert [line.result for line in lines] == [Result.ALREADY, Result.DONE, Result.DONE]
    assert [(desk.item(one) or {})["_version"] for one in three] == [{"N": "2"}] * 3
    removed = desk.bulk.change(
        desk.who, place.space, place.collection, selected(desk, three), BulkChange("state", None)
    )
    assert [line.result for line in removed] == [Result.DONE] * 3
    assert "state" not in (desk.item(three[0]) or {})


def test_a_bulk_step_without_time_says_what_is_left(desk: Desk, place: RecordPlace, three: list[RecordPlace]) -> None:
    ticks = iter([0.0, 1.0, 30.0, 30.0])
    hurried = replace(desk.bulk, clock=lambda: next(ticks))
    lines = hurried.change(desk.who, place.space, place.collection, selected(desk, three), BulkChange("a", TEXT))
    assert [line.result for line in lines] == [Result.DONE, Result.NOT_DONE, Result.NOT_DONE]


def test_a_bulk_step_of_somebody_elses_records_is_refused_line_by_line(
    desk_of: Callable[[CastMember], Desk], desk: Desk, place: RecordPlace, three: list[RecordPlace]
) -> None:
    viewer, chosen = desk_of(ACME_VIEWER), selected(desk, three)
    lines = viewer.bulk.delete(viewer.who, place.space, place.collection, chosen, began=timezone.now())
    assert [line.result for line in lines] == [Result.REFUSED] * 3
    stranger = desk_of(GLOBEX_OWNER)
    theirs = stranger.bulk.delete(stranger.who, GLOBEX.space, place.collection, chosen, began=timezone.now())
    assert [line.result for line in theirs] == [Result.GONE] * 3
    assert all(desk.item(one) for one in three)
