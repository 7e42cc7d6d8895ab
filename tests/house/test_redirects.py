"""No address of the portal sends a browser to another site, whatever a link or a form asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.conf import settings

from portal.demo.cast import ACME_OWNER, OPERATOR, CastMember
from portal.demo.world import World
from tests.house.test_matrix import addresses
from tests.world.fixtures import Browser

PARAMETERS = ("next", "back", "list", "redirect", "url", "return_to", "target")
ELSEWHERE = ["//evil.example/", "https://evil.example/", "/\\evil.example", "///evil.example", "\thttps://evil.example"]


def sends(browser: Browser, address: str, elsewhere: str) -> Iterator[Any]:
    given = dict.fromkeys(PARAMETERS, elsewhere)
    referer = {"Referer": elsewhere}
    yield browser.get(address, given, headers=referer)
    yield browser.get(address, given, headers={**referer, "HX-Request": "true"})
    yield browser.post(address, {**given, "chosen": "1"}, headers=referer)
    yield browser.get(f"//evil.example{address}", headers=referer)


@pytest.mark.parametrize("elsewhere", ELSEWHERE)
@pytest.mark.parametrize("person", [None, OPERATOR, ACME_OWNER], ids=["visitor", "operator", "owner"])
def test_nobody_is_sent_to_another_site(
    portal: World, browse_as: Callable[[CastMember], Browser], person: CastMember | None, elsewhere: str
) -> None:
    ours = {"", urlsplit(settings.PORTAL_URL).netloc, urlsplit(settings.COGNITO_DOMAIN).netloc}
    browser = Browser(portal) if person is None else browse_as(person)
    # Last, because it ends the session.
    asked = sorted(addresses().items(), key=lambda item: item[0] == "oidc_logout")
    for name, address in asked:
        for page in sends(browser, address, elsewhere):
            for header in ("Location", "HX-Redirect"):
                assert urlsplit(page.headers.get(header, "").replace("\\", "/")).netloc in ours, (name, header)
