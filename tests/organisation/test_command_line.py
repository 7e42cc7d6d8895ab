"""A person's own credentials for a terminal: shown on a click only, recorded, and usable as they are shown."""

from __future__ import annotations

import html
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from portal.demo.cast import ACME, ACME_OWNER, ACME_VIEWER, GLOBEX, OPERATOR, CastMember
from portal.demo.world import World
from tenants.audit.actions import Action
from tenants.domain.credential_lines import lines_of
from tenants.domain.credentials import Credentials
from tenants.models import AuditEvent
from tenants.sign_in import handing_out
from tests.world.fixtures import Browser

Browse = Callable[[CastMember], Browser]
ADDRESS = "/access/command-line/"
# A program of somebody's own, which knows nothing but the environment. Prints how each call ended.
PROGRAM = """
import json, os, sys
import botocore.session
from botocore.exceptions import ClientError
table, pk, method = sys.argv[1:]
client = botocore.session.Session().create_client("dynamodb")
item = {"pk": {"S": pk}, "sk": {"S": "of-a-terminal"}}
calls = {
    "read": lambda: client.query(
        TableName=table, KeyConditionExpression="pk = :pk", ExpressionAttributeValues={":pk": {"S": pk}}
    ),
    "write": lambda: (client.put_item(TableName=table, Item=item), client.delete_item(TableName=table, Key=item)),
}
try:
    calls[method]()
    print("done")
except ClientError as error:
    print(error.response["Error"]["Code"])
"""


def blocks(page: str) -> dict[str, str]:
    """What is shown to be copied, by its label."""
    found = re.findall(
        r'<pre class="lines" tabindex="0" aria-label="([^"]+)"><code data-copy>(.*?)</code>', page, re.DOTALL
    )
    return {label: html.unescape(text) for label, text in found}


def taken(browser: Browser) -> dict[str, str]:
    return blocks(browser.post(ADDRESS).content.decode())


def program(world: World, environment: dict[str, str], method: str, pk: str) -> str:
    command = [sys.executable, "-c", PROGRAM, world.settings["RECORDS_TABLE"], pk, method]
    bare = {"PATH": os.environ["PATH"], **environment}
    return subprocess.run(command, env=bare, check=True, capture_output=True, text=True).stdout.strip()


def exported(lines: str) -> dict[str, str]:
    """The variables that a shell has after these lines."""
    command = ["sh", "-c", f"{lines}\nenv"]
    printed = subprocess.run(command, env={}, check=True, capture_output=True, text=True).stdout
    return {name: value for name, _, value in (line.partition("=") for line in printed.splitlines()) if "AWS" in name}


@pytest.mark.parametrize(("member", "write"), [(ACME_OWNER, "done"), (ACME_VIEWER, "AccessDeniedException")])
def test_the_lines_reach_what_the_person_may_reach(
    browse_as: Browse, world: World, member: CastMember, write: str
) -> None:
    environment = exported(taken(browse_as(member))["Lines for a shell"])
    own = ACME.space.collection("orders")
    assert program(world, environment, "read", own) == "done"
    assert program(world, environment, "write", own) == write
    assert program(world, environment, "read", GLOBEX.space.collection("orders")) == "AccessDeniedException"


def test_profile_and_credential_process_are_read_by_aws_programs(
    browse_as: Browse, world: World, tmp_path: Path
) -> None:
    shown, folder = taken(browse_as(ACME_OWNER)), tmp_path / ".aws"
    folder.mkdir()
    home = {"HOME": str(tmp_path), "AWS_PROFILE": "tenant-portal"}
    (folder / "credentials").write_text(shown["Lines of a profile"])
    assert program(world, home, "read", ACME.space.catalogue) == "done"
    (folder / "credentials").unlink()
    (folder / "config").write_text(shown["Lines of the configuration"])
    (folder / "tenant-portal.json").write_text(shown["JSON for credential_process"])
    assert program(world, home, "read", ACME.space.catalogue) == "done"
    assert "aws dynamodb query --table-name" in shown["A command"]


def test_an_operator_gets_those_for_public_records(browse_as: Browse, world: World) -> None:
    environment = exported(taken(browse_as(OPERATOR))["Lines for a shell"])
    assert program(world, environment, "read", "PUBLIC#news") == "done"
    assert program(world, environment, "read", ACME.space.catalogue) == "AccessDeniedException"


