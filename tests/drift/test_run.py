"""The pool compared with the members after edits by hand: what differs, and what does not."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from portal.demo.cast import GLOBEX
from tenants.domain.roles import Role
from tenants.drift.run import KEPT_RUNS
from tenants.members.roster import add_member, remove, set_role
from tenants.models import AuditEvent, Drift, Member, Reconciliation, Tenant
from tests.world.faults import Switches
from tests.world.pool import (
    RunLog,
    by_hand,
    compare_pool,
    differences,
    make_by_hand,
    set_by_hand,
    settled_tenant,
    state_of_members,
)
from tests.world.stage import SOMEBODY, Stage, member_called

pytestmark = pytest.mark.usefixtures("only_the_cast_in_the_pool")


def test_an_untouched_pool_does_not_differ(stage: Stage, domain: str) -> None:
    settled_tenant(stage, "Untouched", 3, domain=domain)
    done = compare_pool(stage)
    assert (done.found, done.left, done.run.users_seen) == ({}, 0, 8)
    assert done.run.finished_at
    event = AuditEvent.objects.get(action="reconciliation.finished")
    assert (event.actor_name, event.target) == ("olive@console", "the whole pool")
    assert event.after == {"found": {}, "repaired": 0, "repairing": False, "users": 8}


def test_all_changes_by_hand_are_found_and_nothing_else(stage: Stage, domain: str) -> None:
    tenant = settled_tenant(stage, "Edited", 8, domain=domain)
    globex = str(GLOBEX.org_id)
    set_by_hand(stage, f"p1@{domain}", role="admin")
    by_hand(stage, "admin_disable_user", f"p2@{domain}")
    by_hand(stage, "admin_delete_user", f"p3@{domain}")
    set_by_hand(stage, f"p4@{domain}", email=f"new@{domain}")
    for email in (f"p5@{domain}", f"p6@{domain}"):
        by_hand(stage, "admin_delete_user", email)
    stage.make_by_hand(f"P5@{domain}", org=globex, role="owner")
    stage.make_by_hand(f"p6@{domain}", org=str(tenant.org_id), role="owner")
    stage.make_by_hand(f"x1@{domain}", org=str(tenant.org_id), role="admin")
    stage.make_by_hand(f"x2@{domain}")
    set_by_hand(stage, f"p7@{domain}", role="owner")
    by_hand(stage, "admin_disable_user", f"p7@{domain}")
    log = RunLog()
    before = state_of_members()
    done = compare_pool(stage, log)
    assert differences() == {
        ("role", f"p1@{domain}", "viewer", "admin"),
        ("enabled", f"p2@{domain}", "enabled", "disabled"),
        ("missing-user", f"p3@{domain}", "viewer, enabled", "no user"),
        ("org", f"p5@{domain}", f"organisation {tenant.org_id}", f"organisation {globex}"),
        ("missing-user", f"p6@{domain}", "viewer, enabled", "another user with this address, owner, enabled"),
        ("unknown-user", f"x1@{domain}", "", f"admin, enabled, of organisation {tenant.org_id}"),
        ("unknown-user", f"x2@{domain}", "", "no role, enabled, of no organisation"),
        ("role", f"p7@{domain}", "viewer", "owner"),
        ("enabled", f"p7@{domain}", "enabled", "disabled"),
    }
    assert log.addresses == [(f"p4@{domain}", f"new@{domain}")]
    assert done.left == 9
    assert done.found == {"enabled": 2, "missing-user": 2, "org": 1, "role": 2, "unknown-user": 2}
    assert state_of_members() == before
    assert compare_pool(stage).found == done.found


def test_what_a_worker_is_about_to_do_is_no_difference(stage: Stage, domain: str) -> None:
    tenant = settled_tenant(stage, "In hand", 4, domain=domain)
    set_role(member_called(f"p1@{domain}"), Role.EDITOR, by=SOMEBODY)
    by_hand(stage, "admin_delete_user", f"p1@{domain}")
    make_by_hand(stage, f"p1@{domain}", org=str(tenant.org_id), role="viewer")
    remove(member_called(f"p2@{domain}"), by=SOMEBODY)
    add_member(tenant=tenant, email=f"new@{domain}", name="", role=Role.VIEWER, by=SOMEBODY)
    # Created by a worker that could not write it down yet.
    stage.make_by_hand(f"new@{domain}", org=str(tenant.org_id), role="viewer")
    Member.objects.filter(person__email=f"p3@{domain}").update(
        leased_by="worker", leased_until=timezone.now() + timedelta(seconds=60)
    )
    set_by_hand(stage, f"p3@{domain}", role="admin")
    before = state_of_members()
    assert compare_pool(stage, repair=True).found == {}
    assert state_of_members() == before


def test_one_tenants_members_are_looked_up_one_by_one(stage: Stage, switches: Switches, domain: str) -> None:
    tenant = settled_tenant(stage, "One of them", 3, domain=domain)
    settled_tenant(stage, "Another", 2, domain=f"other.{domain}")
    set_by_hand(stage, f"p1@{domain}", role="admin")
    by_hand(stage, "admin_delete_user", f"p2@{domain}")
    set_by_hand(stage, f"p1@other.{domain}", role="admin")
    stage.make_by_hand(f"x1@{domain}", org=str(tenant.org_id), role="admin")
    switches.forget()
    done = compare_pool(stage, tenant=tenant, repair=True)
    assert done.found == {"missing-user": 1, "role": 1}
    assert (done.run.users_seen, done.left) == (3, 0)
    assert "CognitoIdentityProvider.ListUsers" not in switches.calls()
    event = AuditEvent.objects.get(action="reconciliation.finished")
    assert (event.org, event.target) == (tenant.org_id, "One of them")
    assert compare_pool(stage).found == {"role": 1, "unknown-user": 1}


def test_texts_from_the_pool_are_fit_for_a_terminal_and_a_database(stage: Stage, domain: str) -> None:
    settled_tenant(stage, "Plain", 1, domain=domain)
    stage.make_by_hand(f"x1@{domain}", role="\x1b[31mred\u202e")
    compare_pool(stage)
    assert ("unknown-user", f"x1@{domain}", "", "�[31mred�, enabled, of no organisation") in differences()


def test_runs_for_one_tenant_do_not_push_out_the_run_of_the_whole_pool(stage: Stage) -> None:
    compare_pool(stage)
    of_the_pool = Reconciliation.objects.get()
    acme = Tenant.objects.get(slug="acme")
    for _ in range(KEPT_RUNS + 1):
        compare_pool(stage, tenant=acme)
    assert Reconciliation.objects.of_the_pool() == of_the_pool


def test_only_the_last_runs_are_kept(stage: Stage) -> None:
    compare_pool(stage)
    oldest = Reconciliation.objects.get()
    Drift.objects.create(reconciliation=oldest, kind="unknown-user", sub="a")
    for _ in range(KEPT_RUNS):
        compare_pool(stage)
    assert Reconciliation.objects.count() == KEPT_RUNS
    assert not Drift.objects.exists()
