"""NUL, control and bidirectional characters: refused in every field of every form, and in what lists are asked for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from portal.demo.cast import ACME_EDITOR
from tenants.domain.steps import Field, Step
from tenants.lifecycle.steps import CREATE, TENANT_STEPS
from tenants.members.steps import MEMBER_STEPS
from tests.world.fixtures import Browser
from tests.world.pages import errors_in
from tests.world.stage import member_called
from tests.world.use_cases import acme, rows

HIDDEN = ["x\0y", "x\0", "\0", "x\x07y", "\x1fx", "x\x1c", "x\u202ey", "\u2066x", "x\u200by"]
FILLED = {
    "name": "Initech",
    "email": "boss@initech.example",
    "owner_name": "Bill",
    "slug": "initech",
    "plan": "team",
    "metadata": '{"contract": 1}',
    "role": "viewer",
    "reason": "asked for",
}


def forms() -> Iterator[tuple[str, Step]]:
    yield "/operators/tenants/new/", CREATE
    for step in TENANT_STEPS:
        yield f"/operators/tenants/{acme().org_id}/{step.name}/", step
    for step in MEMBER_STEPS:
        yield f"/operators/members/{member_called(ACME_EDITOR.email).pk}/{step.name}/", step


def fields(step: Step) -> list[Field]:
    return [field for field in step.fields if field.widget != "hidden"]


@pytest.mark.parametrize("hidden", HIDDEN, ids=ascii)
def test_no_field_of_any_form_takes_hidden_characters(operator: Browser, hidden: str) -> None:
    before, tried = rows(), 0
    for address, step in forms():
        for field in fields(step):
            form = {name: FILLED[name] for name in (one.name for one in fields(step))}
            page = operator.post(address, {**form, field.name: hidden})
            if page.status_code in {403, 409}:  # a step that cannot be taken with this member, or not now
                continue
            assert (page.status_code, list(errors_in(page))) == (400, [field.name]), (address, field.name)
            tried += 1
    assert tried > 20
    assert rows() == before


@pytest.mark.parametrize("step", ["suspend", "close"])
def test_several_tenants_at_once_take_none_either(operator: Browser, step: str) -> None:
    before = rows()
    page = operator.post(f"/operators/tenants/{step}/", {"chosen": [acme().pk], "reason": "x\0y"})
    assert (page.status_code, list(errors_in(page))) == (400, ["reason"])
    assert rows() == before


@pytest.mark.parametrize("hidden", HIDDEN, ids=ascii)
@pytest.mark.parametrize("name", ["q", "state", "actor", "org", "from", "after", "tenant", "provisioning", "action"])
def test_no_list_is_asked_with_hidden_characters(operator: Browser, name: str, hidden: str) -> None:
    asked = 0
    for place in ("tenants", "members", "drift", "audit"):
        page = operator.get(f"/operators/{place}/", {name: hidden})
        assert page.status_code in (200, 400), place
        asked += page.status_code == 400
    assert asked > 0
