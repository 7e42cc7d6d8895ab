"""Django's settings. Values that differ between a laptop and AWS come from the environment."""

import os
from urllib.parse import urlsplit

import environ as django_environ

from portal import cache, environment, secret_files, server

BASE_DIR = environment.BASE
# Read the file only if the environment has no settings at all: the two must not be mixed.
if "PORTAL_URL" not in os.environ and (BASE_DIR / ".env").exists():
    secret_files.check_private(BASE_DIR / ".env")
    django_environ.Env.read_env(BASE_DIR / ".env")
# Not a setting of Django's: its text has every secret.
_env = environment.read(os.environ)
# Required settings that this process does not have. Only a process that needs them refuses to start.
MISSING_SETTINGS = _env.missing

SECRET_KEY = _env.required("DJANGO_SECRET_KEY", _env.text["DJANGO_SECRET_KEY"])
SECRET_KEY_FALLBACKS = _env.earlier_secret_keys
DEBUG = _env.debug
ALLOWED_HOSTS = _env.allowed_hosts
PORTAL_URL = _env.text["PORTAL_URL"]
HTTPS = PORTAL_URL.startswith("https://")

INSTALLED_APPS = [
    "portal",
    "tenants",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "django_htmx",
]
MIDDLEWARE = [
    "portal.observability.RequestLog",
    "portal.headers.Headers",
    "portal.probes.Probes",
    "portal.plain_http.PlainHttp",
    "django.middleware.security.SecurityMiddleware",
    "portal.static_files.Serving",
    "portal.bodies.BodySize",
    "tenants.sign_in.session_saving.SessionSaving",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "tenants.pages.door.Door",
]
ROOT_URLCONF = "portal.urls"
WSGI_APPLICATION = "portal.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "OPTIONS": {
            "loaders": [("django.template.loaders.cached.Loader", ["django.template.loaders.filesystem.Loader"])],
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.messages.context_processors.messages",
                "tenants.pages.header.header",
            ],
            "builtins": ["django.templatetags.static"],
        },
    }
]

DATABASES = {"default": _env.database}
CACHES = cache.caches_at(_env.cache)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
vars().update(_env.email)
DEFAULT_FROM_EMAIL = _env.text["MAIL_FROM"]

# ── Sessions and forms ───────────────────────────────────────────────────────────────────────────────────────────
SESSION_ENGINE = "portal.sessions"
SESSION_COOKIE_NAME = "__Host-session" if HTTPS else "session"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SECURE = HTTPS
# Strict would drop the cookie, and the sign-in's state with it, on the way back from Cognito.
SESSION_COOKIE_SAMESITE = "Lax"
# As long as the refresh token in infra/template.yaml lives. After that, nothing can be renewed.
SESSION_COOKIE_AGE = 12 * 60 * 60
SESSION_IDLE_MINUTES = int(_env.text["SESSION_IDLE_MINUTES"])
CSRF_COOKIE_NAME = "__Host-csrf" if HTTPS else "csrf"
CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_SECURE = HTTPS
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_TRUSTED_ORIGINS = [PORTAL_URL]
CSRF_FAILURE_VIEW = "tenants.pages.refusals.stale_form"
# Messages for the next page hold names of tenants, so they are kept in the session and not in a cookie.
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"

# Of the whole body, files included. The server does not read more.
DATA_UPLOAD_MAX_MEMORY_SIZE = 2_621_440

SECURE_SSL_REDIRECT = HTTPS
SECURE_SSL_HOST = urlsplit(PORTAL_URL).netloc
SECURE_REDIRECT_EXEMPT = [r"^livez$", r"^readyz$"]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
SECURE_HSTS_SECONDS = 365 * 24 * 60 * 60 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS
SECURE_HSTS_PRELOAD = HTTPS
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"

# ── AWS ──────────────────────────────────────────────────────────────────────────────────────────────────────────
AWS_REGION = _env.text["AWS_REGION"]
AWS_ENDPOINT_URL = _env.text["AWS_ENDPOINT_URL"] or None
COGNITO_USER_POOL_ID = _env.text["COGNITO_USER_POOL_ID"]
COGNITO_DOMAIN = _env.text["COGNITO_DOMAIN"]
COGNITO_BROWSER_CLIENT_ID = _env.text["COGNITO_BROWSER_CLIENT_ID"]
COGNITO_IDENTITY_POOL_ID = _env.text["COGNITO_IDENTITY_POOL_ID"]
PUBLIC_READS = _env.text["PUBLIC_READS"].lower() == "true"
RECORDS_TABLE = _env.text["RECORDS_TABLE"]
RECORDS_KEYS = [name.strip() for name in _env.text["RECORDS_KEYS"].split(",")]
RECORDS_API_URL = _env.text["RECORDS_API_URL"]
# The text of the policies: the Access page explains it, and nothing is decided by that.
POLICY_TEMPLATE = BASE_DIR / "infra" / "template.yaml"
TENANT_ROLE_ARN = _env.text["TENANT_ROLE_ARN"]
SUSPENSION_POLICY_ARN = _env.text["SUSPENSION_POLICY_ARN"]
CLOSING_ROLE_ARN = _env.text["CLOSING_ROLE_ARN"]
SIGN_UP = _env.text["SIGN_UP"]
COGNITO_MAILS = _env.text["COGNITO_MAILS"]
REQUIRE_MFA = _env.text["REQUIRE_MFA"].lower() == "true"
TOKEN_KEYS: list[bytes] = _env.required("TOKEN_ENCRYPTION_KEYS", _env.token_keys)
AWS_CONNECTIONS = server.THREADS

