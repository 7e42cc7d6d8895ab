"""Who may call which paths of the HTTP API, by the template's policy and boundary, decided offline."""

from __future__ import annotations

import pytest

from iam import Request, decide, parse_policy
from portal.demo.cast import ACME, GLOBEX
from portal.template import boundary, read_template, resolve_references, role_policies

TEMPLATE = read_template()
API = "arn:aws:execute-api:eu-west-1:123456789012:RecordsApi/$default"
LOGIN, BROWSER = (str(resolve_references({"Ref": name})) for name in ("LoginClient", "BrowserClient"))
ROLE = role_policies(TEMPLATE, "TenantRole")
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


@pytest.mark.parametrize("boundary_only", [False, True])
@pytest.mark.parametrize("client", [LOGIN, BROWSER, ""])
@pytest.mark.parametrize("role", ["owner", "admin", "editor", "viewer", "operator", "superuser", ""])
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"])
def test_each_role_calls_its_own_paths_only(role: str, method: str, client: str, boundary_only: bool) -> None:
    reads = method == "GET" and role in {"owner", "admin", "editor", "viewer"}
    changes = method in {"POST", "PUT", "PATCH", "DELETE"} and role in {"owner", "admin", "editor"} and client == LOGIN
    tags = {name: value for name, value in {"org": OWN, "role": role, "client": client}.items() if value}
    for path, own in ((f"{OWN}/profile", True), (f"{OWN}/a/b/c", True), (f"{FOREIGN}/profile", False)):
        assert is_allowed(path, method=method, boundary_only=boundary_only, **tags) is (own and (reads or changes))
        context = {f"aws:PrincipalTag/{name}": value for name, value in tags.items()}
        alone = decide(Request("execute-api:Invoke", f"{API}/{method}/{path}", context), identity=ROLE)
        assert alone.allowed is (own and (reads or changes))


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
