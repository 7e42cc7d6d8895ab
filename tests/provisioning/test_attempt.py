"""One member's attempt, without a pool: which call comes next, and what an answer makes of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from portal.demo.cast import ACME_OWNER, GLOBEX_OWNER
from tenants.domain.user_plan import Create, Delete, DesiredUser, Disable, Resend, Seen, SetRole, SignOut
from tenants.provisioning.attempt import Attempt, Look

EMAIL, ORG = ACME_OWNER.email, ACME_OWNER.org
DESIRED = DesiredUser(EMAIL, "Ada Acme", ORG, "editor", enabled=True)
SEEN = Seen("a-sub", EMAIL, "Ada Acme", ORG, "editor", True, "CONFIRMED")
MADE_AT = datetime(2026, 11, 28, tzinfo=UTC)
INVITED = replace(SEEN, status="FORCE_CHANGE_PASSWORD", organisation="", invited_by="", modified_at=MADE_AT)


def attempt_with(desired: DesiredUser | None, seen: Seen | None, *, must_look: bool = False) -> Attempt:
    return Attempt(ORG, desired, seen, seen.sub if seen else "", EMAIL, must_look)


def test_a_new_user_is_created_without_a_look() -> None:
    attempt = attempt_with(DESIRED, None)
    assert attempt.next_call() == Create(DESIRED)
    attempt.take_change(SEEN)
    assert attempt.next_call() is None
    assert (attempt.sub, attempt.done) == ("a-sub", [Create(DESIRED)])


def test_the_next_call_stays_the_same_until_it_is_answered() -> None:
    attempt = attempt_with(DESIRED, replace(SEEN, role="viewer"))
    assert attempt.next_call() == attempt.next_call() == SetRole("editor")


def test_a_look_comes_first_where_one_is_due() -> None:
    attempt = attempt_with(DESIRED, SEEN, must_look=True)
    assert attempt.next_call() == Look("a-sub")
    attempt.take_look(SEEN)
    assert attempt.next_call() is None


def test_a_user_that_is_gone_is_looked_up_by_address_and_created_again() -> None:
    attempt = attempt_with(DESIRED, SEEN, must_look=True)
    attempt.take_look(None)
    assert attempt.next_call() == Look(EMAIL)
    attempt.take_look(None)
    assert attempt.next_call() == Create(DESIRED)


def test_a_user_of_the_organisation_with_the_address_is_adopted() -> None:
    attempt = attempt_with(DESIRED, None)
    attempt.look_by_address()
    attempt.take_look(SEEN)
    assert attempt.adopted
    assert attempt.next_call() is None


def test_a_user_of_another_organisation_is_a_conflict_without_a_call() -> None:
    attempt = attempt_with(DESIRED, None)
    attempt.look_by_address()
    attempt.take_look(replace(SEEN, org=GLOBEX_OWNER.org))
    assert attempt.next_call() is None
    assert GLOBEX_OWNER.org in attempt.conflict


def test_a_rejected_user_is_a_conflict_only_where_a_user_is_desired() -> None:
    wanted, removed = (attempt_with(desired, SEEN) for desired in (DESIRED, None))
    for attempt in (wanted, removed):
        attempt.reject("another member's")
        assert attempt.next_call() is None
    assert (wanted.conflict, removed.conflict) == ("another member's", "")


def test_what_was_done_and_not_written_down_is_found() -> None:
    attempt = attempt_with(replace(DESIRED, enabled=False), SEEN, must_look=True)
    attempt.take_look(replace(SEEN, enabled=False))
    assert attempt.found == [Disable()]
    assert attempt.next_call() == SignOut()


def test_a_user_that_is_gone_already_counts_as_deleted() -> None:
    attempt = attempt_with(None, SEEN)
    assert attempt.next_call() == SignOut()
    attempt.note_gone()
    assert attempt.next_call() is None
    assert (attempt.deletes, attempt.found) == (True, [Delete()])


def test_a_user_that_keeps_changing_ends_the_attempt() -> None:
    attempt = attempt_with(DESIRED, None)
    for _ in range(6):
        attempt.look_by_address()
        attempt.take_look(None)
    assert not attempt.keeps_changing
    attempt.look_by_address()
    assert attempt.keeps_changing


def test_a_mail_that_is_not_delivered_is_looked_after_and_not_sent_again() -> None:
    attempt = attempt_with(DESIRED, None)
    assert attempt.next_call() == Create(DESIRED)
    assert attempt.note_undelivered("Mailbox full.")
    assert attempt.next_call() == Look(EMAIL)
    attempt.take_look(INVITED)
    assert attempt.next_call() is None
    assert (attempt.mail.problem, attempt.done) == ("Mailbox full.", [Create(DESIRED)])


def test_a_user_missing_after_a_failed_delivery_is_created_once_more() -> None:
    attempt = attempt_with(replace(DESIRED, mail_invitation=False, resend=True), None, must_look=False)
    attempt.next_call()
    attempt.note_undelivered("Mailbox full.")
    attempt.take_look(None)
    call = attempt.next_call()
    assert isinstance(call, Create)
    assert call.desired.is_mailed
    assert not attempt.note_undelivered("Mailbox full.")
    attempt.take_change(INVITED)
    assert (attempt.mail.sent, attempt.mail.problem) == (True, "")


def test_a_refused_mail_is_owed_whether_or_not_the_user_was_made() -> None:
    for seen, change in ((INVITED, Resend()), (None, Create(replace(DESIRED, resend=True)))):
        attempt = attempt_with(DESIRED, None)
        attempt.next_call()
        attempt.note_mail_refused()
        attempt.take_look(seen)
        assert attempt.next_call() == change
        assert attempt.mail.refused
        attempt.take_change(INVITED)
        assert (attempt.mail.sent, attempt.mail.refused) == (True, False)


def test_a_user_found_after_a_kill_was_mailed_when_it_was_made() -> None:
    attempt = attempt_with(DESIRED, None, must_look=True)
    attempt.may_be_mailed = True
    attempt.take_look(INVITED)
    assert (attempt.mail.sent_before, attempt.mail.sent) == (MADE_AT, False)


def test_another_user_with_the_address_was_not_mailed() -> None:
    attempt = attempt_with(DESIRED, None)
    attempt.look_by_address()
    attempt.take_look(INVITED)
    assert (attempt.mail.sent_before, attempt.mail.is_void) == (None, True)


def test_a_mail_is_not_taken_for_something_that_was_found_done() -> None:
    attempt = attempt_with(replace(DESIRED, resend=True), INVITED, must_look=True)
    attempt.take_look(replace(INVITED, status="CONFIRMED"))
    assert (attempt.found, attempt.next_call()) == ([], None)
