"""Trying calls on the Access page: AWS's answer beside what the policies say, and no row changed by any of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from portal.demo.cast import ACME, ACME_EDITOR, ACME_OWNER, ACME_VIEWER, GLOBEX, OPERATOR, CastMember
from portal.demo.world import World
from portal.template import TEMPLATE
from tenants.aws.table_trials import OPERATIONS as CALLS
from tenants.domain.once import forget_all
from tenants.models import AuditEvent
from tenants.records.trying import OPERATIONS
from tests.world.closings import everything
from tests.world.fixtures import Browser

Browse = Callable[[CastMember], Browser]
OWN, FOREIGN, PUBLIC = ACME.space.collection("orders"), GLOBEX.space.collection("orders"), "PUBLIC#news"
RECORD = {OWN: "ORD-2026-0001", FOREIGN: "ORD-2026-0001", PUBLIC: "2026-01-05"}
READS = ("Query", "GetItem", "BatchGetItem", "TransactGetItems")
WRITES = ("PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems")
NEVER = ("Scan", "ExecuteStatement")
# person -> (key, whether they read, whether they write)
WHO_MAY = {
    ACME_OWNER: ((OWN, True, True), (PUBLIC, True, False), (FOREIGN, False, False)),
    ACME_EDITOR: ((OWN, True, True), (PUBLIC, True, False), (FOREIGN, False, False)),
    ACME_VIEWER: ((OWN, True, False), (PUBLIC, True, False), (FOREIGN, False, False)),
    OPERATOR: ((OWN, False, False), (PUBLIC, True, True), (FOREIGN, False, False)),
}


def try_call(browser: Browser, operation: str, key: str, sort_key: str = "") -> str:
    form = {"operation": operation, "pk": key, "sk": sort_key}
    text: str = browser.post("/access/", form, follow=True).content.decode()
    return text


def said(page: str) -> tuple[str, str]:
    """What AWS answered, and what the policy says."""
    answered = re.search(r"AWS answered</dt><dd><b>(\w+)</b>", page)
    foretold = re.search(r"The policy says</dt><dd><b>(\w+)</b>", page)
    assert answered
    assert foretold
    return answered[1], foretold[1]


@pytest.mark.parametrize("member", WHO_MAY, ids=lambda member: member.email)
def test_aws_answers_each_call_as_the_policy_says_and_no_row_changes(
    browse_as: Browse, world: World, member: CastMember
) -> None:
    browser, before = browse_as(member), everything(world)
    for key, reads, writes in WHO_MAY[member]:
        expected = {**dict.fromkeys(READS, reads), **dict.fromkeys(WRITES, writes), **dict.fromkeys(NEVER, False)}
        assert set(expected) == set(OPERATIONS) == set(CALLS)
        for operation, allowed in expected.items():
            answer = "Allowed" if allowed else "Refused"
            page = try_call(browser, operation, key, RECORD[key])
            assert said(page) == (answer, answer), (operation, key)
            assert "AWS and the policy differ" not in page
    assert everything(world) == before


def test_a_write_of_a_new_key_makes_no_row(browse_as: Browse, world: World) -> None:
    browser, before = browse_as(ACME_OWNER), everything(world)
    for operation in WRITES:
        page = try_call(browser, operation, OWN, "there is no such record")
        assert "AWS allowed this write, and nothing was changed" in page
        assert "ConditionalCheckFailed" in page
    assert everything(world) == before


def test_the_statement_that_decided_is_named(browse_as: Browse) -> None:
    browser = browse_as(ACME_OWNER)
    assert "by the statement <code>ReadOwnAndPublicRows</code> of <code>rows</code>" in try_call(browser, "Query", OWN)
    assert "<code>WriteOwnRows</code>" in try_call(browser, "PutItem", OWN, "x")
    assert "The statement NothingElse of the policy denies this, whatever the key." in try_call(browser, "Scan", OWN)
    assert ": no statement allows it" in try_call(browser, "GetItem", FOREIGN, "x")


def test_a_viewer_reads_why_a_write_of_their_own_rows_is_refused(browse_as: Browse) -> None:
    page = try_call(browse_as(ACME_VIEWER), "DeleteItem", OWN, RECORD[OWN])
    assert "No statement of the policy allows DeleteItem on such rows with the tag role of your credentials." in page
    assert "Nothing was changed." in page


def test_a_scan_that_is_refused_shows_no_key_and_is_recorded(
    browse_as: Browse, django_capture_on_commit_callbacks: Any
) -> None:
    browser = browse_as(ACME_OWNER)
    with django_capture_on_commit_callbacks(execute=True):
        page = try_call(browser, "Scan", FOREIGN)
    assert "AWS refused Scan" in page
    assert AuditEvent.objects.filter(action="person.key-refused").latest("seq").after == {"refusal": "DeniedByAws"}


@pytest.mark.parametrize(
    ("form", "field", "words"),
    [
        ({"operation": "GetItem", "pk": OWN, "sk": ""}, "sk", "Enter a record key."),
        ({"operation": "PutItem", "pk": OWN, "sk": "x" * 1025}, "sk", "A record key has at most 1024 bytes"),
        ({"operation": "GetItem", "pk": "", "sk": "x"}, "pk", "Enter a partition key."),
        ({"operation": "DeleteTable", "pk": OWN, "sk": "x"}, "operation", "Choose an operation of the list."),
        ({"operation": "", "pk": OWN}, "operation", "Choose an operation of the list."),
    ],
)
def test_what_cannot_be_tried_is_a_message_next_to_its_field(
    browse_as: Browse, form: dict[str, str], field: str, words: str
) -> None:
    answer = browse_as(ACME_OWNER).post("/access/", form)
    page = answer.content.decode()
    assert answer.status_code == 400
    assert f'href="#{field}">{words}' in page
    assert words in page.split(f'id="{field}-error">')[1]


@pytest.fixture
def another_policy(settings: Any, tmp_path: Path, new_process: None) -> Any:
    """The template of a version that lets viewers read no rows."""
    text = TEMPLATE.read_text().replace(
        "aws:PrincipalTag/role: [owner, admin, editor, viewer]", "aws:PrincipalTag/role: [owner]"
    )
    settings.POLICY_TEMPLATE = tmp_path / "template.yaml"
    settings.POLICY_TEMPLATE.write_text(text)
    forget_all()


def test_where_aws_and_the_policy_differ_the_page_says_so(
    browse_as: Browse, another_policy: None, caplog: pytest.LogCaptureFixture
) -> None:
    page = try_call(browse_as(ACME_VIEWER), "Query", OWN)
    assert said(page) == ("Allowed", "Refused")
    assert "AWS and the policy differ." in page
    assert 'role="alert"' in page
    (line,) = [record for record in caplog.records if record.message == "AWS and the policies differ"]
    assert line.levelname == "ERROR"
    assert OWN not in str(line.__dict__)


def cells(page: str) -> dict[str, list[str]]:
    """The table of what somebody may do: by its first words, what stands in the columns."""
    rows = re.findall(r'<th scope="row" role="rowheader">(.*?)<p.*?</th>(.*?)</tr>', page, re.DOTALL)
    return {
        words: [re.sub("<[^>]+>", "", cell).strip() for cell in re.findall(r"<td .*?>(.*?)</td>", row, re.DOTALL)]
        for words, row in rows
    }


def test_the_table_says_what_each_person_may_do(browse_as: Browse) -> None:
    owner, viewer, operator = (
        cells(browse_as(who).get("/access/").content.decode()) for who in (ACME_OWNER, ACME_VIEWER, OPERATOR)
    )
    assert owner["Read a record"] == ["Yes ReadOwnAndPublicRows", "Yes ReadOwnAndPublicRows", "No"]
    assert owner["Delete a record"] == ["Yes WriteOwnRows", "No", "No"]
    assert viewer["Delete a record"] == ["No", "No", "No"]
    assert viewer["List records"] == owner["List records"]
    assert operator["Delete a record"] == ["–", "Yes OperatorsWritePublicRows", "No"]
    for table in (owner, viewer):
        assert table["Read the whole table"] == ["No NothingElse"] * 3
        assert table["Read with PartiQL"] == ["No NothingElse"] * 3
        assert table["List through an index"] == ["No"] * 3
        assert table["Read a path of the API"] == ["Yes ReadOwnPaths", "–", "No"]
    assert owner["Change by the API"] == ["Yes ChangeOnOwnPaths", "–", "No"]
    assert viewer["Change by the API"] == ["No", "–", "No"]
    assert len(owner) == len(viewer) == len(operator) == 13
