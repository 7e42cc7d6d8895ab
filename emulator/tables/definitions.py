"""Checks the definition of a new table, of CreateTable and of a template."""

from collections.abc import Mapping
from typing import Any, Final

from emulator.tables import indexes, key_schemas, settings
from emulator.tables.constraints import check_constraints
from emulator.tables.tags import check_tags

Data = Mapping[str, Any]

PROTECTED: Final = (
    "Resource cannot be deleted as it is currently protected against deletion. Disable deletion protection first."
)


def check_definition(data: Data) -> None:
    """Raises `Invalid`. Does not look at other tables."""
    check_constraints("CreateTable", data)
    settings.check_new_throughput(data)
    _check_keys(data)
    local, for_all = data.get("LocalSecondaryIndexes"), data.get("GlobalSecondaryIndexes")
    indexes.check_counts(local, for_all)
    if local:
        indexes.check_local(local, data["KeySchema"])
    every = [*(local or ()), *(for_all or ())]
    for index in every:
        indexes.check_projection(index)
    indexes.check_names(every)
    indexes.check_projected_total(every)
    settings.check_class(data)
    settings.check_encryption(data)
    check_tags(data.get("Tags") or [])


def _check_keys(data: Data) -> None:
    table, defined = data["KeySchema"], key_schemas.defined_names(data["AttributeDefinitions"])
    key_schemas.check_pair(table)
    key_schemas.check_defined(table, defined, of_table=True)
    local = [index["KeySchema"] for index in data.get("LocalSecondaryIndexes") or ()]
    for_all = [index["KeySchema"] for index in data.get("GlobalSecondaryIndexes") or ()]
    for keys in local:
        key_schemas.check_pair(keys)
    for keys in for_all:
        key_schemas.check_global(keys)
    for keys in (*local, *for_all):
        key_schemas.check_defined(keys, defined)
    key_schemas.check_all_used(defined, table, [*local, *for_all])
