"""Keys of the records table. They are composed only here.

`pk = <org>#<collection>` and `sk = <record key>`; `KeyNames` has the names that a table gives them. The partition with
an empty collection name is the tenant's catalogue: one item per collection, whose `sk` is the collection's name. Public
rows have `PUBLIC` in place of the org.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tenants.domain.errors import InvalidInput, Misconfigured
from tenants.domain.org_id import OrgId, is_org_id
from tenants.domain.values import Item

PUBLIC = "PUBLIC"
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
MAX_PARTITION_KEY_BYTES = 2048
MAX_SORT_KEY_BYTES = 1024
# Copies of deleted records, for some minutes. It is no collection: no list names it and no page opens it.
DELETED = "_deleted"


@dataclass(frozen=True, slots=True)
class KeyNames:
    """What the table calls its two key attributes, both texts."""

    partition: str = "pk"
    sort: str = "sk"

    def __iter__(self) -> Iterator[str]:
        yield self.partition
        yield self.sort

    def key(self, partition_key: str, sort_key: str) -> Item:
        return {self.partition: {"S": partition_key}, self.sort: {"S": sort_key}}

    def key_of(self, item: Item) -> Item:
        return {name: item[name] for name in self}

    def named(self, item: Item) -> Item:
        """An item with the usual names, as this table has it."""
        others = {name: value for name, value in item.items() if name not in {*USUAL_KEYS}}
        return {**self.key(USUAL_KEYS.partition_key(item), USUAL_KEYS.sort_key(item)), **others}

    def partition_key(self, item: Item) -> str:
        return _text(item, self.partition)

    def sort_key(self, item: Item) -> str:
        return _text(item, self.sort)


def _text(item: Item, name: str) -> str:
    try:
        return str(item[name]["S"])
    except KeyError as error:
        raise Misconfigured(f"The records table’s key “{name}” is no text (S), or has another name.") from error


USUAL_KEYS = KeyNames()


@dataclass(frozen=True, slots=True)
class Space:
    """All rows of one organisation, or all public ones. Use `own_space` or `PUBLIC_SPACE`."""

    prefix: str

    @property
    def catalogue(self) -> str:
        return f"{self.prefix}#"

    def collection(self, name: str) -> str:
        """Partition key of the collection. Raises InvalidInput for an empty or over-long name, and the portal's own."""
        if not name:
            raise InvalidInput("A collection needs a name.", field="collection")
        if not is_collection(name):
            raise InvalidInput(
                f"“{name}” is no collection: the portal keeps deleted records there.", field="collection"
            )
        return checked_partition_key(f"{self.prefix}#{name}")

    @property
    def deleted(self) -> str:
        """Partition key of the copies of deleted records."""
        return f"{self.prefix}#{DELETED}"


PUBLIC_SPACE = Space(PUBLIC)


def is_collection(name: str) -> bool:
    """Not the portal's own partition, whatever the catalogue says."""
    return name != DELETED


def own_space(org: OrgId) -> Space:
    return Space(org.value)


def checked_partition_key(text: str) -> str:
    """Checks the length only: which keys a person may use is IAM's decision. Raises InvalidInput."""
    return _checked(text, MAX_PARTITION_KEY_BYTES, "partition key")


def owner_of(partition_key: str) -> str:
    """The owner of the key's rows: an org id or PUBLIC, "nobody’s" for any other key. Never more of the key."""
    owner = partition_key.partition("#")[0]
    return owner if owner == PUBLIC or is_org_id(owner) else "nobody’s"


def owner_of_path(path: str) -> str:
    """As `owner_of`, of a path of the HTTP API, which begins with a slash and an org id."""
    return owner_of(path.removeprefix("/").replace("/", "#", 1))


def checked_record_key(text: str) -> str:
    return _checked(text, MAX_SORT_KEY_BYTES, "record key")


def _checked(text: str, limit: int, what: str) -> str:
    try:
        size = len(text.encode())
    except UnicodeEncodeError as error:
        raise InvalidInput(f"This {what} is not valid text.", field="key") from error
    if not size:
        raise InvalidInput(f"Enter a {what}.", field="key")
    if size > limit:
        raise InvalidInput(f"A {what} has at most {limit} bytes; this one has {size}.", field="key")
    return text
