"""The addresses of the portal."""

from django.urls import include, path

from tenants.operators.site import site

urlpatterns = [path("", include("tenants.urls")), path("operators/", site.urls)]

handler400 = "tenants.refusals.bad_request"
handler403 = "tenants.refusals.forbidden"
handler404 = "tenants.refusals.page_not_found"
handler500 = "tenants.refusals.server_error"
