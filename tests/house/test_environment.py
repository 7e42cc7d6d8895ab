"""Settings from the environment: all are checked, every problem is named at once, and no value is repeated."""

from __future__ import annotations

import base64
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from portal.environment import BASE, SETTINGS, read

GOOD = dict(
    line.split("=", 1)
    for line in (Path(BASE) / ".ci" / "deploy.env").read_text().splitlines()
    if line and not line.startswith("#")
)


def error_text(**changes: str) -> str:
    with pytest.raises(ImproperlyConfigured) as refused:
        read({**GOOD, **changes})
    return str(refused.value)


def test_the_example_settings_are_valid() -> None:
    environment = read(GOOD)
    assert environment.allowed_hosts == ["portal.example.com"]
    assert not environment.debug


def test_every_missing_setting_is_named_at_once() -> None:
    with pytest.raises(ImproperlyConfigured) as refused:
        read({})
    for name, setting in SETTINGS.items():
        assert (f"{name}: is missing" in str(refused.value)) is (setting.default is None)


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("DJANGO_SECRET_KEY", "hunter2", "too short"),
        ("DJANGO_SECRET_KEY", "$SECRET", "variable that was not replaced"),
        ("DJANGO_DEBUG", "yes", "must be true or false"),
        ("PORTAL_URL", "portal.example.com", "not a web address"),
        ("PORTAL_URL", "https://portal.example.com/", "something after the host"),
        ("PORTAL_URL", "http://portal.example.com", "must begin with https://"),
        ("PORTAL_URL", "http://localhost.example.com", "must begin with https://"),
        ("DATABASE_URL", "postgres://u:p@ss/w#1@h/db", "not percent-encoded"),
        ("DATABASE_URL", "mysql://u@h/db", "does not begin with postgres"),
        ("CACHE_URL", "memcached://h", "does not begin with redis"),
        ("TOKEN_ENCRYPTION_KEYS", "not base64!", "not base64"),
        ("TOKEN_ENCRYPTION_KEYS", "c2hvcnQ=", "32 bytes"),
        ("AWS_REGION", "Ireland", "does not look like eu-west-1"),
        ("AWS_ENDPOINT_URL", "localhost:4566", "not a web address"),
        ("COGNITO_USER_POOL_ID", "pool", "does not look like"),
        ("COGNITO_IDENTITY_POOL_ID", "eu-west-1_AbC", "does not look like"),
        ("TENANT_ROLE_ARN", "TenantRole", "does not look like"),
        ("CLOSING_ROLE_ARN", "ClosingRole", "does not look like"),
        ("METRICS_TOKEN", "short", "shorter than 20"),
        ("METRICS_TOKEN", "0123456789abcdefghij,short", "shorter than 20"),
        ("METRICS_TOKEN", "0123456789abcdefghij,0123456789abcdefghij", "the same value twice"),
        ("METRICS_TOKEN", ",".join(f"0123456789abcdefghi{n}" for n in range(3)), "more than two"),
        ("DJANGO_SECRET_KEY", GOOD["DJANGO_SECRET_KEY"] + ",x", "has a comma"),
        ("DJANGO_SECRET_KEY_FALLBACKS", GOOD["DJANGO_SECRET_KEY"], "has DJANGO_SECRET_KEY itself"),
        ("DJANGO_SECRET_KEY_FALLBACKS", GOOD["DJANGO_SECRET_KEY"] + "y,hunter2hunter2", "too short"),
        ("DJANGO_DEBUG", "true", "PORTAL_URL begins with https://"),
        ("TRUSTED_PROXIES", "one", "must be a number from 0 to 9"),
        ("TRUSTED_PROXIES", "-1", "must be a number from 0 to 9"),
        ("TRUSTED_PROXIES", "10", "must be a number from 0 to 9"),
        ("TENANT_METADATA_SCHEMA", '{"not": ' * 101 + "{}" + "}" * 101, "is not a JSON schema"),
        ("PUBLIC_READS", "yes", "must be true or false"),
        ("SIGN_UP", "hosted", "must be portal or hosted-ui"),
        ("COGNITO_MAILS", "SES", "must be ses or cognito-default"),
        ("OWNER_RECOVERY_HOURS", "0", "from 1 to 720"),
        ("OWNER_RECOVERY_HOURS", "721", "from 1 to 720"),
        ("OWNER_RECOVERY_HOURS", "1.5", "from 1 to 720"),
        ("RECONCILE_EVERY", "0", "must be off, or a time"),
        ("RECONCILE_EVERY", "hourly", "must be off, or a time"),
        ("RECONCILE_EVERY", "1.5h", "must be off, or a time"),
        ("RECONCILE_EVERY", "31d", "30 days"),
        ("RECONCILE_EVERY", "-5m", "must be off, or a time"),
        ("MAIL_FROM", "Acme Portal", "does not look like"),
        ("MAIL_FROM", "a@example.com, b@example.com", "does not look like"),
        ("MAIL_FROM", "Acme\nBcc: x <no-reply@example.com>", "does not look like"),
        ("MAIL_FROM", "Acme \u202e <no-reply@example.com>", "does not look like"),
        ("RECORDS_API_URL", "https://api.example.com/stage/", "ends with a slash"),
        ("RECORDS_API_URL", "https://api.example.com/stage?x", "something after the host"),
        ("RECORDS_API_URL", "http://api.example.com/stage", "must begin with https://"),
    ],
)
def test_a_malformed_setting_is_named_with_the_problem_not_the_value(name: str, value: str, why: str) -> None:
    text = error_text(**{name: value})
    assert name in text
    assert why in text
    if name in {"DJANGO_SECRET_KEY", "TOKEN_ENCRYPTION_KEYS", "DATABASE_URL"}:
        assert value not in text.replace("$, which", "")


