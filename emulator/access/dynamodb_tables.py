"""A DynamoDB table as a request refers to it: its ARNs, and the partition key values of items."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from emulator import engine
from emulator.wire import AwsError

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,255}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Table:
    """`record` is None for a table that does not exist. Such a table has an ARN to check, but no keys."""

    name: str
    record: dict[str, Any] | None

    @property
    def arn(self) -> str:
        return f"arn:aws:dynamodb:{engine.region()}:{engine.ACCOUNT}:table/{self.name}"

    def index_arn(self, index: object) -> str:
        if index is None:
            return self.arn
        if not isinstance(index, str) or not _NAME.fullmatch(index):
            raise AwsError("ValidationException", "The index name is malformed.")
        return f"{self.arn}/index/{index}"

    def key_names(self) -> list[str]:
        names = [self.record["pk_name"], self.record["sk_name"]] if self.record else []
        return [name for name in names if name]

    def partition_key(self, index: object = None) -> str | None:
        """The first partition key attribute of the table or of one of its indexes."""
        if self.record is None:
            return None
        if index is None:
            return str(self.record["pk_name"])
        definition = engine.dynamodb._index_def(self.record, index)
        names = engine.dynamodb._index_key_lists(definition)[0] if definition else []
        return str(names[0]) if names else None

    def leading_keys(self, items: Sequence[object], *, whole_items: bool = False) -> list[str]:
        """The partition key values of keys or whole items, read by the engine's own resolver.

        A key that the engine cannot read is left out. The engine refuses to run such a request too.
        """
        if self.record is None:
            return []
        found = []
        for item in items:
            value, _, failure = engine.dynamodb._resolve_table_key_values(self.record, item, allow_extra=whole_items)
            if failure is None:
                found.append(str(value))
        return found


def leading_key_context(values: Iterable[str]) -> dict[str, str | Sequence[str]]:
    """The condition keys for these partition key values.

    AWS has two names for them, and sends neither if there are none.
    """
    distinct = list(dict.fromkeys(values))
    return {"dynamodb:LeadingKeys": distinct, "dynamodb:FirstPartitionKeyValues": distinct} if distinct else {}


def resolve_table(name: object) -> Table:
    """The table that a request names, either by name or by full ARN in this account and region."""
    prefix = f"arn:aws:dynamodb:{engine.region()}:{engine.ACCOUNT}:table/"
    plain = name[len(prefix) :] if isinstance(name, str) and name.startswith(prefix) else name
    if not isinstance(plain, str) or not _NAME.fullmatch(plain):
        raise AwsError(
            "ValidationException", "TableName is missing, or does not name a table of this account and region."
        )
    return Table(plain, engine.dynamodb._tables.get(plain))
