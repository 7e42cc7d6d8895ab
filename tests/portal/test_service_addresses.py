"""Database, cache and mail on another machine: verified TLS, or refused. Look-alikes of this machine are others."""

from __future__ import annotations

import pytest
from django.core.exceptions import ImproperlyConfigured
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from portal import service_addresses
from portal.environment import read
from portal.setting_checks import is_this_machine
from tests.house.test_environment import GOOD

THIS_MACHINE = ["localhost", "127.0.0.1", "127.8.9.10", "::1", "0:0:0:0:0:0:0:1"]
ANOTHER = [
    "localhost.example.com", "localhost.", "127.1", "0x7f.1", "0x7f000001", "2130706433", "0177.0.0.1",
    "127.0.0.1.nip.io",
    "::ffff:127.0.0.1", "::ffff:7f00:1", "::", "0.0.0.0", "::1%eth0", "127.0.0.1.", "128.0.0.1", "10.0.0.1", "",
    "①27.0.0.1",
    "my.localhost", "loopback", "ip6-localhost", "127.0.0.1 ", "127.0.0.1,10.0.0.1",
]  # fmt: skip


@pytest.mark.parametrize("host", THIS_MACHINE)
def test_names_and_addresses_of_this_machine(host: str) -> None:
    assert is_this_machine(host)


@pytest.mark.parametrize("host", ANOTHER)
def test_what_looks_like_this_machine_is_another(host: str) -> None:
    assert not is_this_machine(host)


def refusal(name: str, value: str, **more: str) -> str:
    with pytest.raises(ImproperlyConfigured) as refused:
        read({**GOOD, **more, name: value})
    (line,) = str(refused.value).splitlines()[1:]
    assert line.startswith(f"  {name}: ")
    return line.partition(" (")[0]


LOOK_ALIKES = [host for host in ANOTHER if host and host.isascii() and " " not in host and ":" not in host]
LOOK_ALIKES += [f"[{host}]" for host in ANOTHER if ":" in host]


@pytest.mark.parametrize("host", LOOK_ALIKES)
def test_plain_connections_to_look_alikes_are_refused(host: str) -> None:
    refusal("DATABASE_URL", f"postgres://u:p@{host}/db")
    refusal("CACHE_URL", f"redis://:p@{host}:6379/0")
    refusal("EMAIL_URL", f"smtp://u:p@{host}:25")
    refusal("AWS_ENDPOINT_URL", f"http://{host}")


VERIFIED = "?sslmode=verify-full"


@pytest.mark.parametrize(
    "query",
    [
        "", "?sslmode=disable", "?sslmode=allow", "?sslmode=prefer", "?sslmode=require", "?sslmode=verify-ca",
        "?sslrootcert=system", "?SSLMODE=verify-full", "?sslmode=VERIFY-FULL", "?sslmode=",
        f"{VERIFIED}&sslmode=disable",
        f"?sslmode=disable&{VERIFIED[1:]}", f"{VERIFIED}&sslmode", f"{VERIFIED}&host=10.0.0.1",
        f"{VERIFIED}&hostaddr=10.0.0.1",
        f"{VERIFIED}&service=other", f"{VERIFIED}&servicefile=/tmp/x", f"{VERIFIED}&passfile=/tmp/x",
        f"{VERIFIED}&password=hush",
        f"{VERIFIED}&dbname=other", f"{VERIFIED}&user=other", f"{VERIFIED}&port=1", f"{VERIFIED}&gssencmode=require",
        f"{VERIFIED}&ssl_min_protocol_version=TLSv1", f"{VERIFIED}&AUTOCOMMIT=false", f"{VERIFIED}&sslpassword=hush",
        f"{VERIFIED}&&", f"{VERIFIED};sslmode=disable",
    ],
)  # fmt: skip
def test_a_database_elsewhere_without_verified_tls_is_refused(query: str) -> None:
    why = refusal("DATABASE_URL", f"postgres://u:hush@db.example.com/portal{query}")
    assert "hush" not in why


@pytest.mark.parametrize(
    "url",
    [
        "postgres://localhost/db?host=10.0.0.1", "postgres://localhost/db?hostaddr=10.0.0.1",
        "postgres://u@/db?host=10.0.0.1",
        "postgres://u@/db?host=127.0.0.1,10.0.0.1", "postgres://u@/db?host=/tmp,db.example.com",
        "postgres://localhost/db?service=x",
        "postgres://localhost,db.example.com/db", "postgres://localhost:p@db.example.com/db",
        "postgres://u:localhost@10.0.0.1/db",
        "postgres://localhost%2Fx@db.example.com/db", "postgres://localhost\\@db.example.com/db",
        "postgres://u@/db?host=@abstract",
        "postgres://%6cocalhost/db", "postgres://%2Ftmp%2Fsocket/db", "postgres://localhost/%2Ftmp%2Fother",
        "postgres://u@/db?host=,",
    ],
)  # fmt: skip
def test_a_second_host_does_not_hide_behind_the_first(url: str) -> None:
    refusal("DATABASE_URL", url)


@pytest.mark.parametrize("variable", ["PGHOSTADDR", "PGSERVICE"])
def test_a_variable_that_leads_the_database_elsewhere_is_refused(variable: str) -> None:
    why = refusal("DATABASE_URL", "postgres://localhost/db", **{variable: "10.0.0.1"})
    assert variable in why
    read({**GOOD, "DATABASE_URL": "postgres://localhost/db", variable: ""})


def handed_to_libpq(url: str) -> dict[str, object]:
    config = service_addresses.database(url)
    return conninfo_to_dict(make_conninfo(host=config["HOST"], **config["OPTIONS"]))


