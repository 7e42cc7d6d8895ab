"""The text of the suspension policy: the template's own with nobody in it, never too long, and read back as it was."""

import json
import re
import uuid
from typing import Any

import pytest

from portal.demo.cast import ACME_OWNER, GLOBEX_OWNER
from portal.template import read_template
from tenants.domain.errors import InvalidInput, Misconfigured, NotNow
from tenants.domain.suspension_policy import ROOM, document, listed

NOBODY = "00000000-0000-0000-0000-000000000000"
ACME, GLOBEX = ACME_OWNER.org, GLOBEX_OWNER.org


def some(count: int) -> list[str]:
    return [str(uuid.uuid4()) for _ in range(count)]


def changed(**members: Any) -> str:
    found = json.loads(document([ACME]))
    found["Statement"][0].update(members)
    return json.dumps(found)


def test_with_nobody_suspended_it_is_the_templates_policy() -> None:
    template = read_template()["Resources"]["SuspendedTenants"]["Properties"]["PolicyDocument"]
    assert json.loads(document([])) == template
    assert listed(json.dumps(template)) == frozenset()


def test_it_is_the_same_text_for_the_same_organisations_in_any_order_and_number() -> None:
    assert document([ACME, GLOBEX]) == document([GLOBEX, ACME, GLOBEX, NOBODY])
    assert document([ACME]) != document([GLOBEX])


def test_what_is_written_is_read_back() -> None:
    for count in (0, 1, 2, ROOM):
        orgs = some(count)
        assert listed(document(orgs)) == frozenset(orgs)
        assert listed(json.dumps(json.loads(document(orgs)), indent=4)) == frozenset(orgs)


def test_as_many_as_there_is_room_for_fit_into_what_iam_takes_and_one_more_would_not() -> None:
    orgs = some(ROOM + 1)
    full = document(orgs[:ROOM])
    assert not re.search(r"\s", full)
    assert len(full) <= 6144 < len(full) + len(f',"{ACME}"')
    with pytest.raises(NotNow, match=f"Only {ROOM} organisations.* would be {ROOM + 1}"):
        document(orgs)


@pytest.mark.parametrize("org", ["", "*", ACME.upper(), f"{ACME} ", ACME.replace("-", ""), '","*'])
def test_nothing_but_an_org_id_gets_into_it(org: str) -> None:
    with pytest.raises(InvalidInput):
        document([org])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        "null",
        changed(Effect="Allow"),
        changed(Action="dynamodb:*"),
        changed(Sid="Another"),
        changed(Condition={}),
        changed(Condition={"StringEquals": {"aws:PrincipalTag/org": "*"}}),
        changed(Condition={"StringEquals": {"aws:PrincipalTag/org": [ACME]}}),
        changed(Condition={"StringEquals": {"aws:PrincipalTag/org": [NOBODY, 1]}}),
        changed(Condition={"StringEquals": {"aws:PrincipalTag/org": [NOBODY], "aws:PrincipalTag/role": "owner"}}),
        document([ACME]).replace("]}}}]", ']}}},{"Effect":"Deny","Action":"*","Resource":"*"}]'),
        document([ACME]).replace("2012-10-17", "2008-10-17"),
    ],
)
def test_a_text_of_somebody_elses_is_not_taken_for_a_list(text: str) -> None:
    with pytest.raises(Misconfigured) as raised:
        listed(text)
    assert "somebody else has changed it" in raised.value.why
