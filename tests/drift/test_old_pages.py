"""ListUsers is eventually consistent: what an old page says is looked at, user by user, before anything is noted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tenants.aws.directory import PAGE
from tenants.domain.errors import NotNow
from tenants.domain.roles import Role
from tenants.lifecycle.transitions import reactivate, suspend
from tenants.members.roster import add_member, disable, enable, remove, set_role
from tenants.models import AuditEvent, Drift, Member, Reconciliation, Suspension, Tenant
from tests.world.faults import Switches
from tests.world.pool import RunLog, by_hand, compare_pool, crowd, differences, set_by_hand, settled_tenant
from tests.world.stage import SOMEBODY, Stage, member_called

pytestmark = pytest.mark.usefixtures("only_the_cast_in_the_pool", "nobody_suspended_afterwards")


def hold_listing_back(stage: Stage, switches: Switches) -> None:
    switches.hold_listing_back(stage.tools.directory.pool_id)


def _disable(email: str) -> None:
    disable(member_called(email), by=SOMEBODY)


def _enable(email: str) -> None:
    enable(member_called(email), by=SOMEBODY)


def _make_editor(email: str) -> None:
    set_role(member_called(email), Role.EDITOR, by=SOMEBODY)


def _make_viewer(email: str) -> None:
    set_role(member_called(email), Role.VIEWER, by=SOMEBODY)


@pytest.mark.parametrize(
    ("before", "change", "back"),
    [
        (_disable, _enable, _disable),
        (_enable, _disable, _enable),
        (_make_editor, _make_viewer, _make_editor),
        (_make_viewer, _make_editor, _make_viewer),
    ],
)
def test_after_an_old_page_a_change_back_reaches_cognito(
    stage: Stage,
    switches: Switches,
    domain: str,
    before: Callable[[str], None],
    change: Callable[[str], None],
    back: Callable[[str], None],
) -> None:
    email = f"p1@{domain}"
    settled_tenant(stage, "Old", 2, domain=domain)
    with suppress(NotNow):
        before(email)
    stage.work()
    hold_listing_back(stage, switches)
    change(email)
    stage.work()
    assert compare_pool(stage).found == {}
    back(email)
    stage.work()
    assert_they_agree(stage, domain)


def test_an_old_page_ends_no_ring_and_begins_none_again(stage: Stage, switches: Switches, domain: str) -> None:
    tenant = settled_tenant(stage, "Shut", 2, domain=domain)
    hold_listing_back(stage, switches)
    suspend(tenant, by=SOMEBODY, why="A test.")
    stage.work()
    reached = Suspension.objects.get(tenant=tenant)
    assert reached.signed_out_at
    assert compare_pool(stage).found == {}
    assert Suspension.objects.get(tenant=tenant).signed_out_at == reached.signed_out_at
    hold_listing_back(stage, switches)
    reactivate(tenant, by=SOMEBODY)
    stage.work()
    assert compare_pool(stage).found == {}
    suspend(tenant, by=SOMEBODY, why="Once more.")
    stage.work()
    assert Suspension.objects.get(tenant=tenant, lifted_at=None).signed_out_at
    assert_they_agree(stage, domain)


def test_a_user_listed_and_just_deleted_is_not_unknown(stage: Stage, switches: Switches, domain: str) -> None:
    settled_tenant(stage, "Gone", 3, domain=domain)
    stranger = stage.make_by_hand(f"x@{domain}")
    hold_listing_back(stage, switches)
    remove(member_called(f"p1@{domain}"), by=SOMEBODY)
    stage.work()
    by_hand(stage, "admin_delete_user", stranger)
    found: list[int] = []
    log = RunLog(then=lambda _done: found.append(Reconciliation.objects.latest("started_at").found))
    assert compare_pool(stage, log, repair=True).found == {}
    assert set(found) == {0}, "nothing was counted that was only listed"
    assert not Drift.objects.exists()


def test_a_user_whom_the_list_lacks_is_not_missing(stage: Stage, switches: Switches, domain: str) -> None:
    tenant = settled_tenant(stage, "New", 1, domain=domain)
    hold_listing_back(stage, switches)
    add_member(tenant=tenant, email=f"p1@{domain}", name="", role=Role.VIEWER, by=SOMEBODY, mail_invitation=False)
    stage.work()
    before = member_called(f"p1@{domain}").seen
    assert compare_pool(stage, repair=True).found == {}
    assert member_called(f"p1@{domain}").seen == before
    assert not AuditEvent.objects.filter(action="drift.repaired").exists()


def test_a_difference_that_was_mended_by_hand_is_none(stage: Stage, switches: Switches, domain: str) -> None:
    settled_tenant(stage, "Mended", 2, domain=domain)
    email = f"p1@{domain}"
    set_by_hand(stage, email, role="admin")
    assert compare_pool(stage).found == {"role": 1}
    # The list shows what the row has, and both are old.
    hold_listing_back(stage, switches)
    set_by_hand(stage, email, role="viewer")
    assert compare_pool(stage, repair=True).found == {}
    assert member_called(email).seen_role == "viewer"


def test_an_address_in_an_old_page_is_not_reported(stage: Stage, switches: Switches, domain: str) -> None:
    settled_tenant(stage, "Moved", 2, domain=domain)
    set_by_hand(stage, f"p1@{domain}", email=f"other@{domain}")
    hold_listing_back(stage, switches)
    set_by_hand(stage, f"other@{domain}", email=f"p1@{domain}")
    log = RunLog()
    compare_pool(stage, log)
    assert log.addresses == []
    switches.show_listing()
    set_by_hand(stage, f"p1@{domain}", email=f"other@{domain}")
    compare_pool(stage, log)
    assert log.addresses == [(f"p1@{domain}", f"other@{domain}")]


def test_a_pool_whose_list_confirms_nobody_is_still_the_portals(stage: Stage, switches: Switches, domain: str) -> None:
    tenant = settled_tenant(stage, "Differs", 1, domain=domain)
    emails = [*stage.world.subs, f"p0@{domain}"]
    crowd(stage, tenant, PAGE, domain=domain)
    for email in [*emails, *(f"c{number}@{domain}" for number in range(PAGE))]:
        set_by_hand(stage, email, role="")
    switches.forget()
    assert compare_pool(stage).found == {"role": len(emails) + PAGE}
    assert len(differences()) == len(emails) + PAGE
    looks = switches.calls()["CognitoIdentityProvider.AdminGetUser"]
    # And up to ten to see whose pool it is.
    assert len(emails) + PAGE < looks <= len(emails) + PAGE + 10
    for member in Member.objects.select_related("person"):
        set_by_hand(stage, member.person.email, role=member.role)


def assert_they_agree(stage: Stage, domain: str) -> None:
    members = Member.objects.filter(person__email__endswith=f"@{domain}").select_related("person", "tenant")
    should_be = {member.person.email: (member.role, member.enabled and _is_open(member.tenant)) for member in members}
    assert {member.person.email: (member.seen_role, member.seen_enabled) for member in members} == should_be
    found = {email: stage.user(email) for email in should_be}
    assert {email: user and (user.role, user.enabled) for email, user in found.items()} == should_be


def _is_open(tenant: Tenant | None) -> bool:
    return tenant is not None and tenant.state == "active"


_CHANGES = ("disable", "enable", "editor", "viewer", "suspend", "reactivate")


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.tuples(st.sampled_from(_CHANGES), st.booleans(), st.booleans()), min_size=2, max_size=8))
def test_generated_changes_and_old_pages_end_in_agreement(
    stage: Stage, switches: Switches, domain: str, steps: list[tuple[str, bool, bool]]
) -> None:
    """Each step is a change, whether ListUsers is held back just before it, and whether the worker takes it at once."""
    email = f"p1@{domain}"
    switches.show_listing()
    tenant = Tenant.objects.filter(members__person__email=email).first() or settled_tenant(
        stage, "Generated", 2, domain=domain
    )
    make: Mapping[str, Callable[[], object]] = {
        "disable": lambda: _disable(email),
        "enable": lambda: _enable(email),
        "editor": lambda: _make_editor(email),
        "viewer": lambda: _make_viewer(email),
        "suspend": lambda: suspend(tenant, by=SOMEBODY, why="A test."),
        "reactivate": lambda: reactivate(tenant, by=SOMEBODY),
    }
    for change, is_held_back, is_worked_on in steps:
        if is_held_back:
            hold_listing_back(stage, switches)
        with suppress(NotNow):
            make[change]()
        if is_worked_on:
            stage.work()
        compare_pool(stage)
        assert_ring_2_says_the_truth(stage, tenant, domain)
    stage.work()
    assert_they_agree(stage, domain)
    assert_ring_2_says_the_truth(stage, tenant, domain)


def assert_ring_2_says_the_truth(stage: Stage, tenant: Tenant, domain: str) -> None:
    if Suspension.objects.filter(tenant=tenant, lifted_at=None, signed_out_at__isnull=False).exists():
        users = [stage.user(f"p{number}@{domain}") for number in (0, 1)]
        assert [user.enabled for user in users if user] == [False, False]
