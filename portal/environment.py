"""Reads the settings from the environment and checks them all at once.

django-environ parses URLs only. Its other conveniences would hide mistakes: it takes a value that starts with `$` for
a reference, and an unescaped password changes the host.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

from portal import secret_files, service_addresses, setting_checks
from portal.hidden import HiddenBytes, HiddenText, Missing
from portal.setting_agreement import disagreements
from portal.setting_checks import REGION


class Process(Enum):
    """The portal's long-lived processes. A command in a terminal has the settings of the worker."""

    WEB = "web process"
    WORKER = "worker"
    CLOSING = "closing job"


ALL = frozenset(Process)
_WEB = frozenset({Process.WEB})
_WORKER = frozenset({Process.WORKER})
_CLOSING = frozenset({Process.CLOSING})


class Setting(NamedTuple):
    """No default means required: in every process, or in those that need it."""

    text: str
    default: str | None = None
    needed_by: frozenset[Process] = ALL


# A test compares this with docs/settings.md.
SETTINGS: dict[str, Setting] = {
    "DJANGO_SECRET_KEY": Setting("signs sessions and forms; 50 random characters or more", needed_by=_WEB),
    "DJANGO_SECRET_KEY_FALLBACKS": Setting("earlier values of DJANGO_SECRET_KEY, separated by commas", "", _WEB),
    "DJANGO_DEBUG": Setting("true shows Django's error pages; never in a deployment", "false"),
    "DJANGO_ALLOWED_HOSTS": Setting("host names, separated by commas; empty means the host of PORTAL_URL", "", _WEB),
    "PORTAL_URL": Setting("where the portal is served, such as https://portal.example.com"),
    "DATABASE_URL": Setting(
        "such as postgres://user:password@host/name?sslmode=verify-full; SQLite in var/ by default",
        "sqlite:///var/portal.sqlite3",
    ),
    "CACHE_URL": Setting(
        "such as rediss://:password@host:6379/0; must be shared by all processes", "filecache:///var/cache"
    ),
    "EMAIL_URL": Setting("such as smtp+tls://user:password@host:587", "consolemail://", _WORKER),
    "MAIL_FROM": Setting(
        "sender of the portal's own mails, such as Portal <no-reply@example.com>", "portal@localhost", _WORKER
    ),
    "TOKEN_ENCRYPTION_KEYS": Setting(
        "base64 of 32 random bytes; several separated by commas, the first encrypts", needed_by=_WEB
    ),
    "AWS_REGION": Setting("such as eu-west-1"),
    "AWS_ENDPOINT_URL": Setting("only for the emulator; empty means AWS itself", ""),
    "COGNITO_USER_POOL_ID": Setting("from the stack"),
    "COGNITO_DOMAIN": Setting("URL of the sign-in pages, from the stack"),
    "COGNITO_CLIENT_ID": Setting("from the stack"),
    "COGNITO_CLIENT_SECRET": Setting("from the user pool", needed_by=_WEB),
    "COGNITO_BROWSER_CLIENT_ID": Setting("from the stack; empty where pages may not read by themselves", "", _WEB),
    "COGNITO_IDENTITY_POOL_ID": Setting("from the stack"),
    "PUBLIC_READS": Setting("from the stack: true or false, whether visitors may read public records", "false", _WEB),
    "RECORDS_TABLE": Setting("name of the table, from the stack"),
    "RECORDS_KEYS": Setting(
        "names of the table's partition key and sort key, separated by a comma", "pk,sk", _WEB | _CLOSING
    ),
    "RECORDS_API_URL": Setting("URL of the HTTP API, from the stack; empty where it is not deployed", "", _WEB),
    "TENANT_ROLE_ARN": Setting("from the stack"),
    "SUSPENSION_POLICY_ARN": Setting("from the stack"),
    "CLOSING_ROLE_ARN": Setting("from the stack; only the closing job needs it", "", _CLOSING),
    "SIGN_UP": Setting("from the stack: portal or hosted-ui, where people sign up", "portal", _WEB | _WORKER),
    "COGNITO_MAILS": Setting(
        "from the stack: ses or cognito-default, how Cognito sends its mails", "cognito-default", _WEB
    ),
    "REQUIRE_MFA": Setting(
        "from the stack: true or false, whether everybody needs a second factor", "false", _WEB | _WORKER
    ),
    "TENANT_PLANS": Setting(
        "names separated by commas; a new tenant gets the first", "free,team,business", _WEB | _WORKER
    ),
    "TENANT_METADATA_SCHEMA": Setting(
        "a JSON schema, or the path of a file with one", '{"type": "object", "maxProperties": 50}', _WEB | _WORKER
    ),
    "CLOSING_GRACE_DAYS": Setting(
        "days during which a tenant that is being closed can be reopened", "30", _WEB | _WORKER
    ),
    "OWNER_RECOVERY_HOURS": Setting(
        "hours during which an organisation's owners can stop an owner recovery", "72", _WEB | _WORKER
    ),
    "COGNITO_CALLS_PER_SECOND": Setting(
        "quotas of the user pool by category; the defaults are those of a new AWS account",
        "UserCreation=50,UserUpdate=25,UserRead=120,UserList=30",
        _WEB | _WORKER,
    ),
    "RECONCILE_EVERY": Setting(
        "how often the worker compares the user pool, such as 30m, 1h or 1d; off turns it off", "1h", _WEB | _WORKER
    ),
    "AUDIT_KEEP_DAYS": Setting("minimum number of days to keep the audit trail", "730", _WORKER),
    "SESSION_IDLE_MINUTES": Setting(
        "minutes after which somebody who does nothing has to sign in again", "60", _WEB | _WORKER
    ),
    "METRICS_TOKEN": Setting(
        "bearer token of the metrics collector, or two separated by a comma; empty closes /metrics", "", _WEB
    ),
    "TRUSTED_PROXIES": Setting("number of proxies in front of the portal that add to X-Forwarded-For", "0", _WEB),
    "SUPPORT_CONTACT": Setting(
        "whom people write to, an e-mail address or an https:// address; empty names nobody", "", _WEB
    ),
    "COMMAND_LINE_ACCESS": Setting(
        "true or false, whether people can take their own temporary credentials to a terminal", "true", _WEB
    ),
    "ACCESS_EXAMPLE_ORGS": Setting(
        "org ids that the page Access offers to everybody to try, separated by commas", "", _WEB
    ),
}

