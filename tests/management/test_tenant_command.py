"""`manage.py tenant` and `manage.py member` at a terminal."""

from __future__ import annotations

import io
import json
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connections
from django.utils import timezone

from tenants.domain.roles import Role
from tenants.domain.tenant_state import TenantState
from tenants.members.roster import add_member
from tenants.models import AuditEvent, Member, Person, Suspension, Tenant
from tests.world.stage import SOMEBODY, Stage
from tests.world.use_cases import tenant_in

S = TenantState


def said(*command: str) -> str:
    """What it prints. Ends with CommandError or SystemExit as it does in a shell."""
    out = io.StringIO()
    call_command(*command, stdout=out, stderr=io.StringIO())
    return out.getvalue()


def code_of(*command: str) -> int:
    with pytest.raises(SystemExit) as ended:
        said(*command)
    return int(ended.value.code or 0)


def rows() -> list[Any]:
    return [list(model.objects.order_by("pk").values()) for model in (Tenant, Person, Member, Suspension, AuditEvent)]


@pytest.mark.django_db
def test_a_tenant_goes_through_its_life_at_the_terminal() -> None:
    assert "initech" in said("tenant", "create", "Initech", "--owner", "bill@initech.example", "--owner-name", "Bill")
    said("tenant", "activate", "initech", "--reason", "by hand")
    said("tenant", "rename", "initech", "Initrode")
    said("tenant", "slug", "initech", "initrode")
    said("tenant", "plan", "INITRODE", "team")
    said("tenant", "metadata", "initrode", '{"contract": 14}')
    assert "lets none of its members in" in said("tenant", "suspend", "initrode", "--reason", "not paid")
    shown = said("tenant", "show", "initrode")
    for expected in (
        "Initrode",
        "suspended",
        "not paid",
        "team",
        '{"contract": 14}',
        "1 owner",
        "No worker is running",
    ):
        assert expected in shown
    said("tenant", "reactivate", "initrode")
    assert "can be reopened until" in said("tenant", "close", "initrode", "--reason", "gone", "--grace-days", "3")
    assert "is active again" in said("tenant", "reopen", "initrode")
    entries = AuditEvent.objects.filter(org=Tenant.objects.get().org_id).order_by("seq")
    assert [entry.action for entry in entries if entry.action.startswith("tenant.")] == [
        "tenant.created", "tenant.activated", "tenant.renamed", "tenant.renamed", "tenant.plan-changed",
        "tenant.metadata-changed", "tenant.suspended", "tenant.reactivated", "tenant.closing", "tenant.reopened",
    ]  # fmt: skip
    assert {entry.actor for entry in entries} == {"command"}
    assert all("@" in entry.actor_name for entry in entries)


@pytest.mark.django_db
def test_members_and_the_first_operator_are_managed_at_the_terminal() -> None:
    tenant_in(S.ACTIVE)
    assert "operator of the platform" in said("member", "add", "olive@platform.example", "--role", "operator")
    said("member", "add", "peter@initech.example", "--role", "viewer", "--tenant", "initech", "--no-mail")
    said("member", "role", "PETER@initech.example", "owner")
    said("member", "disable", "owner@initech.example", "--tenant", "initech", "--reason", "left")
    said("member", "enable", "owner@initech.example")
    said("member", "retry", "owner@initech.example")
    said("member", "remove", "owner@initech.example")
    listed = [json.loads(line) for line in said("member", "list", "--tenant", "initech", "--json").splitlines()]
    assert [(one["email"], one["role"], one["removed"]) for one in listed] == [
        ("peter@initech.example", "owner", False),
        ("owner@initech.example", "owner", True),
    ]
    assert said("member", "list", "--operators").splitlines()[1].split()[:2] == ["olive@platform.example", "operator"]
    assert not Member.objects.get(person__email="peter@initech.example").mail_invitation


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("command", "says"),
    [
        (("tenant", "create", "Umbrella", "--owner", "alice@umbrella.example"), "the short name umbrella"),
        (("tenant", "suspend", "initech", "--reason", "not paid"), "the portal lets no member in"),
        (("tenant", "close", "initech", "--reason", "gone", "--grace-days", "3"), "For 3 days"),
        (("tenant", "rename", "initech", "Initrode"), "Members see the new name"),
        (("member", "add", "peter@initech.example", "--role", "viewer", "--tenant", "initech"), "will create peter@"),
        (("member", "disable", "admin@initech.example"), "Cognito gets no user, and nobody is mailed"),
    ],
)
def test_a_dry_run_says_what_would_happen_and_does_nothing(command: tuple[str, ...], says: str) -> None:
    tenant = tenant_in(S.ACTIVE)
    add_member(tenant=tenant, email="admin@initech.example", name="", role=Role.ADMIN, by=SOMEBODY)
    before = rows()
    assert says in said(*command, "--dry-run")
    assert any(says in sentence for sentence in json.loads(said(*command, "--dry-run", "--json"))["would"])
    assert rows() == before


