"""Lists at a terminal: heads, width, what is said when nothing is found, and that `--json` is documented."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command, get_commands, load_command_class

from portal.command_help import GROUPS
from tenants.domain.tenant_state import TenantState
from tenants.management.output import in_columns, member_facts, tenant_details
from tenants.models import Member, Tenant
from tests.world.stage import Stage
from tests.world.use_cases import tenant_in

DOCS = (settings.BASE_DIR / "docs/commands.md").read_text("utf-8")
OURS = {name for name, app in get_commands().items() if app in ("tenants", "portal")}


def ran(*command: str) -> tuple[str, str]:
    out, err = io.StringIO(), io.StringIO()
    call_command(*command, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


@pytest.mark.django_db
def test_a_list_has_heads_and_says_when_nothing_is_found() -> None:
    assert ran("tenant", "list") == ("", "No tenant matches.\n")
    assert ran("member", "list") == ("", "No member matches.\n")
    tenant_in(TenantState.PENDING)
    assert ran("tenant", "list")[0].splitlines()[0].split() == ["SHORT", "NAME", "STATE", "PLAN", "CREATED", "NAME"]
    heads = ran("member", "list")[0].splitlines()[0].split()
    assert heads == ["E-MAIL", "ROLE", "TENANT", "ACCESS", "PROVISIONING"]


@pytest.mark.django_db
def test_an_unknown_plan_is_refused_and_the_plans_are_named() -> None:
    with pytest.raises(CommandError, match="Unknown plan “gold”"):
        ran("tenant", "list", "--plan", "gold")


def test_a_dry_run_without_due_members_and_an_empty_closing_say_so(stage: Stage) -> None:
    assert ran("provision", "--dry-run") == ("No member is due.\n", "")
    assert ran("provision", "--dry-run", "--json") == ("", "No member is due.\n")
    given = ("closing", "--without-export", "--dry-run")
    assert ran(*given) == ("No tenant is being closed.\n", "")
    assert ran(*given, "--json") == ("", "No tenant is being closed.\n")


def test_a_long_row_goes_on_below_at_a_terminal_and_loses_nothing() -> None:
    rows = [("slug", "active", "A name of several words that is longer than the line"), ("b", "x", "short")]
    assert list(in_columns(rows)) == [
        "slug  active  A name of several words that is longer than the line",
        "b     x       short",
    ]
    narrow = list(in_columns(rows, width=40))
    assert max(map(len, narrow)) <= 40
    assert narrow[0].startswith("slug  active  A name of")
    assert narrow[1].startswith(" " * 14)
    assert " ".join(" ".join(narrow).split()) == " ".join(" ".join(in_columns(rows)).split())
    tiny = list(in_columns([("a" * 50, "b" * 50, "c")], width=20))
    assert "".join("".join(tiny).split()) == "a" * 50 + "b" * 50 + "c"


def keys_of(facts: Mapping[str, Any]) -> Iterator[str]:
    for key, value in facts.items():
        yield key
        if isinstance(value, dict) and key not in ("metadata", "roles", "provisioning"):
            yield from keys_of(value)


@pytest.mark.django_db
def test_every_key_of_the_json_is_documented() -> None:
    tenant_in(TenantState.CLOSING)
    keys = {*keys_of(tenant_details(Tenant.objects.get())), *keys_of(member_facts(Member.objects.get()))}
    assert len(keys) > 30
    assert {key for key in keys if f"`{key}`" not in DOCS} == set()


def takes_json(name: str) -> bool:
    help_ = io.StringIO()
    parser = load_command_class(get_commands()[name], name).create_parser("manage.py", name)
    parser.print_help(help_)
    return "--json" in help_.getvalue() or name in ("tenant", "member")


@pytest.mark.parametrize("name", sorted(OURS))
def test_a_command_with_json_says_in_its_documentation_what_it_prints(name: str) -> None:
    section = re.search(rf"^### `manage\.py {name}`\n(.*?)(?=^##)", DOCS, re.MULTILINE | re.DOTALL)
    assert section or name == "migrate", f"docs/commands.md has no section on {name}"
    if takes_json(name):
        assert section
        assert "`--json`" in section[1]


def test_help_names_every_command_of_ours_without_settings(tmp_path: Path) -> None:
    assert {name for commands in GROUPS.values() for name in commands} == OURS
    bare = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    manage = [sys.executable, str(settings.BASE_DIR / "manage.py"), "help"]
    answer = subprocess.run(manage, env=bare, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert answer.returncode == 0
    for name in OURS:
        assert f"\n  {name} " in answer.stdout
    assert answer.stdout.index("Tenants and members:") < answer.stdout.index("[django]")


def test_json_lines_of_a_list_are_objects(db: None) -> None:
    tenant_in(TenantState.PENDING)
    (line,) = ran("tenant", "list", "--json")[0].splitlines()
    assert json.loads(line)["state"] == "pending"
