"""NUL, control and bidirectional characters: refused in every field of every form, and in what lists are asked for."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from urllib.parse import quote

import pytest
from django.core.management import CommandError, call_command

from portal.demo.cast import ACME_EDITOR, ACME_OWNER, OPERATOR, CastMember
from tenants.domain.errors import InvalidInput
from tenants.domain.steps import Field, Step
from tenants.lifecycle.metadata import check_metadata, read_metadata
from tenants.lifecycle.steps import CREATE, TENANT_STEPS
from tenants.members.steps import MEMBER_STEPS
from tests.house.test_matrix import addresses
from tests.world.fixtures import Browser
from tests.world.pages import errors_in, form_in
from tests.world.stage import member_called
from tests.world.use_cases import acme, rows

HIDDEN = ["x\0y", "x\0", "\0", "x\x07y", "\x1fx", "x\x1c", "x\u202ey", "\u2066x", "x\u200by", "x\u200ey", "x\u200f"]
WITH_KEYS_OF_RECORDS = {"collection", "record", "public_collection", "public_record", "access"}
FILLED = {
    "name": "Initech",
    "email": "boss@initech.example",
    "owner_name": "Bill",
    "slug": "initech",
    "plan": "team",
    "metadata": '{"contract": 1}',
    "role": "viewer",
    "reason": "asked for",
    "contact": "office@initech.example",
    "invitation_domains": "initech.example",
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
        unseen = [field.name for field in step.fields if field.widget == "hidden"]
        sent = form_in(operator.get(address), of="step") if unseen else {}
        for field in fields(step):
            form = {name: FILLED[name] for name in (one.name for one in fields(step))}
            form |= {name: sent[name] for name in unseen} | {"confirm": "acme"}
            page = operator.post(address, {**form, field.name: hidden})
            if page.status_code == 403:  # a step that operators may not take with this member
                continue
            assert (page.status_code, list(errors_in(page))) == (400, [field.name]), (address, field.name)
            tried += 1
    assert tried > 20
    assert rows() == before


@pytest.mark.parametrize("confirmed", ["acme", "wrong"])
def test_all_problems_of_a_form_are_shown_at_once(operator: Browser, confirmed: str) -> None:
    before, tried = rows(), set()
    for address, step in forms():
        if not (names := [field.name for field in fields(step)]):
            continue
        page = operator.post(address, dict.fromkeys(names, "x\u202ey") | {"confirm": confirmed, "over": "f00d"})
        if page.status_code == 403:
            continue
        confirm = ["confirm"] if step.confirm and confirmed == "wrong" else []
        assert list(errors_in(page)) == names + confirm, address
        links = re.findall(r'<p><a href="#(\w+)">', page.content.decode())
        assert links == names + confirm, "the summary links each problem to its field"
        assert 'role="alert" tabindex="-1" autofocus' in page.content.decode()
        tried.add(step.name)
    assert {"create", "suspend", "close", "metadata", "recover-owner"} <= tried
    assert rows() == before


@pytest.mark.parametrize("step", ["suspend", "close"])
def test_several_tenants_at_once_take_none_either(operator: Browser, step: str) -> None:
    before = rows()
    page = operator.post(
        f"/operators/tenants/{step}/", {"chosen": [acme().pk], "reason": "x\0y", "confirm": "1 tenant"}
    )
    assert (page.status_code, list(errors_in(page))) == (400, ["reason"])
    assert rows() == before


@pytest.mark.parametrize("name", ["q", "state", "actor", "org", "from", "after", "tenant", "provisioning", "action"])
def test_no_list_is_asked_with_hidden_characters(operator: Browser, name: str) -> None:
    for hidden in HIDDEN:
        asked = 0
        for place in ("tenants", "members", "drift", "audit"):
            page = operator.get(f"/operators/{place}/", {name: hidden})
            assert page.status_code in (200, 400), (place, hidden)
            asked += page.status_code == 400
        assert asked > 0, hidden


@pytest.mark.parametrize("hidden", HIDDEN, ids=ascii)
@pytest.mark.parametrize(
    "metadata",
    [{"{}": 1}, {"a": "{}"}, {"a": [{"b": ["{}"]}]}, {"a": {"{}": None}}],
    ids=["name", "value", "list", "deep"],
)
def test_metadata_take_none_at_any_depth(db: None, metadata: dict[str, object], hidden: str) -> None:
    text = json.dumps(metadata).replace("{}", json.dumps(hidden)[1:-1])
    with pytest.raises(InvalidInput, match="cannot be stored"):
        check_metadata(read_metadata(text))


def test_no_address_of_the_portal_takes_them(browse_as: Callable[[CastMember], Browser]) -> None:
    """In a parameter that the page may or may not know. Keys of records may hold anything but NUL."""
    people = {"operator": browse_as(OPERATOR), "owner": browse_as(ACME_OWNER)}
    for browser in people.values():
        for name, address in addresses().items():
            for hidden in ["x\0y", "x\u202ey", "\u200fx"]:
                if "\0" not in hidden and name in WITH_KEYS_OF_RECORDS:
                    continue
                for parameter in ("next", "q", "after", hidden):
                    page = browser.get(address, {parameter: hidden})
                    assert page.status_code in {400, 405}, (name, parameter, hidden)


@pytest.mark.parametrize("address", ["/records/x\0y/", "/records/orders/x\0y/", "/public/x\0y/", "/members/\0/", "/\0"])
def test_no_path_takes_nul(browse_as: Callable[[CastMember], Browser], address: str) -> None:
    assert browse_as(ACME_OWNER).get(quote(address)).status_code in {400, 404}


def test_hidden_fields_of_forms_take_no_nul(operator: Browser) -> None:
    before = rows()
    for address in [one for name, one in addresses().items() if name.startswith("operators:")]:
        for name in ("list", "chosen", "over", "run", "tenant"):
            page = operator.post(address, {**FILLED, "metadata": "{}", name: "x\0y"})
            assert page.status_code != 500, (address, name)
    assert "\0" not in str(rows())
    assert len(rows()) >= len(before)


def test_commands_take_none(db: None) -> None:
    call_command("tenant", "create", "Initech", "--owner", "boss@initech.example", "--owner-name", "Bill")
    for hidden in HIDDEN:
        for command in (
            ["tenant", "create", hidden, "--owner", "boss@initech.example", "--owner-name", "Bill"],
            ["tenant", "create", "Hooli", "--owner", f"{hidden}@hooli.example", "--owner-name", "Bill"],
            ["tenant", "create", "Hooli", "--owner", "boss@hooli.example", "--owner-name", hidden],
            ["tenant", "rename", "initech", hidden],
            ["tenant", "slug", "initech", hidden],
            ["tenant", "suspend", "initech", "--reason", hidden],
            ["tenant", "metadata", "initech", json.dumps({"a": hidden})],
            ["member", "add", f"{hidden}@a.example", "--role", "operator"],
            ["break_glass", "--reason", hidden],
        ):
            with pytest.raises(CommandError):
                call_command(*command)