@pytest.mark.django_db
@pytest.mark.parametrize("dry_run", [(), ("--dry-run",)])
@pytest.mark.parametrize(
    ("command", "says"),
    [
        (("tenant", "show", "nobody"), "no tenant with the short name or organisation id “nobody”"),
        (("tenant", "show", "00000000-0000-4000-8000-000000000000"), "no tenant"),
        (("tenant", "rings", "initech"), "neither suspended nor being closed"),
        (("tenant", "activate", "initech"), "Initech is active, so"),
        (("tenant", "reopen", "initech"), "is not being closed"),
        (("tenant", "plan", "initech", "gold"), "Choose one of free, team, business"),
        (("tenant", "metadata", "initech", "{"), "not JSON"),
        (("tenant", "metadata", "initech", "@/no/such/file"), "No such file"),
        (("tenant", "close", "initech", "--reason", "gone", "--grace-days", "-1"), "from 0 to 3,650 days"),
        (("tenant", "close", "initech", "--reason", "gone", "--grace-days", "9" * 30), "from 0 to 3,650 days"),
        (("member", "remove", "nobody@initech.example"), "no member “nobody@initech.example”"),
        (("member", "remove", "owner@initech.example"), "only owner of Initech"),
        (("member", "add", "x@y.example", "--role", "viewer"), "Only operators are in none"),
        (("member", "add", "x", "--role", "operator"), "with one @"),
    ],
)
def test_a_refusal_is_one_line(command: tuple[str, ...], says: str, dry_run: tuple[str, ...]) -> None:
    if dry_run and command[1] in {"show", "rings"}:
        return
    tenant_in(S.ACTIVE)
    before = rows()
    with pytest.raises(CommandError, match=says) as told:
        said(*command, *dry_run)
    assert "\n" not in str(told.value)
    assert told.value.returncode == 1
    assert rows()[:4] == before[:4]


@pytest.mark.parametrize(
    "command",
    [
        ("tenant",), ("tenant", "frobnicate"), ("tenant", "suspend", "initech"), ("tenant", "list", "--limit", "0"),
        ("tenant", "list", "--state", "gone"), ("tenant", "rings", "initech", "--wait", "--timeout", "soon"),
        ("member", "add", "x@y.example", "--role", "boss"), ("member", "list", "--tenant", "x", "--operators"),
    ],
)  # fmt: skip
def test_wrong_arguments_exit_with_2(command: tuple[str, ...], capsys: Any) -> None:
    from django.core.management import ManagementUtility

    with pytest.raises(SystemExit) as ended:
        ManagementUtility(["manage.py", *command]).execute()
    assert ended.value.code == 2
    assert f"manage.py {command[0]}" in capsys.readouterr().err


