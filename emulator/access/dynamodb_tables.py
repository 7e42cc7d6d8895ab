"""A table as the engine holds it, seen through what a request says of it: its ARNs and the leading keys of items."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from emulator import engine
from emulator.wire import AwsError

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,255}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Table:
    """`record` is None for a table that does not exist: it has an ARN to be judged by, and no keys."""

    name: str
    record: dict[str, Any] | None

    @property
    def arn(self) -> str:
        return f"arn:aws:dynamodb:{engine.region()}:{engine.ACCOUNT}:table/{self.name}"

    def index_arn(self, index: object) -> str:
        if index is None:
            return self.arn
        if not isinstance(index, str) or not _NAME.fullmatch(index):
            raise AwsError("ValidationException", "The index name is not one.")
        return f"{self.arn}/index/{index}"

    def key_names(self) -> list[str]:
        names = [self.record["pk_name"], self.record["sk_name"]] if self.record else []
        return [name for name in names if name]

    def partition_key(self, index: object = None) -> str | None:
        """The name of the partition key of the table or of one of its indexes: its first attribute."""
        if self.record is None:
            return None
        if index is None:
            return str(self.record["pk_name"])
        definition = engine.dynamodb._index_def(self.record, index)
        names = engine.dynamodb._index_key_lists(definition)[0] if definition else []
        return str(names[0]) if names else None

    def leading_keys(self, items: Sequence[object], *, whole_items: bool = False) -> list[str]:
        """The partition key values of keys or whole items, as the engine's own resolver reads them.

        What it cannot read names no key: then the engine refuses to run the request as well.
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
    """The condition keys of these partition key values: AWS knows them under two names, and has none for none."""
    distinct = list(dict.fromkeys(values))
    return {"dynamodb:LeadingKeys": distinct, "dynamodb:FirstPartitionKeyValues": distinct} if distinct else {}


def resolve_table(name: object) -> Table:
    """The table a request names, by name or by its full ARN in this account and region; nothing else is understood."""
    prefix = f"arn:aws:dynamodb:{engine.region()}:{engine.ACCOUNT}:table/"
    plain = name[len(prefix) :] if isinstance(name, str) and name.startswith(prefix) else name
    if not isinstance(plain, str) or not _NAME.fullmatch(plain):
        raise AwsError("ValidationException", "TableName is missing, or is no table of this account and region.")
    return Table(plain, engine.dynamodb._tables.get(plain))
