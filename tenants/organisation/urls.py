"""The addresses of an organisation's own pages. `record_addresses` writes keys and collection names into them."""

from django.urls import URLPattern, path, register_converter

from tenants.members.steps import OWN_MEMBER_STEPS
from tenants.organisation import (
    access,
    account,
    activity,
    closing,
    command_line,
    declaring,
    direct,
    home,
    inviting,
    members,
    record_bulk,
    record_columns,
    record_deleting,
    record_editing,
    record_keys,
    records,
    recovery,
    settings,
    sign_up,
    welcome,
)
from tenants.organisation.record_addresses import from_segment, to_segment
from tenants.organisation.record_ground import own, public


class KeySegment:
    regex = "[^/]+"

    def to_python(self, value: str) -> str:
        return from_segment(value)

    def to_url(self, value: str) -> str:
        return to_segment(value)


register_converter(KeySegment, "key")

_COLLECTION, _RECORD = "<key:collection>/", "<key:collection>/<key:key>/"
# By the name, the address and the page. A record’s own address has two parts after the first, these have three or more.
_EDITING = (
    ("collection_new", "collections/new/", record_keys.collection_new),
    ("new", f"new/{_COLLECTION}", record_editing.new),
    ("new_json", f"new-json/{_COLLECTION}", record_editing.new_json),
    ("rows_new", f"rows/{_COLLECTION}", record_editing.more_rows),
    ("rows", f"rows/{_RECORD}", record_editing.more_rows),
    ("change", f"change/{_RECORD}", record_editing.change),
    ("json", f"json/{_RECORD}", record_editing.json),
    ("duplicate", f"duplicate/{_RECORD}", record_editing.duplicate),
    ("key", f"key/{_RECORD}", record_keys.key),
    ("delete", f"delete/{_RECORD}", record_deleting.delete),
    ("deleted", f"deleted/{_COLLECTION}", record_deleting.deleted),
    ("restore", f"restore/{_COLLECTION}", record_deleting.restore),
    ("restore_all", f"restore-all/{_COLLECTION}", record_deleting.restore_all),
    ("bulk_delete", f"bulk-delete/{_COLLECTION}", record_bulk.preview_deletion),
    ("bulk_delete_now", f"bulk-delete-now/{_COLLECTION}", record_bulk.delete_now),
    ("bulk_change", f"bulk-change/{_COLLECTION}", record_bulk.choose_change),
    ("bulk_preview", f"bulk-preview/{_COLLECTION}", record_bulk.preview_change),
    ("bulk_change_now", f"bulk-change-now/{_COLLECTION}", record_bulk.change_now),
)


def _editing() -> list[URLPattern]:
    """Each page twice: for an organisation's own records and, below /public/, for the public ones."""
    return [
        *(path(f"records/edit/{address}", own(page), name=f"edit_{name}") for name, address, page in _EDITING),
        *(path(f"public/edit/{address}", public(page), name=f"public_edit_{name}") for name, address, page in _EDITING),
    ]


urlpatterns = [
    path("", home.home, name="home"),
    path("signup/", sign_up.sign_up, name="sign_up"),
    path("signup/sent/", sign_up.sign_up_sent, name="sign_up_sent"),
    path("welcome/", welcome.welcome, name="welcome"),
    path("records/", records.collections, name="collections"),
    # No collection has this place: those below /records/ are their names.
    path("collections/declare/", declaring.declare, name="collection_declare"),
    path("records/<key:collection>/", records.collection, name="collection"),
    path("records/<key:collection>/<key:key>/", records.record, name="record"),
    path("columns/records/<key:collection>/", record_columns.columns, name="columns"),
    path("columns/public/<key:collection>/", record_columns.public_columns, name="public_columns"),
    path("public/", records.public_collections, name="public_collections"),
    path("public/<key:collection>/", records.public_collection, name="public_collection"),
    path("public/<key:collection>/<key:key>/", records.public_record, name="public_record"),
    *_editing(),
    path("access/", access.access, name="access"),
    path("access/command-line/", command_line.command_line, name="access_command_line"),
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