@pytest.mark.django_db
def test_tenants_are_listed_newest_first_with_filters_and_pages() -> None:
    for number in range(5):
        tenant_in(S.PENDING, name=f"Initech {number}", domain=f"i{number}.example")
    said("tenant", "plan", "initech-3", "team")
    said("tenant", "activate", "initech-1")

    def slugs(*options: str) -> list[str]:
        return [json.loads(line)["slug"] for line in said("tenant", "list", "--json", *options).splitlines()]

    assert slugs() == [f"initech-{number}" for number in (4, 3, 2, 1, 0)]
    assert slugs("--limit", "2") == ["initech-4", "initech-3"]
    assert slugs("--limit", "2", "--after", "initech-3") == ["initech-2", "initech-1"]
    assert slugs("--state", "active") == ["initech-1"]
    assert slugs("--plan", "team") == ["initech-3"]
    assert slugs("--search", "owner@i2.example") == ["initech-2"]
    assert slugs("--search", "Initech 4") == ["initech-4"]
    assert slugs("--search", "initech-", "--after", "initech-1") == ["initech-0"]
    assert slugs("--search", "umbrella") == []
    assert said("tenant", "list", "--limit", "1").splitlines()[1].split()[:3] == ["initech-4", "pending", "free"]


@pytest.mark.django_db
def test_adding_to_a_suspended_tenant_says_that_cognito_gets_no_user() -> None:
    tenant_in(S.SUSPENDED)
    assert "Cognito gets no user, and nobody is mailed" in said(
        "member", "add", "late@initech.example", "--role", "viewer", "--tenant", "initech"
    )
    tenant_in(S.ACTIVE, name="Umbrella", domain="umbrella.example")
    assert "The worker creates their user in Cognito" in said(
        "member", "add", "late@umbrella.example", "--role", "viewer", "--tenant", "umbrella"
    )


@pytest.mark.django_db(transaction=True)
def test_broken_metadata_is_refused_and_audited() -> None:
    tenant_in(S.ACTIVE)
    for command in (
        ("metadata", "initech", '{"a": NaN}'),
        ("create", "Umbrella", "--owner", "a@umbrella.example", "--metadata", "["),
    ):
        before = AuditEvent.objects.count()
        with pytest.raises(CommandError):
            call_command("tenant", *command)
        assert AuditEvent.objects.count() == before + 1
        assert AuditEvent.objects.latest("seq").action == "tenant.refused"


@pytest.mark.django_db
def test_metadata_comes_from_a_file_or_from_standard_input_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tenant_in(S.ACTIVE)
    file = tmp_path / "metadata.json"
    file.write_text('{"größe": 1}', "utf-8")
    said("tenant", "metadata", "initech", f"@{file}")
    assert Tenant.objects.get().metadata == {"größe": 1}
    monkeypatch.setattr(sys, "stdin", io.StringIO('{"b": 2}'))
    said("tenant", "metadata", "initech", "-")
    assert Tenant.objects.get().metadata == {"b": 2}
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CommandError, match="not text in UTF-8"):
        said("tenant", "metadata", "initech", f"@{file}")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.django_db
