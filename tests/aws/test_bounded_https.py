"""The same bounds over TLS, where the library takes the connection over."""

from __future__ import annotations

import datetime
import ipaddress
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tenants.aws.bounded_http import NoAnswer, call
from tests.world.odd_server import IN_TIME, TRICKLES, Answering, OddServer, odd_server, trickling, whole


@pytest.fixture
def certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Of 127.0.0.1, with its key. The environment names it as the authority to trust."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(datetime.UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a test")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path, pem = tmp_path / "both.pem", serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(made.public_bytes(pem) + private)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(path))
    return path


@contextmanager
def tls_server(certificate: Path, answering: Answering) -> Iterator[OddServer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def answer(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as tls:
            tls.recv(65_536)
            answering(tls)

    # The first bytes are TLS's.
    with odd_server(answer, reads=False) as server:
        server.url = server.url.replace("http://", "https://")
        yield server


def get(url: str) -> bytes:
    return call(requests.Request("GET", url).prepare(), seconds=1).body


def test_an_answer_over_tls_comes_whole(certificate: Path) -> None:
    with tls_server(certificate, whole("hello")) as server:
        assert get(server.url) == b"hello"


@pytest.mark.parametrize("answering", TRICKLES.values(), ids=TRICKLES)
def test_an_answer_over_tls_that_trickles_is_given_up(certificate: Path, answering: Answering) -> None:
    began = time.monotonic()
    with tls_server(certificate, answering) as server, pytest.raises(NoAnswer, match="too long"):
        get(server.url)
    assert time.monotonic() - began < IN_TIME


def test_a_handshake_that_trickles_is_given_up(certificate: Path) -> None:
    began = time.monotonic()
    # The beginning of a long record, whose rest comes byte by byte.
    with odd_server(trickling(b"\x16\x03\x03\x3f\xff", b"\x00")) as server, pytest.raises(NoAnswer, match="too long"):
        get(server.url.replace("http://", "https://"))
    assert time.monotonic() - began < IN_TIME


def test_a_server_that_nobody_vouches_for_is_no_answer(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    with tls_server(certificate, whole("hello")) as server, pytest.raises(NoAnswer, match="SSLError"):
        get(server.url)