BASE = setting_checks.BASE
VAR = service_addresses.VAR
_CLIENT, _CLIENT_EXAMPLE = r"[A-Za-z0-9_+]{1,128}", "0123456789abcdefghijklmnop"
_UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_ROLE_ARN = setting_checks.pattern(
    r"arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]+", "arn:aws:iam::123456789012:role/name"
)


@dataclass(frozen=True)
class Environment:
    """The checked values. `text` has every setting by its name above, as text. Secrets print as stars.

    `missing` are the required settings that this process does not have and may not need.
    """

    text: Mapping[str, str]
    debug: bool
    allowed_hosts: list[str]
    database: dict[str, Any]
    cache: dict[str, Any]
    email: dict[str, Any]
    earlier_secret_keys: list[str]
    token_keys: list[bytes]
    plans: list[str]
    metadata_schema: dict[str, Any]
    calls_per_second: dict[str, float]
    reconcile_every: timedelta | None
    metrics_tokens: list[str]
    missing: tuple[str, ...]

    def required(self, name: str, value: Any) -> Any:
        """`value`, which was made of this setting, or what raises as soon as it is used."""
        return Missing(name) if name in self.missing else value


def read(variables: Mapping[str, str]) -> Environment:
    """Raises ImproperlyConfigured naming every setting that is missing or malformed, never a value."""
    given, problems = secret_files.contents(variables)
    text = {name: _text(name, given.get(name, "").strip() or (SETTINGS[name].default or "")) for name in SETTINGS}
    around = _problems_around(variables)
    # A traceback can show what the variables of a function hold.
    del given, variables
    problems |= {name: why for name, value in text.items() if name not in problems and (why := _problem(name, value))}
    problems |= {name: why for name, why in around.items() if name not in problems}
    problems |= dict(disagreements({name: value for name, value in text.items() if name not in problems}))
    missing = _missing(text, problems)
    if problems:
        raise ImproperlyConfigured(_cannot_start(problems | {name: _needed(name) for name in missing}))
    hosts = setting_checks.allowed_hosts(text["DJANGO_ALLOWED_HOSTS"])
    return Environment(
        text=text,
        debug=text["DJANGO_DEBUG"].lower() == "true",
        allowed_hosts=hosts or [urlsplit(text["PORTAL_URL"]).hostname or ""],
        database=service_addresses.database(text["DATABASE_URL"]),
        cache=service_addresses.cache(text["CACHE_URL"]),
        email=service_addresses.mail(text["EMAIL_URL"]),
        earlier_secret_keys=[HiddenText(key) for key in _earlier_secret_keys(text["DJANGO_SECRET_KEY_FALLBACKS"])],
        token_keys=[HiddenBytes(key) for key in _token_keys(text["TOKEN_ENCRYPTION_KEYS"])],
        plans=setting_checks.plans(text["TENANT_PLANS"]),
        metadata_schema=setting_checks.metadata_schema(text["TENANT_METADATA_SCHEMA"]),
        calls_per_second=setting_checks.calls_per_second(text["COGNITO_CALLS_PER_SECOND"]),
        reconcile_every=setting_checks.reconcile_every(text["RECONCILE_EVERY"]),
        metrics_tokens=[HiddenText(token) for token in _metrics_tokens(text["METRICS_TOKEN"])],
        missing=missing,
    )


