"""The list of places in the header is kept, but for the same places on the same page only."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from django.test import override_settings

from portal.demo.cast import ACME_OWNER, ACME_VIEWER, OPERATOR, CastMember
from tests.world.fixtures import Browser

Browse = Callable[[CastMember], Browser]
OF_A_VIEWER = {"Home", "Records", "Activity", "Public records", "Access"}
OF_AN_OWNER = OF_A_VIEWER | {"Members", "Settings"}
OF_AN_OPERATOR = {"Home", "Public records", "Access", "Operators"}


def places_on(browser: Browser, address: str) -> tuple[set[str], list[str]]:
    """The names of the places, and those that are marked as the page's own."""
    text = browser.get(address).content.decode()
    listed = re.search(r'<nav class="places".*?</nav>', text, re.DOTALL)
    assert listed is not None
    links = re.findall(r"<a href=\"[^\"]+\"( aria-current=\"page\")?>([^<]+)</a>", listed[0])
    return {name for _, name in links}, [name for marked, name in links if marked]


@pytest.mark.parametrize("order", [1, -1], ids=["the owner first", "the operator first"])
@override_settings(COGNITO_BROWSER_CLIENT_ID="")
def test_each_role_has_its_places(browse_as: Browse, order: int) -> None:
    cast = {ACME_OWNER: OF_AN_OWNER, ACME_VIEWER: OF_A_VIEWER, OPERATOR: OF_AN_OPERATOR}
    for member in list(cast)[::order]:
        assert places_on(browse_as(member), "/access/") == (cast[member], ["Access"])


@override_settings(COGNITO_BROWSER_CLIENT_ID="")
def test_each_page_marks_its_own_place(browse_as: Browse) -> None:
    browser = browse_as(ACME_OWNER)
    for _ in range(2):
        for address, place in {"/access/": "Access", "/members/": "Members", "/activity/": "Activity"}.items():
            assert places_on(browser, address) == (OF_AN_OWNER, [place])


def test_a_setting_that_changes_the_places_takes_effect(browse_as: Browse) -> None:
    browser = browse_as(ACME_OWNER)
    for client_id in ("", "client", ""):
        with override_settings(COGNITO_BROWSER_CLIENT_ID=client_id):
            names, _ = places_on(browser, "/access/")
            assert ("Direct" in names) == bool(client_id)
