"""Writes to the records table with a person's credentials, always as one transaction with conditions.

A transaction may be sent again, since botocore sends the same token with it: it is carried out once within ten minutes.
https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tenants.aws.failures import RECORDS, translate_errors
from tenants.aws.signing import signing_as
from tenants.domain.credentials import Credentials
from tenants.domain.keys import USUAL_KEYS, KeyNames
from tenants.domain.values import AttributeValue, Item

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# An expression has at most 300 operators and 4 KB. A comparison takes two operators and at most 31 bytes.
MOST_COMPARED = 120
# Attributes by name as they have to be for the write to happen; None for one that must not be there.
Expected = Mapping[str, AttributeValue | None]


@dataclass(frozen=True, slots=True)
class RowKey:
    partition: str
    sort: str


@dataclass(frozen=True, slots=True)
class PutNew:
    """`attributes` are without the key. Nothing is written if there is such a row."""

    key: RowKey
    attributes: Item


@dataclass(frozen=True, slots=True)
class Change:
    """Only of a row that exists and is as `expected`. At most `MOST_COMPARED` attributes of either."""

    key: RowKey
    values: Item
    removed: Sequence[str]
    expected: Expected


@dataclass(frozen=True, slots=True)
class Delete:
    """Only of a row that exists and is as `expected`."""

    key: RowKey
    expected: Expected


@dataclass(frozen=True, slots=True)
class Ensure:
    """Makes the row unless there is one, and never fails because of one. `value` is for a new row."""

    key: RowKey
    name: str
    value: AttributeValue


Write = PutNew | Change | Delete | Ensure


@dataclass(frozen=True, slots=True)
class RecordsWrites:
    client: DynamoDBClient
    name: str
    keys: KeyNames = USUAL_KEYS

    def row(self, credentials: Credentials, key: RowKey) -> Item | None:
        """As it is now: a consistent read."""
        wanted: Any = self.keys.key(key.partition, key.sort)
        with translate_errors(RECORDS), signing_as(credentials):
            answer = self.client.get_item(TableName=self.name, Key=wanted, ConsistentRead=True)
        return answer.get("Item")

    def latest(
        self, credentials: Credentials, partition: str, *, prefix: str, names: Sequence[str], most: int
    ) -> list[Item]:
        """Rows whose sort keys begin with `prefix`, the last one first, each with its key and these attributes.

        Reads on where large rows end a page of DynamoDB's, so it may make several calls.
        """
        words = _Placeholders()
        condition = f"{words.name(self.keys.partition)}=:p AND begins_with({words.name(self.keys.sort)},:s)"
        request: dict[str, Any] = {
            "TableName": self.name,
            "KeyConditionExpression": condition,
            "ProjectionExpression": ",".join(map(words.name, [*self.keys, *names])),
            "ExpressionAttributeNames": words.names,
            "ExpressionAttributeValues": {":p": {"S": partition}, ":s": {"S": prefix}},
            "ScanIndexForward": False,
            "ConsistentRead": True,
            "Limit": most,
        }
        found: list[Item] = []
        with translate_errors(RECORDS), signing_as(credentials):
            while len(found) < most:
                answer = self.client.query(**request)
                found += answer["Items"]
                if "LastEvaluatedKey" not in answer:
                    break
                request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]
        return found[:most]

    def write(self, credentials: Credentials, writes: Sequence[Write]) -> None:
        """All or nothing. Raises RecordChanged, whose `at` is the place in `writes`, for a condition that is not met.

        Raises also DeniedByAws, CredentialsExpired, Throttled, Unreachable, InvalidInput or Misconfigured.
        """
        actions: Any = [self._action(write) for write in writes]
        with translate_errors(RECORDS), signing_as(credentials):
            self.client.transact_write_items(TransactItems=actions)

    def _action(self, write: Write) -> dict[str, Any]:
        words = _Placeholders()
        key = self.keys.key(write.key.partition, write.key.sort)
        match write:
            case PutNew():
                condition = f"attribute_not_exists({words.name(self.keys.partition)})"
                return {"Put": self._request(words, condition, Item={**write.attributes, **key})}
            case Change():
                update = _update(words, write)
                return {"Update": self._request(words, self._is(words, write.expected), Key=key, **update)}
            case Delete():
                return {"Delete": self._request(words, self._is(words, write.expected), Key=key)}
            case Ensure():
                name, value = words.name(write.name), words.value(write.value)
                update = {"UpdateExpression": f"SET {name}=if_not_exists({name},{value})"}
                return {"Update": self._request(words, "", Key=key, **update)}

    def _is(self, words: _Placeholders, expected: Expected) -> str:
        exists = f"attribute_exists({words.name(self.keys.partition)})"
        return " AND ".join([exists, *(_comparison(words, name, value) for name, value in expected.items())])

    def _request(self, words: _Placeholders, condition: str, **more: Any) -> dict[str, Any]:
        request: dict[str, Any] = {"TableName": self.name, "ExpressionAttributeNames": words.names, **more}
        if condition:
            request["ConditionExpression"] = condition
        if words.values:
            request["ExpressionAttributeValues"] = words.values
        return request


@dataclass(frozen=True, slots=True)
class _Placeholders:
    """Names and values of an expression, which may hold any characters and be reserved words."""

    names: dict[str, str] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)
    known: dict[str, str] = field(default_factory=dict)

    def name(self, name: str) -> str:
        if name not in self.known:
            self.known[name] = f"#{len(self.known)}"
            self.names[self.known[name]] = name
        return self.known[name]

    def value(self, value: AttributeValue) -> str:
        placeholder = f":{len(self.values)}"
        self.values[placeholder] = value
        return placeholder


def _comparison(words: _Placeholders, name: str, value: AttributeValue | None) -> str:
    if value is None:
        return f"attribute_not_exists({words.name(name)})"
    return f"{words.name(name)}={words.value(value)}"


def _update(words: _Placeholders, change: Change) -> dict[str, Any]:
    parts = []
    if change.values:
        parts.append(
            "SET " + ",".join(f"{words.name(name)}={words.value(value)}" for name, value in change.values.items())
        )
    if change.removed:
        parts.append("REMOVE " + ",".join(map(words.name, change.removed)))
    return {"UpdateExpression": " ".join(parts)}
