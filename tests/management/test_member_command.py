"""`manage.py member`: inviting, and the steps around an invitation."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from portal.demo.cast import ACME_EDITOR, ACME_OWNER, ACME_VIEWER, GLOBEX_OWNER
from tenants.domain.actor import at_the_terminal
from tenants.members.joining import take_in
from tenants.models import AuditEvent, Invitation, Member
from tests.world.people import signed_in_as
from tests.world.stage import member_called
from tests.world.use_cases import acme, last_entry


@pytest.fixture(autouse=True)
def _cast(portal: Any) -> None:
    """Acme and Globex, in the database."""


def run(*arguments: str) -> tuple[int, str, str]:
    """Exit code, standard output and standard error."""
    out, error = io.StringIO(), io.StringIO()
    try:
        call_command("member", *arguments, stdout=out, stderr=error)
    except SystemExit as ended:
        return int(str(ended.code)), out.getvalue(), error.getvalue()
    return 0, out.getvalue(), error.getvalue()


def invite(*arguments: str) -> tuple[int, str, str]:
    return run("invite", "--tenant", "acme", "--role", "viewer", *arguments)


def test_people_are_invited_and_taken_in_by_the_worker() -> None:
    code, out, _ = invite("ada@x.example", "Bob <bob@x.example>", "--no-mail", "--reason", "new team")
    assert code == 0
    assert "Invited 2 of 2." in out
    assert "nobody is mailed" in out
    assert set(Invitation.objects.values_list("terminal", flat=True)) == {at_the_terminal().name}
    take_in()
    bob = member_called("bob@x.example")
    assert (bob.role, bob.person.name, bob.mail_invitation, bob.tenant) == ("viewer", "Bob", False, acme())


def test_a_file_of_many_is_answered_line_by_line(tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_text(f"email,name,role\nada@x.example,Ada,owner\nnobody,,\n{ACME_VIEWER.email},,\n")
    code, out, error = invite("--file", str(file))
    assert code == 1
    assert "nobody: Enter an e-mail address with one @." in error
    assert f"{ACME_VIEWER.email}: Is a member already, as viewer." in out
    assert "Invited 1 of 3." in out
    code, out, _ = invite("--file", str(file), "--json")
    answers = [json.loads(line) for line in out.splitlines()]
    assert [answer["answer"] for answer in answers] == ["already", "refused", "already"]
    assert code == 1


def test_standard_input_is_a_file_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"ada@x.example\nbob@x.example\n")))
    assert "Invited 3 of 3." in invite("--file", "-", "eve@x.example")[1]


def test_a_dry_run_says_what_would_happen_and_does_nothing() -> None:
    before = last_entry()
    code, out, error = invite("ada@x.example", "nobody", "--dry-run")
    assert (code, "nobody: Enter" in error) == (1, True)
    assert "Nothing is done. 1 of 2 would be invited:" in out
    assert "- The worker makes them members" in out
    assert not Invitation.objects.exists()
    assert last_entry() == before


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "at least one"),
        (["--file", "/no/such/file"], "No such file"),
        (["a@x.example", "--reason", "x" * 501], "at most 500"),
    ],
)
def test_what_cannot_be_invited_at_all_is_one_line(arguments: list[str], says: str) -> None:
    with pytest.raises(CommandError, match=says):
        invite(*arguments)
    with pytest.raises(CommandError, match="no tenant"):
        run("invite", "--tenant", "nowhere", "--role", "viewer", "a@x.example")


def test_ownership_is_transferred_and_invitations_sent_again_or_revoked() -> None:
    for person in (ACME_OWNER, ACME_EDITOR):
        signed_in_as(person.email)
    assert run("transfer", ACME_OWNER.email, "--to", ACME_EDITOR.email)[0] == 0
    roles = dict(Member.objects.filter(tenant=acme()).values_list("person__email", "role"))
    assert (roles[ACME_OWNER.email], roles[ACME_EDITOR.email]) == ("admin", "owner")
    with pytest.raises(CommandError, match="not a member of Acme"):
        run("transfer", ACME_EDITOR.email, "--to", GLOBEX_OWNER.email)
    invite("late@x.example")
    take_in()
    assert run("resend", "late@x.example")[0] == 0
    assert member_called("late@x.example").resend
    assert run("revoke", "late@x.example", "--reason", "mistyped")[0] == 0
    assert member_called("late@x.example").removed
    names = set(AuditEvent.objects.filter(target="late@x.example").values_list("actor_name", flat=True))
    assert names == {at_the_terminal().name, "provisioning"}
