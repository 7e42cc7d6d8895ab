"""Database, cache and mail server with a certificate that does not prove who they are: nothing secret is sent to them.

Each is called as the portal calls it, with the settings made from an address of another machine.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.core.cache.backends.redis import RedisCache
from django.core.mail import get_connection

from portal import service_addresses
from tests.world import tls_servers
from tests.world.tls_servers import Begin, certificate, serving

SECRET = "hush-0123456789"


@dataclass(frozen=True)
class Certificates:
    trusted: Path
    good: Path
    another_host: Path
    self_signed: Path


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    folder = tmp_path_factory.mktemp("certificates")
    authority = certificate("authority", signed_by=None)
    return Certificates(
        authority.write(folder / "authority.pem"),
        certificate("localhost", signed_by=authority).write(folder / "good.pem"),
        certificate("db.example.com", signed_by=authority).write(folder / "another.pem"),
        certificate("localhost", signed_by=None).write(folder / "self.pem"),
    )


def call_database(port: int, trusted: str) -> None:
    url = f"postgres://u:{SECRET}@db.example.com:{port}/db?sslmode=verify-full{trusted}"
    config = service_addresses.database(url)
    options = config["OPTIONS"] | {"host": "localhost", "port": port, "user": config["USER"], "connect_timeout": 60}
    with psycopg.connect(dbname=config["NAME"], password=config["PASSWORD"], **options):
        pass


def call_database_with_a_file(port: int, trusted: Path) -> None:
    call_database(port, f"&sslrootcert={trusted}")


def call_database_with_the_system(port: int, _: Path) -> None:
    call_database(port, "")


def redis_options(port: int, query: str = "") -> dict[str, Any]:
    config = service_addresses.cache(f"rediss://u:{SECRET}@cache.example.com:{port}/0{query}")
    options = config["OPTIONS"] | {"socket_timeout": 60, "socket_connect_timeout": 60}
    return {**config, "OPTIONS": options, "LOCATION": config["LOCATION"].replace("cache.example.com", "localhost")}


def call_cache(port: int, _: Path) -> None:
    config = redis_options(port)
    RedisCache(config["LOCATION"], {"OPTIONS": config["OPTIONS"]}).get("key")


def call_cache_with_a_file(port: int, trusted: Path) -> None:
    config = redis_options(port, f"?ssl_ca_certs={trusted}")
    RedisCache(config["LOCATION"], {"OPTIONS": config["OPTIONS"]}).get("key")


def call_mail(scheme: str) -> Callable[[int, Path], None]:
    def call(port: int, _: Path) -> None:
        made = service_addresses.mail(f"{scheme}://u:{SECRET}@mail.example.com:{port}")
        backend = get_connection(
            made["EMAIL_BACKEND"], host="localhost", port=port, timeout=60, username=made["EMAIL_HOST_USER"],
            password=made["EMAIL_HOST_PASSWORD"], use_tls=made.get("EMAIL_USE_TLS"), use_ssl=made.get("EMAIL_USE_SSL"),
        )  # fmt: skip
        try:
            backend.open()
        finally:
            backend.close()

    return call


CALLS: dict[str, tuple[Callable[[int, Path], None], Begin, bytes]] = {
    "database": (call_database_with_a_file, tls_servers.postgresql, b""),
    "database, system's": (call_database_with_the_system, tls_servers.postgresql, b""),
    "cache": (call_cache, tls_servers.at_once, b""),
    "cache, file": (call_cache_with_a_file, tls_servers.at_once, b""),
    "mail, starttls": (call_mail("smtp+tls"), tls_servers.starttls, b""),
    "mail, smtps": (call_mail("smtps"), tls_servers.starttls, b""),
    "mail, tls": (call_mail("smtp+ssl"), tls_servers.at_once, b"220 mail\r\n"),
}


@pytest.fixture(params=CALLS, ids=lambda name: name.replace(" ", "-"))
def call(request: pytest.FixtureRequest) -> tuple[Callable[[int, Path], None], Begin, bytes]:
    return CALLS[request.param]


@pytest.fixture(autouse=True)
def the_system_trusts_the_authority(certificates: Certificates, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.trusted))


@pytest.mark.parametrize("which", ["another_host", "self_signed"])
def test_a_server_that_is_not_proven_hears_nothing(call: Any, which: str, certificates: Certificates) -> None:
    client, begin, greeting = call
    with serving(getattr(certificates, which), begin=begin, greeting=greeting) as heard:
        with pytest.raises(Exception, match=r"(?i)certificate"):
            client(heard.port, certificates.trusted)
        assert heard.done.wait(60)
    assert heard.inside == b""
    assert SECRET.encode() not in heard.in_the_clear


def test_a_server_that_is_proven_is_spoken_to(call: Any, certificates: Certificates) -> None:
    client, begin, greeting = call
    with serving(certificates.good, begin=begin, greeting=greeting) as heard:
        # The server hangs up after the first words.
        with pytest.raises(Exception) as ended:
            client(heard.port, certificates.trusted)
        assert heard.done.wait(60)
    assert "certificate" not in str(ended.value).lower()
    assert heard.inside != b""
    assert SECRET.encode() not in heard.in_the_clear


@pytest.mark.parametrize("scheme", ["smtp+tls", "smtps"])
def test_no_password_goes_to_a_mail_server_without_tls(scheme: str, certificates: Certificates) -> None:
    with serving(certificates.good, begin=tls_servers.without_starttls) as heard:
        with pytest.raises(Exception, match="STARTTLS"):
            call_mail(scheme)(heard.port, certificates.trusted)
        assert heard.done.wait(60)
    assert heard.in_the_clear.startswith(b"ehlo")
    assert b"AUTH" not in heard.in_the_clear.upper()
