"""What each setting may look like. A check raises ValueError with the end of a sentence, and never repeats the value.

It must not know the other settings: what has to agree is in `setting_agreement`.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import json
import re
from collections.abc import Callable, Sequence
from datetime import timedelta
from email.utils import parseaddr
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

import jsonschema

from iam.nesting import check_nesting
from tenants.domain.metadata_marks import EDIT, MARK, SEE, has_unknown_mark
from tenants.domain.org_id import is_org_id
from tenants.domain.tenant_state import MOST_GRACE_DAYS

# The project's root.
BASE = Path(__file__).resolve().parent.parent
REGION = r"[a-z]{2}(?:-[a-z]+)+-\d"
# jsonschema needs a dozen calls of Python for each level.
_DEEPEST_SCHEMA = 100
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3_600, "d": 86_400}
_ADDRESS = r"[^\s@<>,;:\"]+@[^\s@<>,;:\"]+"
_HOST = r"(?=.{1,253}\Z)[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*"
_LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))
# Django's own mark of a key that was made for trying things out.
_INSECURE = "django-insecure-"


def accept(value: str) -> None:
    pass


# ── Secrets ──────────────────────────────────────────────────────────────────────────────────────────────────────


def secret_key(value: str) -> None:
    if len(value) < 50 or len(set(value)) < 10 or value.startswith(_INSECURE):
        raise ValueError("is too short or repeats too few characters")
    if "," in value:
        # It could not become one of the earlier keys, which commas separate.
        raise ValueError("has a comma; make another one")


def earlier_secret_keys(value: str) -> list[str]:
    keys = _parts(value)
    for key in keys:
        try:
            secret_key(key)
        except ValueError:
            raise ValueError("has a key that is too short or repeats too few characters") from None
    _refuse_repeated(keys)
    return keys


def token_keys(value: str) -> list[bytes]:
    try:
        keys = [base64.b64decode(part.strip(), validate=True) for part in value.split(",")]
    except (binascii.Error, ValueError):
        raise ValueError("is not base64") from None
    if any(len(key) != 32 for key in keys):
        raise ValueError("has a key that is not 32 bytes long")
    if any(len(set(key)) < 10 for key in keys):
        raise ValueError("has a key that is not random")
    _refuse_repeated(keys)
    return keys


def metrics_tokens(value: str) -> list[str]:
    tokens = _parts(value)
    if len(tokens) > 2:
        raise ValueError("has more than two tokens")
    if any(len(token) < 20 for token in tokens):
        raise ValueError("has a token that is shorter than 20 characters")
    if not all(len(set(token)) >= 5 and re.fullmatch(r"[!-~]+", token) for token in tokens):
        raise ValueError("repeats too few characters, or has one that a header cannot carry")
    _refuse_repeated(tokens)
    return tokens


def _parts(value: str) -> list[str]:
    return [part.strip() for part in value.split(",")]


def _refuse_repeated(keys: Sequence[str | bytes]) -> None:
    if len(set(keys)) < len(keys):
        raise ValueError("has the same value twice")


# ── Addresses ────────────────────────────────────────────────────────────────────────────────────────────────────


def split_address(value: str) -> SplitResult:
    try:
        parts = urlsplit(value)
        port, host = parts.port, parts.hostname
    except ValueError:
        # Its text would repeat a part of the value.
        raise ValueError("has a host or a port that is malformed") from None
    if port == 0 or (host and not is_host(host)):
        raise ValueError("has a host or a port that is malformed")
    return parts


def is_host(text: str) -> bool:
    """A name, an IP address, or the path of a socket."""
    if text.startswith("/"):
        return True
    try:
        ipaddress.ip_address(text)
    except ValueError:
        # What ends in a number has to be an IP address, and is none.
        return bool(re.fullmatch(_HOST, text)) and not text.rpartition(".")[2].isdecimal()
    return True


def is_this_machine(host: str) -> bool:
    """By name or by address. What only looks like it is another machine: 127.1, ::ffff:127.0.0.1, localhost.example."""
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    # An address with the name of a network card after a % is not one of these.
    return "%" not in host and any(address in network for network in _LOOPBACK)


def web_url(value: str) -> None:
    parts = split_address(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("is not a web address")
    if parts.username is not None or parts.password is not None:
        raise ValueError("has a user before the host; remove it")
    if parts.path or "?" in value or "#" in value:
        raise ValueError("has something after the host; remove it, including the last slash")
    if parts.netloc != parts.netloc.lower() or parts.netloc.endswith(":"):
        raise ValueError("must be written in lower case, without an empty port")
    if parts.scheme == "http" and not is_this_machine(parts.hostname):
        raise ValueError("must begin with https://, except on this machine")


def api_url(value: str) -> None:
    """A path may follow the host, as in the emulator's addresses of APIs. It must not end with a slash."""
    path = split_address(value).path
    web_url(value.removesuffix(path))
    if path.endswith("/"):
        raise ValueError("ends with a slash; remove it")
    if path and not re.fullmatch(r"(/[A-Za-z0-9._~$-]+)+", path):
        raise ValueError("has a path that is malformed")


