"""A worker that is killed while it takes invitations in: the next one finishes, and nobody is invited twice."""

from __future__ import annotations

import subprocess
import sys

import pytest

from portal.demo.cast import GLOBEX_OWNER
from portal.environment import BASE
from tenants.domain.roles import Role
from tenants.lifecycle.transitions import create_tenant
from tenants.members.invitation_lines import NewInvitation
from tenants.members.invitations import invite
from tenants.members.joining import take_in
from tenants.members.roster import add_member
from tenants.models import AuditEvent, Invitation, Member, OutgoingMail
from tests.world.people import signed_in_as
from tests.world.stage import SOMEBODY, Stage, environment_of


@pytest.mark.django_db(transaction=True)
def test_a_worker_killed_at_any_line_invites_everybody_once(stage: Stage, domain: str) -> None:
    tenant = create_tenant(name="Initech", owner_email=f"owner@{domain}", mail_invitation=False, by=SOMEBODY)
    add_member(tenant=tenant, email=f"gone@{domain}", name="", role=Role.OWNER, mail_invitation=False, by=SOMEBODY)
    stage.work()
    owner, gone = signed_in_as(f"owner@{domain}"), signed_in_as(f"gone@{domain}")
    new = [f"new{number}@{domain}" for number in range(4)]
    invite(tenant, lines=[NewInvitation(email) for email in (*new, GLOBEX_OWNER.email)], role="viewer", by=owner)
    invite(tenant, lines=[NewInvitation(f"late@{domain}")], role="viewer", by=gone)
    Member.objects.filter(person__email=f"gone@{domain}").update(role=Role.EDITOR)
    command = [sys.executable, "-m", "tests.world.kill_jobs", "invitations", "--every", "13"]
    killing = subprocess.run(
        command, cwd=BASE, env=environment_of(stage), capture_output=True, text=True, timeout=300, check=True
    )
    assert int(killing.stdout) > 10
    assert take_in() == 0
    stage.work()
    users = [user for user in stage.users_of(domain) if user.email in new]
    assert sorted(user.email for user in users) == new
    assert {user.org for user in users} == {str(tenant.org_id)}
    assert sorted(Member.objects.filter(tenant=tenant, role="viewer").values_list("person__email", flat=True)) == new
    added = AuditEvent.objects.filter(org=tenant.org_id, action="member.added", target__in=new)
    assert sorted(added.values_list("target", flat=True)) == new
    left = {row.email: row.why for row in Invitation.objects.all()}
    assert set(left) == {GLOBEX_OWNER.email, f"late@{domain}"}
    assert all(left.values())
    assert OutgoingMail.objects.filter(kind="could_not_join").count() == 1
