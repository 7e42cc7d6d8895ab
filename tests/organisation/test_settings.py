"""An organisation's settings: who opens them, what is saved, what is refused, and two people at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from html import unescape
from typing import Any

import pytest

from portal.demo.cast import ACME_EDITOR, ACME_OWNER, ACME_VIEWER, CastMember
from tenants.audit.actions import Action
from tenants.domain.roles import Role
from tenants.lifecycle.details import change_metadata, rename
from tenants.lifecycle.transitions import suspend
from tenants.members.roster import set_role
from tenants.models import Tenant
from tests.world.fixtures import Browser
from tests.world.pages import errors_in, text_of
from tests.world.people import acting
from tests.world.stage import SOMEBODY, Stage, member_called
from tests.world.use_cases import acme, entries_since, last_entry

Browse = Callable[[CastMember], Browser]
PAGE = "/organisation/"
SCHEMA = {
    "type": "object",
    "properties": {
        "industry": {"type": "string", "title": "Industry", "maxLength": 20, "x-organisation": "edit"},
        "seats": {"type": "integer", "minimum": 1, "x-organisation": "edit"},
        "renewal": {"type": "string", "format": "date", "x-organisation": "edit"},
        "newsletter": {"type": "boolean", "x-organisation": "edit"},
        "size": {"enum": ["small", "large"], "x-organisation": "edit"},
        "sites": {"type": "array", "items": {"type": "string"}, "x-organisation": "edit"},
        "billing": {"type": "object", "x-organisation": "edit"},
        "contract": {"type": "string", "x-organisation": "see"},
        "risk": {"type": "string"},
    },
}


@pytest.fixture
def owner(browse_as: Browse) -> Browser:
    return browse_as(ACME_OWNER)


@pytest.fixture
def admin(stage: Stage, browse_as: Browse) -> Iterator[Browser]:
    set_role(member_called(ACME_EDITOR.email), Role.ADMIN, by=acting(ACME_OWNER.email))
    stage.work()
    yield browse_as(ACME_EDITOR)
    set_role(member_called(ACME_EDITOR.email), Role.EDITOR, by=acting(ACME_OWNER.email))
    stage.work()


@pytest.fixture
def with_schema(settings: Any) -> None:
    settings.TENANT_METADATA_SCHEMA = SCHEMA


def form_of(page: Any) -> dict[str, str]:
    """What a browser would send, as the form begins."""
    form = re.search(r'<form class="step settings".*?</form>', page.content.decode(), re.DOTALL)
    assert form
    sent = {}
    for tag, text in re.findall(r"<(?:input|textarea)\b([^>]*)>(?:\n([^<]*)</textarea>)?", form[0]):
        about = dict(re.findall(r'(\w+)="([^"]*)"', tag))
        sent[about["name"]] = unescape(text or about.get("value", ""))
    for name, options in re.findall(r'<select[^>]* name="(\w+)"[^>]*>(.*?)</select>', form[0], re.DOTALL):
        chosen = re.search(r'value="([^"]*)" selected', options)
        sent[name] = unescape(chosen[1]) if chosen else ""
    return sent


def send(browser: Browser, **typed: str) -> Any:
    """The form as it is now, with these texts typed into it."""
    return browser.post(PAGE, {**form_of(browser.get(PAGE)), **typed})


def test_an_owner_saves_several_settings_at_once(owner: Browser) -> None:
    before = last_entry()
    done = send(
        owner, name="Acme Works", slug="acme-works", contact="IT@Acme.example", invitation_domains="acme.example"
    )
    assert (done.status_code, done["Location"]) == (302, PAGE)
    tenant = Tenant.objects.get(slug="acme-works")
    assert (tenant.name, tenant.contact) == ("Acme Works", "it@acme.example")
    assert tenant.invitation_domains == ["acme.example"]
    entries = [entry for entry in entries_since(before) if entry.action.startswith("tenant.")]
    assert [(entry.action, dict(entry.after)) for entry in entries] == [
        (Action.TENANT_RENAMED, {"name": "Acme Works"}),
        (Action.TENANT_RENAMED, {"slug": "acme-works"}),
        (Action.TENANT_CONTACT_CHANGED, {"contact": "it@acme.example"}),
        (Action.TENANT_DOMAINS_CHANGED, {"invitation_domains": ["acme.example"]}),
    ]
    assert {entry.actor_name for entry in entries} == {ACME_OWNER.email}
    assert "Saved: Name, Short name, Contact and E-mail domains for invitations." in text_of(owner.get(PAGE))


def test_an_unchanged_form_changes_nothing(owner: Browser) -> None:
    before = last_entry()
    assert send(owner).status_code == 302
    assert entries_since(before) == []
    assert "Nothing was changed" in text_of(owner.get(PAGE))


def test_all_problems_stand_at_their_fields_and_nothing_is_saved(owner: Browser) -> None:
    wrong = send(owner, name="", slug="globex", contact="no address", invitation_domains="acme.example\nnot one\n@")
    assert wrong.status_code == 400
    errors = errors_in(wrong)
    assert set(errors) == {"name", "slug", "contact", "invitation_domains"}
    assert "is taken" in errors["slug"]
    assert "2 of these are not domains: “not one”, “@”." in errors["invitation_domains"]
    assert "<title>Error: Settings" in text_of(wrong)
    assert form_of(wrong)["invitation_domains"].splitlines() == ["acme.example", "not one", "@"]
    assert acme().contact == ""


def test_a_refused_form_is_in_the_audit_trail(owner: Browser, django_capture_on_commit_callbacks: Any) -> None:
    before = last_entry()
    with django_capture_on_commit_callbacks(execute=True):
        send(owner, name="Acme Works", contact="no address")
    (entry,) = entries_since(before)
    assert (entry.action, entry.actor_name) == (Action.TENANT_REFUSED, ACME_OWNER.email)


def test_the_second_of_two_is_told_and_loses_nothing(owner: Browser) -> None:
    opened = form_of(owner.get(PAGE))
    rename(acme(), name="Theirs", by=SOMEBODY)
    told = owner.post(PAGE, {**opened, "name": "Mine", "contact": "it@acme.example"})
    assert told.status_code == 409
    assert "changed this to “Theirs” meanwhile" in errors_in(told)["name"]
    again = form_of(told)
    assert (again["name"], again["contact"]) == ("Mine", "it@acme.example")
    assert (acme().name, acme().contact) == ("Theirs", "")
    assert owner.post(PAGE, again).status_code == 302
    assert (acme().name, acme().contact) == ("Mine", "it@acme.example")


def test_a_field_that_nobody_touched_overwrites_nothing(owner: Browser) -> None:
    opened = form_of(owner.get(PAGE))
    rename(acme(), name="Theirs", by=SOMEBODY)
    assert owner.post(PAGE, {**opened, "contact": "it@acme.example"}).status_code == 302
    assert (acme().name, acme().contact) == ("Theirs", "it@acme.example")


def test_an_admin_changes_the_name_but_not_the_short_name(admin: Browser) -> None:
    assert send(admin, name="Acme Works").status_code == 302
    page = text_of(admin.get(PAGE))
    assert "Only owners can do this." in page
    assert "settings_close" not in page
    assert 'name="slug"' not in page
    forged = {**form_of(admin.get(PAGE)), "slug": "mine", "began_slug": "acme"}
    assert admin.post(PAGE, forged).status_code == 403
    assert admin.get("/organisation/close/").status_code == 403
    assert (acme().name, acme().slug) == ("Acme Works", "acme")


@pytest.mark.parametrize("person", [ACME_EDITOR, ACME_VIEWER])
def test_others_are_refused_and_see_no_link(browse_as: Browse, person: CastMember) -> None:
    browser = browse_as(person)
    assert browser.get(PAGE).status_code == 403
    assert browser.post(PAGE, {"name": "Mine", "began_name": "Acme Ltd"}).status_code == 403
    assert f'href="{PAGE}"' not in text_of(browser.get("/"))


def test_a_suspended_organisation_cannot_be_changed(owner: Browser) -> None:
    opened = form_of(owner.get(PAGE))
    suspend(acme(), by=SOMEBODY, why="not paid")
    refused = owner.post(PAGE, {**opened, "name": "Mine"})
    assert refused.status_code == 403
    assert "is suspended" in text_of(refused)
    assert acme().name == "Acme Ltd"


@pytest.mark.usefixtures("with_schema")
def test_the_schema_makes_a_form(owner: Browser) -> None:
    change_metadata(acme(), metadata={"contract": "2026-14", "risk": "high", "billing": {"a": 1}}, by=SOMEBODY)
    page = owner.get(PAGE)
    form, text = form_of(page), text_of(page)
    keys = ["industry", "seats", "renewal", "newsletter", "size", "sites"]
    assert [name for name in form if name.startswith("metadata_")] != []
    assert {name for name in form if name.startswith("metadata_")} == {f"metadata_{key}" for key in keys}
    for words in ("Industry", "2026-14", "Only operators change this.", "It holds several values"):
        assert words in text
    assert "high" not in text
    assert send(
        owner,
        metadata_industry="Anvils",
        metadata_seats="7",
        metadata_renewal="2027-01-31",
        metadata_newsletter="false",
        metadata_size='"large"',
        metadata_sites="Bonn\r\nOslo",
    ).status_code == 302  # fmt: skip
    assert acme().metadata == {
        "contract": "2026-14", "risk": "high", "billing": {"a": 1}, "industry": "Anvils", "seats": 7,
        "renewal": "2027-01-31", "newsletter": False, "size": "large", "sites": ["Bonn", "Oslo"],
    }  # fmt: skip
    assert form_of(owner.get(PAGE))["metadata_newsletter"] == "false"
    assert send(owner, metadata_industry="", metadata_seats="").status_code == 302
    assert {"industry", "seats"}.isdisjoint(acme().metadata)


@pytest.mark.usefixtures("with_schema")
def test_values_that_do_not_fit_the_schema_stay_at_their_fields(owner: Browser) -> None:
    wrong = send(owner, metadata_seats="0", metadata_renewal="2026-02-30", metadata_industry="x" * 21)
    assert errors_in(wrong) == {
        "metadata_industry": "Enter at most 20 characters.",
        "metadata_seats": "Enter a number of at least 1.",
        "metadata_renewal": "Enter a date that exists, as year-month-day, such as 2026-11-29.",
    }
    assert errors_in(send(owner, metadata_seats="seven")) == {"metadata_seats": "Enter a whole number, such as 12."}
    assert acme().metadata == {}


def about_all_in(page: Any) -> str:
    found = re.search(r"<h2>Nothing was saved</h2><p>([^<]*)</p>", page.content.decode())
    return unescape(found[1]) if found else ""


@pytest.mark.usefixtures("with_schema")
@pytest.mark.parametrize(
    ("typed", "says"),
    [
        (
            {"metadata_industry": "An\u202evils"},
            "There is a character that cannot be stored at “industry”: U+202E, which",
        ),
        ({"metadata_sites": "Bonn\r\nOs\u200blo"}, "There is a character that cannot be stored at “sites/1”: U+200B"),
        ({"metadata_sites": "x" * 20_001}, "Metadata is at most 20,000 characters of JSON."),
    ],
    ids=["hidden", "hidden in a list", "too long"],
)
def test_what_is_wrong_with_all_metadata_is_said_of_the_whole_form(
    owner: Browser, typed: dict[str, str], says: str
) -> None:
    wrong = send(owner, **typed)
    assert (wrong.status_code, errors_in(wrong)) == (400, {})
    assert about_all_in(wrong).startswith(says)
    assert "<title>Error: " in text_of(wrong)
    assert acme().metadata == {}


@pytest.mark.usefixtures("with_schema")
@pytest.mark.parametrize("typed", ["\u202e", "\u200b", "a\u0000", "x" * 2_000, "x" * 20_001])
def test_no_refusal_is_without_a_message(owner: Browser, typed: str) -> None:
    named = [name for name in form_of(owner.get(PAGE)) if not name.startswith("began_")]
    assert {"name", "slug", "contact", "invitation_domains", "metadata_sites"} < set(named)
    for name in named:
        answer = send(owner, **{name: typed})
        assert answer.status_code in {302, 400}
        assert answer.status_code == 302 or errors_in(answer).keys() == {name} or about_all_in(answer), name


@pytest.mark.usefixtures("with_schema")
@pytest.mark.parametrize("key", ["contract", "risk", "billing"])
def test_a_forged_field_for_the_operators_keys_changes_nothing(owner: Browser, key: str) -> None:
    forged = {**form_of(owner.get(PAGE)), f"metadata_{key}": "mine", f"began_metadata_{key}": ""}
    assert owner.post(PAGE, forged).status_code == (302 if key == "risk" else 403)
    assert acme().metadata == {}
