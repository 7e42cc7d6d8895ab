"""The text of the suspension policy: the template's while it lists nobody, never too long, and read back unchanged."""

import json
import re
import uuid
from typing import Any

import pytest

from portal.demo.cast import ACME_OWNER, GLOBEX_OWNER
from portal.template import read_template
from tenants.domain.errors import InvalidInput, Misconfigured, NotNow
from tenants.domain.suspension_policy import ROOM, document, orgs_in

NOBODY = "00000000-0000-0000-0000-000000000000"
ACME, GLOBEX = ACME_OWNER.org, GLOBEX_OWNER.org


def new_orgs(count: int) -> list[str]:
    return [str(uuid.uuid4()) for _ in range(count)]


def changed(**members: Any) -> str:
    found = json.loads(document([ACME]))
    found["Statement"][0].update(members)
    return json.dumps(found)


def test_without_suspensions_it_is_the_templates_policy() -> None:
    template = read_template()["Resources"]["SuspendedTenants"]["Properties"]["PolicyDocument"]
    assert json.loads(document([])) == template
    assert orgs_in(json.dumps(template)) == frozenset()


def test_order_and_repetition_do_not_change_the_text() -> None:
    assert document([ACME, GLOBEX]) == document([GLOBEX, ACME, GLOBEX, NOBODY])
    assert document([ACME]) != document([GLOBEX])


def test_the_listed_organisations_are_read_back() -> None:
    for count in (0, 1, 2, ROOM):
        orgs = new_orgs(count)
        assert orgs_in(document(orgs)) == frozenset(orgs)
        assert orgs_in(json.dumps(json.loads(document(orgs)), indent=4)) == frozenset(orgs)


def test_the_fullest_list_fits_into_iams_limit_and_one_more_does_not() -> None:
    orgs = new_orgs(ROOM + 1)
    full = document(orgs[:ROOM])
    assert not re.search(r"\s", full)
    assert len(full) <= 6144 < len(full) + len(f',"{ACME}"')
    with pytest.raises(NotNow, match=f"Only {ROOM} organisations.* would be {ROOM + 1}"):
        document(orgs)


@pytest.mark.parametrize("org", ["", "*", ACME.upper(), f"{ACME} ", ACME.replace("-", ""), '","*'])
def test_only_org_ids_can_be_orgs_in(org: str) -> None:
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
def test_a_text_that_the_portal_did_not_write_is_refused(text: str) -> None:
    with pytest.raises(Misconfigured) as raised:
        orgs_in(text)
    assert "somebody else has changed it" in raised.value.why
