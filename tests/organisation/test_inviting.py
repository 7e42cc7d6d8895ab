"""Inviting on the page: pasted, uploaded, mistyped, sent twice, and by somebody who may no longer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from portal.demo.cast import ACME_EDITOR, ACME_OWNER, ACME_VIEWER, CastMember
from tenants.domain.roles import Role
from tenants.lifecycle.transitions import close
from tenants.members.joining import take_in
from tenants.members.roster import set_role
from tenants.models import Invitation, Worker
from tests.world.fixtures import Browser
from tests.world.pages import errors_in, text_of
from tests.world.people import acting
from tests.world.stage import SOMEBODY, Stage, member_called
from tests.world.use_cases import acme

Browse = Callable[[CastMember], Browser]
PAGE = "/members/invite/"


@pytest.fixture
def owner(browse_as: Browse) -> Browser:
    return browse_as(ACME_OWNER)


def send(browser: Browser, people: str = "", *, role: str = "viewer", file: bytes | None = None, **more: Any) -> Any:
    form = {"people": people, "role": role}
    if file is not None:
        form |= {"file": SimpleUploadedFile("people.csv", file)}  # type: ignore[dict-item]
    return browser.post(PAGE, form, **more)


def invited() -> dict[str, str]:
    return dict(Invitation.objects.values_list("email", "role"))


def box(page: Any) -> str:
    text: str = text_of(page).split('name="people"')[1].split("</textarea>")[0].split(">", 1)[1]
    return text.strip()


def test_two_people_are_invited_and_become_members(owner: Browser) -> None:
    Worker.objects.create(name="one")
    asked = text_of(owner.get(PAGE))
    assert "What will happen" in asked
    assert "works for 7 days" in asked
    done = send(owner, "ada@x.example, Bob <bob@x.example>", role="editor", follow=True)
    assert done.redirect_chain == [("/members/", 302)]
    assert "2 people invited. Cognito mails them" in text_of(done)
    assert invited() == {"ada@x.example": "editor", "bob@x.example": "editor"}
    take_in()
    assert "bob@x.example" in text_of(owner.get("/members/"))
    assert member_called("bob@x.example").person.name == "Bob"


def test_what_was_mistyped_stays_in_the_box_with_its_reason(owner: Browser) -> None:
    page = send(owner, f"good@x.example\nno address; {ACME_VIEWER.email}\nking@x.example, The King, king")
    assert page.status_code == 200
    assert invited() == {"good@x.example": "viewer"}
    text = text_of(page)
    assert box(page) == "no address\nking@x.example, The King, king"
    for part in ("1 person invited", "2 people were not invited", "with one @", "Choose one of the roles",
                 "Nothing to do for 1 person", "Is a member already, as viewer."):  # fmt: skip
        assert part in text
    assert "<title>Error: Invite people" in text
    corrected = send(owner, box(page).replace("no address", "now@x.example").replace(", king", ", admin"))
    assert corrected.status_code == 302
    assert invited()["king@x.example"] == "admin"


def test_only_mistakes_answer_400_and_lose_nothing(owner: Browser) -> None:
    page = send(owner, "one\ntwo@\n<script>alert(1)</script>", role="editor")
    assert page.status_code == 400
    assert "<script>alert" not in page.content.decode()
    assert box(page).splitlines()[:2] == ["one", "two@"]
    assert '<option value="editor" selected>' in text_of(page)


@pytest.mark.parametrize("text", ["", " ,;\n "])
def test_nobody_at_all_is_a_problem_at_the_field(owner: Browser, text: str) -> None:
    page = send(owner, text)
    assert (page.status_code, errors_in(page)) == (400, {"people": "Enter at least one e-mail address."})


def test_a_file_is_read_and_its_bad_lines_land_in_the_box(owner: Browser) -> None:
    page = send(owner, file=b'email,name,role\nada@x.example,Ada,editor\nnobody,Nobody,\n"a,b@x.example",,viewer\n')
    assert page.status_code == 200
    assert invited() == {"ada@x.example": "editor"}
    assert box(page).splitlines()[0] == "nobody, Nobody"
    again = send(owner, box(page))
    assert again.status_code == 400
    assert box(again) == box(page)


@pytest.mark.parametrize(("file", "says"), [(b"\xff\x00\x01", "not text in UTF-8"), (b"x" * 2_000_001, "larger than")])
def test_a_file_that_cannot_be_read_says_so_at_its_field(owner: Browser, file: bytes, says: str) -> None:
    page = send(owner, "ada@x.example", file=file)
    assert page.status_code == 400
    assert says in errors_in(page)["file"]
    assert box(page) == "ada@x.example"
    assert not invited()


def test_five_thousand_lines_are_answered_and_one_more_is_refused(owner: Browser) -> None:
    lines = [f"p{number}@x.example" for number in range(4_999)]
    page = send(owner, "\n".join([*lines, "mistyped"]))
    assert (page.status_code, box(page)) == (200, "mistyped")
    assert len(invited()) == 4_999
    text = "\n".join([*lines, "one@y.example", "two@y.example"])
    page = send(owner, text)
    assert page.status_code == 400
    assert "at most 5,000" in errors_in(page)["people"]
    assert box(page) == text


@pytest.mark.parametrize("bad", ["nul\x00@x.example", "bidi\u202e@x.example", "zero\u200b@x.example"])
def test_characters_that_nobody_sees_are_refused_not_dropped(owner: Browser, bad: str) -> None:
    page = send(owner, f"{bad}\ngood@x.example")
    assert page.status_code == 200
    assert invited() == {"good@x.example": "viewer"}
    assert "1 person was not invited" in text_of(page)


def test_the_form_sent_twice_invites_once(owner: Browser) -> None:
    for status in (302, 200):
        page = send(owner, "ada@x.example, bob@x.example")
        assert page.status_code == status
    assert "Nothing to do for 2 people" in text_of(page)
    assert box(page) == ""
    assert len(invited()) == 2


def test_an_admin_is_offered_no_owners(stage: Stage, browse_as: Browse) -> None:
    set_role(member_called(ACME_EDITOR.email), Role.ADMIN, by=acting(ACME_OWNER.email))
    stage.work()
    browser = browse_as(ACME_EDITOR)
    assert '<option value="owner"' not in text_of(browser.get(PAGE))
    page = send(browser, "o@x.example", role="owner")
    assert "Only owners can" in text_of(page)
    assert not invited()
    # A page from before a demotion keeps what was typed.
    set_role(member_called(ACME_EDITOR.email), Role.EDITOR, by=acting(ACME_OWNER.email))
    stage.work()
    stale = send(browser, "typed@x.example")
    assert stale.status_code == 401
    assert "typed@x.example" in text_of(stale)
    assert not invited()


def test_nobody_else_opens_the_page(browse_as: Browse) -> None:
    for person in (ACME_EDITOR, ACME_VIEWER):
        browser = browse_as(person)
        assert browser.get(PAGE).status_code == 403
        assert send(browser, "a@x.example").status_code == 403
    assert not invited()


def test_an_organisation_that_is_being_closed_loses_nothing_typed(owner: Browser) -> None:
    close(acme(), by=SOMEBODY, why="asked for")
    assert send(owner, "a@x.example").status_code == 403
    assert not invited()


def test_without_a_worker_the_page_says_that_nobody_is_mailed_yet(owner: Browser) -> None:
    done = send(owner, "ada@x.example", follow=True)
    assert "Nobody is mailed yet. No worker is running." in text_of(done)
