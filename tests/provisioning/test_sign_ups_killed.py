"""Workers killed at line after line: one round later, sign-ups and users in Cognito agree."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta

import pytest
from django.utils import timezone

from portal.demo.cast import ACME_OWNER
from portal.environment import BASE
from tenants.members.sign_up import LASTS, NewSignUp, ask
from tenants.models import SignUp, SignUpState
from tenants.provisioning.sign_ups import expire, process
from tests.world.stage import Stage, environment_of


def wish(*emails: str) -> None:
    for email in emails:
        assert ask(NewSignUp("Initech", "Bill Lumbergh", email), client="192.0.2.1") is None


@pytest.mark.django_db(transaction=True)
def test_a_worker_killed_at_any_line_leaves_nothing_half_made(stage: Stage, domain: str) -> None:
    new, again, over = ([f"{kind}{number}@{domain}" for number in range(2)] for kind in ("new", "again", "over"))
    wish(*again, *over)
    process(stage.tools)
    ago = timezone.now() - timedelta(minutes=5)
    SignUp.objects.update(mailed_at=ago, created_at=ago)
    SignUp.objects.filter(email__in=over).update(created_at=ago - LASTS, expires_at=ago)
    wish(*new, *again, *new, ACME_OWNER.email)
    command = [sys.executable, "-m", "tests.world.kill_jobs", "sign-ups", "--every", "11"]
    killing = subprocess.run(
        command, cwd=BASE, env=environment_of(stage), capture_output=True, text=True, timeout=300, check=True
    )
    assert int(killing.stdout) > 10
    assert process(stage.tools) + expire(stage.tools) == 0
    rows = {row.email: row for row in SignUp.objects.all()}
    users = {user.email: user for user in stage.users_of(domain)}
    assert set(users) == {*new, *again}
    assert set(rows) == {*new, *again, ACME_OWNER.email}
    assert rows[ACME_OWNER.email].state == SignUpState.KNOWN
    for email, user in users.items():
        assert (rows[email].state, rows[email].due_at) == (SignUpState.INVITED, None)
        assert (str(rows[email].org_id), str(rows[email].sub)) == (user.org, user.sub)
