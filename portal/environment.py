"""Reads the settings from the environment and checks them all at once.

django-environ parses URLs only. Its other conveniences would hide mistakes: it takes a value that starts with `$` for
a reference, and an unescaped password changes the host.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parseaddr
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import environ
import jsonschema
from django.core.exceptions import ImproperlyConfigured

# name -> (description, default). No default means required. A test compares this with docs/settings.md.
SETTINGS: dict[str, tuple[str, str | None]] = {
    "DJANGO_SECRET_KEY": ("signs sessions and forms; 50 random characters or more", None),
    "DJANGO_DEBUG": ("true shows Django's error pages; never in a deployment", "false"),
    "DJANGO_ALLOWED_HOSTS": ("host names, separated by commas; empty means the host of PORTAL_URL", ""),
    "PORTAL_URL": ("where the portal is served, such as https://portal.example.com", None),
    "DATABASE_URL": (
        "such as postgres://user:password@host/name; SQLite in var/ by default",
        "sqlite:///var/portal.sqlite3",
    ),
    "CACHE_URL": ("such as redis://host:6379/0; must be shared by all processes", "filecache:///var/cache"),
    "EMAIL_URL": ("such as smtp+tls://user:password@host:587", "consolemail://"),
    "MAIL_FROM": ("sender of the portal's own mails, such as Portal <no-reply@example.com>", "portal@localhost"),
    "TOKEN_ENCRYPTION_KEYS": ("base64 of 32 random bytes; several separated by commas, the first encrypts", None),
    "AWS_REGION": ("such as eu-west-1", None),
    "AWS_ENDPOINT_URL": ("only for the emulator; empty means AWS itself", ""),
    "COGNITO_USER_POOL_ID": ("from the stack", None),
    "COGNITO_DOMAIN": ("URL of the sign-in pages, from the stack", None),
    "COGNITO_CLIENT_ID": ("from the stack", None),
    "COGNITO_CLIENT_SECRET": ("from the user pool", None),
    "COGNITO_BROWSER_CLIENT_ID": ("from the stack; empty where pages may not read by themselves", ""),
    "COGNITO_IDENTITY_POOL_ID": ("from the stack", None),
    "PUBLIC_READS": ("from the stack: true or false, whether visitors may read public records", "false"),
    "RECORDS_TABLE": ("name of the table, from the stack", None),
    "RECORDS_API_URL": ("URL of the HTTP API, from the stack; empty where it is not deployed", ""),
    "TENANT_ROLE_ARN": ("from the stack", None),
    "SUSPENSION_POLICY_ARN": ("from the stack", None),
    "CLOSING_ROLE_ARN": ("from the stack; only the closing job needs it", ""),
    "SIGN_UP": ("from the stack: portal or hosted-ui, where people sign up", "portal"),
    "COGNITO_MAILS": ("from the stack: ses or cognito-default, how Cognito sends its mails", "cognito-default"),
    "TENANT_PLANS": ("names separated by commas; a new tenant gets the first", "free,team,business"),
    "TENANT_METADATA_SCHEMA": (
        "a JSON schema, or the path of a file with one",
        '{"type": "object", "maxProperties": 50}',
    ),
    "CLOSING_GRACE_DAYS": ("days during which a tenant that is being closed can be reopened", "30"),
    "OWNER_RECOVERY_HOURS": ("hours during which an organisation's owners can stop an owner recovery", "72"),
    "COGNITO_CALLS_PER_SECOND": (
        "quotas of the user pool by category; the defaults are those of a new AWS account",
        "UserCreation=50,UserUpdate=25,UserRead=120,UserList=30",
    ),
    "AUDIT_KEEP_DAYS": ("minimum number of days to keep the audit trail", "730"),
    "METRICS_TOKEN": ("bearer token of the metrics collector; empty closes /metrics", ""),
    "TRUSTED_PROXIES": ("number of proxies in front of the portal that add to X-Forwarded-For", "0"),
}

BASE = Path(__file__).resolve().parent.parent
VAR = BASE / "var"


@dataclass(frozen=True)
class Environment:
    """The checked values. `text` has every setting by its name above, as text."""

    text: Mapping[str, str]
    debug: bool
    allowed_hosts: list[str]
    database: dict[str, Any]
    cache: dict[str, Any]
    email: dict[str, Any]
    token_keys: list[bytes]
    plans: list[str]
    metadata_schema: dict[str, Any]
    calls_per_second: dict[str, float]


def read(variables: Mapping[str, str]) -> Environment:
    """Raises ImproperlyConfigured naming every setting that is missing or malformed, never a value."""
    text = {name: variables.get(name, "").strip() or (default or "") for name, (_, default) in SETTINGS.items()}
    problems = {name: _problem(name, value) for name, value in text.items()}
    wrong = [f"  {name}: {problem} ({SETTINGS[name][0]})" for name, problem in problems.items() if problem]
    if wrong:
        raise ImproperlyConfigured("The portal cannot start with these settings:\n" + "\n".join(wrong))
    hosts = [host.strip() for host in text["DJANGO_ALLOWED_HOSTS"].split(",") if host.strip()]
    return Environment(
        text=text,
        debug=text["DJANGO_DEBUG"].lower() == "true",
        allowed_hosts=hosts or [urlsplit(text["PORTAL_URL"]).hostname or ""],
        database=_database(text["DATABASE_URL"]),
        cache=_cache(text["CACHE_URL"]),
        email=environ.Env.email_url_config(text["EMAIL_URL"]),
        token_keys=_token_keys(text["TOKEN_ENCRYPTION_KEYS"]),
        plans=_plans(text["TENANT_PLANS"]),
        metadata_schema=_metadata_schema(text["TENANT_METADATA_SCHEMA"]),
        calls_per_second=_calls_per_second(text["COGNITO_CALLS_PER_SECOND"]),
    )


def _problem(name: str, value: str) -> str:
    """What is wrong with the value, such as "is missing"; "" if nothing is."""
    if not value:
        return "is missing" if SETTINGS[name][1] is None else ""
    if value.startswith("$"):
        return "starts with $, which looks like a variable that was not replaced"
    try:
        _CHECKS.get(name, _accept)(value)
    except (ValueError, ImproperlyConfigured) as error:
        return str(error)
    return ""


def _accept(value: str) -> None:
    pass


def _secret_key(value: str) -> None:
    if len(value) < 50 or len(set(value)) < 5:
        raise ValueError("is too short or repeats too few characters")


def _true_or_false(value: str) -> None:
    if value.lower() not in {"true", "false"}:
        raise ValueError("must be true or false")


def _web_url(value: str) -> None:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("is not a web address")
    if parts.path or parts.query or parts.fragment:
        raise ValueError("has something after the host; remove it, including the last slash")
    if parts.scheme == "http" and parts.hostname not in {"localhost", "127.0.0.1", "::1"}:
        raise ValueError("must begin with https://, except on this machine")


def _api_url(value: str) -> None:
    """A path may follow the host, as in the emulator's addresses of APIs. It must not end with a slash."""
    path = urlsplit(value).path
    _web_url(value.removesuffix(path))
    if path.endswith("/"):
        raise ValueError("ends with a slash; remove it")


