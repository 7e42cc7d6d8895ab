"""One step for several tenants of a list at once, in the operators' portal."""

from __future__ import annotations

import re
from html import unescape

from tenants.domain.tenant_state import TenantState
from tenants.lifecycle.transitions import suspend
from tenants.models import Tenant
from tests.world.fixtures import Browser
from tests.world.pages import errors_in, text_of
from tests.world.stage import SOMEBODY
from tests.world.use_cases import acme, tenant_in


def test_several_tenants_are_suspended_and_impossible_ones_left_out(operator: Browser) -> None:
    initech = tenant_in(TenantState.PENDING)
    everybody = [tenant.pk for tenant in (acme(), Tenant.objects.get(slug="globex"), initech)]
    asked = text_of(operator.get("/operators/tenants/suspend/", {"chosen": everybody}))
    assert "Suspend 2 tenants" in asked
    assert "4 members are disabled and signed out" in asked
    assert "Initech waits for its first owner, so this cannot be done now." in asked
    wanting = operator.post(
        "/operators/tenants/suspend/", {"chosen": everybody[:2], "reason": "", "confirm": "2 tenants"}
    )
    assert (wanting.status_code, list(errors_in(wanting))) == (400, ["reason"])
    given = {"chosen": everybody, "reason": "fraud", "confirm": "3 tenants"}
    unsure = operator.post("/operators/tenants/suspend/", given)
    assert errors_in(unsure) == {"confirm": "Type 2 tenants, exactly as it is written here. Nothing was changed."}
    done = operator.post("/operators/tenants/suspend/", {**given, "confirm": "2 tenants"}, follow=True)
    assert "Suspended 2 tenants" in text_of(done)
    assert "Initech waits for its first owner" in text_of(done)
    states = dict(Tenant.objects.values_list("slug", "state"))
    assert states == {"acme": "suspended", "globex": "suspended", "initech": "pending"}
    again = text_of(operator.get("/operators/tenants/suspend/", {"chosen": everybody}))
    assert "Suspend none of these" in again
    assert "<button" not in again.split("<main")[1]


def test_after_a_bulk_step_the_list_keeps_its_filters(operator: Browser) -> None:
    listed = operator.get("/operators/tenants/", {"q": "acme", "state": "active"})
    (narrowed,) = re.findall(r'name="list" value="([^"]+)"', text_of(listed))
    asked = operator.get("/operators/tenants/suspend/", {"chosen": acme().pk, "list": unescape(narrowed)})
    assert f'name="list" value="{narrowed}"' in text_of(asked)
    assert f'href="/operators/tenants/?{narrowed}"' in text_of(asked)
    given = {"chosen": acme().pk, "reason": "fraud", "confirm": "1 tenant", "list": unescape(narrowed)}
    done = operator.post("/operators/tenants/suspend/", given)
    assert done["Location"] == "/operators/tenants/?q=acme&state=active"


def test_typed_text_stays_when_somebody_else_was_faster_with_all(operator: Browser) -> None:
    suspend(acme(), by=SOMEBODY, why="not paid")
    late = operator.post("/operators/tenants/suspend/", {"chosen": acme().pk, "reason": "fraud, see 4711"})
    assert late.status_code == 409
    assert "Suspend none of these" in text_of(late)
    assert "fraud, see 4711" in text_of(late)


def test_an_empty_or_impossible_selection_is_refused(operator: Browser) -> None:
    assert "Nothing selected" in text_of(operator.get("/operators/tenants/close/"))
    assert "Nothing selected" in text_of(operator.post("/operators/tenants/close/", {"reason": "x"}))
    for chosen in (["x"], ["-1"], ["9" * 19], [str(n) for n in range(101)]):
        assert operator.get("/operators/tenants/close/", {"chosen": chosen}).status_code == 400