def test_a_get_shows_nothing_and_records_nothing(browse_as: Browse) -> None:
    browser, last = browse_as(ACME_OWNER), AuditEvent.objects.latest("seq").seq
    page = browser.get(ADDRESS).content.decode()
    assert blocks(page) == {}
    assert "Show my credentials" in page
    assert "they read and write" in page
    assert "they read only" in browse_as(ACME_VIEWER).get(ADDRESS).content.decode()
    assert not AuditEvent.objects.filter(seq__gt=last, action=Action.CREDENTIALS_TAKEN).exists()


def test_they_are_kept_nowhere_but_on_the_page(browse_as: Browse, caplog: pytest.LogCaptureFixture) -> None:
    browser = browse_as(ACME_OWNER)
    answer = browser.post(ADDRESS)
    assert answer.status_code == 200
    assert answer["Cache-Control"] == "no-store"
    held = json.loads(blocks(answer.content.decode())["JSON for credential_process"])
    (entry,) = AuditEvent.objects.filter(action=Action.CREDENTIALS_TAKEN)
    assert (str(entry.org), set(entry.after)) == (str(ACME.org_id), {"until"})
    secrets = [held["SecretAccessKey"], held["SessionToken"]]
    elsewhere = [
        str(entry.content()),
        " ".join(str(line.__dict__) for line in caplog.records),
        str(dict(browser.session.items())),
        browser.get("/activity/").content.decode(),
        browser.get("/access/").content.decode(),
        browser.get(ADDRESS).content.decode(),
    ]
    # Never in the output of a failed test.
    is_elsewhere = [secret in text for secret in secrets for text in elsewhere]
    assert not any(is_elsewhere)


def test_the_activity_says_that_they_were_taken_and_when_they_end(browse_as: Browse) -> None:
    browser = browse_as(ACME_OWNER)
    until = datetime.fromisoformat(json.loads(taken(browser)["JSON for credential_process"])["Expiration"])
    assert until > timezone.now()
    assert "took their AWS credentials for a command line. They end at" in browser.get("/activity/").content.decode()


def test_a_form_of_another_site_shows_nothing(portal: World) -> None:
    browser = Browser(portal)
    browser.handler.enforce_csrf_checks = True
    browser.sign_in(ACME_OWNER)
    answer = browser.post(ADDRESS, headers={"Origin": "https://elsewhere.example"})
    assert answer.status_code == 403
    assert blocks(answer.content.decode()) == {}


@pytest.mark.usefixtures("one_minute")
def test_somebody_who_asks_too_often_has_to_wait(browse_as: Browse) -> None:
    browser = browse_as(ACME_OWNER)
    answers = [browser.post(ADDRESS) for _ in range(handing_out.MOST_A_MINUTE + 1)]
    assert [answer.status_code for answer in answers] == [200] * handing_out.MOST_A_MINUTE + [409]
    page = answers[-1].content.decode()
    assert "often in this minute" in page
    assert blocks(page) == {}


def test_new_ones_are_fetched_where_the_old_ones_end_soon(browse_as: Browse, monkeypatch: pytest.MonkeyPatch) -> None:
    browser = browse_as(ACME_OWNER)
    first = json.loads(taken(browser)["JSON for credential_process"])["AccessKeyId"]
    assert json.loads(taken(browser)["JSON for credential_process"])["AccessKeyId"] == first
    monkeypatch.setattr(handing_out, "LEAST_SECONDS", 2 * 60 * 60)
    assert json.loads(taken(browser)["JSON for credential_process"])["AccessKeyId"] != first


def test_it_can_be_turned_off(browse_as: Browse, settings: Any) -> None:
    browser = browse_as(ACME_OWNER)
    settings.COMMAND_LINE_ACCESS = False
    page = browser.get(ADDRESS).content.decode()
    assert "turned off on this portal" in page
    assert "Show my credentials" not in page
    answer = browser.post(ADDRESS)
    assert answer.status_code == 403
    assert blocks(answer.content.decode()) == {}
    assert not AuditEvent.objects.filter(action=Action.CREDENTIALS_TAKEN).exists()


def test_a_value_with_quotes_stays_one_value() -> None:
    odd = Credentials("id", 'a\'b "c" $HOME `x`', "t", expires_at=0)
    lines = lines_of(odd, region="eu-west-1", endpoint_url="")
    assert exported(lines.shell)["AWS_SECRET_ACCESS_KEY"] == odd.secret_access_key
    assert "$Env:AWS_SECRET_ACCESS_KEY = 'a''b \"c\" $HOME `x`'" in lines.powershell
    assert odd.secret_access_key not in repr(lines)
    assert json.loads(lines.process_json)["Expiration"] == "1970-01-01T00:00:00Z"