def _service_url(value: str) -> None:
    if value.count("@") > 1 or "#" in value:
        raise ValueError("has an @ or # that is not percent-encoded")


def _database_url(value: str) -> None:
    _service_url(value)
    if urlsplit(value).scheme not in {"sqlite", "postgres", "postgresql"}:
        raise ValueError("does not begin with postgres:// or sqlite://")
    _database(value)


def _cache_url(value: str) -> None:
    _service_url(value)
    if urlsplit(value).scheme not in {"redis", "rediss", "filecache", "locmemcache"}:
        raise ValueError("does not begin with redis://, rediss://, filecache:// or locmemcache://")


def _pattern(pattern: str, example: str) -> Callable[[str], None]:
    def check(value: str) -> None:
        if not re.fullmatch(pattern, value):
            raise ValueError(f"does not look like {example}")

    return check


def _token_keys(value: str) -> list[bytes]:
    try:
        keys = [base64.b64decode(part.strip(), validate=True) for part in value.split(",")]
    except binascii.Error as error:
        raise ValueError("is not base64") from error
    if any(len(key) != 32 for key in keys):
        raise ValueError("has a key that is not 32 bytes long")
    return keys


def _plans(value: str) -> list[str]:
    plans = [part.strip() for part in value.split(",")]
    if not all(re.fullmatch(r"[a-z0-9-]{1,40}", plan) for plan in plans) or len(set(plans)) != len(plans):
        raise ValueError("must be different names in lower-case letters, digits and hyphens, separated by commas")
    return plans


def _metadata_schema(value: str) -> dict[str, Any]:
    try:
        schema = json.loads(value if value.startswith("{") else (BASE / value).read_text("utf-8"))
        jsonschema.validators.validator_for(schema).check_schema(schema)
    except OSError as error:
        raise ValueError("names a file that cannot be read") from error
    except (ValueError, TypeError, AttributeError, jsonschema.SchemaError) as error:
        raise ValueError("is not a JSON schema") from error
    if not isinstance(schema, dict):
        raise ValueError("is not a JSON schema of an object")  # noqa: TRY004 - reported like the others
    return schema


def _calls_per_second(value: str) -> dict[str, float]:
    try:
        pairs = [part.split("=") for part in value.split(",")]
        rates = {name.strip(): float(rate) for name, rate in pairs}
    except ValueError as error:
        raise ValueError("does not look like UserCreation=50,UserUpdate=25,UserRead=120,UserList=30") from error
    if set(rates) != {"UserCreation", "UserUpdate", "UserRead", "UserList"} or not all(
        0 < rate < 100_000 for rate in rates.values()
    ):
        raise ValueError("must give UserCreation, UserUpdate, UserRead and UserList, each more than 0")
    return rates


