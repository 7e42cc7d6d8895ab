"""Members in the operators' portal: compared with Cognito, changed, and tried again where Cognito refused."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import TestCase
from django.utils import timezone

from portal.demo.cast import ACME, ACME_EDITOR, ACME_OWNER, OPERATOR, CastMember
from tenants.audit.actions import Action
from tenants.domain.errors import NotNow
from tenants.lifecycle.transitions import close, suspend
from tenants.members.roster import add_member
from tenants.models import AuditEvent, Drift, DriftKind, Member, Provisioning, Reconciliation, Worker
from tests.world.fixtures import Browser
from tests.world.pages import text_of
from tests.world.pool import compare_pool
from tests.world.stage import SOMEBODY, Stage, member_called, tenant_with_people
from tests.world.use_cases import last_entry

Browse = Callable[[CastMember], Browser]


def at(member: CastMember | Member, step: str = "") -> str:
    pk = member.pk if isinstance(member, Member) else member_called(member.email).pk
    return f"/operators/members/{pk}/{step}{'/' if step else ''}"


def make_stuck(member: Member, provisioning: Provisioning = Provisioning.STUCK) -> None:
    Member.objects.filter(pk=member.pk).update(provisioning=provisioning, last_error="Cognito said <no>.")


def test_changes_of_a_member_are_audited_with_their_reason(operator: Browser) -> None:
    for step, form, words in (
        ("role", {"role": "viewer", "reason": "asked for"}, "is viewer now"),
        ("disable", {"reason": "on leave"}, "is locked out"),
        ("enable", {"reason": ""}, "can sign in again"),
        ("remove", {"reason": "left"}, "was removed"),
    ):
        assert "What will happen" in text_of(operator.get(at(ACME_EDITOR, step)))
        done = operator.post(at(ACME_EDITOR, step), form, follow=True)
        assert words in text_of(done)
    member = member_called(ACME_EDITOR.email)
    assert (member.role, member.enabled, member.removed) == ("viewer", True, True)
    entries = AuditEvent.objects.filter(actor_name=OPERATOR.email, target=ACME_EDITOR.email).order_by("seq")
    assert [entry.why for entry in entries] == ["asked for", "on leave", "", "left"]


def test_a_change_shows_what_is_still_to_be_done_in_cognito(operator: Browser) -> None:
    operator.post(at(ACME_EDITOR, "role"), {"role": "viewer", "reason": ""})
    page = text_of(operator.get(at(ACME_EDITOR)))
    assert "Still to do: set the role to viewer, sign out everywhere." in page
    assert page.count('<tr role="row" class="differs">') == 1
    assert '<span class="badge provisioning-due">due</span>' in page
    assert '<span class="badge">enabled</span>' not in page, "that is nothing out of the ordinary"


def test_the_only_owner_stays_and_no_button_offers_otherwise(operator: Browser) -> None:
    page = text_of(operator.get(at(ACME_OWNER)))
    for step in ("role", "disable", "remove"):
        assert at(ACME_OWNER, step) not in page
        assert "only owner of Acme Ltd. Make somebody else an owner first." in text_of(
            operator.get(at(ACME_OWNER, step))
        )
    assert "Change role, Disable, Remove: owner@acme.example is the only owner of Acme Ltd." in page
    assert f"/operators/tenants/{ACME.org_id}/add-member/" in page
    last = last_entry()
    with TestCase.captureOnCommitCallbacks(execute=True):
        refused = operator.post(at(ACME_OWNER, "remove"), {"reason": "go away"})
    assert refused.status_code == 409
    assert "go away" in text_of(refused)
    assert [event.action for event in AuditEvent.objects.filter(seq__gt=last)] == [Action.MEMBER_REFUSED]


def test_an_unknown_role_is_reported_at_its_field_and_audited(operator: Browser) -> None:
    last = last_entry()
    with TestCase.captureOnCommitCallbacks(execute=True):
        for role in ("operator", "king", ""):
            page = operator.post(at(ACME_EDITOR, "role"), {"role": role, "reason": "kept"})
            assert page.status_code == 400
            assert 'id="role-error"' in text_of(page)
            assert "kept" in text_of(page)
    refused = AuditEvent.objects.filter(seq__gt=last)
    assert [(event.action, event.after["asked"]) for event in refused] == [(Action.MEMBER_REFUSED, "set_role")] * 3
    assert member_called(ACME_EDITOR.email).role == "editor"


def test_members_of_a_tenant_that_is_being_closed_stay_as_they_are(operator: Browser) -> None:
    tenant = member_called(ACME_EDITOR.email).tenant
    assert tenant is not None
    close(tenant, by=SOMEBODY, why="asked for")
    page = text_of(operator.get(at(ACME_EDITOR, "disable")))
    assert "Acme Ltd is being closed, so its members stay as they are." in page
    assert at(ACME_EDITOR, "disable") not in text_of(operator.get(at(ACME_EDITOR)))


def test_an_operator_has_no_role_to_be_changed(operator: Browser) -> None:
    assert "no role in an organisation" in text_of(operator.get(at(OPERATOR, "role")))
    assert "the only operator" in text_of(operator.get(at(OPERATOR, "remove")))


def test_a_stuck_member_says_why_and_can_be_tried_now(operator: Browser) -> None:
    member = member_called(ACME_EDITOR.email)
    make_stuck(member)
    for address in (at(member), "/operators/members/?provisioning=unresolved"):
        assert "Cognito said &lt;no&gt;." in operator.get(address).content.decode()
    done = operator.post(at(member, "try-now"), follow=True)
    assert "is next in line" in text_of(done)
    member.refresh_from_db()
    assert (member.provisioning, member.last_error) == (Provisioning.DUE, "")
    assert AuditEvent.objects.filter(action=Action.MEMBER_RETRIED, actor_name=OPERATOR.email).count() == 1


def test_several_members_are_tried_at_once(operator: Browser) -> None:
    stuck = [member_called(member.email) for member in (ACME_EDITOR, ACME_OWNER)]
    for member in stuck:
        make_stuck(member)
    settled = Member.objects.exclude(pk__in=[member.pk for member in stuck])[0]
    chosen = {"chosen": [member.pk for member in (*stuck, settled)]}
    asked = text_of(operator.get("/operators/members/try-now/", chosen))
    assert "Try now 2 members" in asked
    assert "is settled: Cognito already matches." in asked
    done = operator.post("/operators/members/try-now/", {"chosen": [member.pk for member in stuck]}, follow=True)
    assert "Next in line: 2 members." in text_of(done)
    assert Member.objects.filter(provisioning=Provisioning.DUE).count() == 2


def test_a_resolved_conflict_is_settled_by_try_now(stage: Stage, operator: Browser, domain: str) -> None:
    form = {"name": "Initech", "email": f"boss@{domain}", "plan": "free"}
    stage.make_by_hand(f"boss@{domain}", org=str(ACME.org_id), role="owner")
    operator.post("/operators/tenants/new/", form)
    stage.work()
    member = member_called(f"boss@{domain}")
    page = text_of(operator.get(at(member)))
    assert "Conflict: another user in Cognito has this address" in page
    assert "somebody else’s" in page
    stage.by_hand.admin_delete_user(UserPoolId=stage.tools.directory.pool_id, Username=f"boss@{domain}")
    operator.post(at(member, "try-now"))
    stage.work()
    member = member_called(f"boss@{domain}")
    assert member.provisioning == Provisioning.SETTLED
    assert member.tenant is not None
    assert member.tenant.state == "active"


def test_a_deleted_member_is_not_found(operator: Browser) -> None:
    for pk in (0, 10**9, 10**30):
        assert operator.get(f"/operators/members/{pk}/").status_code == 404


def test_drift_explains_each_difference_and_links_to_the_member(operator: Browser) -> None:
    assert "Nothing has been compared yet" in text_of(operator.get("/operators/drift/"))
    run = Reconciliation.objects.create(users_seen=5, found=2, finished_at=timezone.now())
    assert "No differences" in text_of(operator.get("/operators/drift/"))
    member = member_called(ACME_EDITOR.email)
    found = {"reconciliation": run, "email": "somebody@nowhere.example"}
    Drift.objects.create(kind=DriftKind.ROLE, member=member, wanted="editor", seen="owner", **found)
    Drift.objects.create(kind=DriftKind.UNKNOWN_USER, repaired_at=timezone.now(), **found)
    page = text_of(operator.get("/operators/drift/"))
    assert at(member) in page
    for kind in DriftKind:
        assert kind.label[1:] in page
    assert (
        "unknown" not in text_of(operator.get("/operators/drift/?repaired=no")).split("<tbody")[1].split("</tbody>")[0]
    )
    assert "No difference matches" in text_of(operator.get("/operators/drift/?kind=enabled"))


def test_the_comparison_of_the_whole_pool_comes_before_others(operator: Browser) -> None:
    whole = Reconciliation.objects.create(users_seen=71, finished_at=timezone.now())
    Drift.objects.create(reconciliation=whole, kind=DriftKind.UNKNOWN_USER, email="stranger@nowhere.example")
    acme = member_called(ACME_EDITOR.email).tenant
    newer = Reconciliation.objects.create(tenant=acme, users_seen=72, finished_at=timezone.now())
    page = text_of(operator.get("/operators/drift/"))
    assert "stranger@nowhere.example" in page
    assert f'href="?run={newer.pk}"' in page
    page = text_of(operator.get(f"/operators/drift/?run={newer.pk}"))
    assert "stranger@nowhere.example" not in page
    assert f'name="run" value="{newer.pk}"' in page
    assert operator.get("/operators/drift/?run=0").status_code == 404
    assert operator.get("/operators/drift/?run=x").status_code == 400


def test_a_member_changed_outside_the_portal_differs_and_can_be_tried(
    stage: Stage, operator: Browser, domain: str
) -> None:
    tenant_with_people("Drifting", 2, domain=domain)
    stage.work()
    member = member_called(f"p1@{domain}")
    assert '<span class="badge provisioning-settled">settled</span>' in text_of(operator.get(at(member)))
    stage.by_hand.admin_disable_user(UserPoolId=stage.tools.directory.pool_id, Username=str(member.person.sub))
    compare_pool(stage)
    for address in (at(member), f"/operators/members/?q=p1@{domain}"):
        page = text_of(operator.get(address))
        assert re.search(r'<span class="badge provisioning-settled">settled</span> <span [^>]*>differs</span>', page)
    assert "is next in line" in text_of(operator.post(at(member, "try-now"), follow=True))
    stage.work()
    user = stage.user(member)
    assert user is not None
    assert user.enabled


def test_no_member_of_a_suspended_tenant_is_called_active(operator: Browser) -> None:
    member = member_called(ACME_EDITOR.email)
    assert member.tenant is not None
    suspend(member.tenant, by=SOMEBODY, why="not paid")
    for address in (at(member), f"/operators/members/?q={ACME_EDITOR.email}", f"/operators/tenants/{ACME.org_id}/"):
        assert "tenant suspended" in text_of(operator.get(address))


def test_a_due_member_says_when_no_worker_is_running(operator: Browser) -> None:
    member = member_called(ACME_EDITOR.email)
    assert "No worker is running" not in text_of(operator.get(at(member)))
    assert "No worker is running" in text_of(operator.get(at(member, "disable")))
    operator.post(at(member, "disable"))
    assert "No worker is running" in text_of(operator.get(at(member)))
    Worker.objects.create(name="w")
    assert "No worker is running" not in text_of(operator.get(at(member)))


def test_a_member_who_may_not_sign_in_yet_needs_no_user(stage: Stage, operator: Browser, domain: str) -> None:
    tenant = tenant_with_people("Shut", 1, domain=domain)
    stage.work()
    tenant.refresh_from_db()
    suspend(tenant, by=SOMEBODY, why="not paid")
    late = add_member(tenant=tenant, email=f"late@{domain}", name="", role="viewer", by=SOMEBODY)
    stage.work()
    page = text_of(operator.get(at(late)))
    assert '<span class="badge provisioning-settled">settled</span>' in page
    assert "differs" not in page


def test_a_refusal_is_shown_even_if_the_member_is_gone_meanwhile(
    operator: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    member = member_called(ACME_EDITOR.email)
    make_stuck(member)

    def too_late(member: Member, **_: Any) -> None:
        member.delete()
        raise NotNow("They are gone.")

    monkeypatch.setattr("tenants.members.roster.try_now", too_late)
    late = operator.post("/operators/members/try-now/", {"chosen": member.pk})
    assert late.status_code == 409
    assert "They are gone." in text_of(late)
