"""Every address, opened by everybody: generated from the URLconf, so that a new page cannot be forgotten."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.urls import get_resolver, reverse

from portal.demo.cast import ACME_EDITOR, ACME_OWNER, ACME_VIEWER, GLOBEX_OWNER, OPERATOR, CastMember
from portal.demo.world import World
from tests.portal.conftest import Browser

PEOPLE = (None, OPERATOR, ACME_OWNER, ACME_EDITOR, ACME_VIEWER, GLOBEX_OWNER)
SAMPLES = {"collection": "orders", "key": "ORD-2026-0001"}
PUBLIC_SAMPLES = {"collection": "news", "key": "2026-01-05"}
EVERYBODY = {"visitor", "operator", "member"}
# Who is let in, written down once more: the views' own declarations are what is tested.
LET_IN = {
    "home": EVERYBODY,
    "livez": EVERYBODY,
    "oidc_authentication_init": EVERYBODY,
    "oidc_authentication_callback": EVERYBODY,
    "oidc_logout": EVERYBODY,
    "collections": {"member"},
    "collection": {"member"},
    "record": {"member"},
    "public_collections": {"operator", "member"},
    "public_collection": {"operator", "member"},
    "public_record": {"operator", "member"},
    "access": {"operator", "member"},
}
# A sign-in that nobody started is refused; starting one leads to Cognito; signing out is a POST.
ANSWERS = {"oidc_authentication_callback": 400, "oidc_authentication_init": 302, "oidc_logout": 405}


def addresses() -> list[tuple[str, str]]:
    made = []
    for name, patterns in get_resolver().reverse_dict.lists():
        if not isinstance(name, str):
            continue
        ((_, parameters),) = patterns[0][0]
        samples = PUBLIC_SAMPLES if name.startswith("public") else SAMPLES
        made.append((name, reverse(name, kwargs={parameter: samples[parameter] for parameter in parameters})))
    return sorted(made)


def expected(name: str, person: CastMember | None) -> int:
    kind = "visitor" if person is None else "operator" if person is OPERATOR else "member"
    if kind in LET_IN[name]:
        return ANSWERS.get(name, 200)
    return 302 if person is None else 403


@pytest.mark.parametrize("person", PEOPLE, ids=lambda person: person.email if person else "visitor")
def test_every_address_answers_everybody_as_written_down(
    portal: World, browse_as: Callable[[CastMember], Browser], person: CastMember | None
) -> None:
    browser = browse_as(person) if person else Browser(portal)
    answers = {name: browser.get(address).status_code for name, address in addresses()}
    assert answers == {name: expected(name, person) for name, _ in addresses()}
    assert set(answers) == set(LET_IN)
