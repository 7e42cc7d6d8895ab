"""Who may call which paths of the HTTP API, by the template's policy and boundary, decided offline."""

from __future__ import annotations

import pytest

from iam import Request, decide, parse_policy
from portal.demo.cast import ACME, GLOBEX
from portal.template import boundary, read_template, role_policies

TEMPLATE = read_template()
API = "arn:aws:execute-api:eu-west-1:123456789012:RecordsApi/$default"
OWN, FOREIGN = str(ACME.org_id), str(GLOBEX.org_id)


def is_allowed(path: str, *, method: str = "GET", api: str = API, boundary_only: bool = False, **tags: str) -> bool:
    """`path` has no first slash. With `boundary_only`, the role's own policy allows everything."""
    everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    context = {f"aws:PrincipalTag/{name}": value for name, value in tags.items()}
    return decide(
        Request("execute-api:Invoke", f"{api}/{method}/{path}", context),
        identity=[parse_policy(everything)] if boundary_only else role_policies(TEMPLATE, "TenantRole"),
        boundary=boundary(TEMPLATE, "TenantRole"),
    ).allowed


@pytest.mark.parametrize("role", ["owner", "admin", "editor", "viewer"])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_members_call_the_paths_of_their_organisation_and_no_others(role: str, method: str) -> None:
    for path, may in ((f"{OWN}/profile", True), (f"{OWN}/a/b/c", True), (f"{FOREIGN}/profile", False)):
        assert is_allowed(path, method=method, org=OWN, role=role) is may


@pytest.mark.parametrize(
    "path",
    [
        OWN, "", "profile", f"{OWN.upper()}/profile", f"x{OWN}/profile", f"{OWN}x/profile", f"{FOREIGN}/{OWN}/profile",
        f"/{OWN}/profile", "{org}/{proxy+}", "*/profile",
    ],
)  # fmt: skip
def test_a_path_that_only_resembles_the_own_organisation_is_refused(path: str) -> None:
    assert not is_allowed(path, org=OWN, role="owner")


def test_the_boundary_allows_no_path_without_an_organisation() -> None:
    for path in (f"{OWN}/profile", "/profile", "*/profile", "${aws:PrincipalTag/org}/profile"):
        assert not is_allowed(path, role="operator")
        assert not is_allowed(path, role="operator", boundary_only=True)
        assert not is_allowed(path, org=FOREIGN, role="owner", boundary_only=True)


def test_other_apis_and_stages_are_refused() -> None:
    for api in (API.replace("RecordsApi", "Another"), API.replace("$default", "staging")):
        assert not is_allowed(f"{OWN}/profile", api=api, org=OWN, role="owner")
        assert not is_allowed(f"{OWN}/profile", api=api, org=OWN, role="owner", boundary_only=True)


def test_the_function_reads_no_rows() -> None:
    (policy,) = role_policies(TEMPLATE, "ProfileRole")
    table = "arn:aws:dynamodb:eu-west-1:123456789012:table/Table"
    for action in ("GetItem", "Query", "Scan"):
        assert not decide(Request(f"dynamodb:{action}", table, {}), identity=[policy]).allowed
