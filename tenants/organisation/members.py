"""The members of one's own organisation: the list, one of them, every step of theirs, and leaving.

Everything is looked for among the members of the signed-in person's organisation. Another organisation's are not found.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from tenants.audit.activity import told
from tenants.audit.activity_filter import newest_about
from tenants.domain.errors import NoOrganisation
from tenants.domain.roles import IN_AN_ORGANISATION, Role
from tenants.domain.steps import WHY_OPTIONAL, Step, possible_steps, refused_steps, verbs_prevented
from tenants.members.account_steps import page_for_oneself
from tenants.members.in_cognito import no_worker
from tenants.members.invitation_state import Invited, in_state, invitation_state
from tenants.members.second_factor import shown_second_factor
from tenants.members.steps import LEAVE, OWN_MEMBER_STEPS, REMOVE, RESEND, REVOKE
from tenants.models import Invitation, Member
from tenants.models.keyset import Branch
from tenants.pages.bulk import BulkStep, bulk_view
from tenants.pages.lists import Filter, apply_filters, narrowed_by, query_param, read_choices, read_page
from tenants.pages.step_pages import Subjects, step_view
from tenants.sign_in.access import managers_only, members_only, signed_in
from tenants.sign_in.sessions import SignedIn
from tenants.sign_in.views import sign_out

_FRAME = "organisation/members/frame.html"
_MOST_INVITATIONS = 50


def _in_state(rows: QuerySet[Member], state: str) -> QuerySet[Member]:
    if state == "locked-out":
        return rows.filter(Q(enabled=False) | Q(removed=True))
    may_sign_in = rows.filter(enabled=True, removed=False)
    if state == Invited.INVITED:
        return may_sign_in.exclude(in_state(Invited.SIGNED_IN))
    return may_sign_in.filter(in_state(Invited(state)))


FILTERS = (
    Filter(
        "role",
        "Role",
        tuple((role.value, role.capitalize()) for role in IN_AN_ORGANISATION),
        lambda rows, role: rows.filter(role=role),
    ),
    Filter(
        "state",
        "State",
        (
            (Invited.SIGNED_IN, "Has signed in"),
            (Invited.INVITED, "Not signed in yet"),
            (Invited.NOT_DELIVERED, "Mail not delivered"),
            (Invited.LAPSED, "Invitation lapsed"),
            ("locked-out", "Disabled or being removed"),
        ),
        _in_state,
    ),
)
_MOODS = {Invited.SIGNED_IN: "good", Invited.NOT_DELIVERED: "bad", Invited.LAPSED: "warn"}


@dataclass(frozen=True, slots=True)
class OwnMemberRow:
    """`mood` is good, warn, bad or "". `is_self`: the person who looks at the list."""

    member: Member
    state: str
    mood: str
    last_sign_in: datetime | None
    is_self: bool


@managers_only
@require_safe
def list_page(request: HttpRequest) -> HttpResponse:
    who, choices, text = signed_in(request), read_choices(request, FILTERS), query_param(request, "q")
    rows = _beginning_with(apply_filters(_own_members(who), FILTERS, choices), text)
    page = read_page([Branch(rows, ("id",))], request)
    invitations = Invitation.objects.filter(tenant__org_id=own_org(who)).order_by("-id")
    waiting = invitations.filter(why="").count()
    context = {
        "page": page,
        "rows": [_row(member, who) for member in page.rows],
        "filters": choices,
        "text": text,
        "narrowed": narrowed_by(request, choices, [("q", "Name or e-mail begins with", text)]),
        "could_not_join": invitations.exclude(why="")[:_MOST_INVITATIONS],
        "waiting": waiting,
        "waiting_first": invitations.filter(why="")[:_MOST_INVITATIONS] if waiting else (),
        "no_worker": no_worker() if waiting else "",
        "bulk_steps": [(step, reverse(f"members_{step.name}")) for step in BULK_STEPS],
    }
    return render(request, "organisation/members/list.html", context)


@managers_only
@require_safe
def detail_page(request: HttpRequest, pk: int) -> HttpResponse:
    who = signed_in(request)
    member = _find(who, pk)
    row = _row(member, who)
    possible = possible_steps(OWN_MEMBER_STEPS, member, who.actor)
    why = REMOVE.prevented(member)
    context = {
        "row": row,
        "member": member,
        "role_in_words": Role(member.role).in_words,
        "second_factor": shown_second_factor(member),
        "steps": [(step, reverse(f"member_{step.name}", args=[pk])) for step in possible],
        "prevented": verbs_prevented((*OWN_MEMBER_STEPS, LEAVE), member, who.actor, why=why),
        "why_prevented": why,
        "not_allowed": () if row.is_self else refused_steps(OWN_MEMBER_STEPS, member, who.actor),
        "activity": told(own_org(who), newest_about(member)),
    }
    return render(request, "organisation/members/member.html", context)


@members_only
@require_http_methods(["GET", "HEAD", "POST"])
def leave(request: HttpRequest) -> HttpResponse:
    """Anybody who has left is signed out, and the first page says so."""
    who = signed_in(request)
    myself = Subjects(
        find=lambda: get_object_or_404(_own_members(who), person=who.standing.person_id),
        address=lambda _: reverse("home"),
        crumbs=lambda _: [("Home", reverse("home"))],
        frame=_FRAME,
    )
    response = step_view(LEAVE, myself)(request)
    has_left = isinstance(response, HttpResponseRedirect)
    return sign_out(request) if has_left else response


def step_page(step: Step) -> Callable[..., HttpResponse]:
    @managers_only
    @require_http_methods(["GET", "HEAD", "POST"])
    def view(request: HttpRequest, pk: int) -> HttpResponse:
        return step_view(step, _own_subjects(signed_in(request)))(request, pk=pk)

    return view


def bulk_page(step: Step) -> Callable[..., HttpResponse]:
    @managers_only
    @require_http_methods(["GET", "HEAD", "POST"])
    def view(request: HttpRequest) -> HttpResponse:
        return bulk_view(_own_bulk(step, signed_in(request)))(request)

    return view


BULK_STEPS = (RESEND, REVOKE, REMOVE)
_PHRASES = {RESEND.name: "Send the invitation again to", REVOKE.name: "Revoke the invitation of", REMOVE.name: "Remove"}
_DONE = {
    RESEND.name: "Sending the invitation again to {}, usually within seconds.",
    REVOKE.name: "Revoked the invitation of {}.",
    REMOVE.name: "Removed {}.",
}


def own_org(who: SignedIn) -> UUID:
    """Raises NoOrganisation."""
    if who.org is None:
        raise NoOrganisation
    return who.org


def _own_members(who: SignedIn) -> QuerySet[Member]:
    return Member.objects.select_related("person", "tenant", "invited_by").filter(tenant__org_id=own_org(who))


def _find(who: SignedIn, pk: int) -> Member:
    return get_object_or_404(_own_members(who), pk=pk)


def _address(member: Member) -> str:
    return reverse("member", args=[member.pk])


def _own_subjects(who: SignedIn) -> Subjects:
    return Subjects(
        find=lambda pk: _find(who, pk),
        address=_address,
        crumbs=lambda member: [("Members", reverse("members")), (str(member.person), _address(member))],
        frame=_FRAME,
        instead=page_for_oneself,
    )


def _own_bulk(step: Step, who: SignedIn) -> BulkStep:
    return BulkStep(
        step=step,
        find=lambda keys: list(_own_members(who).filter(pk__in=keys).order_by("-id")),
        noun=("member", "members"),
        address=lambda: reverse("members"),
        expects=lambda members: step.expects(members[0], {}) if len(members) == 1 else _for_several(step, members),
        done=lambda counted: _DONE[step.name].format(counted),
        name=lambda member: str(member.person),
        note=lambda member: member.role,
        frame=_FRAME,
        phrase=_PHRASES[step.name],
        fields=(WHY_OPTIONAL,),
    )


def _for_several(step: Step, members: Sequence[Member]) -> Sequence[str]:
    """What is the same for all of them."""
    first, *others = (list(step.expects(member, {})) for member in members)
    return [sentence for sentence in first if all(sentence in said for said in others)]


def _beginning_with(rows: QuerySet[Member], text: str) -> QuerySet[Member]:
    """Those whose address, name, or a later word of the name begins with the text.

    Reads the members of one organisation only, by its index: no index on people would be faster for so few.
    """
    if not text:
        return rows
    name = Q(person__name__istartswith=text) | Q(person__name__icontains=f" {text}")
    return rows.filter(Q(person__email__startswith=text.casefold()) | name)


def _row(member: Member, who: SignedIn) -> OwnMemberRow:
    state = invitation_state(member)
    words, mood = state.in_words, _MOODS.get(state.name, "")
    if not member.enabled:
        words, mood = "disabled by an operator" if member.disabled_by_operator else "disabled", "warn"
    if member.removed:
        words, mood = "being removed", "warn"
    return OwnMemberRow(member, words, mood, member.signed_in_at, member.person_id == who.standing.person_id)