@pytest.mark.parametrize(("typed", "closed"), [("initech\n", True), ("yes\n", False), ("", False)])
@pytest.mark.parametrize(("step", "after"), [("close", S.CLOSING), ("suspend", S.SUSPENDED)])
def test_a_grave_step_at_a_terminal_asks_for_the_short_name(
    typed: str, closed: bool, step: str, after: S, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant_in(S.ACTIVE)
    monkeypatch.setattr(sys, "stdin", Terminal(typed))
    if closed:
        said("tenant", step, "initech", "--reason", "gone")
    else:
        with pytest.raises(CommandError, match="Type initech, exactly as it is written here"):
            said("tenant", step, "initech", "--reason", "gone")
    assert (Tenant.objects.get().state == after) is closed
    if not closed:
        said("tenant", step, "initech", "--reason", "gone", "--yes")
        assert Tenant.objects.get().state == after


@pytest.mark.django_db
def test_waiting_without_a_worker_says_what_blocks_the_rings() -> None:
    tenant_in(S.ACTIVE)
    out = io.StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("tenant", "suspend", "initech", "--reason", "x", "--wait", "--timeout", "0", stdout=out)
    assert ended.value.code == 3
    assert "1 member has not been disabled" in out.getvalue()
    assert "Start one: manage.py provision --watch" in out.getvalue()
    assert Tenant.objects.get().state == S.SUSPENDED
    assert code_of("tenant", "rings", "initech") == 3


@pytest.mark.django_db(transaction=True)
def test_waiting_ends_when_all_rings_are_reached(stage: Stage) -> None:
    tenant = tenant_in(S.ACTIVE)

    def work_once_it_is_suspended() -> None:
        until = time.monotonic() + 60
        try:
            while not Suspension.objects.exists() and time.monotonic() < until:
                time.sleep(0.1)
            stage.work(threads=2)
        finally:
            connections.close_all()

    worker = threading.Thread(target=work_once_it_is_suspended)
    worker.start()
    try:
        told = json.loads(said("tenant", "suspend", "initech", "--reason", "x", "--wait", "--json").splitlines()[-1])
    finally:
        worker.join()
        said("tenant", "reactivate", "initech")
        stage.work()
    assert told["all_reached"]
    assert told["in_the_way"] == []
    assert None not in (told["signed_out_at"], told["denied_at"], told["ended_at"])
    assert Suspension.objects.get(tenant=tenant).lifted_at


@pytest.mark.django_db
def test_an_owner_is_recovered_and_that_is_taken_back_at_the_terminal() -> None:
    tenant = tenant_in(S.ACTIVE)
    Tenant.objects.filter(pk=tenant.pk).update(owner_signed_in_at=timezone.now())
    command = ("tenant", "recover-owner", "initech", "new@initech.example", "--reason", "their owner left")
    before = rows()
    would = said(*command, "--dry-run")
    assert "each of them can stop it, also without signing in" in would
    assert rows() == before
    asked = json.loads(said(*command, "--json"))
    assert (asked["did"], asked["recovery"]["email"]) == ("recover-owner", "new@initech.example")
    assert "Owners and admins can stop it until" in said("tenant", "show", "initech")
    with pytest.raises(CommandError, match="waits already"):
        said(*command)
    assert json.loads(said("tenant", "cancel-recovery", "initech", "--json"))["recovery"] is None
    assert "has the new owner" in said(*command, "--now")
    assert Member.objects.get(person__email="new@initech.example").role == Role.OWNER


@pytest.mark.django_db
def test_a_terminal_replaces_an_owner_who_never_signed_in() -> None:
    tenant_in(S.PENDING)
    said("tenant", "recover-owner", "initech", "new@initech.example", "--reason", "a wrong letter")
    assert Member.objects.get(person__email="owner@initech.example").removed
    with pytest.raises(CommandError, match="--reason"):
        said("tenant", "recover-owner", "initech", "new@initech.example")


@pytest.mark.django_db
def test_ownership_is_transferred_at_the_terminal() -> None:
    tenant = tenant_in(S.ACTIVE)
    add_member(tenant=tenant, email="heir@initech.example", name="", role=Role.VIEWER, by=SOMEBODY)
    with pytest.raises(CommandError, match="has never signed in"):
        said("member", "transfer", "owner@initech.example", "--to", "heir@initech.example")
    Member.objects.filter(person__email="heir@initech.example").update(signed_in_at=timezone.now())
    assert "is an admin now" in said("member", "transfer", "owner@initech.example", "--to", "heir@initech.example")
    assert Member.objects.get(person__email="heir@initech.example").role == Role.OWNER


@pytest.mark.django_db
def test_contact_and_domains_are_set_at_the_terminal() -> None:
    said("tenant", "create", "Initech", "--owner", "bill@initech.example")
    assert "it@initech.example" in said("tenant", "contact", "initech", "--contact", "IT@initech.example")
    done = said("tenant", "domains", "initech", "--invitation-domains", "initech.example, bücher.example")
    assert "only addresses at initech.example, bücher.example." in done
    shown = json.loads(said("tenant", "show", "initech", "--json"))
    assert shown["contact"] == "it@initech.example"
    assert shown["invitation_domains"] == ["initech.example", "xn--bcher-kva.example"]
    assert "any domain" in said("tenant", "domains", "initech")
