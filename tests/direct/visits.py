"""What the tests do with a window again and again: sign in, open, read all, and suspend somebody meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from emulator.client import seeding
from portal.demo.cast import ACME_OWNER, CastMember
from tenants.domain.suspension_policy import document
from tests.direct.conftest import Direct, Window

SIGN_IN = "Sign in with Cognito"


def sign_in(window: Window, direct: Direct, member: CastMember = ACME_OWNER) -> None:
    """From /direct/ through Cognito's page to the list of collections."""
    page = window.page
    page.goto(f"{direct.portal.url}/direct/")
    page.get_by_role("button", name=SIGN_IN).click()
    page.get_by_label("E-mail").fill(member.email)
    page.get_by_label("Password", exact=True).fill(direct.world.password)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("link", name="news").wait_for()


def open_public(window: Window, direct: Direct) -> None:
    window.page.goto(f"{direct.portal.url}/public/")
    window.page.get_by_role("link", name="news").wait_for()


def read_all(page: Any) -> list[str]:
    """The keys of the collection on the page, once its last page is there."""
    table, more = (
        page.locator("#reader tbody tr, #public-records tbody tr"),
        page.get_by_role("button", name="Show more records"),
    )
    table.first.wait_for()
    while more.is_visible():
        before = table.count()
        more.click()
        page.wait_for_function(
            "before => document.querySelectorAll('.reader tbody tr').length > before || "
            "!document.querySelector('.reader .pager .button:not([hidden])')",
            arg=before,
        )
    return [str(key) for key in page.locator(".reader tbody th").all_inner_texts()]


def answer(page: Any) -> str:
    page.locator("#answer .notice").wait_for()
    return str(page.locator("#answer").inner_text())


@contextmanager
def suspension(direct: Direct, *orgs: str) -> Iterator[None]:
    """As the worker writes it: the policy that denies everything to these organisations."""
    world = direct.world
    iam, policy = (
        seeding.clients(world.emulator.endpoint_url, world.emulator.root)("iam"),
        world.outputs["SuspensionPolicyArn"],
    )
    made = iam.create_policy_version(PolicyArn=policy, PolicyDocument=document(orgs), SetAsDefault=True)
    try:
        yield
    finally:
        iam.set_default_policy_version(PolicyArn=policy, VersionId="v1")
        iam.delete_policy_version(PolicyArn=policy, VersionId=made["PolicyVersion"]["VersionId"])
