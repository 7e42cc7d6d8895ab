"""The checked request is the one that runs: no answer contains another tenant's row, and no request changes one.

The requests are generated, the same each time. Looser policies show that the test finds leaks.
"""

import http.client
import json
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as SigningKey
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from emulator.client.process import Emulator
from tests.emulator.ambiguous_requests import Sent
from tests.emulator.request_strategies import FAMILIES, INDEX, THINGS, requests_for
from tests.emulator.unguarded_template import unguarded_template
from tests.emulator.world import (
    ACME,
    ACME_OWNER,
    ACME_VIEWER,
    GLOBEX,
    GLOBEX_OWNER,
    OPERATOR,
    REGION,
    TEMPLATE,
    Person,
    Stack,
    build,
    client,
    row,
)

_READS = {ACME_OWNER: (ACME, "PUBLIC"), ACME_VIEWER: (ACME, "PUBLIC"), GLOBEX_OWNER: (GLOBEX, "PUBLIC")}
_WRITES: dict[Person, tuple[str, ...]] = {ACME_OWNER: (ACME,), GLOBEX_OWNER: (GLOBEX,), OPERATOR: ("PUBLIC",)}
_CANARIES = {ACME: "acmes-secret-7351", GLOBEX: "globexs-secret-9926", "PUBLIC": "known-to-all"}
# The families that are mostly answered get the most examples. The policy refuses all of the last two.
_EXAMPLES = {
    "single items": 220,
    "transactions": 220,
    "reads of many": 160,
    "batches": 120,
    "statements": 80,
    "whole tables": 40,
}
_ACTORS = (ACME_OWNER, ACME_OWNER, ACME_OWNER, ACME_VIEWER, GLOBEX_OWNER, OPERATOR)


class WatchedStack:
    """A stack whose rows are all marked, and a connection that signs and sends requests."""

    def __init__(self, stack: Stack) -> None:
        self.stack, self.table = stack, stack.table
        address = urlsplit(stack.emulator.endpoint_url)
        self._connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=10)
        root = stack.root("dynamodb")
        for org, canary in _CANARIES.items():
            for number in range(3):
                marked = row(org, str(number), secret={"S": canary}, owner={"S": f"{org}#orders"})
                for table in (stack.table, THINGS):
                    root.put_item(TableName=table, Item=marked)
        # A row of Globex that the index lists under Acme's key.
        root.put_item(TableName=THINGS, Item=row(GLOBEX, "in-view", owner={"S": f"{ACME}#orders"}))
        self.rows = self.read()

    def read(self) -> dict[tuple[str, str, str], Any]:
        """Every row of both tables by table, partition key and sort key."""
        root = self.stack.root("dynamodb")
        found = [(table, item) for table in (self.table, THINGS) for item in root.scan(TableName=table)["Items"]]
        return {(table, item["pk"]["S"], item["sk"]["S"]): item for table, item in found}

    def close(self) -> None:
        self._connection.close()

    def send(self, person: Person, sent: Sent) -> tuple[int, str]:
        headers = self._signed(person, sent)
        self._connection.putrequest(sent.method, sent.path, skip_accept_encoding=True, skip_host=True)
        for name, value in [*headers, *sent.extra]:
            self._connection.putheader(name, value)
        if sent.chunked:
            self._connection.putheader("Transfer-Encoding", "chunked")
        else:
            self._connection.putheader("Content-Length", str(len(sent.body)))
        return self._exchange(sent)

    def _exchange(self, sent: Sent) -> tuple[int, str]:
        try:
            self._connection.endheaders(sent.body, encode_chunked=sent.chunked)
            answer = self._connection.getresponse()
            text = answer.read().decode()
        except (http.client.HTTPException, OSError):
            self._connection.close()
            return 0, ""
        if answer.will_close or answer.getheader("connection") == "close":
            self._connection.close()
        return answer.status, text

    def _signed(self, person: Person, sent: Sent) -> list[tuple[str, str]]:
        given = self.stack.credentials(person)
        headers = {"Content-Type": sent.content_type, **({"X-Amz-Target": sent.target} if sent.target else {})}
        url = self.stack.emulator.endpoint_url + sent.path
        request = AWSRequest(sent.method, url, data=sent.body, headers=headers)
        key = SigningKey(given.access_key_id, given.secret_access_key, given.session_token)
        SigV4Auth(key, "dynamodb", REGION).add_auth(request)
        return [("Host", urlsplit(url).netloc), *request.headers.items()]


@dataclass(frozen=True)
class Outcome:
    """The result of a request: keys and marks of others in the answer, and changed rows of others."""

    sent: Sent
    status: int
    leaked: tuple[str, ...]
    foreign_changes: tuple[str, ...]
    changed: bool

    @property
    def is_isolated(self) -> bool:
        return self.status < 500 and not self.leaked and not self.foreign_changes


