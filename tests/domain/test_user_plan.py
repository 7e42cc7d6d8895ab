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
    ForgetAuthenticator,
    Quota,
    Resend,
    Seen,
    SetNames,
    SetRole,
    SignOut,
    is_mailed,
    plan,
)

EMAIL = ACME_OWNER.email
ORGS = ("", ACME_OWNER.org, GLOBEX_OWNER.org)
ROLES = ("owner", "editor", "")
BOTH = (True, False)

DESIRED = [
    DesiredUser(EMAIL, "Ada Acme", org, role, enabled, mail_invitation, sign_out, resend, "Acme", "Olga")
    for org, role, enabled, mail_invitation, sign_out, resend in product(ORGS, ROLES[:2], BOTH, BOTH, BOTH, BOTH)
]
SEEN = [
    Seen("a-sub", EMAIL, "Ada Acme", org, role, enabled, status, organisation, "Olga")
    for organisation, org, role, enabled, status in product(
        ("Acme", ""), ORGS, ROLES, BOTH, ("CONFIRMED", "FORCE_CHANGE_PASSWORD", "RESET_REQUIRED")
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
        case SetNames(organisation, invited_by):
            return replace(seen, organisation=organisation, invited_by=invited_by)
        case ForgetAuthenticator():
            return replace(seen, has_authenticator=False)
        case SignOut() | Resend():
            return seen
        case Delete():
            return None
        case _:
            assert_never(change)


def test_the_cases_are_complete() -> None:
    assert len(DESIRED) == 3 * 2 * 2 * 2 * 2 * 2
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


def test_a_second_plan_has_only_what_leaves_no_trace() -> None:
    for desired, seen, org in CASES:
        changes = plan(desired, seen, org=org)
        if isinstance(changes, Conflict):
            continue
        after = seen
        for change in changes:
            after = carry_out(change, after)
        again = plan(desired, after, org=org)
        assert all(isinstance(change, Resend | SignOut | SetNames) for change in again)
        if desired is not None:
            assert (SignOut() in again) == (desired.sign_out and after is not None)
            assert plan(replace(desired, sign_out=False, resend=False), after, org=org) == ()


def test_only_people_who_may_and_never_did_sign_in_are_mailed_again() -> None:
    for desired, seen, org in CASES:
        changes = plan(desired, seen, org=org)
        if isinstance(changes, Conflict) or desired is None or seen is None:
            continue
        assert (Resend() in changes) == (desired.resend and desired.enabled and seen.is_invited)
        assert changes.count(Resend()) <= 1
        names = [change for change in changes if isinstance(change, SetNames)]
        assert names == ([SetNames("Acme", "Olga")] if Resend() in changes and not seen.organisation else [])
        if names:
            assert changes.index(names[0]) + 1 == changes.index(Resend())


def test_what_the_database_does_not_know_of_a_mail_is_not_set() -> None:
    desired = DesiredUser(EMAIL, "", ACME_OWNER.org, "editor", enabled=True, resend=True, organisation="Acme")
    seen = Seen("a-sub", EMAIL, "", ACME_OWNER.org, "editor", True, "FORCE_CHANGE_PASSWORD")
    assert plan(desired, seen, org=desired.org) == (Resend(),)


def test_a_user_to_be_mailed_again_who_is_gone_is_created_with_a_mail() -> None:
    silent = DesiredUser(EMAIL, "", ACME_OWNER.org, "editor", enabled=True, mail_invitation=False)
    assert [is_mailed(change) for change in plan(silent, None, org=silent.org)] == [False]
    assert [is_mailed(change) for change in plan(replace(silent, resend=True), None, org=silent.org)] == [True]


def test_names_in_the_mail_are_cut_to_what_cognito_takes() -> None:
    desired = replace(
        DESIRED[0], resend=True, enabled=True, sign_out=False, organisation="A" * 300, invited_by="b" * 300
    )
    seen = Seen("a-sub", EMAIL, "", desired.org, desired.role, True, "FORCE_CHANGE_PASSWORD", "", "")
    assert plan(desired, seen, org=desired.org) == (SetNames("A" * 256, "b" * 256), Resend())
    assert plan(desired, replace(seen, organisation="A" * 256, invited_by="b" * 256), org=desired.org) == (Resend(),)


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
        assert (SignOut() in changes) == (
            desired.sign_out or seen.role != desired.role or (seen.enabled and not desired.enabled)
        )
        # Last, so that nothing from before outlives it, or while nobody can sign in: then nothing newer ends with it.
        at = changes.index(SignOut()) if SignOut() in changes else len(changes)
        before, after = changes[:at], changes[at + 1 :]
        assert after == () or after[0] == Enable()
        assert SignOut() not in changes or Enable() not in before
        assert SignOut() not in after


@pytest.mark.parametrize("enabled", BOTH)
@pytest.mark.parametrize("has_authenticator", [True, None])
def test_an_authenticator_is_deleted_before_the_sign_out(*, enabled: bool, has_authenticator: bool | None) -> None:
    desired = DesiredUser(EMAIL, "Ada", ORGS[1], "editor", True, sign_out=True, reset_mfa=True)
    seen = Seen("a-sub", EMAIL, "Ada", ORGS[1], "editor", enabled, "CONFIRMED", has_authenticator=has_authenticator)
    changes = plan(desired, seen, org=ORGS[1])
    assert isinstance(changes, tuple)
    assert changes[:2] == (ForgetAuthenticator(), SignOut())


def test_an_authenticator_that_is_gone_is_not_deleted_again() -> None:
    desired = DesiredUser(EMAIL, "Ada", ORGS[1], "editor", True, sign_out=True, reset_mfa=True)
    seen = Seen("a-sub", EMAIL, "Ada", ORGS[1], "editor", True, "CONFIRMED", has_authenticator=False)
    assert plan(desired, seen, org=ORGS[1]) == (SignOut(),)
    assert plan(desired, None, org=ORGS[1]) == (Create(desired),)


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
    changes: tuple[Change, ...] = (
        Create(desired), Resend(), SetRole("editor"), SetNames("Acme", ""), Enable(), Disable(), SignOut(), Delete()
    )  # fmt: skip
    words = [change.in_words for change in changes]
    assert words[0] == f"create {EMAIL} as owner"
    assert "editor" in words[2]
    assert len(set(words)) == len(words)
    assert [change.category for change in changes] == [*[Quota.CREATION] * 2, *[Quota.UPDATE] * 6]
