"""The addresses of signing in and out, and of break-glass links."""

from django.urls import path

from tenants.sign_in import views
from tenants.sign_in.access import open_to_all

urlpatterns = [
    path("oidc/authenticate/", open_to_all(views.SignInRequest.as_view()), name="oidc_authentication_init"),
    path("oidc/sign-up/", open_to_all(views.SignUpRequest.as_view()), name="oidc_sign_up"),
    path("oidc/callback/", open_to_all(views.Callback.as_view()), name="oidc_authentication_callback"),
    path("oidc/logout/", views.sign_out, name="oidc_logout"),
    path("operators/break-glass/", views.break_glass, name="break_glass"),
]
