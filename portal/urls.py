"""The addresses of the portal."""

from django.urls import include, path

urlpatterns = [path("", include("tenants.urls"))]

handler400 = "tenants.pages.refusals.bad_request"
handler403 = "tenants.pages.refusals.forbidden"
handler404 = "tenants.pages.refusals.page_not_found"
handler500 = "tenants.pages.refusals.server_error"