@pytest.mark.parametrize(
    "url", ["", "https://a1.execute-api.eu-west-1.amazonaws.com", "http://localhost:4566/_apis/a1"]
)
def test_an_api_may_be_served_under_a_path(url: str) -> None:
    assert read({**GOOD, "RECORDS_API_URL": url}).text["RECORDS_API_URL"] == url


@pytest.mark.parametrize(
    "sender", ["portal@localhost", "Acme Portal <no-reply@example.com>", "Größe <a+b@example.com>"]
)
def test_a_sender_may_have_a_name(sender: str) -> None:
    assert read({**GOOD, "MAIL_FROM": sender}).text["MAIL_FROM"] == sender


def test_spaces_around_host_names_are_ignored() -> None:
    hosts = read({**GOOD, "DJANGO_ALLOWED_HOSTS": "portal.example.com, b.example ,"}).allowed_hosts
    assert hosts == ["portal.example.com", "b.example"]


@pytest.mark.parametrize(
    ("value", "seconds"), [("45", 45), ("45s", 45), ("30m", 1800), ("1h", 3600), ("30d", 2_592_000), ("", 3600)]
)
def test_a_comparison_is_as_often_as_the_setting_says(value: str, seconds: int) -> None:
    assert read({**GOOD, "RECONCILE_EVERY": value}).reconcile_every == timedelta(seconds=seconds)
    assert read({**GOOD, "RECONCILE_EVERY": "off"}).reconcile_every is None


def test_several_token_keys_are_accepted() -> None:
    another = base64.b64encode(bytes(range(32))).decode()
    keys = read({**GOOD, "TOKEN_ENCRYPTION_KEYS": f"{GOOD['TOKEN_ENCRYPTION_KEYS']}, {another}"})
    assert [len(key) for key in keys.token_keys] == [32, 32]


def test_earlier_secret_keys_are_taken_one_by_one() -> None:
    earlier = ["k" + GOOD["DJANGO_SECRET_KEY"], "l" + GOOD["DJANGO_SECRET_KEY"]]
    assert read({**GOOD, "DJANGO_SECRET_KEY_FALLBACKS": ", ".join(earlier)}).earlier_secret_keys == earlier
    assert read(GOOD).earlier_secret_keys == []
