"""The addresses of the application. Keys and collection names are written as `tenants.domain.addresses` has it."""

from django.urls import path, register_converter
from mozilla_django_oidc.views import OIDCAuthenticationRequestView

from tenants import auth, views
from tenants.access import open_to_all
from tenants.domain.addresses import from_segment, to_segment


class KeySegment:
    regex = "[^/]+"

    def to_python(self, value: str) -> str:
        return from_segment(value)

    def to_url(self, value: str) -> str:
        return to_segment(value)


register_converter(KeySegment, "key")

urlpatterns = [
    path("", views.home, name="home"),
    path("livez", views.livez, name="livez"),
    path("readyz", views.readyz, name="readyz"),
    path("metrics", views.metrics, name="metrics"),
    path("oidc/authenticate/", open_to_all(OIDCAuthenticationRequestView.as_view()), name="oidc_authentication_init"),
    path("oidc/callback/", open_to_all(auth.Callback.as_view()), name="oidc_authentication_callback"),
    path("oidc/logout/", auth.sign_out, name="oidc_logout"),
    path("operators/break-glass/", auth.break_glass, name="break_glass"),
    path("records/", views.collections, name="collections"),
    path("records/<key:collection>/", views.collection, name="collection"),
    path("records/<key:collection>/<key:key>/", views.record, name="record"),
    path("public/", views.public_collections, name="public_collections"),
    path("public/<key:collection>/", views.public_collection, name="public_collection"),
    path("public/<key:collection>/<key:key>/", views.public_record, name="public_record"),
    path("access/", views.access, name="access"),
]
