"""Every combination of a desired user and a user as it is: the plan leads from one to the other, and ends there."""

from dataclasses import replace
from itertools import product
from typing import assert_never

import pytest

from portal.demo.cast import ACME_OWNER, GLOBEX_OWNER
from tenants.domain.user_plan import (
    Change,
    Conflict,
    Create,
    Delete,
    DesiredUser,
    Disable,
    Enable,
    Quota,
    Seen,
    SetRole,
    SignOut,
    plan,
)

EMAIL = ACME_OWNER.email
ORGS = ("", ACME_OWNER.org, GLOBEX_OWNER.org)
ROLES = ("owner", "editor", "")
BOTH = (True, False)

DESIRED = [
    DesiredUser(EMAIL, "Ada Acme", org, role, enabled, mail_invitation, sign_out)
    for org, role, enabled, mail_invitation, sign_out in product(ORGS, ROLES[:2], BOTH, BOTH, BOTH)
]
SEEN = [
    Seen("a-sub", EMAIL, name, org, role, enabled, status)
    for name, org, role, enabled, status in product(
        ("Ada Acme", ""), ORGS, ROLES, BOTH, ("CONFIRMED", "FORCE_CHANGE_PASSWORD", "RESET_REQUIRED")
    )
]
CASES: list[tuple[DesiredUser | None, Seen | None, str]] = [
    (desired, seen, desired.org if desired else org)
    for desired, seen, org in product((None, *DESIRED), (None, *SEEN), ORGS)
    if desired is None or desired.org == org
]


def carry_out(change: Change, seen: Seen | None) -> Seen | None:
    """The user as Cognito would leave them."""
    match change:
        case Create(desired):
            assert seen is None
            return Seen("new", desired.email, desired.name, desired.org, desired.role, True, "FORCE_CHANGE_PASSWORD")
        case _:
            assert seen is not None
    match change:
        case SetRole(role):
            return replace(seen, role=role)
        case Enable():
            return replace(seen, enabled=True)
        case Disable():
            return replace(seen, enabled=False)
        case SignOut():
            return seen
        case Delete():
            return None
        case _:
            assert_never(change)


def test_the_cases_are_complete() -> None:
    assert len(DESIRED) == 3 * 2 * 2 * 2 * 2
    assert len(SEEN) == 2 * 3 * 3 * 2 * 3
    assert len(CASES) == (len(DESIRED) + len(ORGS)) * (len(SEEN) + 1)


def test_a_plan_leads_to_the_desired_user_and_keeps_the_organisation() -> None:
    for desired, seen, org in CASES:
        changes = plan(desired, seen, org=org)
        if isinstance(changes, Conflict):
            continue
        after = seen
        for change in changes:
            after = carry_out(change, after)
            assert after is None or seen is None or after.org == seen.org
        if desired is None or after is None:
            assert after is None
            assert desired is None or not desired.enabled
        else:
            assert (after.org, after.role, after.enabled) == (desired.org, desired.role, desired.enabled)


def test_a_second_plan_has_only_a_sign_out_that_is_still_asked_for() -> None:
    for desired, seen, org in CASES:
        changes = plan(desired, seen, org=org)
        if isinstance(changes, Conflict):
            continue
        after = seen
        for change in changes:
            after = carry_out(change, after)
        again = plan(desired, after, org=org)
        assert again == ((SignOut(),) if desired is not None and after is not None and desired.sign_out else ())
        assert desired is None or plan(replace(desired, sign_out=False), after, org=org) == ()


def test_a_user_of_another_organisation_is_a_conflict_and_no_other_is() -> None:
    for desired, seen, org in CASES:
        conflicts = isinstance(plan(desired, seen, org=org), Conflict)
        assert conflicts == (seen is not None and seen.org != org)


def test_a_locked_out_or_deleted_user_is_signed_out_and_others_if_asked() -> None:
    for desired, seen, org in CASES:
        changes = plan(desired, seen, org=org)
        if isinstance(changes, Conflict) or seen is None:
            continue
        if desired is None:
            assert changes == (SignOut(), Delete())
            continue
        assert (SignOut() in changes) == (desired.sign_out or (seen.enabled and not desired.enabled))
        assert SignOut() not in changes[:-1]


def test_no_change_is_made_that_makes_no_difference() -> None:
    for desired, seen, org in CASES:
        changes = plan(desired, seen, org=org)
        if isinstance(changes, Conflict) or desired is None or seen is None:
            continue
        assert any(isinstance(change, SetRole) for change in changes) == (seen.role != desired.role)
        assert any(isinstance(change, Enable | Disable) for change in changes) == (seen.enabled != desired.enabled)
        assert not any(isinstance(change, Create | Delete) for change in changes)


def test_no_desired_user_and_no_user_need_no_change() -> None:
    assert plan(None, None, org=ACME_OWNER.org) == ()


def test_a_user_who_may_not_sign_in_is_not_created() -> None:
    desired = DesiredUser(EMAIL, "", ACME_OWNER.org, "editor", enabled=False)
    assert plan(desired, None, org=desired.org) == ()
    assert plan(replace(desired, enabled=True), None, org=desired.org) == (Create(replace(desired, enabled=True)),)


@pytest.mark.parametrize(
    ("mine", "theirs", "words"),
    [
        (ACME_OWNER.org, GLOBEX_OWNER.org, ("organisation " + GLOBEX_OWNER.org, ACME_OWNER.org)),
        (ACME_OWNER.org, "", ("no organisation", ACME_OWNER.org)),
        ("", GLOBEX_OWNER.org, ("organisation " + GLOBEX_OWNER.org, "the operators")),
    ],
)
def test_a_conflict_names_the_user_and_both_sides_and_what_can_be_done(
    mine: str, theirs: str, words: tuple[str, ...]
) -> None:
    conflict = plan(None, Seen("a-sub", EMAIL, "", theirs, "owner", True, "CONFIRMED"), org=mine)
    assert isinstance(conflict, Conflict)
    for word in (EMAIL, *words, "delete that user"):
        assert word in conflict.why


def test_every_change_has_words_and_a_quota() -> None:
    desired = DESIRED[0]
    changes: tuple[Change, ...] = (Create(desired), SetRole("editor"), Enable(), Disable(), SignOut(), Delete())
    words = [change.in_words for change in changes]
    assert words[0] == f"create {EMAIL} as owner"
    assert "editor" in words[1]
    assert len(set(words)) == len(words)
    assert [change.category for change in changes] == [Quota.CREATION, *[Quota.UPDATE] * 5]
