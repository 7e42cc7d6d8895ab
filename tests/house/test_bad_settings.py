"""What cannot work is refused at the start: a line for each bad setting, with its name and without its value."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from portal.environment import SETTINGS, read
from portal.secret_files import SECRETS
from tests.house.test_environment import GOOD

KEY = base64.b64encode(bytes(range(32))).decode()
BAD: dict[str, list[str]] = {
    "DJANGO_SECRET_KEY": ["short", "a" * 80, "abcd" * 30, "django-insecure-" + "0123456789abcdefghijklmnop" * 3],
    "DJANGO_SECRET_KEY_FALLBACKS": [
        "short", "a" * 80, GOOD["DJANGO_SECRET_KEY"], f"x{GOOD['DJANGO_SECRET_KEY']},",
        "django-insecure-" + "0123456789" * 8,
        f"x{GOOD['DJANGO_SECRET_KEY']},x{GOOD['DJANGO_SECRET_KEY']}",
    ],
    "DJANGO_DEBUG": ["yes", "1", "on", "true", "True"],
    "DJANGO_ALLOWED_HOSTS": [
        "*", "portal.example.com,*", "*.example.com", "https://portal.example.com", "portal.example.com:443",
        "portal.example.com/x", "a b", "other.example.com", "por_tal..example.com", ".", "portal.example.com,.*",
    ],
    "PORTAL_URL": [
        "portal.example.com", "//portal.example.com", "ftp://portal.example.com", "http://portal.example.com",
        "https://portal.example.com/", "https://portal.example.com/x", "https://portal.example.com?x",
        "https://portal.example.com?", "https://portal.example.com#", "https://u:p@portal.example.com", "https://",
        "https://portal.example.com:x", "https://portal.example.com:99999", "https://portal.example.com:0",
        "https://portal.example.com:", "https://[::1", "https://exa mple.com", "https://Portal.example.com",
        "https://-portal.example.com", "https://portal..example.com", "https://256.1.1.1", "https://*.example.com",
    ],
    "DATABASE_URL": [
        "mysql://u@h/db", "postgres://", "postgres:///db", "postgres://h", "postgres://u:p@h/", "postgres://h/a/b",
        "postgres://u:p@h:port/db", "postgres://u:p@h:70000/db", "postgres://u:p@ss@h/db", "postgres://u:p/w@h/db",
        "postgres://u:p#w@h/db", "h/db", "postgres://h/db?sslmode=maybe", "postgres://h/db?no_such_option=1",
        "sqlite://", "sqlite:///", "sqlite://host/x", "sqlite:////nowhere/at/all/x.sqlite3", "sqlite:///var/",
        "postgres://u:p@[::1/db", "postgres://h/db", "postgres://h/db?sslmode=require",
    ],
    "CACHE_URL": [
        "memcached://h", "h:6379", "redis://", "redis:///0", "redis://:6379/0", "redis://h:x/0", "redis://h:99999/0",
        "redis://h:6379/zero", "redis://h:6379/-1", "redis://h/0/1", "redis://h1,h2/0", "redis://u:p@w@h/0",
        "filecache://", "filecache:///", "filecache://var/cache", "dbcache://table", "rediss://h:0/0", "redis://h",
        "rediss://h",
    ],
    "EMAIL_URL": [
        "mail.example.com:587", "imap://h", "smtp://", "smtp+tls://h:x", "smtp+tls://h:70000", "smtp+tls://u:p@w@h",
        "smtp+tls://:587", "smtp+tls://h/x", "filemail://", "smtp://h",
    ],
    "MAIL_FROM": ["Acme Portal", "a@example.com, b@example.com", "Acme\nBcc: x <a@example.com>", "@example.com"],
    "TOKEN_ENCRYPTION_KEYS": [
        "not base64!", "c2hvcnQ=", f"{KEY},{KEY}", f"{KEY},", base64.b64encode(bytes(32)).decode(), f"{KEY};{KEY}", "é",
    ],
    "AWS_REGION": ["Ireland", "eu-west", "eu-west-1a", "eu-central-1", "EU-WEST-1"],
    "AWS_ENDPOINT_URL": ["localhost:4566", "http://aws.example.com", "http://localhost:x", "https://aws.example.com/x"],
    "COGNITO_USER_POOL_ID": ["pool", "eu-west-1", "eu-central-1_AbCdEf123", "eu-west-1_", "eu-west-1_Ab/Cd"],
    "COGNITO_DOMAIN": [
        "portal", "http://login.example.com", "https://login.example.com/", "https://login.example.com:x",
        "https://portal.auth.us-east-1.amazoncognito.com",
    ],
    "COGNITO_CLIENT_ID": ["a b", "a-b", "x" * 129],
    "COGNITO_CLIENT_SECRET": ["short", "with a space in it", "x" * 129],
    "COGNITO_BROWSER_CLIENT_ID": ["a b", GOOD["COGNITO_CLIENT_ID"]],
    "COGNITO_IDENTITY_POOL_ID": [
        "eu-west-1_AbC", "eu-west-1:pool", "us-east-1:00000000-0000-0000-0000-000000000000", "eu-west-1:" + "-" * 36,
    ],
    "PUBLIC_READS": ["yes", "0"],
    "RECORDS_TABLE": ["a", "a b", "arn:aws:dynamodb:eu-west-1:123456789012:table/x", "x" * 256],
    "RECORDS_API_URL": [
        "api", "http://api.example.com", "https://api.example.com/x/", "https://api.example.com?x",
        "https://a1.execute-api.us-east-1.amazonaws.com", "https://api.example.com/a b",
    ],
    "TENANT_ROLE_ARN": [
        "TenantRole", "arn:aws:iam::12:role/x", "arn:aws:iam::123456789012:user/x", "arn:aws:iam::123456789012:role/",
        "arn:aws-cn:iam::123456789012:role/x", "arn:aws:iam::123456789012:role/a b",
    ],
    "SUSPENSION_POLICY_ARN": [
        "SuspendedTenants", "arn:aws:iam::123456789012:role/x", "arn:aws:iam::210987654321:policy/x",
        "arn:aws-us-gov:iam::123456789012:policy/x",
    ],
    "CLOSING_ROLE_ARN": ["ClosingRole", "arn:aws:iam::210987654321:role/x", "arn:aws:iam::123456789012:policy/x"],
    "SIGN_UP": ["hosted", "Portal", "none"],
    "COGNITO_MAILS": ["SES", "none"],
    "RECORDS_KEYS": ["pk", "pk,pk", "pk,sk,tk", "_pk,sk", "pk,", ","],
    "COMMAND_LINE_ACCESS": ["yes", "1", "off"],
    "REQUIRE_MFA": ["yes", "1", "ON"],
    "TENANT_PLANS": ["Free", "free,free", "free,", "free plan", ","],
    "TENANT_METADATA_SCHEMA": ["{", "{}}", '{"type": 7}', "no/such/file.json", "[]", '{"type": "objekt"}',
                               '{"properties": {"a": {"x-organisation": "change"}}}'],
    "CLOSING_GRACE_DAYS": ["-1", "3651", "30 days", "1.5", "1e2", "٣", "99999999999999999999", "thirty"],
    "OWNER_RECOVERY_HOURS": ["0", "-1", "721", "1.5", "three"],
    "COGNITO_CALLS_PER_SECOND": [
        "25", "UserCreation=1", "UserCreation=0,UserUpdate=1,UserRead=1,UserList=1",
        "UserCreation=-1,UserUpdate=1,UserRead=1,UserList=1", "UserCreation=nan,UserUpdate=1,UserRead=1,UserList=1",
        "UserCreation=inf,UserUpdate=1,UserRead=1,UserList=1", "UserCreation=1,UserUpdate=1,UserRead=1,UserList=1,X=1",
        "UserCreation=1,UserCreation=2,UserUpdate=1,UserRead=1,UserList=1",
        "UserCreation=x,UserUpdate=1,UserRead=1,UserList=1",
    ],
    "AUDIT_KEEP_DAYS": ["0", "-1", "36501", "forever", "1.5"],
    "RECONCILE_EVERY": ["0", "-1", "0s", "31d", "1w", "1.5h", "never", "OFF", "٣h"],
    "SESSION_IDLE_MINUTES": ["4", "721", "-60", "an hour", "5.5", "٦٠"],
    "METRICS_TOKEN": [
        "short", "a" * 40, "0123456789abcdefghij,", ",0123456789abcdefghij",
        "0123456789abcdefghij,0123456789abcdefghij",
        "0123456789 0123456789", "0123456789abcdefghij-é",
    ],
    "TRUSTED_PROXIES": ["-1", "10", "one", "1.0", "٣"],
    "SUPPORT_CONTACT": [
        "support", "a@b@example.com", "a b@example.com", "http://example.com", "javascript:alert(1)", "https://",
        "https://u:p@example.com", "https://example.com/a b", "mailto:a@example.com", "https://example.com/é",
    ],
    "ACCESS_EXAMPLE_ORGS": [
        "acme", "A0C3E000-0000-4000-8000-0000000000AC", "a0c3e000-0000-4000-8000-0000000000ac,", ",",
        "a0c3e000-0000-4000-8000-0000000000ac,a0c3e000-0000-4000-8000-0000000000ac",
    ],
}  # fmt: skip
ALSO_GOOD: dict[str, list[str]] = {
    "DJANGO_ALLOWED_HOSTS": [
        "portal.example.com,10.0.0.1", ".example.com", "localhost ,portal.example.com", "[::1],.example.com",
    ],
    "PORTAL_URL": ["https://portal.example.com:8443", "http://localhost:8000", "http://127.0.0.1:8000",
    "https://[::1]:8443"],
    "DATABASE_URL": [
        "postgres://localhost/db", "postgresql://u:p%40ss%23@h:5433/db?sslmode=verify-full",
        "sqlite:///var/portal.sqlite3",
        "postgresql://postgres:@/db?host=/tmp/socket", "postgres://u@[::1]:5432/db", "sqlite:////tmp/x.sqlite3",
        "postgres://127.0.0.1/db?connect_timeout=5",
    ],
    "CACHE_URL": ["redis://localhost", "rediss://:p%40@h:6379/15", "redis://127.0.0.1:6379",
    "filecache:///var/cache", "locmemcache://"],
    "EMAIL_URL": ["smtp://localhost:4570", "smtp+ssl://u:p%40@h:465", "consolemail://", "filemail:///tmp/mails",
    "memorymail://"],
    "TOKEN_ENCRYPTION_KEYS": [f"{GOOD['TOKEN_ENCRYPTION_KEYS']}, {KEY}"],
    "AWS_ENDPOINT_URL": ["http://localhost:4566"],
    "COGNITO_DOMAIN": ["https://login.example.com", "http://localhost:4566"],
    "RECORDS_API_URL": ["http://localhost:4566/_apis/a1", "https://a1.execute-api.eu-west-1.amazonaws.com"],
    "CLOSING_ROLE_ARN": ["arn:aws:iam::123456789012:role/path/portal-ClosingRole-1AB"],
    "CLOSING_GRACE_DAYS": ["0", "3650"],
    "AUDIT_KEEP_DAYS": ["1", "36500"],
    "RECONCILE_EVERY": ["off", "45", "30m", "30d"],
    "SESSION_IDLE_MINUTES": ["5", "720"],
    "SUPPORT_CONTACT": ["support@example.com", "https://example.com/help?topic=portal"],
    "ACCESS_EXAMPLE_ORGS": ["a0c3e000-0000-4000-8000-0000000000ac, 610be000-0000-4000-8000-00000000006b"],
}  # fmt: skip


def problems_of(changed: dict[str, str]) -> list[str]:
    """The lines about settings."""
    with pytest.raises(ImproperlyConfigured) as refused:
        read({**GOOD, **changed})
    return str(refused.value).splitlines()[1:]


def test_every_setting_has_values_that_cannot_work() -> None:
    assert set(BAD) == set(SETTINGS)


@pytest.mark.parametrize(("name", "value"), [(name, value) for name in BAD for value in BAD[name]])
def test_a_value_that_cannot_work_is_one_line_with_the_name(name: str, value: str) -> None:
    lines = problems_of({name: value})
    named = [line.split(":")[0].strip() for line in lines]
    # A region or an account of all others is told at the others.
    assert name in named or name in {"AWS_REGION", "TENANT_ROLE_ARN"}
    assert len(named) == len(set(named))
    # Examples in the text look like addresses. Those with a password have a test of their own.
    if name in SECRETS and not name.endswith("_URL") and len(value) > 9:
        assert value not in "\n".join(lines)


@pytest.mark.parametrize(("name", "value"), [(name, value) for name in ALSO_GOOD for value in ALSO_GOOD[name]])
def test_a_value_that_can_work_is_accepted(name: str, value: str) -> None:
    host = {"DJANGO_ALLOWED_HOSTS": ""} if name == "PORTAL_URL" else {}
    assert read({**GOOD, **host, name: value}).text[name] == value


@pytest.mark.parametrize("value", ["postgres://u:hush@h:hush/db", "postgres://u:hu/sh@h/db", "postgres://[hush/db"])
def test_no_part_of_an_address_with_a_password_is_repeated(value: str) -> None:
    assert "hu" not in "\n".join(problems_of({"DATABASE_URL": value})).replace("such as postgres://user:password", "")


def test_all_bad_settings_are_told_at_once() -> None:
    lines = problems_of({name: values[0] for name, values in BAD.items()})
    assert {line.split(":")[0].strip() for line in lines} == set(SETTINGS)


# ── Secrets in files ─────────────────────────────────────────────────────────────────────────────────────────────


def secret_file(tmp_path: Path, text: str, mode: int = 0o600) -> str:
    path = tmp_path / "secret"
    path.write_text(text)
    path.chmod(mode)
    return str(path)


@pytest.mark.parametrize("name", SECRETS)
@pytest.mark.parametrize("mode", [0o600, 0o400, 0o440, 0o640])
def test_a_secret_can_be_in_a_file(name: str, mode: int, tmp_path: Path) -> None:
    others = {"METRICS_TOKEN": "0123456789abcdefghij", "DJANGO_SECRET_KEY_FALLBACKS": "x" + GOOD["DJANGO_SECRET_KEY"]}
    value = others.get(name) or GOOD[name]
    without = {key: text for key, text in GOOD.items() if key != name}
    found = read({**without, f"{name}_FILE": secret_file(tmp_path, f"{value}\n", mode)})
    assert found.text[name] == value


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o660, 0o666, 0o620, 0o700, 0o444])
def test_a_secret_in_a_file_that_others_can_use_is_refused(mode: int, tmp_path: Path) -> None:
    name = "TOKEN_ENCRYPTION_KEYS"
    path = secret_file(tmp_path, GOOD[name], mode)
    (line,) = problems_of({name: "", f"{name}_FILE": path})
    assert f"that has mode {mode:04o}, so others can use it" in line


@pytest.mark.parametrize(("text", "why"), [("", "is empty or too long"), ("x" * 70_000, "is empty or too long")])
def test_a_file_without_a_secret_is_refused(text: str, why: str, tmp_path: Path) -> None:
    (line,) = problems_of({"METRICS_TOKEN_FILE": secret_file(tmp_path, text)})
    assert why in line


def test_a_file_that_is_no_text_a_folder_or_missing_is_refused(tmp_path: Path) -> None:
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff" * 40)
    binary.chmod(0o600)
    for path, why in ((binary, "is not text"), (tmp_path, "is not a file"), (tmp_path / "x", "No such file")):
        (line,) = problems_of({"METRICS_TOKEN_FILE": str(path)})
        assert why in line


def test_a_secret_given_twice_is_refused(tmp_path: Path) -> None:
    name = "DJANGO_SECRET_KEY"
    (line,) = problems_of({f"{name}_FILE": secret_file(tmp_path, GOOD[name])})
    assert f"is given twice: remove {name} or {name}_FILE" in line


def test_a_bad_value_in_a_file_is_told_like_one_in_the_environment(tmp_path: Path) -> None:
    (line,) = problems_of({"DJANGO_SECRET_KEY": "", "DJANGO_SECRET_KEY_FILE": secret_file(tmp_path, "hunter2hunter2")})
    assert "DJANGO_SECRET_KEY: is too short" in line
    assert "hunter2" not in line