def allowed_hosts(value: str) -> list[str]:
    hosts = [host.strip() for host in value.split(",") if host.strip()]
    if any("*" in host for host in hosts):
        raise ValueError("has a *, so the portal would answer to any name; list the names")
    for host in hosts:
        if not is_host(host.removeprefix(".").strip("[]").lower()) or "/" in host:
            raise ValueError("has an entry that is not a host name; leave out schemes, ports and paths")
    return hosts


def sender(value: str) -> None:
    _, address = parseaddr(value)
    if not re.fullmatch(_ADDRESS, address) or not value.isprintable() or value.count("@") != 1:
        raise ValueError("does not look like Portal <no-reply@example.com>")


def contact(value: str) -> None:
    """An e-mail address, or a web page, which may have a path."""
    if re.fullmatch(_ADDRESS, value, re.ASCII) and value.isprintable():
        return
    parts = split_address(value)
    if parts.scheme != "https" or not parts.hostname or "@" in parts.netloc or not re.fullmatch(r"[!-~]+", value):
        raise ValueError("is neither an e-mail address nor an address that begins with https://")


# ── Words and numbers ────────────────────────────────────────────────────────────────────────────────────────────


def pattern(pattern: str, example: str) -> Callable[[str], None]:
    def check(value: str) -> None:
        if not re.fullmatch(pattern, value, re.ASCII):
            raise ValueError(f"does not look like {example}")

    return check


def one_of(*choices: str) -> Callable[[str], None]:
    def check(value: str) -> None:
        if value not in choices:
            raise ValueError(f"must be {' or '.join(choices)}")

    return check


def true_or_false(value: str) -> None:
    if value.lower() not in {"true", "false"}:
        raise ValueError("must be true or false")


def whole_number(of: str, least: int, most: int) -> Callable[[str], None]:
    def check(value: str) -> None:
        if not re.fullmatch(r"\d{1,9}", value, re.ASCII) or not least <= int(value) <= most:
            raise ValueError(f"must be a {of} from {least} to {most}")

    return check


grace_days = whole_number("whole number of days", 0, MOST_GRACE_DAYS)
keep_days = whole_number("whole number of days", 1, 36_500)
recovery_hours = whole_number("whole number of hours", 1, 720)
idle_minutes = whole_number("whole number of minutes", 5, 720)
proxies = whole_number("number", 0, 9)


def reconcile_every(value: str) -> timedelta | None:
    """None for `off`. A number alone is seconds."""
    if value == "off":
        return None
    match = re.fullmatch(r"([1-9]\d{0,6})([smhd]?)", value, re.ASCII)
    every = timedelta(seconds=int(match[1]) * _SECONDS[match[2]]) if match else timedelta(0)
    if not timedelta(0) < every <= timedelta(days=30):
        raise ValueError("must be off, or a time up to 30 days such as 30m, 1h or 1d")
    return every


def plans(value: str) -> list[str]:
    names = [part.strip() for part in value.split(",")]
    if not all(re.fullmatch(r"[a-z0-9-]{1,40}", name) for name in names) or len(set(names)) != len(names):
        raise ValueError("must be different names in lower-case letters, digits and hyphens, separated by commas")
    return names


def key_names(value: str) -> list[str]:
    names = [part.strip() for part in value.split(",")]
    # An attribute that begins with an underscore is the portal's own. What is longer fits into no key.
    if len(names) != 2 or names[0] == names[1] or not all(re.fullmatch(r"[^_\s].{0,254}", name) for name in names):
        raise ValueError("must be the names of two different attributes, separated by a comma, such as pk,sk")
    return names


def metadata_schema(value: str) -> dict[str, Any]:
    try:
        text = value if value.startswith("{") else (BASE / value).read_text("utf-8")
        check_nesting(text, deepest=_DEEPEST_SCHEMA)
        schema = json.loads(text)
        jsonschema.validators.validator_for(schema).check_schema(schema)
    except OSError as error:
        raise ValueError("names a file that cannot be read") from error
    except (ValueError, TypeError, AttributeError, jsonschema.SchemaError) as error:
        raise ValueError("is not a JSON schema") from error
    if not isinstance(schema, dict):
        raise ValueError("is not a JSON schema of an object")  # noqa: TRY004 - reported like the others
    if has_unknown_mark(schema):
        raise ValueError(f"has a property whose {MARK} is not “{EDIT}” or “{SEE}”")
    return schema


def org_ids(value: str) -> list[str]:
    ids = _parts(value)
    if not all(is_org_id(one) for one in ids):
        raise ValueError("must be org ids, which are UUIDs in lower case, separated by commas")
    _refuse_repeated(ids)
    return ids


def calls_per_second(value: str) -> dict[str, float]:
    try:
        pairs = [part.split("=") for part in value.split(",")]
        rates = {name.strip(): float(rate) for name, rate in pairs}
    except ValueError:
        raise ValueError("does not look like UserCreation=50,UserUpdate=25,UserRead=120,UserList=30") from None
    known = {"UserCreation", "UserUpdate", "UserRead", "UserList"}
    if set(rates) != known or len(pairs) != len(known) or not all(0 < rate < 100_000 for rate in rates.values()):
        raise ValueError("must give UserCreation, UserUpdate, UserRead and UserList, each once and more than 0")
    return rates
