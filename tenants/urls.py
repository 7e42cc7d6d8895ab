"""All addresses of the application, room by room."""

from django.urls import include, path

urlpatterns = [
    path("", include("tenants.organisation.urls")),
    path("", include("tenants.sign_in.urls")),
    path("", include("tenants.health.urls")),
    path("operators/", include("tenants.operators.urls")),
]