def _days(value: str) -> None:
    if not value.isdecimal() or int(value) > 36_500:
        raise ValueError("must be a number of days, 36500 at most")


def _hours(value: str) -> None:
    if not (value.isascii() and value.isdecimal() and 1 <= int(value) <= 720):
        raise ValueError("must be a whole number of hours from 1 to 720")


def _sender(value: str) -> None:
    _, address = parseaddr(value)
    if not re.fullmatch(_ADDRESS, address) or not value.isprintable() or value.count("@") != 1:
        raise ValueError("does not look like Portal <no-reply@example.com>")


def _one_of(*choices: str) -> Callable[[str], None]:
    def check(value: str) -> None:
        if value not in choices:
            raise ValueError(f"must be {' or '.join(choices)}")

    return check


def _digit(value: str) -> None:
    if not (value.isascii() and value.isdecimal() and int(value) < 10):
        raise ValueError("must be a number from 0 to 9")


def _metrics_token(value: str) -> None:
    if len(value) < 20:
        raise ValueError("is shorter than 20 characters")


_REGION = r"[a-z]{2}(?:-[a-z]+)+-\d"
_ADDRESS = r"[^\s@<>,;:\"]+@[^\s@<>,;:\"]+"

_CHECKS: dict[str, Callable[[str], Any]] = {
    "DJANGO_SECRET_KEY": _secret_key,
    "DJANGO_DEBUG": _true_or_false,
    "PORTAL_URL": _web_url,
    "DATABASE_URL": _database_url,
    "CACHE_URL": _cache_url,
    "EMAIL_URL": _service_url,
    "MAIL_FROM": _sender,
    "TOKEN_ENCRYPTION_KEYS": _token_keys,
    "PUBLIC_READS": _true_or_false,
    "AWS_REGION": _pattern(_REGION, "eu-west-1"),
    "AWS_ENDPOINT_URL": _web_url,
    "COGNITO_USER_POOL_ID": _pattern(_REGION + r"_[A-Za-z0-9]+", "eu-west-1_AbCdEf123"),
    "COGNITO_DOMAIN": _web_url,
    "COGNITO_IDENTITY_POOL_ID": _pattern(_REGION + r":[0-9a-f-]{36}", "eu-west-1:a UUID"),
    "RECORDS_API_URL": _api_url,
    "TENANT_ROLE_ARN": _pattern(r"arn:aws[a-z-]*:iam::\d{12}:role/.+", "arn:aws:iam::123456789012:role/name"),
    "CLOSING_ROLE_ARN": _pattern(r"arn:aws[a-z-]*:iam::\d{12}:role/.+", "arn:aws:iam::123456789012:role/name"),
    "SIGN_UP": _one_of("portal", "hosted-ui"),
    "COGNITO_MAILS": _one_of("ses", "cognito-default"),
    "OWNER_RECOVERY_HOURS": _hours,
    "TENANT_PLANS": _plans,
    "TENANT_METADATA_SCHEMA": _metadata_schema,
    "CLOSING_GRACE_DAYS": _days,
    "COGNITO_CALLS_PER_SECOND": _calls_per_second,
    "AUDIT_KEEP_DAYS": _days,
    "METRICS_TOKEN": _metrics_token,
    "TRUSTED_PROXIES": _digit,
    "SUSPENSION_POLICY_ARN": _pattern(r"arn:aws[a-z-]*:iam::\d{12}:policy/.+", "arn:aws:iam::123456789012:policy/name"),
}


def _database(url: str) -> dict[str, Any]:
    config: dict[str, Any] = environ.Env.db_url_config(url)
    if config["ENGINE"] == "django.db.backends.sqlite3":
        config["NAME"] = _in_project(config["NAME"])
        config["OPTIONS"] = {
            # Without this, a transaction that reads before it writes fails at once instead of waiting.
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL;PRAGMA synchronous=NORMAL;PRAGMA foreign_keys=ON",
        }
    else:
        config["CONN_MAX_AGE"] = 60
        config["CONN_HEALTH_CHECKS"] = True
    return config


def _cache(url: str) -> dict[str, Any]:
    config: dict[str, Any] = environ.Env.cache_url_config(url)
    if config["BACKEND"].endswith("FileBasedCache"):
        config["LOCATION"] = _in_project(config["LOCATION"])
        config["OPTIONS"] = {"MAX_ENTRIES": 10_000}
    return config


def _in_project(path: str) -> str:
    """A path that begins with `/var/` means the project's own `var/`, whatever the current directory is."""
    relative = path.removeprefix("/")
    if not relative.startswith("var/"):
        return path
    # Readable by its owner only, because it holds sessions.
    VAR.mkdir(mode=0o700, exist_ok=True)
    return str(BASE / relative)
