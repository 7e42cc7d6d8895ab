"""Checks the keys of tables and indexes, and the attributes that are defined for them."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from emulator.expressions.errors import Invalid, invalid_parameter

Keys = Sequence[Mapping[str, str]]

_MOST_OF_A_KIND: Final = 4


def names_of(keys: Keys) -> list[str]:
    return [key["AttributeName"] for key in keys]


def defined_names(definitions: Sequence[Mapping[str, Any]]) -> list[str]:
    """Raises `Invalid` for a name that is defined twice."""
    names: dict[str, None] = {}
    for each in definitions:
        if (name := each["AttributeName"]) in names:
            raise Invalid(f"Attribute Name is duplicated: {name}")
        names[name] = None
    return list(names)


def check_pair(keys: Keys) -> None:
    """Checks the key of a table or a local index, which has at most two attributes."""
    _check_first(keys)
    if len(keys) > 1 and keys[1]["KeyType"] != "RANGE":
        raise Invalid("Invalid KeySchema: The second KeySchemaElement is not a RANGE key type")
    if len(keys) > 1 and keys[0]["AttributeName"] == keys[1]["AttributeName"]:
        raise Invalid("Both the Hash Key and the Range Key element in the KeySchema have the same name")


def check_global(keys: Keys) -> None:
    """Checks the key of a global index: up to four HASH attributes, and then up to four RANGE attributes."""
    _check_first(keys)
    kinds = [key["KeyType"] for key in keys]
    if kinds != sorted(kinds):
        raise invalid_parameter("All HASH key attributes must precede RANGE key attributes in the KeySchema")
    if len(set(names_of(keys))) < len(keys):
        raise Invalid("The KeySchema contains multiple key attributes with the same name")
    for kind in ("HASH", "RANGE"):
        if kinds.count(kind) > _MOST_OF_A_KIND:
            raise invalid_parameter(f"The KeySchema exceeds the maximum allowed number of {kind} key attributes")


def check_defined(keys: Keys, defined: Sequence[str], *, of_table: bool = False) -> None:
    names = names_of(keys)
    if of_table and len(names) > len(defined):
        raise Invalid("Invalid KeySchema: Some index key attribute have no definition")
    if not set(names) <= set(defined):
        raise invalid_parameter(
            "Some index key attributes are not defined in AttributeDefinitions. "
            f"Keys: [{', '.join(names)}], AttributeDefinitions: [{', '.join(defined)}]"
        )


def check_all_used(defined: Sequence[str], table: Keys, indexes: Sequence[Keys]) -> None:
    used = list(dict.fromkeys(name for keys in (*indexes, table) for name in names_of(keys)))
    if set(defined) <= set(used):
        return
    if not indexes:
        raise invalid_parameter(
            "Number of attributes in KeySchema does not exactly match number of attributes defined in "
            "AttributeDefinitions"
        )
    raise invalid_parameter(
        f"Some AttributeDefinitions are not used. AttributeDefinitions: [{', '.join(defined)}], "
        f"keys used: [{', '.join(used)}]"
    )


def _check_first(keys: Keys) -> None:
    if keys[0]["KeyType"] != "HASH":
        raise Invalid("Invalid KeySchema: The first KeySchemaElement is not a HASH key type")
