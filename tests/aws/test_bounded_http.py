"""Whatever a server answers, and however slowly, a plain HTTP call ends in time and with little memory."""

from __future__ import annotations

import contextlib
import threading
import time

import pytest
import requests

from tenants.aws.bounded_http import Answer, NoAnswer, call
from tenants.aws.signing_keys import fetch_keys
from tenants.aws.token_endpoint import TokenEndpoint
from tenants.domain.errors import Misconfigured, SessionEnded, Unavailable
from tests.world.odd_server import IN_TIME, ODD_ANSWERS, TRICKLES, Answering, odd_server, whole


def get(url: str, *, seconds: float = 30) -> Answer:
    return call(requests.Request("GET", url).prepare(), seconds=seconds, most_bytes=1_000)


def test_an_answer_comes_whole() -> None:
    with odd_server(whole("hello", status=201, X_Odd="yes")) as server:
        answer = get(f"{server.url}/a?b=c")
    assert (answer.status, answer.headers["x-odd"], answer.body) == (201, "yes", b"hello")
    assert server.seen[0].startswith(b"GET /a?b=c HTTP/1.1\r\n")
    assert b"Accept-Encoding: identity" in server.seen[0]


@pytest.mark.parametrize("answering", TRICKLES.values(), ids=TRICKLES)
def test_an_answer_that_trickles_is_given_up_in_time(answering: Answering) -> None:
    with odd_server(answering) as server:
        began = time.monotonic()
        with pytest.raises(NoAnswer, match="too long"):
            get(server.url, seconds=1)
        assert time.monotonic() - began < IN_TIME


def test_a_call_leaves_no_thread_behind() -> None:
    before = threading.active_count()
    for answering in (whole("hello"), TRICKLES["headers"]):
        with odd_server(answering) as server, contextlib.suppress(NoAnswer):
            get(server.url, seconds=0.3)
    assert threading.active_count() == before


@pytest.mark.parametrize("answering", ODD_ANSWERS.values(), ids=ODD_ANSWERS)
def test_an_odd_answer_of_the_token_endpoint_is_an_error_of_ours(answering: Answering) -> None:
    with odd_server(answering) as server:
        endpoint = TokenEndpoint(server.url, "id", "secret")
        try:
            tokens = endpoint.trade_code(code="c", redirect_uri="http://localhost/", code_verifier="v")
        except (Unavailable, Misconfigured):
            tokens = None
        # Tokens are verified later.
        assert tokens is None or tokens.id_token == "a.b.c"
        with contextlib.suppress(Unavailable, Misconfigured, SessionEnded):
            endpoint.renew("r")
        with contextlib.suppress(Unavailable, Misconfigured):
            endpoint.revoke("r")


@pytest.mark.parametrize("answering", ODD_ANSWERS.values(), ids=ODD_ANSWERS)
def test_odd_signing_keys_are_no_signing_keys(answering: Answering) -> None:
    with odd_server(answering) as server, pytest.raises(Unavailable):
        fetch_keys(server.url)


def test_nobody_listening_is_no_answer() -> None:
    with pytest.raises(NoAnswer):
        get("http://127.0.0.1:9/")
