"""The addresses of the operators' portal. A step gets its page, its address and its button by standing in a list."""

from django.urls import path

from tenants.drift.lockout import DISABLE_USER
from tenants.lifecycle.steps import CREATE, TENANT_STEPS
from tenants.members.steps import MEMBER_STEPS
from tenants.operators import audit, drift, members, overview, tenant_list, tenants, timeline
from tenants.operators.decorators import form_view
from tenants.pages.bulk import bulk_view
from tenants.pages.step_pages import step_view

app_name = "operators"
urlpatterns = [
    path("", overview.overview, name="overview"),
    path("tenants/", tenant_list.list_page, name="tenants"),
    path("tenants/new/", form_view(step_view(CREATE, tenants.NEW_TENANTS)), name="tenant_new"),
    *(
        path(f"tenants/{bulk.step.name}/", form_view(bulk_view(bulk)), name=f"tenants_{bulk.step.name}")
        for bulk in tenants.BULK_STEPS
    ),
    path("tenants/<uuid:org_id>/", tenants.detail_page, name="tenant"),
    path("tenants/<uuid:org_id>/timeline/", timeline.timeline, name="timeline"),
    *(
        path(
            f"tenants/<uuid:org_id>/{step.name}/",
            form_view(step_view(step, tenants.TENANTS)),
            name=f"tenant_{step.name}",
        )
        for step in TENANT_STEPS
    ),
    path("members/", members.list_page, name="members"),
    path("members/try-now/", form_view(bulk_view(members.TRY_SEVERAL)), name="members_try-now"),
    path("members/<int:pk>/", members.detail_page, name="member"),
    *(
        path(f"members/<int:pk>/{step.name}/", form_view(step_view(step, members.MEMBERS)), name=f"member_{step.name}")
        for step in MEMBER_STEPS
    ),
    path("drift/", drift.list_page, name="drift"),
    path(
        "drift/<int:pk>/disable-user/",
        form_view(step_view(DISABLE_USER, drift.USERS)),
        name="drift_disable-user",
    ),
    path("audit/", audit.list_page, name="audit"),
    path("audit/export/", audit.export, name="audit_export"),
    path("audit/<int:seq>/", audit.detail_page, name="audit_entry"),
]