def outcome(watched: WatchedStack, person: Person, sent: Sent) -> Outcome:
    before = watched.rows
    status, answer = watched.send(person, sent)
    after = watched.rows = watched.read()
    readable = _READS.get(person, ("PUBLIC",))
    leaked = [canary for org, canary in _CANARIES.items() if canary in answer and org not in readable]
    leaked += [pk for pk in _partition_keys(answer) if not _begins_with(pk, readable)]
    changed = {place for place in before.keys() | after.keys() if before.get(place) != after.get(place)}
    own = _WRITES.get(person, ())
    foreign_changes = [place for place in changed if place[0] != watched.table or not _begins_with(place[1], own)]
    return Outcome(sent, status, tuple(leaked), tuple(map(str, foreign_changes)), changed=bool(changed))


def survey(watched: WatchedStack, people: Sequence[Person], family: str, *, examples: int) -> list[Outcome]:
    """The outcomes of `examples` requests. Stops at the first violation."""
    outcomes: list[Outcome] = []

    @settings(
        derandomize=True,
        deadline=None,
        database=None,
        max_examples=examples,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(person=st.sampled_from(people), sent=requests_for(watched.table, family))
    def ask(person: Person, sent: Sent) -> None:
        if not outcomes or outcomes[-1].is_isolated:
            outcomes.append(outcome(watched, person, sent))

    ask()
    return outcomes


def _begins_with(pk: str, orgs: tuple[str, ...]) -> bool:
    return pk.startswith(tuple(f"{org}#" for org in orgs))


def _partition_keys(answer: str) -> Iterator[str]:
    """The partition keys of all rows and keys in an answer."""
    try:
        stack = [json.loads(answer)]
    except ValueError:
        return
    while stack:
        part = stack.pop()
        if isinstance(part, dict) and isinstance(part.get("pk"), dict) and "S" in part["pk"]:
            yield part["pk"]["S"]
        stack += part.values() if isinstance(part, dict) else part if isinstance(part, list) else []


@pytest.fixture(scope="module")
def things(emulator: Emulator) -> None:
    """A second table with an index. The stack's policy does not name it."""
    client(emulator, "dynamodb", emulator.root).create_table(
        TableName=THINGS,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk", "owner")],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        GlobalSecondaryIndexes=[
            {
                "IndexName": INDEX,
                "KeySchema": [{"AttributeName": "owner", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
    )


@pytest.fixture(scope="module")
def watched(emulator: Emulator, things: None) -> Iterator[WatchedStack]:
    with closing(WatchedStack(build(emulator, name="watched"))) as open_one:
        yield open_one


@pytest.fixture(scope="module")
def unguarded(emulator: Emulator, things: None) -> Iterator[WatchedStack]:
    """The policy without the guards against requests that name no key."""
    with closing(
        WatchedStack(build(emulator, name="unguarded", template=unguarded_template(TEMPLATE.read_text("utf-8"))))
    ) as loose:
        yield loose


@pytest.fixture(scope="module")
def keyless(emulator: Emulator, things: None) -> Iterator[WatchedStack]:
    """A policy that allows writes and does not check leading keys."""
    stack = build(emulator, name="keyless")
    iam, role = stack.root("iam"), stack.outputs["TenantRoleArn"].rpartition("/")[2]
    actions = [
        f"dynamodb:{name}" for name in ("PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "ConditionCheckItem")
    ]
    statement = {"Effect": "Allow", "Action": actions, "Resource": stack.outputs["TableArn"]}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.delete_role_permissions_boundary(RoleName=role)
    iam.put_role_policy(RoleName=role, PolicyName="rows", PolicyDocument=document)
    with closing(WatchedStack(stack)) as loose:
        yield loose


def test_every_family_of_requests_has_examples() -> None:
    assert _EXAMPLES.keys() == FAMILIES.keys()


@pytest.mark.parametrize("family", _EXAMPLES)
def test_no_generated_request_reaches_another_tenants_row(watched: WatchedStack, family: str) -> None:
    outcomes = survey(watched, _ACTORS, family, examples=_EXAMPLES[family])
    assert outcomes[-1].is_isolated, outcomes[-1]


def test_many_generated_requests_are_answered(watched: WatchedStack) -> None:
    outcomes = survey(watched, [ACME_OWNER], "single items", examples=100)
    outcomes += survey(watched, [ACME_OWNER], "reads of many", examples=60)
    answered = [result for result in outcomes if result.status == 200]
    assert sum(result.changed for result in answered) >= 3
    assert sum(not result.changed for result in answered) >= 3


@pytest.mark.parametrize("family", ["reads of many", "statements"])
def test_the_requests_find_the_leak_of_an_unguarded_policy(unguarded: WatchedStack, family: str) -> None:
    found = survey(unguarded, [ACME_OWNER], family, examples=100)[-1]
    assert found.leaked
    assert not found.foreign_changes


def test_the_requests_find_writes_without_leading_keys(keyless: WatchedStack) -> None:
    assert survey(keyless, [ACME_OWNER], "single items", examples=300)[-1].foreign_changes
