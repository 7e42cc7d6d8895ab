"""How far a suspension and a closing are, on the page of their tenant."""

from __future__ import annotations

import re
from datetime import timedelta

from django.utils import timezone

from portal.demo.cast import ACME
from tenants.lifecycle.transitions import close, suspend
from tenants.models import Closing, Suspension, Tenant
from tenants.operators.suspension_progress import RENEWS_FOR
from tests.world.fixtures import Browser
from tests.world.pages import text_of
from tests.world.stage import SOMEBODY
from tests.world.use_cases import acme


def test_a_tenant_shows_the_progress_and_blockers_of_its_suspension(operator: Browser) -> None:
    suspend(acme(), by=SOMEBODY, why="not paid")
    page = text_of(operator.get(f"/operators/tenants/{ACME.org_id}/"))
    assert "Reason given: <bdi>not paid</bdi>" in page
    assert "Suspension progress</h2>" in page
    assert steps_of(page) == [
        ("Portal", "done"),
        ("Cognito", "under way"),
        ("Credentials already issued", "under way"),
        ("Everything expired", "waiting"),
    ]
    assert "What blocks it" in page
    assert "3 members have not been disabled" in page
    assert "No worker is running" in page
    now = timezone.now()
    Suspension.objects.update(signed_out_at=now, denied_at=now, deny_until=now - timedelta(seconds=1))
    page = text_of(operator.get(f"/operators/tenants/{ACME.org_id}/"))
    assert [state for _, state in steps_of(page)] == ["done"] * 4
    assert "What blocks it" not in page


def steps_of(page: str) -> list[tuple[str, str]]:
    return re.findall(r'<li[^>]*><b>([^<]*)</b> <span class="badge[^"]*">([^<]*)</span>', page)


def test_the_overview_calls_the_steps_as_the_tenants_page_does(operator: Browser) -> None:
    suspend(acme(), by=SOMEBODY, why="not paid")
    labels = {label for label, _ in steps_of(text_of(operator.get(f"/operators/tenants/{ACME.org_id}/")))}
    row = re.search(r"<caption[^>]*>Suspensions under way.*?</table>", text_of(operator.get("/operators/")), re.DOTALL)
    assert row
    assert set(re.findall(r"<th scope=\"col\"[^>]*>([^<]*)</th>", row[0])) == labels | {"Tenant"}
    assert set(re.findall(r'data-label="([^"]*)"', row[0])) == labels


def test_the_progress_has_the_order_in_which_it_happened_and_a_countdown(operator: Browser) -> None:
    suspend(acme(), by=SOMEBODY, why="not paid")
    now = timezone.now()
    until = now + timedelta(minutes=41, seconds=30)
    Suspension.objects.update(signed_out_at=now, denied_at=now - timedelta(seconds=5), deny_until=until)
    page = text_of(operator.get(f"/operators/tenants/{ACME.org_id}/"))
    assert [label for label, _ in steps_of(page)][1:3] == ["Credentials already issued", "Cognito"]
    assert f"The last old credential expires by {until:%H:%M} UTC: 42 minutes from" in page


def test_the_progress_renews_itself_only_while_something_is_left(operator: Browser) -> None:
    suspend(acme(), by=SOMEBODY, why="not paid")
    address, now = f"/operators/tenants/{ACME.org_id}/", timezone.now()
    assert renews(operator, address)
    assert not renews(operator, f"{address}?stopped=1")
    assert "Load it again by itself" in text_of(operator.get(f"{address}?stopped=1"))
    long_ago = now - RENEWS_FOR - timedelta(minutes=1)
    Suspension.objects.update(began_at=long_ago, deny_since=long_ago)
    assert not renews(operator, address), "a blocked suspension must not keep a session for ever"
    Suspension.objects.update(began_at=now, deny_since=now, signed_out_at=now, denied_at=now, deny_until=now)
    assert not renews(operator, address)


def test_what_contradicts_the_progress_renews_with_it(operator: Browser) -> None:
    given = {"reason": "not paid", "confirm": "acme"}
    done = text_of(operator.post(f"/operators/tenants/{ACME.org_id}/suspend/", given, follow=True))
    (renewed,) = re.findall(r'hx-select-oob="([^"]*)"', done)
    parts = [re.search(f'<[^>]* id="{name}"', done) for name in renewed.replace("#", "").split(",")]
    assert all(parts)
    messages = re.search(r'<div id="messages">(.*?)</div>\s*<nav', done, re.DOTALL)
    assert messages
    assert "Not done yet" in messages[1]
    assert "Not done yet" not in text_of(operator.get(f"/operators/tenants/{ACME.org_id}/"))


def renews(operator: Browser, address: str) -> bool:
    """With a script and without one."""
    page = text_of(operator.get(address))
    found = {'hx-trigger="every 10s"' in page, '<noscript><meta http-equiv="refresh" content="30"></noscript>' in page}
    (both,) = found
    return both


def test_a_closing_shows_its_progress(operator: Browser) -> None:
    tenant = close(acme(), by=SOMEBODY, why="asked for")
    Closing.objects.filter(tenant=tenant).update(exported_at=timezone.now(), rows_exported=7, export_url="s3://x/y")
    page = text_of(operator.get(f"/operators/tenants/{ACME.org_id}/"))
    for words in ("Can be reopened until", "7 records to <code>s3://x/y</code>", "manage.py closing"):
        assert words in page
    Tenant.objects.filter(pk=tenant.pk).update(purge_after=timezone.now())
    page = text_of(operator.get(f"/operators/tenants/{ACME.org_id}/"))
    for words in ("Could be reopened until", "cannot be reopened any more"):
        assert words in page
    assert "closed for good. This record stays" not in page
