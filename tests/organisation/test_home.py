"""The first page: what there is, what to do next, and that it opens also while AWS is away."""

from __future__ import annotations

from collections.abc import Callable
from zoneinfo import ZoneInfo

import pytest
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from portal.demo.cast import ACME_EDITOR, ACME_OWNER, ACME_VIEWER, OPERATOR, CastMember
from tenants.audit.actions import Action
from tenants.domain.once import forget_all
from tenants.domain.roles import Role
from tenants.members.preferences import set_preferences
from tenants.models import AuditEvent, Member, OwnerRecovery, Person, Provisioning, Worker
from tests.world.faults import Switches
from tests.world.fixtures import Browser
from tests.world.pages import text_of
from tests.world.stage import member_called
from tests.world.use_cases import acme, make_members

Browse = Callable[[CastMember], Browser]
AWAY = "AWS does not answer right now"


def home(browser: Browser) -> str:
    page = browser.get("/")
    assert page.status_code == 200
    return text_of(page)


def invite(name: str) -> None:
    """A viewer of Acme who has an invitation and has never signed in."""
    person = Person.objects.create(email=f"{name}@invited.example", name=name)
    about = {"provisioning": Provisioning.SETTLED, "mailed_at": timezone.now()}
    Member.objects.create(person=person, tenant=acme(), role=Role.VIEWER, **about)


def test_members_see_their_collections_and_what_is_in_them(browse_as: Browse) -> None:
    page = home(browse_as(ACME_VIEWER))
    assert 'href="/records/orders/"' in page
    assert "Orders, with the person and the total" in page
    assert "Open one to see its records." in page


def test_recent_activity_is_in_the_readers_time_zone(browse_as: Browse) -> None:
    browser = browse_as(ACME_VIEWER)
    assert "Times are in UTC." in home(browser)
    set_preferences(Person.objects.get(email=ACME_VIEWER.email).pk, theme="", time_zone="Asia/Tokyo")
    page = home(browser)
    assert "Times are in Asia/Tokyo." in page
    signed_in_at = AuditEvent.objects.filter(action=Action.SIGNED_IN).latest("seq").at
    assert f"{signed_in_at.astimezone(ZoneInfo('Asia/Tokyo')):%H:%M}</time>" in page


@pytest.mark.parametrize("operation", ["DynamoDB.Query", "CognitoIdentity.GetCredentialsForIdentity"])
def test_home_opens_without_collections_while_aws_is_slow(
    browse_as: Browse, new_process: None, switches: Switches, operation: str
) -> None:
    browser = browse_as(ACME_OWNER)
    cache.clear()
    forget_all()
    switches.fail(operation, delay_seconds=8, count=20)
    page = home(browser)
    assert AWAY in page
    assert "Recent activity" in page


def test_home_says_that_the_collections_are_missing_and_why(browse_as: Browse, switches: Switches) -> None:
    browser = browse_as(ACME_OWNER)
    switches.fail("DynamoDB.Query", code="InternalServerError", status=500, count=20)
    assert AWAY in home(browser)
    switches.mend()
    switches.fail("DynamoDB.Query", code="AccessDeniedException", status=400, message="no", count=20)
    assert "AWS does not let your credentials list the collections" in home(browser)
    switches.mend()
    switches.fail("DynamoDB.Query", code="ResourceNotFoundException", status=400, count=20)
    assert "the portal is not set up correctly" in home(browser)


def test_home_asks_an_aws_that_fails_once_only(browse_as: Browse, switches: Switches) -> None:
    browser = browse_as(ACME_OWNER)
    switches.fail("DynamoDB.Query", code="InternalServerError", status=500, count=20)
    switches.forget()
    assert AWAY in home(browser)
    assert switches.calls()["DynamoDB.Query"] == 1


def test_managers_see_open_invitations_and_others_do_not(browse_as: Browse) -> None:
    for name in ("Ivo", "Ines"):
        invite(name)
    page = home(browse_as(ACME_OWNER))
    assert "Open invitations" in page
    assert page.index("Ines") < page.index("Ivo")
    assert "Ivo" not in home(browse_as(ACME_EDITOR))


def test_a_long_list_of_open_invitations_leads_to_all(browse_as: Browse) -> None:
    for number in range(8):
        invite(f"Invited{number}")
    page = home(browse_as(ACME_OWNER))
    assert "Invited7" in page
    assert "Invited0" not in page
    assert 'href="/members/?state=invited"' in page


def test_the_only_owner_is_told_to_add_a_second_one(browse_as: Browse) -> None:
    owner = browse_as(ACME_OWNER)
    assert "Add a second owner" in home(owner)
    assert "Add a second owner" not in home(browse_as(ACME_VIEWER))
    Member.objects.filter(pk=member_called(ACME_EDITOR.email).pk).update(role=Role.OWNER)
    assert "Add a second owner" not in home(owner)


@pytest.mark.django_db(transaction=True)
def test_recent_activity_is_what_the_person_may_read(browse_as: Browse) -> None:
    viewer = browse_as(ACME_VIEWER)
    assert "Recent activity" in home(browse_as(ACME_OWNER))
    page = home(viewer)
    assert "What you did lately" in page
    assert "signed in" in page


def test_home_costs_the_same_with_many_members(browse_as: Browse) -> None:
    owner = browse_as(ACME_OWNER)
    home(owner)
    with CaptureQueriesContext(
        connection,
    ) as few:
        home(owner)
    for number in range(30):
        invite(f"Invited{number}")
    with CaptureQueriesContext(connection) as many:
        home(owner)
    assert len(many) == len(few)


def test_an_operator_sees_the_numbers_that_matter(browse_as: Browse) -> None:
    operator = browse_as(OPERATOR)
    Worker.objects.all().delete()
    assert "Until then nothing changes in Cognito" in home(operator)
    now = timezone.now()
    Worker.objects.create(name="w", started_at=now, beat_at=now)
    make_members(2, Provisioning.STUCK)
    about = {"email": "new@acme.example", "reason": "lost", "asked_by": "x", "asked_by_name": "x", "key_hash": "0" * 64}
    OwnerRecovery.objects.create(tenant=acme(), due_at=now, **about)
    page = home(operator)
    assert "Until then nothing changes in Cognito" not in page
    assert '<b class="bad">2</b>' in page
    assert "<dt>Owner recoveries waiting</dt><dd><b>1</b>" in page
    assert 'href="/operators/"' in page
