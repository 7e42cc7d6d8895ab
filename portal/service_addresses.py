"""The addresses of the database, the cache and the mail server, and Django's settings made from them.

What is checked is what the libraries are given. A server on another machine is reached with verified TLS or not at all:
the connection carries passwords, sessions and mails. A check raises ValueError with the end of a sentence.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

import environ
from redis.backoff import NoBackoff
from redis.retry import Retry

from portal.hidden import HiddenText
from portal.setting_checks import BASE, is_host, is_this_machine, split_address

VAR = BASE / "var"
_SSL_MODES = {"disable", "allow", "prefer", "require", "verify-ca", "verify-full"}
# Of libpq. The others could name another server, weaken TLS, or hold a password that pages would show.
_DATABASE_OPTIONS = {
    "host", "sslmode", "sslrootcert", "sslcert", "sslkey", "sslcrl", "connect_timeout", "application_name", "options",
    "target_session_attrs", "load_balance_hosts", "channel_binding", "tcp_user_timeout", "keepalives",
    "keepalives_idle", "keepalives_interval", "keepalives_count",
}  # fmt: skip
# With these in the environment, libpq would connect elsewhere than DATABASE_URL says.
_REDIRECTING = ("PGHOSTADDR", "PGSERVICE")
_REDIS_OPTIONS: dict[str, Callable[[str], Any]] = {
    "socket_timeout": float,
    "socket_connect_timeout": float,
    "max_connections": int,
}
_REDIS_FILES = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
# Redis's own words for what is always on.
_ALWAYS_ON = {"ssl_cert_reqs": "required", "ssl_check_hostname": "true"}
_MAIL_SERVERS = {"smtp", "smtps", "smtp+tls", "smtp+ssl"}
_OTHER_MAILS = {"consolemail", "filemail", "memorymail", "dummymail"}


def _service(value: str, *schemes: str) -> SplitResult:
    if value.count("@") > 1 or "#" in value:
        raise ValueError("has an @ or # that is not percent-encoded")
    begins = [f"{scheme}://" for scheme in schemes]
    if not value.startswith(tuple(begins)):
        raise ValueError(f"does not begin with {' or '.join(begins)}")
    return split_address(value)


def _options(query: str, known: Collection[str]) -> dict[str, str]:
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=True) if query else []
    except ValueError:
        raise ValueError("has options after the ? that are malformed") from None
    names = [name for name, _ in pairs]
    if len(set(names)) < len(names) or not all(value for _, value in pairs):
        raise ValueError("has an option after the ? twice, or without a value")
    if not set(names) <= set(known):
        raise ValueError(f"has an unknown option after the ?; known are {', '.join(sorted(known))}")
    return dict(pairs)


def _secret(text: str | None) -> HiddenText:
    return HiddenText(unquote(text or ""))


# ── Database ─────────────────────────────────────────────────────────────────────────────────────────────────────


def database_url(value: str) -> None:
    if value == "sqlite://:memory:":
        return
    parts = _service(value, "postgres", "postgresql", "sqlite")
    if parts.scheme == "sqlite":
        _sqlite_file(parts)
        return
    options = _options(parts.query, _DATABASE_OPTIONS)
    if bool(parts.hostname) is ("host" in options):
        raise ValueError("names no host" if not parts.hostname else "names two hosts: remove the one after the ?")
    if not re.fullmatch(r"/[^/]+", unquote(parts.path)):
        raise ValueError("names no database after the host, such as /portal")
    if options.get("sslmode", "prefer") not in _SSL_MODES:
        raise ValueError(f"has an unknown sslmode; use one of {', '.join(sorted(_SSL_MODES))}")
    _verified_database(_postgresql(value))


def _sqlite_file(parts: SplitResult) -> None:
    file = parts.path.removeprefix("/")
    if parts.netloc or not file or file.endswith("/"):
        raise ValueError("names no file, such as sqlite:///var/portal.sqlite3")
    folder = (BASE / file).parent
    # Made when it is needed, with only its owner's rights.
    if folder != VAR and not folder.is_dir():
        raise ValueError("names a file in a folder that does not exist")


def _verified_database(config: dict[str, Any]) -> None:
    if not all(is_host(host) for host in config["HOST"].split(",")):
        raise ValueError("has a host or a port that is malformed")
    if not _is_local(config) and config["OPTIONS"].get("sslmode") != "verify-full":
        raise ValueError("reaches another machine without verified TLS: add ?sslmode=verify-full")


def _is_local(config: dict[str, Any]) -> bool:
    return all(host.startswith("/") or is_this_machine(host) for host in config["HOST"].split(","))


def redirecting(variables: Mapping[str, str]) -> str:
    """What is wrong with the environment around DATABASE_URL; "" if nothing is."""
    found = [name for name in _REDIRECTING if variables.get(name)]
    return f"is not what libpq connects to while {' and '.join(found)} is set; remove it" if found else ""


def database(url: str) -> dict[str, Any]:
    """An entry of DATABASES."""
    if not url.startswith("sqlite:"):
        return _postgresql(url)
    config: dict[str, Any] = environ.Env.db_url_config(url)
    config["NAME"] = _in_project(config["NAME"])
    config["OPTIONS"] = {
        # Without this, a transaction that reads before it writes fails at once instead of waiting.
        "transaction_mode": "IMMEDIATE",
        # Longer than any transaction here takes. After that, a page says so and a worker tries again.
        "timeout": 5,
        "init_command": "PRAGMA journal_mode=WAL;PRAGMA synchronous=NORMAL;PRAGMA foreign_keys=ON",
    }
    return config


def _postgresql(url: str) -> dict[str, Any]:
    parts = urlsplit(url)
    options = _options(parts.query, _DATABASE_OPTIONS)
    config: dict[str, Any] = {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path[1:]),
        "USER": unquote(parts.username or ""),
        "PASSWORD": _secret(parts.password),
        "HOST": parts.hostname or options.pop("host", ""),
        "PORT": str(parts.port or ""),
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        # A host that is gone does not refuse a connection: it does not answer.
        "OPTIONS": {"connect_timeout": 3, **options},
    }
    if not _is_local(config):
        # Otherwise libpq would look for certificates in the user's home, and with a Kerberos ticket not use TLS.
        config["OPTIONS"] = {"sslrootcert": "system", **config["OPTIONS"], "gssencmode": "disable"}
    return config


# ── Cache ────────────────────────────────────────────────────────────────────────────────────────────────────────


def cache_url(value: str) -> None:
    parts = _service(value, "redis", "rediss", "filecache", "locmemcache")
    if parts.scheme == "filecache" and (parts.netloc or not parts.path.strip("/")):
        raise ValueError("names no folder, such as filecache:///var/cache")
    if parts.scheme not in {"redis", "rediss"}:
        if parts.query:
            raise ValueError("has something after a ?; remove it")
        return
    if not parts.hostname:
        raise ValueError("names no host")
    if not re.fullmatch(r"(/|/\d{1,5})?", parts.path, re.ASCII):
        raise ValueError("must have the number of a database after the host, or nothing")
    if parts.scheme == "redis" and "ssl_" in parts.query:
        raise ValueError("has options of TLS, and does not begin with rediss://")
    _redis_options(parts)
    if not is_this_machine(parts.hostname):
        _verified_cache(parts)


def _redis_options(parts: SplitResult) -> dict[str, Any]:
    given = _options(parts.query, {*_REDIS_OPTIONS, *_REDIS_FILES, *_ALWAYS_ON})
    for name, text in _ALWAYS_ON.items():
        if given.pop(name, text).lower() != text:
            raise ValueError(f"turns the verification of TLS off: remove {name}")
    try:
        numbers = {name: _REDIS_OPTIONS[name](text) for name, text in given.items() if name in _REDIS_OPTIONS}
    except ValueError:
        raise ValueError("has an option after the ? that is not a number") from None
    if not all(0 < number < 100_000 for number in numbers.values()):
        raise ValueError("has a number after the ? that is too small or too large")
    return {**given, **numbers}


def _verified_cache(parts: SplitResult) -> None:
    if parts.scheme != "rediss":
        raise ValueError("reaches another machine without TLS: use rediss://")
    if not parts.password:
        raise ValueError("reaches another machine without a password: use rediss://:password@host, or user:password@")


def cache(url: str) -> dict[str, Any]:
    """The setting of the server that all processes share."""
    if urlsplit(url).scheme in {"redis", "rediss"}:
        return _redis(url)
    config: dict[str, Any] = environ.Env.cache_url_config(url)
    if config["BACKEND"].endswith("FileBasedCache"):
        config["LOCATION"] = _in_project(config["LOCATION"])
        config["OPTIONS"] = {"MAX_ENTRIES": 10_000}
    return config


def _redis(url: str) -> dict[str, Any]:
    """The password is beside the address, because the address is shown in errors and among the settings."""
    parts = urlsplit(url)
    # A server that hangs must not hold up a page. Trying again is of no use: the portal can do without.
    options: dict[str, Any] = {"socket_connect_timeout": 0.5, "socket_timeout": 0.5, "retry": Retry(NoBackoff(), 0)}
    if parts.username:
        options["username"] = unquote(parts.username)
    if parts.password:
        options["password"] = _secret(parts.password)
    if parts.scheme == "rediss":
        options |= {"ssl_cert_reqs": "required", "ssl_check_hostname": True}
    server = parts.netloc.rpartition("@")[2]
    return {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": f"{parts.scheme}://{server}{parts.path}",
        "OPTIONS": {**options, **_redis_options(parts)},
    }


# ── Mail ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def mail_url(value: str) -> None:
    parts = _service(value, *sorted(_MAIL_SERVERS | _OTHER_MAILS))
    if parts.query:
        # Among them are some that turn TLS off.
        raise ValueError("has something after a ?; remove it")
    if parts.scheme == "filemail" and not parts.path.strip("/"):
        raise ValueError("names no folder")
    if parts.scheme not in _MAIL_SERVERS:
        return
    if not parts.hostname:
        raise ValueError("names no host")
    if parts.path.strip("/"):
        raise ValueError("has something after the host; remove it")
    if parts.scheme == "smtp" and not is_this_machine(parts.hostname):
        raise ValueError("reaches another machine without TLS: use smtp+tls:// or smtp+ssl://")


def mail(url: str) -> dict[str, Any]:
    """Django's settings of mail. Its backend verifies the certificate and the host where TLS is on."""
    config: dict[str, Any] = environ.Env.email_url_config(url)
    return {**config, "EMAIL_HOST_PASSWORD": HiddenText(config["EMAIL_HOST_PASSWORD"] or "")}


def _in_project(path: str) -> str:
    """A path that begins with `/var/` means the project's own `var/`, whatever the current directory is."""
    relative = path.removeprefix("/")
    if not relative.startswith("var/"):
        return path
    # Readable by its owner only, because it holds sessions.
    VAR.mkdir(mode=0o700, exist_ok=True)
    return str(BASE / relative)