def _text(name: str, value: str) -> str:
    return HiddenText(value) if name in secret_files.SECRETS else value


def _earlier_secret_keys(value: str) -> list[str]:
    return setting_checks.earlier_secret_keys(value) if value else []


def _token_keys(value: str) -> list[bytes]:
    return setting_checks.token_keys(value) if value else []


def _metrics_tokens(value: str) -> list[str]:
    return setting_checks.metrics_tokens(value) if value else []


# ── Who needs what ───────────────────────────────────────────────────────────────────────────────────────────────


def refuse_missing(process: Process, missing: Iterable[str]) -> None:
    """Raises ImproperlyConfigured if the process needs one of these. `missing` is that of the environment."""
    needed = {name: _needed(name) for name in missing if process in SETTINGS[name].needed_by}
    if needed:
        raise ImproperlyConfigured(_cannot_start(needed))


def settings_of(process: Process, variables: Mapping[str, str]) -> dict[str, str]:
    """The variables without settings that only other processes need."""
    return {
        name: value
        for name, value in variables.items()
        if process in SETTINGS.get(name.removesuffix("_FILE"), Setting("")).needed_by
    }


def _missing(text: Mapping[str, str], problems: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(name for name, value in text.items() if _is_required(name) and not value and name not in problems)


def _is_required(name: str) -> bool:
    return SETTINGS[name].default is None


def _needed(name: str) -> str:
    return f"is missing, and needed by the {' and the '.join(sorted(who.value for who in SETTINGS[name].needed_by))}"


def _cannot_start(problems: Mapping[str, str]) -> str:
    wrong = [f"  {name}: {problems[name]} ({SETTINGS[name].text})" for name in SETTINGS if name in problems]
    return "The portal cannot start with these settings:\n" + "\n".join(wrong)


# ── Problems ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _problems_around(variables: Mapping[str, str]) -> dict[str, str]:
    """What other variables of the environment would do to a setting, by setting."""
    found = {"DATABASE_URL": service_addresses.redirecting(variables), "AWS_ENDPOINT_URL": _other_endpoints(variables)}
    return {name: why for name, why in found.items() if why}


def _other_endpoints(variables: Mapping[str, str]) -> str:
    """AWS's library takes an address for each service too."""
    for name in sorted(variables):
        if name.startswith("AWS_ENDPOINT_URL_") and variables[name]:
            try:
                setting_checks.web_url(variables[name])
            except ValueError as error:
                return f"is not the only address: {name} {error}"
    return ""


def _problem(name: str, value: str) -> str:
    """What is wrong with the value, such as "is missing"; "" if nothing is."""
    if not value:
        return "is missing" if _is_required(name) and SETTINGS[name].needed_by == ALL else ""
    if value.startswith("$"):
        return "starts with $, which looks like a variable that was not replaced"
    try:
        _CHECKS.get(name, setting_checks.accept)(value)
    except ValueError as error:
        return str(error)
    # A schema may have lines.
    if name != "TENANT_METADATA_SCHEMA" and not value.isprintable():
        return "has a character that cannot be printed"
    return ""


_CHECKS: dict[str, Callable[[str], Any]] = {
    "DJANGO_SECRET_KEY": setting_checks.secret_key,
    "DJANGO_SECRET_KEY_FALLBACKS": setting_checks.earlier_secret_keys,
    "DJANGO_DEBUG": setting_checks.true_or_false,
    "DJANGO_ALLOWED_HOSTS": setting_checks.allowed_hosts,
    "PORTAL_URL": setting_checks.web_url,
    "DATABASE_URL": service_addresses.database_url,
    "CACHE_URL": service_addresses.cache_url,
    "EMAIL_URL": service_addresses.mail_url,
    "MAIL_FROM": setting_checks.sender,
    "TOKEN_ENCRYPTION_KEYS": setting_checks.token_keys,
    "PUBLIC_READS": setting_checks.true_or_false,
    "AWS_REGION": setting_checks.pattern(REGION, "eu-west-1"),
    "AWS_ENDPOINT_URL": setting_checks.web_url,
    "COGNITO_USER_POOL_ID": setting_checks.pattern(REGION + r"_[A-Za-z0-9]+", "eu-west-1_AbCdEf123"),
    "COGNITO_DOMAIN": setting_checks.web_url,
    "COGNITO_CLIENT_ID": setting_checks.pattern(_CLIENT, _CLIENT_EXAMPLE),
    "COGNITO_CLIENT_SECRET": setting_checks.pattern(r"[!-~]{8,128}", "a client's secret"),
    "COGNITO_BROWSER_CLIENT_ID": setting_checks.pattern(_CLIENT, _CLIENT_EXAMPLE),
    "COGNITO_IDENTITY_POOL_ID": setting_checks.pattern(REGION + ":" + _UUID, "eu-west-1:a UUID"),
    "RECORDS_TABLE": setting_checks.pattern(r"[A-Za-z0-9_.-]{3,255}", "the name of a table"),
    "RECORDS_KEYS": setting_checks.key_names,
    "RECORDS_API_URL": setting_checks.api_url,
    "TENANT_ROLE_ARN": _ROLE_ARN,
    "SUSPENSION_POLICY_ARN": setting_checks.pattern(
        r"arn:aws[a-z-]*:iam::\d{12}:policy/[\w+=,.@/-]+", "arn:aws:iam::123456789012:policy/name"
    ),
    "CLOSING_ROLE_ARN": _ROLE_ARN,
    "SIGN_UP": setting_checks.one_of("portal", "hosted-ui"),
    "COGNITO_MAILS": setting_checks.one_of("ses", "cognito-default"),
    "REQUIRE_MFA": setting_checks.true_or_false,
    "TENANT_PLANS": setting_checks.plans,
    "TENANT_METADATA_SCHEMA": setting_checks.metadata_schema,
    "CLOSING_GRACE_DAYS": setting_checks.grace_days,
    "OWNER_RECOVERY_HOURS": setting_checks.recovery_hours,
    "COGNITO_CALLS_PER_SECOND": setting_checks.calls_per_second,
    "RECONCILE_EVERY": setting_checks.reconcile_every,
    "AUDIT_KEEP_DAYS": setting_checks.keep_days,
    "SESSION_IDLE_MINUTES": setting_checks.idle_minutes,
    "METRICS_TOKEN": setting_checks.metrics_tokens,
    "TRUSTED_PROXIES": setting_checks.proxies,
    "SUPPORT_CONTACT": setting_checks.contact,
    "COMMAND_LINE_ACCESS": setting_checks.true_or_false,
    "ACCESS_EXAMPLE_ORGS": setting_checks.org_ids,
}