# ── Tenants ──────────────────────────────────────────────────────────────────────────────────────────────────────
TENANT_PLANS = _env.plans
TENANT_METADATA_SCHEMA = _env.metadata_schema
CLOSING_GRACE_DAYS = int(_env.text["CLOSING_GRACE_DAYS"])
OWNER_RECOVERY_HOURS = int(_env.text["OWNER_RECOVERY_HOURS"])
COGNITO_CALLS_PER_SECOND = _env.calls_per_second
RECONCILE_EVERY = _env.reconcile_every
AUDIT_KEEP_DAYS = int(_env.text["AUDIT_KEEP_DAYS"])
METRICS_TOKENS = _env.metrics_tokens
TRUSTED_PROXIES = int(_env.text["TRUSTED_PROXIES"])
SUPPORT_CONTACT = _env.text["SUPPORT_CONTACT"]
COMMAND_LINE_ACCESS = _env.text["COMMAND_LINE_ACCESS"].lower() == "true"
ACCESS_EXAMPLE_ORGS = [part.strip() for part in _env.text["ACCESS_EXAMPLE_ORGS"].split(",") if part.strip()]

# ── Signing in ───────────────────────────────────────────────────────────────────────────────────────────────────
AUTH_USER_MODEL = "tenants.Person"
AUTHENTICATION_BACKENDS = ["tenants.sign_in.views.CognitoBackend"]
LOGIN_URL = "oidc_authentication_init"
LOGIN_REDIRECT_URL = "/"
OIDC_RP_CLIENT_ID = _env.text["COGNITO_CLIENT_ID"]
OIDC_RP_CLIENT_SECRET: str = _env.required("COGNITO_CLIENT_SECRET", _env.text["COGNITO_CLIENT_SECRET"])
OIDC_RP_SIGN_ALGO = "RS256"
OIDC_RP_SCOPES = "openid email profile"
OIDC_OP_AUTHORIZATION_ENDPOINT = f"{COGNITO_DOMAIN}/oauth2/authorize"
OIDC_OP_TOKEN_ENDPOINT = f"{COGNITO_DOMAIN}/oauth2/token"
OIDC_OP_USER_ENDPOINT = f"{COGNITO_DOMAIN}/oauth2/userInfo"
OIDC_OP_JWKS_ENDPOINT = (
    f"{AWS_ENDPOINT_URL or f'https://cognito-idp.{AWS_REGION}.amazonaws.com'}"
    f"/{COGNITO_USER_POOL_ID}/.well-known/jwks.json"
)
OIDC_USE_NONCE = True
OIDC_USE_PKCE = True
OIDC_PKCE_CODE_CHALLENGE_METHOD = "S256"
OIDC_ALLOW_UNSECURED_JWT = False
OIDC_STORE_ACCESS_TOKEN = False
OIDC_STORE_ID_TOKEN = False
OIDC_CALLBACK_CLASS = "tenants.sign_in.views.Callback"
ALLOW_LOGOUT_GET_METHOD = False

# ── Pages ────────────────────────────────────────────────────────────────────────────────────────────────────────
LANGUAGE_CODE = "en-gb"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False
STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "var" / "static"
STATICFILES_DIRS = [BASE_DIR / "portal" / "assets"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "portal.static_files.Storage"},
}
STATICFILES_FINDERS = ["portal.static_files.UsedFiles", "portal.static_files.UsedFilesOfPackages"]
# Without collectstatic, files are served from their sources.
WHITENOISE_USE_FINDERS = True
# No other site uses them.
WHITENOISE_ALLOW_ALL_ORIGINS = False
# `form-action` includes Cognito because the form that signs out is redirected there.
SECURE_CSP = {
    "default-src": "'none'",
    # `default-src` covers it. It is written out for those who look for it by name.
    "object-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "connect-src": "'self'",
    "form-action": f"'self' {COGNITO_DOMAIN}",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
}
LOGGING_CONFIG = "portal.observability.configure"
LOGGING = {"level": "INFO"}
DEFAULT_EXCEPTION_REPORTER = "portal.error_pages.Reporter"
DEFAULT_EXCEPTION_REPORTER_FILTER = "portal.error_pages.Filter"
SILENCED_SYSTEM_CHECKS: list[str] = []
