"""What a user of the pool reaches, in words: compared with the policies of infra/template.yaml."""

from __future__ import annotations

import uuid
from itertools import product

import pytest

from iam import Principal, decide_trust
from portal.demo.cast import ACME
from portal.template import resolve_references, trust_policy
from tenants.domain.reach import Reach, reach, reach_in_words
from tenants.domain.roles import Role
from tests.house.test_policies import READS, TEMPLATE, WRITES, decision

ORG = str(ACME.org_id)
ORGS = ("", ORG, "PUBLIC", "x" * 36, ORG.upper(), f"{ORG}#", "a" * 8 + "-bbbb-cccc-dddd-" + "e" * 12)
ROLES = ("", *Role, "superuser", "Owner")


def is_trusted(org: str) -> bool:
    """Whether TenantRole is assumed for a token with this organisation."""
    context = {
        "cognito-identity.amazonaws.com:aud": str(resolve_references({"Ref": "IdentityPool"})),
        "cognito-identity.amazonaws.com:amr": ["authenticated"],
        **({"aws:RequestTag/org": org} if org else {}),
    }
    who, trust = Principal("Federated", "cognito-identity.amazonaws.com"), trust_policy(TEMPLATE, "TenantRole")
    return decide_trust("sts:TagSession", trust, context, principal=who).allowed


def may(actions: tuple[str, ...], key: str, org: str, role: str) -> bool:
    allowed = {decision(action, [key], org=org or None, role=role or None).allowed for action in actions}
    assert len(allowed) == 1
    return allowed.pop() and is_trusted(org)


def by_policy(key: str, org: str, role: str) -> str:
    reads, writes = may(READS, key, org, role), may(WRITES, key, org, role)
    assert reads or not writes
    return "read and write" if writes else "read" if reads else ""


@pytest.mark.parametrize(("org", "role"), list(product(ORGS, ROLES)))
def test_the_words_say_what_the_policy_allows(org: str, role: str) -> None:
    own = by_policy(f"{org}#orders", org, role) if org else ""
    assert reach(org, role) == Reach(own=own, public=by_policy("PUBLIC#news", org, role))


def test_nobody_reaches_the_rows_of_an_organisation_they_are_not_of() -> None:
    other = f"{uuid.uuid4()}#orders"
    assert {by_policy(other, org, role) for org, role in product(ORGS, ROLES)} == {""}


SIGNS_IN, BOTH = "anybody who signs in as this user", "the rows of Acme and the public rows"
TEMPORARY = "anybody who has the temporary password of this user"
CONFIRMS = "anybody who confirms the address and signs in as this user"
PUBLIC_REACHES = "read and write the public rows, whatever the portal decides."
OWNER_REACHES = "read and write the rows of Acme and read the public rows, whatever the portal decides."


@pytest.mark.parametrize(
    ("org", "role", "status", "text"),
    [
        (ORG, "owner", "CONFIRMED", f"AWS lets {SIGNS_IN} {OWNER_REACHES}"),
        (ORG, "owner", "a status of later", f"AWS lets {SIGNS_IN} {OWNER_REACHES}"),
        (ORG, "owner", "FORCE_CHANGE_PASSWORD", f"AWS lets {TEMPORARY} {OWNER_REACHES}"),
        (ORG, "owner", "UNCONFIRMED", f"AWS lets {CONFIRMS} {OWNER_REACHES}"),
        (ORG, "viewer", "CONFIRMED", f"AWS lets {SIGNS_IN} read {BOTH}, whatever the portal decides."),
        ("", "operator", "CONFIRMED", f"AWS lets {SIGNS_IN} {PUBLIC_REACHES}"),
        ("", "owner", "CONFIRMED", f"AWS gives {SIGNS_IN} no row: it has no organisation."),
        (ORG, "", "CONFIRMED", f"AWS gives {SIGNS_IN} no row: it has no role."),
        (ORG, "boss", "CONFIRMED", f"AWS gives {SIGNS_IN} no row: the portal has no such role."),
        ("PUBLIC", "owner", "CONFIRMED", f"AWS gives {SIGNS_IN} no row: its organisation is no org id."),
    ],
)
def test_a_sentence_says_who_reaches_what(org: str, role: str, status: str, text: str) -> None:
    assert reach_in_words(org=org, role=role, enabled=True, status=status, whose="Acme") == text


def test_a_disabled_user_reaches_what_was_issued_before() -> None:
    said = reach_in_words(org=ORG, role="owner", enabled=False, status="CONFIRMED", whose="Acme")
    assert said.startswith("Disabled in Cognito: nobody signs in as this user.")
    assert said.endswith("for up to an hour.")
