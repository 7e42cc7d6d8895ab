"""The pages about deployment say what is there: parameters, outputs, metrics, what an update of the stack replaces."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from portal.environment import BASE
from portal.template import RUNNING, TEMPLATE, read_template

DOCS = BASE / "docs"
PAGES = [DOCS / f"{name}.md" for name in ("deploy", "fargate", "server", "operations", "backup", "costs", "first-hour")]
STACK_POLICY = BASE / "infra" / "stack-policy.json"


def text(name: str) -> str:
    return (DOCS / f"{name}.md").read_text()


def protected() -> set[str]:
    """Resources that the stack policy keeps from being replaced."""
    statements = json.loads(STACK_POLICY.read_text())["Statement"]
    denied = [one["Resource"] for one in statements if one["Effect"] == "Deny"]
    return {name.partition("/")[2] for some in denied for name in ([some] if isinstance(some, str) else some)}


def unchangeable(resource: dict[str, Any]) -> set[str]:
    """Properties of the resource in the template that CloudFormation sets only when it creates it."""
    # Here, because it takes a second, and every test process imports every file.
    from cfnlint.schema import PROVIDER_SCHEMA_MANAGER

    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("eu-west-1", resource["Type"]).schema
    only_at_first = {path.split("/")[2] for path in schema.get("createOnlyProperties", [])}
    return only_at_first & set(resource["Properties"])


def test_the_stack_policy_protects_all_that_keeps_data() -> None:
    resources = read_template()["Resources"]
    assert protected() <= set(resources)
    retained = {
        name for name, resource in resources.items() if str(resource.get("DeletionPolicy", "")).startswith("Retain")
    }
    assert retained <= protected()
    assert {"IdentityPool", "SuspendedTenants", "Domain", "LoginClient"} <= protected()


def test_what_must_never_be_changed_is_listed() -> None:
    resources = read_template()["Resources"]
    rows = dict(re.findall(r"^\| `(\w+)` \|(.*)\|$", text("operations"), re.MULTILINE))
    assert set(rows) == protected()
    missing = {(name, one) for name in rows for one in unchangeable(resources[name]) if f"`{one}`" not in rows[name]}
    assert missing == set()


def test_every_parameter_of_the_stack_is_explained() -> None:
    explained = re.findall(r"^\| `([A-Z]\w+)` \| .*\|$", text("deploy").partition("## 3.")[2], re.MULTILINE)
    parameters = read_template()["Parameters"]
    assert set(explained) >= set(parameters)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_parameter_and_output_that_a_command_names_exists(page: Path) -> None:
    templates = {path.name: read_template(path.read_text()) for path in (TEMPLATE, RUNNING)}
    for deployed in re.findall(r"aws cloudformation deploy(?:.*\\\n)*.*", page.read_text()):
        name = "portal.yaml" if "portal.yaml" in deployed else "template.yaml"
        given = re.findall(r'["\s]([A-Z][A-Za-z]+)=', deployed.partition("--parameter-overrides")[2])
        assert set(given) <= set(templates[name]["Parameters"])
    first, second = (set(templates[name]["Outputs"]) for name in ("template.yaml", "portal.yaml"))
    assert set(re.findall(r"\boutput ([A-Z]\w+)\)", page.read_text())) <= first
    assert set(re.findall(r'\boutput ([A-Z]\w+) "\$RUNTIME"', page.read_text())) <= second


def test_every_parameter_of_the_second_stack_is_explained_or_given() -> None:
    template = read_template(RUNNING.read_text())
    given_by_the_first = set(read_template()["Outputs"])
    named = set(re.findall(r"\b[A-Z][A-Za-z]+\b", text("fargate")))
    assert set(template["Parameters"]) - given_by_the_first <= named


def test_every_metric_of_an_alarm_is_one_of_the_portals() -> None:
    documented = set(re.findall(r"`(portal_[a-z_]+)", text("health")))
    named = set(re.findall(r"\bportal_[a-z_]+", text("operations")))
    assert len(named) > 6
    assert named <= documented


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_says_what_was_never_tried(page: Path) -> None:
    said = r"(?i)(none of (it|this) was tried|nothing (here )?was ever tried|nothing was measured|tried on one machine)"
    assert re.search(said, page.read_text())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_is_short_enough_to_be_read(page: Path) -> None:
    """The first hour has an answer below each command."""
    assert len(page.read_text().splitlines()) <= (400 if page.name == "first-hour.md" else 250)


def test_readers_find_every_page() -> None:
    readme = (BASE / "README.md").read_text()
    assert {page.name for page in PAGES if f"docs/{page.name}" not in readme} == set()
