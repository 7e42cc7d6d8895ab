"""The user pool with the portal's own role: each change is one call, and each error has its scope."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import requests

from emulator.client import seeding
from portal.demo.cast import ACME_OWNER, CAST, GLOBEX_OWNER, OPERATOR
from portal.demo.world import World
from tenants.aws.clients import directory_client
from tenants.aws.directory import PAGE, Directory
from tenants.aws.failures import scope_of
from tenants.domain.errors import (
    MailLimitReached,
    Misconfigured,
    NotInvited,
    PortalError,
    RefusedByCognito,
    Throttled,
    UndeliverableMail,
    Unreachable,
    UserExists,
    UserGone,
)
from tenants.domain.user_plan import (
    Change,
    Create,
    Delete,
    DesiredUser,
    Disable,
    Enable,
    ForgetAuthenticator,
    Resend,
    Seen,
    SetNames,
    SetRole,
    SignOut,
)
from tests.world.cognito_answers import ANSWERS
from tests.world.faults import Switches

NOBODY = "00000000-0000-4000-8000-000000000000"
SERVICE = "CognitoIdentityProvider"


@pytest.fixture
def directory(as_the_portal: World) -> Directory:
    return directory_of(as_the_portal)


def directory_of(world: World, pool_id: str = "") -> Directory:
    client = directory_client(
        region=world.settings["AWS_REGION"], endpoint_url=world.emulator.endpoint_url, connections=2
    )
    return Directory(client, pool_id or world.settings["COGNITO_USER_POOL_ID"])


def newcomer(**different: Any) -> DesiredUser:
    email = f"{uuid.uuid4()}@acme.example"
    return replace(DesiredUser(email, "Nina New", ACME_OWNER.org, "editor", True, mail_invitation=False), **different)


def mails_to(world: World, email: str) -> int:
    page = requests.get(f"{world.emulator.endpoint_url}/mailbox.json", params={"to": email}, timeout=60)
    page.raise_for_status()
    return len(page.json()["mails"])


# ── Making and finding ──────────────────────────────────────────────────────────────────────────────────────────────


def test_one_call_creates_a_complete_user(directory: Directory, switches: Switches, world: World) -> None:
    wanted = newcomer()
    made = directory.create(wanted)
    assert switches.calls() == {f"{SERVICE}.AdminCreateUser": 1}
    assert made == Seen(made.sub, wanted.email, "Nina New", ACME_OWNER.org, "editor", True, "FORCE_CHANGE_PASSWORD")
    user = seeding.clients(world.emulator.endpoint_url, world.emulator.root)("cognito-idp").admin_get_user(
        UserPoolId=directory.pool_id, Username=wanted.email
    )
    assert {"Name": "email_verified", "Value": "true"} in user["UserAttributes"]


def test_an_invitation_is_mailed_only_if_wanted(directory: Directory, world: World) -> None:
    invited, silent = newcomer(mail_invitation=True), newcomer(mail_invitation=False)
    for wanted in (invited, silent):
        directory.create(wanted)
    assert (mails_to(world, invited.email), mails_to(world, silent.email)) == (1, 0)


def test_a_resend_mails_again_and_is_one_call(directory: Directory, switches: Switches, world: World) -> None:
    made = directory.create(newcomer(mail_invitation=True))
    switches.forget()
    again = directory.perform(Resend(), made)
    assert switches.calls() == {f"{SERVICE}.AdminCreateUser": 1}
    assert again == made == directory.look(made.sub)
    assert again is not None
    assert made.modified_at is not None
    assert again.modified_at is not None
    assert again.modified_at >= made.modified_at
    assert mails_to(world, made.email) == 2


def test_nobody_is_invited_again_who_has_a_password(directory: Directory, world: World) -> None:
    made = directory.create(newcomer())
    pool = seeding.clients(world.emulator.endpoint_url, world.emulator.root)("cognito-idp")
    pool.admin_set_user_password(
        UserPoolId=directory.pool_id, Username=made.email, Password=f"Aa1!{uuid.uuid4()}", Permanent=True
    )
    with pytest.raises(NotInvited, match="FORCE_CHANGE_PASSWORD"):
        directory.resend(made.sub)


def test_a_mail_that_is_not_delivered_leaves_the_user_made(directory: Directory, switches: Switches) -> None:
    switches.fail("Mail.Send", fault="undelivered-mail", count=1)
    wanted = newcomer(mail_invitation=True)
    with pytest.raises(UndeliverableMail, match="Unable to deliver the message"):
        directory.create(wanted)
    assert directory.look(wanted.email) is not None


def test_the_daily_limit_of_mails_is_no_throttle(directory: Directory, switches: Switches) -> None:
    switches.fail("Mail.Send", fault="daily-mail-limit", count=1)
    with pytest.raises(MailLimitReached) as raised:
        directory.create(newcomer(mail_invitation=True))
    assert scope_of(raised.value) == "mails"


def test_names_for_the_mail_are_written_cut_changed_and_deleted(directory: Directory) -> None:
    made = directory.create(newcomer(organisation="A" * 300, invited_by="Olga"))
    assert (made.organisation, made.invited_by) == ("A" * 256, "Olga")
    changed = directory.perform(SetNames("Acme", ""), made)
    seen = directory.look(made.sub)
    assert changed is not None
    assert seen is not None
    assert (changed.organisation, changed.invited_by) == (seen.organisation, seen.invited_by) == ("Acme", "")


def test_users_are_found_by_sub_and_by_address_in_any_case(directory: Directory) -> None:
    wanted = newcomer()
    made = directory.create(wanted)
    assert directory.look(made.sub) == directory.look(wanted.email) == directory.look(wanted.email.upper()) == made


def test_an_operator_has_no_organisation_and_a_name_may_be_missing(directory: Directory) -> None:
    made = directory.create(newcomer(org="", role="operator", name=""))
    assert (made.org, made.name, made.role) == ("", "", "operator")
    assert directory.look(made.sub) == made


def test_the_users_of_the_demo_are_found_as_they_are(directory: Directory, world: World) -> None:
    for member in (ACME_OWNER, GLOBEX_OWNER, OPERATOR):
        seen = directory.look(member.email)
        assert seen == Seen(
            world.subs[member.email], member.email, member.name, member.org, member.role, True, "CONFIRMED"
        )


def test_an_unknown_user_is_none(directory: Directory) -> None:
    assert directory.look(NOBODY) is None
    assert directory.look("nobody@acme.example") is None


def test_an_address_in_use_is_refused_in_any_case(directory: Directory) -> None:
    for email in (GLOBEX_OWNER.email, GLOBEX_OWNER.email.upper()):
        with pytest.raises(UserExists):
            directory.create(newcomer(email=email))
    seen = directory.look(GLOBEX_OWNER.email)
    assert seen is not None
    assert seen.org == GLOBEX_OWNER.org


@pytest.mark.parametrize("different", [{"org": "not-36-characters"}, {"role": "much-too-long-for-a-role"}])
def test_an_attribute_the_schema_refuses_is_a_failure_of_that_member(
    directory: Directory, different: dict[str, str]
) -> None:
    wanted = newcomer(**different)
    with pytest.raises(RefusedByCognito) as raised:
        directory.create(wanted)
    assert "custom:" in str(raised.value)
    assert scope_of(raised.value) == "member"
    assert directory.look(wanted.email) is None


# ── Changing ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_every_change_is_one_call_and_returns_the_user_as_it_is_then(directory: Directory, switches: Switches) -> None:
    wanted, seen = newcomer(), None
    steps = [
        (Create(wanted), "AdminCreateUser"),
        (SetRole("viewer"), "AdminUpdateUserAttributes"),
        (Disable(), "AdminDisableUser"),
        (SignOut(), "AdminUserGlobalSignOut"),
        (Enable(), "AdminEnableUser"),
        (ForgetAuthenticator(), "AdminDeleteSoftwareToken"),
    ]
    for change, operation in steps:
        switches.forget()
        seen = directory.perform(change, seen)
        assert switches.calls() == {f"{SERVICE}.{operation}": 1}
        assert seen == directory.look(wanted.email)
    assert seen is not None
    assert (seen.role, seen.enabled, seen.org) == ("viewer", True, ACME_OWNER.org)
    assert directory.perform(Delete(), seen) is None
    assert directory.look(wanted.email) is None


def test_repeating_a_change_changes_nothing(directory: Directory) -> None:
    made = directory.create(newcomer())
    for change in (SetRole("viewer"), Disable(), SignOut(), Enable(), ForgetAuthenticator()):
        assert directory.perform(change, directory.perform(change, made)) == directory.perform(change, made)


def test_a_change_without_a_user_is_a_mistake(directory: Directory) -> None:
    with pytest.raises(ValueError, match="No user to disable"):
        directory.perform(Disable(), None)


@pytest.mark.parametrize(
    "change", [SetRole("viewer"), Enable(), Disable(), SetNames("Acme", "Olga"), Resend(), SignOut(), Delete()]
)
def test_every_change_of_a_deleted_user_raises_user_gone(directory: Directory, change: Change) -> None:
    made = directory.create(newcomer())
    directory.delete(made.sub)
    with pytest.raises(UserGone):
        directory.perform(change, made)


# ── Listing ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_all_pages_together_list_every_user_once(directory: Directory, switches: Switches) -> None:
    made = [directory.create(newcomer()) for _ in range(PAGE + 1)]
    directory.disable(made[0].sub)
    switches.forget()
    pages = [directory.page()]
    while pages[-1].after is not None:
        pages.append(directory.page(pages[-1].after))
    assert switches.calls() == {f"{SERVICE}.ListUsers": len(pages)}
    assert {len(page.users) for page in pages[:-1]} == {PAGE}
    found = [seen for page in pages for seen in page.users]
    assert len({seen.sub for seen in found}) == len(found)
    by_email = {seen.email: seen for seen in found}
    assert {member.email for member in CAST if member.role} <= set(by_email)
    assert [by_email[one.email] for one in made] == [replace(made[0], enabled=False), *made[1:]]


# ── Failures ────────────────────────────────────────────────────────────────────────────────────────────────────────

CALLS: dict[str, Callable[[Directory], object]] = {
    "AdminCreateUser": lambda directory: directory.create(newcomer()),
    "AdminGetUser": lambda directory: directory.look(NOBODY),
    "AdminUpdateUserAttributes": lambda directory: directory.set_role(NOBODY, "viewer"),
    "AdminEnableUser": lambda directory: directory.enable(NOBODY),
    "AdminDisableUser": lambda directory: directory.disable(NOBODY),
    "AdminUserGlobalSignOut": lambda directory: directory.sign_out(NOBODY),
    "AdminDeleteSoftwareToken": lambda directory: directory.forget_authenticator(NOBODY),
    "AdminDeleteUser": lambda directory: directory.delete(NOBODY),
    "ListUsers": lambda directory: directory.page(),
}


@pytest.mark.parametrize(("code", "text", "scope"), ANSWERS)
def test_every_error_of_cognito_has_its_scope_and_is_not_retried(
    directory: Directory, switches: Switches, code: str, text: str, scope: str
) -> None:
    status = 500 if code == "InternalErrorException" else 400
    switches.fail(f"{SERVICE}.AdminCreateUser", code=code, message=text, status=status, count=5)
    wanted = newcomer()
    with pytest.raises(PortalError) as raised:
        directory.create(wanted)
    assert scope_of(raised.value) == scope
    assert switches.calls()[f"{SERVICE}.AdminCreateUser"] == 1
    message = f"{raised.value} {getattr(raised.value, 'why', '')}"
    assert code in message or text in message or isinstance(raised.value, UserExists | UserGone)
    assert directory.look(wanted.email) is None


@pytest.mark.parametrize("operation", CALLS)
def test_no_call_is_retried(directory: Directory, switches: Switches, operation: str) -> None:
    faults: list[tuple[dict[str, Any], type[PortalError]]] = [
        ({"fault": "throttling"}, Throttled),
        ({"fault": "server-error"}, Unreachable),
        ({"drop": True}, Unreachable),
        ({"fault": "expired-credentials"}, Misconfigured),
    ]
    for fault, error in faults:
        switches.forget()
        switches.fail(f"{SERVICE}.{operation}", count=5, **fault)
        with pytest.raises(error):
            CALLS[operation](directory)
        assert switches.calls() == {f"{SERVICE}.{operation}": 1}


@pytest.mark.parametrize("operation", CALLS)
def test_a_missing_user_pool_is_systemic(as_the_portal: World, operation: str) -> None:
    as_root = seeding.clients(as_the_portal.emulator.endpoint_url, as_the_portal.emulator.root)("cognito-idp")
    with pytest.raises(Misconfigured) as raised:
        CALLS[operation](Directory(as_root, "eu-west-1_AAAAAAAAA"))
    assert "does not exist" in raised.value.why
    assert scope_of(raised.value) == "systemic"


def test_access_to_another_user_pool_is_denied_as_misconfigured(as_the_portal: World) -> None:
    with pytest.raises(Misconfigured) as raised:
        directory_of(as_the_portal, "eu-west-1_BBBBBBBBB").look(NOBODY)
    assert "not authorized to perform: cognito-idp:AdminGetUser" in raised.value.why


def test_a_user_whose_creation_was_not_confirmed_can_be_found(directory: Directory, switches: Switches) -> None:
    wanted = newcomer()
    made = directory.create(wanted)
    with pytest.raises(UserExists):
        directory.create(wanted)
    assert directory.look(wanted.email) == made