def test_a_verified_database_is_handed_to_libpq_as_such() -> None:
    found = handed_to_libpq("postgres://u:p@db.example.com/db?sslmode=verify-full")
    assert (found["host"], found["sslmode"], found["sslrootcert"]) == ("db.example.com", "verify-full", "system")
    assert found["gssencmode"] == "disable"
    own = handed_to_libpq("postgres://u:p@db.example.com/db?sslmode=verify-full&sslrootcert=/etc/ssl/rds.pem")
    assert (own["sslmode"], own["sslrootcert"]) == ("verify-full", "/etc/ssl/rds.pem")


@pytest.mark.parametrize(
    "url",
    [
        "postgres://localhost/db", "postgres://u:p@[::1]:5432/db", "postgres://u@/db?host=/tmp/socket",
        "postgres://u@/db?host=/tmp/a,localhost", "postgres://127.0.0.1/db?sslmode=require", "postgres://LOCALHOST/db",
        "postgres://u:p@a.example.com/db?sslmode=verify-full&target_session_attrs=read-write&connect_timeout=9",
        "postgres://u:p@/db?host=a.example.com,b.example.com&sslmode=verify-full",
    ],
)  # fmt: skip
def test_a_database_here_or_with_verified_tls_is_accepted(url: str) -> None:
    assert read({**GOOD, "DATABASE_URL": url}).text["DATABASE_URL"] == url


@pytest.mark.parametrize(
    "url",
    [
        "redis://:hush@cache.example.com/0", "rediss://cache.example.com/0", "rediss://user@cache.example.com/0",
        "rediss://user:@cache.example.com/0", "rediss://:@cache.example.com",
        "rediss://:hush@cache.example.com?ssl_cert_reqs=none",
        "rediss://:hush@cache.example.com?ssl_cert_reqs=optional",
        "rediss://:hush@cache.example.com?SSL_CERT_REQS=none",
        "rediss://:hush@cache.example.com?ssl_check_hostname=false",
        "rediss://:hush@cache.example.com?ssl_check_hostname=0",
        "rediss://:hush@cache.example.com?ssl_cert_reqs=required&ssl_cert_reqs=none",
        "rediss://:hush@c.example.com?password=x",
        "rediss://:hush@cache.example.com?connection_class=x", "rediss://:hush@cache.example.com?ssl_min_version=1",
        "rediss://:hush@cache.example.com?pool_class=os.system", "rediss://:hush@cache.example.com?host=other",
        "rediss://:hush@cache.example.com?socket_timeout=soon", "rediss://:hush@cache.example.com?socket_timeout=-1",
        "rediss://:hush@cache.example.com?ssl_ca_certs=", "redis://localhost?ssl_ca_certs=/x",
        "redis://127.0.0.1:6379@c.example.com",
        "rediss://localhost?ssl_cert_reqs=none", "filecache:///var/cache?pickle=1",
        "redis://localhost:6379,c.example.com/0",
    ],
)  # fmt: skip
def test_a_cache_elsewhere_without_verified_tls_and_a_password_is_refused(url: str) -> None:
    assert "hush" not in refusal("CACHE_URL", url)


@pytest.mark.parametrize(
    "url",
    [
        "redis://localhost:6379/0", "redis://127.0.0.1", "rediss://:p%40@cache.example.com:6379/1",
        "rediss://u:p@[2001:db8::1]:6379",
        "rediss://u:p@cache.example.com/0?ssl_ca_certs=/etc/ssl/ca.pem&socket_timeout=1.5&ssl_cert_reqs=required",
    ],
)  # fmt: skip
def test_a_cache_here_or_with_verified_tls_is_accepted(url: str) -> None:
    assert read({**GOOD, "CACHE_URL": url}).text["CACHE_URL"] == url


def test_the_caches_password_is_not_in_its_address() -> None:
    config = service_addresses.cache("rediss://us%40er:p%40ss@[2001:db8::1]:6379/1?socket_timeout=1.5")
    assert config["LOCATION"] == "rediss://[2001:db8::1]:6379/1"
    options = config["OPTIONS"]
    assert (options["username"], options["password"], options["socket_timeout"]) == ("us@er", "p@ss", 1.5)
    assert (options["ssl_cert_reqs"], options["ssl_check_hostname"]) == ("required", True)


@pytest.mark.parametrize(
    "url",
    [
        "smtp://u:hush@mail.example.com:25", "smtp://mail.example.com", "smtp+tls://mail.example.com?email_use_tls=0",
        "smtp+tls://mail.example.com?EMAIL_USE_TLS=False", "smtp+tls://localhost?x=y",
        "smtp://localhost:25@mail.example.com",
    ],
)  # fmt: skip
def test_mail_elsewhere_without_tls_is_refused(url: str) -> None:
    assert "hush" not in refusal("EMAIL_URL", url)


@pytest.mark.parametrize(
    "url", ["smtp://localhost:25", "smtp://[::1]:25", "smtp+tls://u:p@mail.example.com:587", "smtp+ssl://h.example.com"]
)
def test_mail_here_or_with_tls_is_accepted(url: str) -> None:
    assert read({**GOOD, "EMAIL_URL": url}).text["EMAIL_URL"] == url


def test_one_services_endpoint_beyond_this_machine_must_be_https() -> None:
    variable = {"AWS_ENDPOINT_URL_DYNAMODB": "http://aws.example.com"}
    assert "AWS_ENDPOINT_URL_DYNAMODB must begin with https://" in refusal("AWS_ENDPOINT_URL", "", **variable)
    read({**GOOD, "AWS_ENDPOINT_URL_DYNAMODB": "http://localhost:4566"})
