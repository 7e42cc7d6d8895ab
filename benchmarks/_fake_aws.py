"""A fake AWS in its own process, so that the CPU time of the benchmark's process is that of the portal only.

Run as a file, it is that process: a small HTTP server. It answers a Query with the demo's orders or with nothing, and
the two calls of the identity pool with invented credentials. It checks that the owner of the partition signed each
Query, and counts. `fake_aws` starts it.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import subprocess
import sys
import uuid
import zlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import IO, Any, cast

import _project  # noqa: F401 - before any module of the project
from _people import credentials_of, number_of
from _signatures import Request, signed_by

from portal.demo.cast import ACME_OWNER, rows_written_by
from tenants.domain.values import as_json

REGION = "eu-west-1"
# A Query of RECORDS returns rows. A Query of another table returns three empty pages, and sometimes fails.
RECORDS = "Records"
PAGES = 3
FAILS_ONE_IN = 50
ROWS = 26
# How long each answer takes.
SECONDS = float(sys.argv[1]) / 1000 if __name__ == "__main__" else 0.0
_STOP_SECONDS = 5.0
_JSON = "application/x-amz-json-1.0"


@dataclass(frozen=True, slots=True)
class FakeAws:
    endpoint_url: str

    def tally(self, table: str) -> Counter[str]:
        """Counts of Queries: `arrived`, `wrong` (not signed by the partition's owner), `failed` and `retried`.

        Also `connections`, the most that were open at once.
        """
        connection = http.client.HTTPConnection(self.endpoint_url.removeprefix("http://"))
        connection.request("GET", f"/tally/{table}")
        counted: dict[str, int] = json.load(connection.getresponse())
        connection.close()
        return Counter(counted)


@contextmanager
def fake_aws(*, milliseconds: float = 0) -> Iterator[FakeAws]:
    """Each answer takes `milliseconds`, during which others are answered."""
    command = [sys.executable, __file__, str(milliseconds)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    stdin, stdout = cast(IO[bytes], process.stdin), cast(IO[bytes], process.stdout)
    try:
        yield FakeAws(stdout.readline().decode().strip())
    finally:
        stdin.close()  # this ends the process
        stdout.close()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def orders() -> list[dict[str, Any]]:
    """The demo's orders for a page of 25 rows, in the form of the DynamoDB API."""
    wanted = ACME_OWNER.organisation.space.collection("orders") if ACME_OWNER.organisation else ""
    of_acme = (row for row in rows_written_by(ACME_OWNER) if row["pk"]["S"] == wanted)
    return [{name: as_json(value) for name, value in row.items()} for row in islice(of_acme, ROWS)]


class Answers:
    """The answer to each operation, and the counts per table."""

    def __init__(self) -> None:
        rows = orders()
        last = {name: rows[-1][name] for name in ("pk", "sk")}
        self.rows = {"Items": rows, "Count": ROWS, "ScannedCount": ROWS, "LastEvaluatedKey": last}
        self.tallies: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self.open: defaultdict[str, set[Connection]] = defaultdict(set)
        self.operations: Mapping[str, Callable[[Request, Any, Connection], tuple[int, Any]]] = {
            "DynamoDB_20120810.Query": self.query,
            "AWSCognitoIdentityService.GetId": self.identity,
            "AWSCognitoIdentityService.GetCredentialsForIdentity": self.credentials,
        }

    def to(self, request: Request, connection: Connection) -> tuple[int, bytes]:
        if request.target.startswith("GET /tally/"):
            return 200, json.dumps(self.tallies[request.target.split("/")[2].split()[0]]).encode()
        answer = self.operations[request.headers["x-amz-target"]]
        status, body = answer(request, json.loads(request.body), connection)
        return status, json.dumps(body, ensure_ascii=False).encode()

    def query(self, request: Request, asked: Any, connection: Connection) -> tuple[int, Any]:
        tally = self.tallies[asked["TableName"]]
        self.count_connection(asked["TableName"], connection)
        partition_key = next(iter(asked["ExpressionAttributeValues"].values()))["S"]
        tally["arrived"] += 1
        tally["wrong"] += not signed_by(credentials_of(number_of(partition_key)), request)
        first = "attempt=1" in request.headers.get("amz-sdk-request", "attempt=1")
        tally["retried"] += not first
        if asked["TableName"] == RECORDS:
            return 200, self.rows
        if first and tally["arrived"] % FAILS_ONE_IN == 0:
            tally["failed"] += 1
            return 500, {"__type": "com.amazonaws.dynamodb.v20120810#InternalServerError"}
        page = int(asked.get("ExclusiveStartKey", {}).get("sk", {"S": "1"})["S"])
        further = {"LastEvaluatedKey": {"pk": {"S": partition_key}, "sk": {"S": str(page + 1)}}} if page < PAGES else {}
        return 200, {"Items": [], "Count": 0, "ScannedCount": 0, **further}

    def count_connection(self, table: str, connection: Connection) -> None:
        self.open[table].add(connection)
        self.tallies[table]["connections"] = max(self.tallies[table]["connections"], len(self.open[table]))

    def forget_connection(self, connection: Connection) -> None:
        for connections in self.open.values():
            connections.discard(connection)

    def identity(self, _request: Request, asked: Any, _connection: Connection) -> tuple[int, Any]:
        return 200, {"IdentityId": f"{REGION}:{uuid.UUID(int=_number_in(asked))}"}

    def credentials(self, _request: Request, asked: Any, _connection: Connection) -> tuple[int, Any]:
        made = credentials_of(_number_in(asked))
        return 200, {
            "IdentityId": asked["IdentityId"],
            "Credentials": {
                "AccessKeyId": made.access_key_id,
                "SecretKey": made.secret_access_key,
                "SessionToken": made.session_token,
                "Expiration": made.expires_at,
            },
        }


def _number_in(asked: Any) -> int:
    """The ID token of an invented person is their number."""
    return int(next(iter(asked.get("Logins", {"": "0"}).values())))


class Connection(asyncio.Protocol):
    def __init__(self, answers: Answers) -> None:
        self.answers = answers
        self.received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.loop = asyncio.get_running_loop()
        self.transport = cast(asyncio.Transport, transport)

    def connection_lost(self, _problem: Exception | None) -> None:
        self.answers.forget_connection(self)

    def data_received(self, data: bytes) -> None:
        self.received += data
        while (request := self.next_request()) is not None:
            status, body = self.answers.to(request, self)
            head = (
                f"HTTP/1.1 {status} {'OK' if status == 200 else 'Internal Server Error'}\r\nServer: fake\r\n"
                f"Content-Type: {_JSON}\r\nContent-Length: {len(body)}\r\nConnection: keep-alive\r\n"
                f"x-amzn-RequestId: {uuid.uuid4()}\r\nx-amz-crc32: {zlib.crc32(body)}\r\n\r\n"
            )
            if SECONDS:
                self.loop.call_later(SECONDS, self.transport.write, head.encode() + body)
            else:
                self.transport.write(head.encode() + body)

    def next_request(self) -> Request | None:
        head, blank, rest = self.received.partition(b"\r\n\r\n")
        if not blank:
            return None
        target, *lines = head.decode().split("\r\n")
        parts = (line.partition(":") for line in lines)
        headers = {name.lower(): value.strip() for name, _, value in parts}
        length = int(headers.get("content-length", 0))
        if len(rest) < length:
            return None
        self.received = rest[length:]
        return Request(target, headers, rest[:length])


async def serve() -> None:
    """Serves until standard input ends, at the latest with the process that started this one."""
    loop, over, answers = asyncio.get_running_loop(), asyncio.Event(), Answers()
    server = await loop.create_server(lambda: Connection(answers), "127.0.0.1", 0)
    loop.add_reader(sys.stdin, over.set)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await over.wait()


if __name__ == "__main__":
    asyncio.run(serve())
