"""An organisation's own members: the list, one of them, what can be done with them, and leaving."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from portal.demo.cast import ACME_EDITOR, ACME_OWNER, ACME_VIEWER, GLOBEX_OWNER, CastMember
from tenants.domain.roles import Role
from tenants.members.roster import set_role
from tenants.models import Invitation, Member, Person, Worker
from tests.world.fixtures import Browser
from tests.world.pages import errors_in, text_of
from tests.world.people import acting
from tests.world.stage import Stage, member_called
from tests.world.use_cases import acme

Browse = Callable[[CastMember], Browser]
INVITED_AT = {"provisioning": "settled", "seen_enabled": True, "seen_status": "FORCE_CHANGE_PASSWORD"}


@pytest.fixture
def owner(browse_as: Browse) -> Browser:
    return browse_as(ACME_OWNER)


def at(email: str, step: str = "") -> str:
    return f"/members/{member_called(email).pk}/{step}{'/' if step else ''}"


def make_many(count: int, *, start: int = 0, **fields: Any) -> None:
    tenant = acme()
    people = Person.objects.bulk_create(
        Person(email=f"p{n:05d}@many.example", name=f"Name{n:05d} Family{n:05d}") for n in range(start, start + count)
    )
    Member.objects.bulk_create(
        Member(person=person, tenant=tenant, role=Role.VIEWER, provisioning="settled", **fields) for person in people
    )


def invited(email: str, **fields: Any) -> Member:
    """Somebody whose user exists, with a temporary password."""
    person = Person.objects.create(email=email, sub=f"00000000-0000-4000-8000-{abs(hash(email)) % 10**12:012d}")
    about = {"mailed_at": timezone.now(), **INVITED_AT, **fields}
    return Member.objects.create(person=person, tenant=acme(), role=Role.VIEWER, **about)


def listed(page: Any) -> list[str]:
    return re.findall(r'<th scope="row" role="rowheader"><a [^>]+>([^<]*)', page.content.decode())


def test_the_list_says_who_is_in_as_what_and_since_when(owner: Browser) -> None:
    invited("late@x.example", mailed_at=timezone.now() - timedelta(days=9))
    invited("lost@x.example", mail_problem="The mailbox does not exist.")
    page = owner.get("/members/")
    assert set(listed(page)) == {
        ACME_OWNER.email, ACME_EDITOR.email, ACME_VIEWER.email, "late@x.example", "lost@x.example"
    }  # fmt: skip
    text = text_of(page)
    assert GLOBEX_OWNER.email not in text
    for part in (
        "has signed in, last on",
        "lapsed on",
        "mail not delivered: The mailbox does not exist.",
        "you</span>",
    ):
        assert part in text


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("q=late", {"late@x.example"}),
        ("q=LATE%40x", {"late@x.example"}),
        ("q=vera", {ACME_VIEWER.email}),
        ("q=acme", {ACME_OWNER.email, ACME_EDITOR.email, ACME_VIEWER.email}),
        ("q=x.example", set()),
        ("q=%25", set()),
        ("q=_ate", set()),
        ("role=editor", {ACME_EDITOR.email}),
        ("state=lapsed", {"late@x.example"}),
        ("state=not-delivered", {"lost@x.example"}),
        ("state=invited", {"late@x.example", "lost@x.example"}),
        ("state=locked-out", {"gone@x.example", "out@x.example"}),
        ("state=invited&q=lo", {"lost@x.example"}),
    ],
)
def test_members_are_found_by_how_address_or_name_begins(owner: Browser, query: str, found: set[str]) -> None:
    invited("late@x.example", mailed_at=timezone.now() - timedelta(days=9))
    invited("lost@x.example", mail_problem="The mailbox does not exist.")
    invited("out@x.example", enabled=False)
    invited("gone@x.example", removed=True)
    page = owner.get(f"/members/?{query}")
    assert set(listed(page)) == found
    assert ("No member matches" in text_of(page)) is not bool(found)


def test_filters_in_use_are_named_and_can_be_removed_one_by_one(owner: Browser) -> None:
    page = text_of(owner.get("/members/?q=ed&role=editor"))
    assert listed(owner.get("/members/?q=ed&role=editor")) == [ACME_EDITOR.email]
    chips = dict(re.findall(r'<a href="([^"]+)" aria-label="Remove the filter ([^"]+)"', page))
    assert chips == {
        "/members/?role=editor": "Name or e-mail begins with: ed",
        "/members/?q=ed": "Role: Editor",
    }
    assert '<a href="/members/">Clear all</a>' in page
    assert "Filters in use" not in text_of(owner.get("/members/"))


def test_filters_that_find_nobody_say_which_they_are(owner: Browser) -> None:
    page = text_of(owner.get("/members/?q=zzz&state=lapsed"))
    assert "Name or e-mail begins with: <b><bdi>zzz</bdi></b> and State: <b><bdi>Invitation lapsed</bdi></b>." in page
    assert '<a class="button" href="/members/">Clear these filters</a>' in page


def test_members_who_may_not_see_the_others_are_refused(browse_as: Browse) -> None:
    for person in (ACME_EDITOR, ACME_VIEWER):
        browser = browse_as(person)
        assert browser.get("/members/").status_code == 403
        assert ">Members</a>" not in text_of(browser.get("/"))
        assert "/members/leave/" in text_of(browser.get("/"))


def test_an_admin_does_to_others_what_the_table_allows(stage: Stage, browse_as: Browse) -> None:
    set_role(member_called(ACME_EDITOR.email), Role.ADMIN, by=acting(ACME_OWNER.email))
    stage.work()
    browser = browse_as(ACME_EDITOR)
    page = text_of(browser.get(at(ACME_VIEWER.email)))
    for step in ("role", "disable", "remove"):
        assert at(ACME_VIEWER.email, step) in page
    owners = text_of(browser.get(at(ACME_OWNER.email))).split("<main")[1]
    assert 'class="steps"' not in owners
    assert "Only owners can do this to owners, and make owners." in owners
    for step in ("role", "disable", "remove", "transfer"):
        assert browser.get(at(ACME_OWNER.email, step)).status_code == 403
        assert browser.post(at(ACME_OWNER.email, step), {"role": "viewer", "reason": ""}).status_code == 403
    raised = browser.post(at(ACME_EDITOR.email, "role"), {"role": "owner", "reason": "why not"})
    assert raised.status_code == 403
    assert "why not" in text_of(raised)
    set_role(member_called(ACME_EDITOR.email), Role.EDITOR, by=acting(ACME_OWNER.email))
    stage.work()


def test_members_of_another_organisation_are_not_found(owner: Browser) -> None:
    for email in (GLOBEX_OWNER.email, "operator@platform.example"):
        for step in ("", "role", "disable", "enable", "remove", "resend", "revoke", "transfer"):
            for answer in (owner.get(at(email, step)), owner.post(at(email, step), {"role": "viewer"})):
                assert answer.status_code == (405 if not step and answer.request["REQUEST_METHOD"] == "POST" else 404)
    missing = owner.get("/members/999999999/")
    assert missing.status_code == 404
    assert strip(missing) == strip(owner.get(at(GLOBEX_OWNER.email)))
    chosen = {"chosen": [member_called(GLOBEX_OWNER.email).pk]}
    assert "Nothing selected" in text_of(owner.get("/members/remove/", chosen))
    assert "Nothing selected" in text_of(owner.post("/members/remove/", {**chosen, "reason": ""}))
    assert not member_called(GLOBEX_OWNER.email).removed


def strip(page: Any) -> str:
    """Without what differs from one request to the next."""
    return re.sub(r"<code data-copy>[^<]*</code>|csrfmiddlewaretoken\" value=\"[^\"]*\"", "", page.content.decode())


def test_a_role_is_changed_and_recorded_with_its_reason(owner: Browser) -> None:
    asked = text_of(owner.get(at(ACME_VIEWER.email, "role")))
    assert "What will happen" in asked
    assert "Until Cognito has the new role" in asked
    done = owner.post(at(ACME_VIEWER.email, "role"), {"role": "editor", "reason": "asked for"}, follow=True)
    assert f"{ACME_VIEWER.email} is editor now" in text_of(done)
    assert done.redirect_chain[-1][0] == at(ACME_VIEWER.email)
    wrong = owner.post(at(ACME_VIEWER.email, "role"), {"role": "king", "reason": "kept"})
    assert (wrong.status_code, list(errors_in(wrong))) == (400, ["role"])
    assert "kept" in text_of(wrong)


def test_several_are_sent_their_invitation_again_or_removed(owner: Browser) -> None:
    Worker.objects.create(name="one")
    one, two = invited("one@x.example"), invited("two@x.example", mail_problem="Full.")
    chosen = [one.pk, two.pk, member_called(ACME_VIEWER.email).pk, member_called(ACME_OWNER.email).pk]
    asked = text_of(owner.get("/members/resend/", {"chosen": chosen}))
    assert "Send the invitation again to 2 members" in asked
    assert f"{ACME_VIEWER.email} has signed in already" in asked
    assert "You cannot do this to yourself" in asked
    done = owner.post("/members/resend/", {"chosen": chosen, "reason": ""}, follow=True)
    assert "Sending the invitation again to 2 members" in text_of(done)
    assert set(Member.objects.filter(resend=True)) == {one, two}
    owner.post("/members/revoke/", {"chosen": [one.pk], "reason": "mistyped", "list": "state=invited"})
    owner.post("/members/remove/", {"chosen": [two.pk, member_called(ACME_VIEWER.email).pk], "reason": ""})
    removed = set(Member.objects.filter(removed=True).values_list("person__email", flat=True))
    assert removed == {"one@x.example", "two@x.example", ACME_VIEWER.email}


def test_those_who_could_not_join_are_shown_and_dismissed(owner: Browser) -> None:
    waiting = Invitation.objects.create(tenant=acme(), email="new@x.example", role="viewer")
    could_not = Invitation.objects.create(
        tenant=acme(), email="away@x.example", role="viewer", why="They are elsewhere.", due_at=None
    )
    page = text_of(owner.get("/members/"))
    assert "They are elsewhere." in page
    assert "1 invitation on the way" in page
    answers = [owner.post(f"/members/invitations/{waiting.pk}/dismiss/").status_code for _ in range(2)]
    assert answers == [302, 404]
    owner.post("/members/invitations/dismiss/")
    assert not Invitation.objects.filter(pk__in=[waiting.pk, could_not.pk]).exists()


def test_an_invitation_of_another_organisation_is_not_dismissed(owner: Browser) -> None:
    globex = member_called(GLOBEX_OWNER.email).tenant
    theirs = Invitation.objects.create(tenant=globex, email="a@x.example", role="viewer", why="So.", due_at=None)
    assert "a@x.example" not in text_of(owner.get("/members/"))
    assert owner.post(f"/members/invitations/{theirs.pk}/dismiss/").status_code == 404
    owner.post("/members/invitations/dismiss/")
    assert Invitation.objects.filter(pk=theirs.pk).exists()


def test_who_is_alone_is_shown_the_next_step(browse_as: Browse) -> None:
    page = text_of(browse_as(GLOBEX_OWNER).get("/members/"))
    assert "Only you so far" in page
    assert page.count('href="/members/invite/"') == 2


def test_somebody_leaves_and_is_signed_out_with_a_page_that_says_so(stage: Stage, browse_as: Browse) -> None:
    browser = browse_as(ACME_VIEWER)
    asked = text_of(browser.get("/members/leave/"))
    assert "From your next request on" in asked
    assert "your next request" in asked
    left = browser.post("/members/leave/", {})
    assert left["Location"].startswith(stage.world.settings["COGNITO_DOMAIN"])
    home = text_of(browser.get("/"))
    assert "You have left Acme Ltd." in home
    assert "Not signed in" in home
    assert "You have left" not in text_of(browser.get("/"))
    assert member_called(ACME_VIEWER.email).removed
    Member.objects.filter(person__email=ACME_VIEWER.email).update(removed=False, sign_out=False)


def test_the_only_owner_cannot_leave(owner: Browser) -> None:
    assert "Make somebody else an owner first" in text_of(owner.get("/members/leave/"))
    assert owner.post("/members/leave/", {}).status_code == 409
    assert owner.get("/members/").status_code == 200


def test_the_only_owners_page_says_why_nothing_can_be_done(owner: Browser, browse_as: Browse) -> None:
    page = text_of(owner.get(at(ACME_OWNER.email)))
    assert f"Change role, Leave: {ACME_OWNER.email} is the only owner of Acme Ltd. Make somebody else" in page
    assert "Choose among the members" in page
    browse_as(ACME_EDITOR)
    Member.objects.filter(person__email=ACME_EDITOR.email).update(role=Role.OWNER)
    page = text_of(owner.get(at(ACME_OWNER.email)))
    assert "What cannot be done now" not in page
    assert 'To go, <a href="/members/leave/">leave Acme Ltd</a>.' in page
    assert "What cannot be done now" not in text_of(owner.get(at(ACME_VIEWER.email)))


def test_ownership_is_handed_over_on_ones_own_page(owner: Browser, browse_as: Browse) -> None:
    browse_as(ACME_EDITOR)
    assert at(ACME_OWNER.email, "transfer") in text_of(owner.get(at(ACME_OWNER.email)))
    wrong = owner.post(at(ACME_OWNER.email, "transfer"), {"to": GLOBEX_OWNER.email, "reason": "leaving"})
    assert list(errors_in(wrong)) == ["to"]
    owner.post(at(ACME_OWNER.email, "transfer"), {"to": ACME_EDITOR.email.upper(), "reason": "leaving"})
    roles = dict(Member.objects.filter(tenant=acme()).values_list("person__email", "role"))
    assert (roles[ACME_OWNER.email], roles[ACME_EDITOR.email]) == ("admin", "owner")


def test_the_list_asks_as_much_of_the_database_with_many_members(owner: Browser) -> None:
    counted = []
    for _ in range(2):
        owner.get("/members/")
        with CaptureQueriesContext(connection) as queries:
            owner.get("/members/")
        counted.append(len(queries))
        make_many(120) if len(counted) == 1 else None
    assert counted[0] == counted[1] <= 12


def test_ten_thousand_members_are_listed_about_as_quickly_as_a_page(owner: Browser) -> None:
    make_many(60, signed_in_at=timezone.now())
    one_page = seconds_of(owner, "")
    make_many(10_000, start=60, signed_in_at=timezone.now())
    for query in ("", "?last=1", "?q=p0999", "?q=family0999", "?q=zzz", "?state=lapsed", "?role=editor"):
        assert seconds_of(owner, query) < 3 * one_page, query


def seconds_of(owner: Browser, query: str) -> float:
    """Of this process's time, since other processes of the test run take turns with it. The least of five."""
    owner.get(f"/members/{query}")
    took = []
    for _ in range(5):
        began = time.process_time()
        owner.get(f"/members/{query}")
        took.append(time.process_time() - began)
    return min(took)
