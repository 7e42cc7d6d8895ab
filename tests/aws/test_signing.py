"""Every call is signed for the right person, or not at all, with threads, retries and paginators."""

from __future__ import annotations

import json
import random
import re
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import botocore.session
import pytest
from botocore.config import Config
from botocore.credentials import Credentials as BotocoreCredentials

from tenants.aws.clients import records_client
from tenants.aws.signing import NoCredentialsBound, signing_as
from tenants.domain.credentials import Credentials

PEOPLE = [Credentials(f"ASIA{place:016}", f"secret{place}", f"token{place}", 4e9) for place in range(50)]
CALLS = 2_400
THREADS = 8


class Table(BaseHTTPRequestHandler):
    """Answers every Query, one in fifty first with a 500, and counts those with a wrong signer."""

    protocol_version = "HTTP/1.1"
    wrong: Counter[str]
    seen: Counter[str]

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        wanted = request["ExpressionAttributeValues"][":pk"]["S"]
        named = re.search(r"Credential=([^/]+)/", self.headers["Authorization"])
        signed_by = f"{named[1] if named else ''} {self.headers['X-Amz-Security-Token']}"
        self.seen["all"] += 1
        if signed_by != wanted:
            self.wrong[wanted] += 1
        # Never fails a retry: three failures in a row would end a call.
        fails = self.headers["amz-sdk-request"].startswith("attempt=1") and random.random() < 0.02
        more = (
            {"LastEvaluatedKey": {"pk": {"S": wanted}}}
            if request.get("Limit") == 1 and not request.get("ExclusiveStartKey")
            else {}
        )
        body = b"{}" if fails else json.dumps({"Items": [], "Count": 0, "ScannedCount": 0, **more}).encode()
        self.send_response(500 if fails else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def table() -> Iterator[tuple[str, type[Table]]]:
    handler = type("Table", (Table,), {"wrong": Counter(), "seen": Counter()})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", handler
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def query(person: Credentials) -> dict[str, Any]:
    return {
        "TableName": "t",
        "KeyConditionExpression": "pk = :pk",
        "ExpressionAttributeValues": {":pk": {"S": f"{person.access_key_id} {person.session_token}"}},
    }


def shared_client(endpoint_url: str) -> Any:
    return records_client(region="eu-west-1", endpoint_url=endpoint_url, connections=THREADS)


def in_threads(work: Any, calls: int) -> None:
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(work, (PEOPLE[place % len(PEOPLE)] for place in range(calls))))


def test_calls_of_fifty_people_in_threads_are_signed_by_the_right_person() -> None:
    with table() as (endpoint_url, seen):
        client = shared_client(endpoint_url)

        def work(person: Credentials) -> None:
            with signing_as(person):
                client.query(**query(person))

        in_threads(work, CALLS)
        assert seen.seen["all"] > CALLS  # some were retried
        assert not seen.wrong


def test_control_credentials_set_on_a_shared_client_sign_for_others() -> None:
    with table() as (endpoint_url, seen):
        held = BotocoreCredentials("x", "x", "x")
        session = botocore.session.Session()
        session._credentials = held
        config = Config(max_pool_connections=THREADS)
        client = session.create_client("dynamodb", "eu-west-1", endpoint_url=endpoint_url, config=config)

        def work(person: Credentials) -> None:
            held.access_key, held.secret_key = person.access_key_id, person.secret_access_key
            held.token = person.session_token
            client.query(**query(person))

        in_threads(work, CALLS // 6)
        assert seen.wrong, "the test above could not have found a mistake"


def test_without_bound_credentials_nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAOFTHEPROCESS")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of the process")
    with table() as (endpoint_url, seen):
        with pytest.raises(NoCredentialsBound):
            shared_client(endpoint_url).query(**query(PEOPLE[0]))
        assert seen.seen["all"] == 0


def test_a_new_thread_has_no_credentials_unless_given_the_context() -> None:
    with table() as (endpoint_url, seen), ThreadPoolExecutor(1) as pool:
        client = shared_client(endpoint_url)
        with signing_as(PEOPLE[0]):
            with pytest.raises(NoCredentialsBound):
                pool.submit(client.query, **query(PEOPLE[0])).result()
            pool.submit(copy_context().run, lambda: client.query(**query(PEOPLE[0]))).result()
        assert (seen.seen["all"] >= 1, seen.wrong) == (True, Counter())


def test_a_paginator_used_outside_its_binding_raises() -> None:
    with table() as (endpoint_url, seen):
        client = shared_client(endpoint_url)
        with signing_as(PEOPLE[0]):
            pages = iter(client.get_paginator("query").paginate(**query(PEOPLE[0]), Limit=1))
            next(pages)
        with pytest.raises(NoCredentialsBound):
            next(pages)
        assert not seen.wrong
