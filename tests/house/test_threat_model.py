"""docs/threat-model.md against infra/template.yaml: every role, every identity-making permission, and who holds it."""

from __future__ import annotations

import json
import re

import pytest

from portal.environment import BASE
from portal.identity_permissions import IDENTITY_ACTIONS, holders
from portal.template import read_both

TEXT = (BASE / "docs" / "threat-model.md").read_text()
HELD = holders(read_both())
_ACTION = re.compile(r"`([a-z-]+:[A-Za-z]+)`")


def rows_below(heading: str) -> list[list[str]]:
    """The cells of the table in this section, without its head."""
    section = TEXT.split(f"## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_every_role_is_named_with_exactly_what_it_holds() -> None:
    named = {role: set(_ACTION.findall(held)) for role, _, held in rows_below("The roles of the template")}
    assert named == HELD


def test_every_identity_permission_is_named_once() -> None:
    rows = rows_below("Which permissions make, change or become an identity")
    named = [action for _, actions, _ in rows for action in _ACTION.findall(actions)]
    assert sorted(named) == sorted(IDENTITY_ACTIONS)


def test_every_identity_permission_is_named_with_who_holds_it() -> None:
    for _, actions, who in rows_below("Which permissions make, change or become an identity"):
        for action in _ACTION.findall(actions):
            really = {role for role, held in HELD.items() if action in held}
            assert set(re.findall(r"\w+Role", who)) == really, action
            assert (who == "nobody") is not really or really == set(), action


def test_every_role_has_a_place_among_those_who_reach_rows() -> None:
    told = "\n".join(" ".join(row) for row in rows_below("Who reaches what"))
    assert {role for role in HELD if role not in told} == set()


@pytest.mark.parametrize(
    "who",
    [
        "Visitor", "Member: viewer", "Member: editor", "Member: admin, owner", "Operator", "Break-glass", "Web host",
        "Worker", "Closing job", "Database", "Cache", "Deployer", "AWS administrator",
    ],
)  # fmt: skip
def test_everybody_has_a_row_that_says_what_shows_it(who: str) -> None:
    (row,) = [row for row in rows_below("Who reaches what") if row[0].startswith(who)]
    assert len(row) == 5
    assert all(row)


def patterns() -> list[dict[str, dict[str, object]]]:
    return [json.loads(block) for block in re.findall(r"```json\n(.*?)```", TEXT, re.DOTALL)]


def test_the_rule_for_cloudtrail_names_every_permission_of_cognito() -> None:
    first, second = patterns()
    of_cognito = {action.partition(":")[2] for action in IDENTITY_ACTIONS if action.startswith("cognito-")}
    names = first["detail"]["eventName"]
    assert isinstance(names, list)
    assert (set(names), len(names)) == (of_cognito, len(of_cognito))
    for pattern in (first, second):
        assert "role/portal-PortalRole" in json.dumps(pattern["detail"]["userIdentity"])


@pytest.mark.parametrize("document", ["README.md", "docs/architecture.md", "docs/deploy.md", "docs/reconciliation.md"])
def test_the_threat_model_is_linked(document: str) -> None:
    assert "threat-model.md" in (BASE / document).read_text()


# Said once, and not true: who may make users has a way to the rows of each organisation.
DENIALS = (
    "no other way to the table",
    "only people's own credentials may reach rows",
    "only a person's own credentials reach them",
    "no credential of the platform reads them",
    "credentials of an operator or of the portal can read them",
    "the portal runs as could read them",
    "This user cannot enter the portal",
    "privileged path to rows",
    "The portal's web and worker processes",
)


@pytest.mark.parametrize("sentence", DENIALS)
def test_nothing_denies_that_the_worker_can_become_anybody(sentence: str) -> None:
    places = [BASE / "README.md", BASE / "CHANGELOG.md"]
    for folder in ("docs", "portal", "tenants", "templates", "infra"):
        places += [path for path in (BASE / folder).rglob("*") if path.suffix in {".md", ".py", ".html", ".yaml"}]
    words = r"\s+".join(map(re.escape, sentence.split())).replace("'", "['’]")
    assert [str(path) for path in places if re.search(words, path.read_text())] == []
