"""The addresses of an organisation's own pages. `record_addresses` writes keys and collection names into them."""

from django.urls import path, register_converter

from tenants.members.steps import OWN_MEMBER_STEPS
from tenants.organisation import (
    access,
    account,
    activity,
    closing,
    direct,
    home,
    inviting,
    members,
    records,
    recovery,
    settings,
    sign_up,
    welcome,
)
from tenants.organisation.record_addresses import from_segment, to_segment


class KeySegment:
    regex = "[^/]+"

    def to_python(self, value: str) -> str:
        return from_segment(value)

    def to_url(self, value: str) -> str:
        return to_segment(value)


register_converter(KeySegment, "key")

urlpatterns = [
    path("", home.home, name="home"),
    path("signup/", sign_up.sign_up, name="sign_up"),
    path("signup/sent/", sign_up.sign_up_sent, name="sign_up_sent"),
    path("welcome/", welcome.welcome, name="welcome"),
    path("records/", records.collections, name="collections"),
    path("records/<key:collection>/", records.collection, name="collection"),
    path("records/<key:collection>/<key:key>/", records.record, name="record"),
    path("public/", records.public_collections, name="public_collections"),
    path("public/<key:collection>/", records.public_collection, name="public_collection"),
    path("public/<key:collection>/<key:key>/", records.public_record, name="public_record"),
    path("access/", access.access, name="access"),
    path("account/", account.account, name="account"),
    path("account/appearance/", account.appearance, name="account_appearance"),
    path("account/sessions/end/", account.end_session, name="account_end_session"),
    path("account/sign-out/", account.sign_out_everywhere, name="account_sign_out"),
    path("account/delete/", account.delete, name="account_delete"),
    path("direct/", direct.direct, name="direct"),
    path("members/", members.list_page, name="members"),
    path("members/invite/", inviting.invite, name="member_invite"),
    path("members/invitations/dismiss/", inviting.dismiss_all, name="invitations_dismiss"),
    path("members/invitations/<int:pk>/dismiss/", inviting.dismiss, name="invitation_dismiss"),
    path("members/leave/", members.leave, name="members_leave"),
    *(
        path(f"members/{step.name}/", members.bulk_page(step), name=f"members_{step.name}")
        for step in members.BULK_STEPS
    ),
    path("members/<int:pk>/", members.detail_page, name="member"),
    *(
        path(f"members/<int:pk>/{step.name}/", members.step_page(step), name=f"member_{step.name}")
        for step in OWN_MEMBER_STEPS
    ),
    path("activity/", activity.list_page, name="activity"),
    path("activity/export/", activity.export, name="activity_export"),
    path("activity/verify/", activity.verify, name="activity_verify"),
    path("recovery/", recovery.waiting, name="recovery"),
    # The log has the route only, without the key: portal/observability.py.
    path("recovery/<str:key>/", recovery.by_link, name="recovery_veto"),
    path("organisation/", settings.settings_page, name="settings"),
    path("organisation/close/", closing.close, name="settings_close"),
    path("organisation/closing/<str:key>/", closing.closing, name="closing"),
]
