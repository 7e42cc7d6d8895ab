"""Every person opens every address. The list is generated from the URLconf, so a new page cannot be forgotten."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from portal.demo.cast import ACME, ACME_EDITOR, ACME_OWNER, ACME_VIEWER, GLOBEX_OWNER, OPERATOR, CastMember
from portal.demo.world import World
from tenants.domain.roles import Role
from tenants.models import AuditEvent, Member, Tenant
from tests.world.fixtures import Browser

Browse = Callable[[CastMember], Browser]
PEOPLE = (None, OPERATOR, ACME_OWNER, ACME_EDITOR, ACME_VIEWER, GLOBEX_OWNER)
SAMPLES = {"collection": "orders", "key": "ORD-2026-0001"}
PUBLIC_SAMPLES = {"collection": "news", "key": "2026-01-05"}
EVERYBODY, OPERATORS = {"visitor", "operator", "owner", "member"}, {"operator"}
MEMBERS, OWNERS = {"owner", "member"}, {"owner"}
TENANT_STEPS = (
    "activate", "rename", "slug", "plan", "metadata", "contact", "domains", "add-member", "recover-owner",
    "cancel-recovery", "suspend", "reactivate", "close", "reopen",
)  # fmt: skip
# With a member of one's own organisation, here Acme's editor.
OWN_STEPS = ("role", "enable", "resend", "transfer", "sign-out", "disable", "revoke", "remove", "reset-mfa")
EDIT_PAGES = ("collection_new", "new", "new_json", "change", "json", "duplicate", "key", "delete", "deleted")
EDIT_FORMS = (
    "rows_new", "rows", "restore", "restore_all", "bulk_delete", "bulk_delete_now", "bulk_change", "bulk_preview",
    "bulk_change_now",
)  # fmt: skip
# Acme's editor is a member who writes records, its viewer one who does not.
WRITERS = {"owner", "editor"}
# Who may open each page. Written again here, because the test checks the declarations of the views.
LET_IN = {
    "home": EVERYBODY,
    "livez": EVERYBODY,
    "readyz": EVERYBODY,
    "metrics": EVERYBODY,
    "oidc_authentication_init": EVERYBODY,
    "oidc_authentication_callback": EVERYBODY,
    "oidc_logout": EVERYBODY,
    "break_glass": EVERYBODY,
    "oidc_sign_up": EVERYBODY,
    "sign_up": EVERYBODY,
    "sign_up_sent": EVERYBODY,
    "welcome": {"operator", *MEMBERS},
    "collections": MEMBERS,
    "collection_declare": OWNERS,
    "collection": MEMBERS,
    "record": MEMBERS,
    "columns": MEMBERS,
    "public_columns": {"operator", *MEMBERS},
    "public_collections": EVERYBODY,
    "public_collection": EVERYBODY,
    "public_record": EVERYBODY,
    **{f"edit_{page}": WRITERS for page in (*EDIT_PAGES, *EDIT_FORMS)},
    **{f"public_edit_{page}": OPERATORS for page in (*EDIT_PAGES, *EDIT_FORMS)},
    "direct": EVERYBODY,
    "access": {"operator", *MEMBERS},
    "access_command_line": {"operator", *MEMBERS},
    **{
        f"account{page}": {"operator", *MEMBERS} for page in ("", "_appearance", "_end_session", "_sign_out", "_delete")
    },
    "members": OWNERS,
    "member_invite": OWNERS,
    "invitation_dismiss": OWNERS,
    "invitations_dismiss": OWNERS,
    "members_leave": MEMBERS,
    "member": OWNERS,
    **{f"members_{step}": OWNERS for step in ("resend", "revoke", "remove")},
    **{f"member_{step}": OWNERS for step in OWN_STEPS},
    "activity": MEMBERS,
    "activity_export": MEMBERS,
    "activity_verify": OWNERS,
    # Acme's editor and viewer see no owner recovery.
    "recovery": {"owner"},
    "recovery_veto": EVERYBODY,
    "settings": {"owner"},
    "settings_close": {"owner"},
    "closing": EVERYBODY,
    "operators:overview": OPERATORS,
    "operators:tenants": OPERATORS,
    "operators:tenant_new": OPERATORS,
    "operators:tenant": OPERATORS,
    "operators:timeline": OPERATORS,
    **{f"operators:tenant_{step}": OPERATORS for step in TENANT_STEPS},
    **{f"operators:tenants_{step}": OPERATORS for step in ("suspend", "reactivate", "close")},
    "operators:members": OPERATORS,
    "operators:member": OPERATORS,
    **{
        f"operators:member_{step}": OPERATORS
        for step in ("try-now", "role", "enable", "resend", "sign-out", "disable", "revoke", "remove", "reset-mfa")
    },
    "operators:members_try-now": OPERATORS,
    "operators:drift": OPERATORS,
    "operators:drift_disable-user": OPERATORS,
    "operators:audit": OPERATORS,
    "operators:audit_entry": OPERATORS,
    "operators:audit_export": OPERATORS,
}
# A callback without a sign-in leads people who are signed in home, and starting one redirects to Cognito. Some
# addresses accept forms only.
# Metrics need a token.
ANSWERS = {
    "oidc_authentication_callback": 302,
    "oidc_authentication_init": 302,
    # Leads to the form, or to Cognito.
    "oidc_sign_up": 302,
    "oidc_logout": 405,
    "operators:audit_export": 405,
    "activity_export": 405,
    "account_appearance": 405,
    "columns": 405,
    "public_columns": 405,
    "account_end_session": 405,
    "invitation_dismiss": 405,
    "invitations_dismiss": 405,
    **{f"{space}edit_{form}": 405 for form in EDIT_FORMS for space in ("", "public_")},
    # Only they themselves can do this.
    "member_transfer": 403,
    # Operators do this for owners only, and the address is the editor's.
    "operators:member_reset-mfa": 403,
    "metrics": 404,
    # To the form, where nothing was sent, and home, for members.
    "sign_up_sent": 302,
    "welcome": 302,
    # No comparison has found anybody.
    "operators:drift_disable-user": 404,
    # No recovery has this key, and no closing.
    "recovery_veto": 404,
    "closing": 404,
}
# Globex's owner does not find somebody of Acme.
NOT_FOUND = {"member", *(f"member_{step}" for step in OWN_STEPS)}
# The answer depends on more than the person. It has tests of its own.
NOT_ASKED = {"readyz"}


def named_patterns(patterns: list[URLPattern | URLResolver], space: str = "") -> Iterator[tuple[str, URLPattern]]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from named_patterns(pattern.url_patterns, f"{pattern.namespace}:" if pattern.namespace else space)
        else:
            yield f"{space}{pattern.name}", pattern


def addresses() -> dict[str, str]:
    samples = {
        **SAMPLES,
        "org_id": ACME.org_id.value,
        "pk": Member.objects.get(person__email=ACME_EDITOR.email).pk,
        "seq": AuditEvent.objects.values_list("seq", flat=True)[0],
    }
    made = {}
    for name, pattern in named_patterns(get_resolver().url_patterns):
        values = {**samples, **PUBLIC_SAMPLES} if name.startswith("public") else samples
        made[name] = reverse(name, kwargs={parameter: values[parameter] for parameter in pattern.pattern.converters})
    return made


def kind_of(person: CastMember | None) -> str:
    if person is None:
        return "visitor"
    return "operator" if person is OPERATOR else "owner" if person.role == Role.OWNER else "member"


def expected_status(name: str, person: CastMember | None) -> int:
    if person is None and name == "oidc_authentication_callback":
        return 400
    if kind_of(person) in LET_IN[name] or (person is ACME_EDITOR and "editor" in LET_IN[name]):
        return 404 if person is GLOBEX_OWNER and name in NOT_FOUND else ANSWERS.get(name, 200)
    return 302 if person is None else 403


@pytest.mark.parametrize("person", PEOPLE, ids=lambda person: person.email if person else "visitor")
def test_every_address_answers_each_person_as_the_matrix_says(
    portal: World, browse_as: Browse, person: CastMember | None
) -> None:
    browser = browse_as(person) if person else Browser(portal)
    asked = {name: address for name, address in addresses().items() if name not in NOT_ASKED}
    answers = {name: browser.get(address).status_code for name, address in asked.items()}
    assert answers == {name: expected_status(name, person) for name in asked}
    assert set(asked) | NOT_ASKED == set(LET_IN)


@pytest.mark.parametrize("person", [None, ACME_OWNER], ids=lambda person: person.email if person else "visitor")
def test_only_operators_can_send_the_operators_forms(
    portal: World, browse_as: Browse, person: CastMember | None
) -> None:
    browser = browse_as(person) if person else Browser(portal)
    before = list(Tenant.objects.values()), list(Member.objects.values())
    sent = {name: address for name, address in addresses().items() if name.startswith("operators:")}
    form = {"reason": "because", "name": "Mine", "email": "me@mine.example", "plan": "free", "role": "owner"}
    answers = {name: browser.post(address, form).status_code for name, address in sent.items()}
    assert set(answers.values()) == {401 if person is None else 403}, answers
    assert before == (list(Tenant.objects.values()), list(Member.objects.values()))
