"""The same bounds over TLS, where the library takes the connection over."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import requests

from tenants.aws.bounded_http import NoAnswer, call
from tests.world.odd_server import IN_TIME, TRICKLES, Answering, odd_server, tls_server, trickling, whole


def get(url: str, *, seconds: float = 30) -> bytes:
    return call(requests.Request("GET", url).prepare(), seconds=seconds).body


def test_an_answer_over_tls_comes_whole(certificate: Path) -> None:
    with tls_server(certificate, whole("hello")) as server:
        assert get(server.url) == b"hello"


@pytest.mark.parametrize("answering", TRICKLES.values(), ids=TRICKLES)
def test_an_answer_over_tls_that_trickles_is_given_up(certificate: Path, answering: Answering) -> None:
    began = time.monotonic()
    with tls_server(certificate, answering) as server, pytest.raises(NoAnswer, match="too long"):
        get(server.url, seconds=1)
    assert time.monotonic() - began < IN_TIME


def test_a_handshake_that_trickles_is_given_up(certificate: Path) -> None:
    began = time.monotonic()
    # The beginning of a long record, whose rest comes byte by byte.
    with (
        odd_server(trickling(b"\x16\x03\x03\x3f\xff", b"\x00"), reads=False) as server,
        pytest.raises(NoAnswer, match="too long"),
    ):
        get(server.url.replace("http://", "https://"), seconds=1)
    assert time.monotonic() - began < IN_TIME


def test_a_server_that_nobody_vouches_for_is_no_answer(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    with tls_server(certificate, whole("hello")) as server, pytest.raises(NoAnswer, match="SSLError"):
        get(server.url)
