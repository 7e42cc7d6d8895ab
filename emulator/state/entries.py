"""Finds everything in this process that makes up the emulated AWS, and converts it to entries of text and back.

The engine's stores are found by their type. Ours are the containers in the objects of `App` and in some modules. So a
new store is saved without being listed here. Rows are saved separately, because there are too many to compare.
"""

import json
from collections import defaultdict, deque
from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from emulator import engine
from emulator.faults import Switchboard
from emulator.functions import http_api, lambdas
from emulator.state.codec import UnreadableState, decode, encode
from emulator.state.directory import Entry, StateRefused

_SCOPED = (engine.responses.AccountRegionScopedDict, engine.responses.AccountScopedDict)
# The engine's plain dictionaries and sets that are stores and not constants.
_PLAIN_STORES = (
    "_pool_keys", "_authorization_codes", "_refresh_tokens", "_revoked_tokens", "_auth_codes", "_totp_session_secrets",
)  # fmt: skip
_SERVICES = ("dynamodb", "cognito", "iam", "cloudformation")
_MODULES = (lambdas, http_api)
# Members of a record that may be large. Each of their entries is saved separately.
_LARGE_MEMBERS = ("_users", "_identities")
_ROWS, _DERIVED = "items", ("items", "_index_members", "ItemCount", "TableSizeBytes")
_NOT_SAVED = (Switchboard,)
_WHOLE = "whole"

Store = MutableMapping[Any, Any] | set[Any]


@dataclass
class Stores:
    """Finds the live containers of the engine and of this package."""

    app: object
    sequences: dict[str, list[Any] | deque[Any]] = field(default_factory=dict)

    def stores(self) -> dict[str, Store]:
        """Returns the stores by name. Looks them up each time, because an object may replace its container."""
        self.sequences = {}
        found: dict[str, Store] = {}
        for service in _SERVICES:
            module = getattr(engine, service)
            for name, value in vars(module).items():
                if isinstance(value, _SCOPED):
                    found[f"{service}.{name}"] = value._data
                elif name in _PLAIN_STORES:
                    found[f"{service}.{name}"] = value
        for path, holder in (("app", self.app), *((module.__name__, module) for module in _MODULES)):
            self._collect(path, holder, found, set())
        return found

    def _collect(self, path: str, holder: object, found: dict[str, Store], seen: set[int]) -> None:
        for name, value in list(vars(holder).items()):
            if name.startswith("__") or id(value) in seen or isinstance(value, _NOT_SAVED):
                continue
            seen.add(id(value))
            if isinstance(value, dict) and (owners := _owners_of_methods(value)):
                new = {id(part): part for part in owners if _is_ours(part) and id(part) not in seen}
                seen |= new.keys()
                for part in new.values():
                    self._collect(f"{path}.{type(part).__name__}", part, found, seen)
            elif isinstance(value, dict | set):
                found[f"{path}.{name}"] = value
            elif isinstance(value, list | deque):
                self.sequences[f"{path}.{name}"] = value
            elif _is_ours(value) and not isinstance(holder, ModuleType):
                self._collect(f"{path}.{name}", value, found, seen)

    def entries(self) -> Iterator[Entry]:
        """Yields the current entries. The caller may let other tasks run between two of them."""
        for name, store in self.stores().items():
            if isinstance(store, set):
                yield from ((name, encode(member), "1") for member in list(store))
            else:
                for key, value in list(store.items()):
                    yield from _record_entries(name, key, value)
        for name, sequence in list(self.sequences.items()):
            yield name, _WHOLE, encode(list(sequence))

    def restore(self, entries: Iterator[Entry]) -> None:
        """Fills empty stores. Raises `StateRefused` for an entry of an unknown store or type."""
        stores = self.stores()
        for name, key, value in entries:
            try:
                if name in self.sequences:
                    self.sequences[name].extend(decode(value))
                else:
                    _restore_entry(stores[name], decode(key), value)
            except (KeyError, UnreadableState) as failure:
                raise StateRefused(
                    f"The state was written by another version ({name}: {failure}); --reset begins anew."
                ) from failure

    def tables(self) -> dict[str, dict[str, Any]]:
        """Tables by id."""
        return {table["TableId"]: table for _, table in engine.dynamodb._tables.all_items()}


def row_key(partition: str, sort: str) -> str:
    return json.dumps([partition, sort])


def restore_rows(tables: dict[str, dict[str, Any]], rows: Iterator[Entry]) -> None:
    """Puts rows into their restored tables and lets the engine rebuild what it derives from them."""
    for table in tables.values():
        table[_ROWS] = defaultdict(dict)
    for table_id, key, value in rows:
        partition, sort = json.loads(key)
        if table_id in tables:
            tables[table_id][_ROWS][partition][sort] = json.loads(value)
    for table in tables.values():
        engine.dynamodb._items_replaced(table)


def fail_unfinished_stacks() -> None:
    """Marks stacks that were being created, updated or deleted as failed. Nothing continues that work."""
    for _, stack in engine.cloudformation._stacks.all_items():
        status = stack["StackStatus"]
        if status.endswith("IN_PROGRESS"):
            stack["StackStatus"] = "UPDATE_ROLLBACK_COMPLETE" if status.startswith("UPDATE") else "ROLLBACK_FAILED"
            stack["StackStatusReason"] = "The emulator stopped while it was working on this stack."


def _record_entries(name: str, key: object, value: object) -> Iterator[Entry]:
    if name == "dynamodb._tables" and isinstance(value, dict):
        value = {member: part for member, part in value.items() if member not in _DERIVED}
    many = {member: value[member] for member in _LARGE_MEMBERS if member in value} if isinstance(value, dict) else {}
    if many and isinstance(value, dict):
        value = {**value, **{member: {} for member in many}}
    yield name, encode([key]), encode(value)
    for member, parts in many.items():
        for part_key, part in list(parts.items()):
            yield name, encode([key, member, part_key]), encode(part)


def _restore_entry(store: Store, key: Any, value: str) -> None:
    if isinstance(store, set):
        store.add(key)
    elif len(key) == 1:
        store[key[0]] = decode(value)
    else:
        record, member, part_key = key
        store[record][member][part_key] = decode(value)


def _is_ours(value: object) -> bool:
    return type(value).__module__.startswith("emulator.") and hasattr(value, "__dict__")


def _owners_of_methods(value: dict[Any, Any]) -> list[object]:
    """The objects whose methods are in a table of functions. Returns [] for a store."""
    parts = (part for entry in value.values() for part in (entry if isinstance(entry, tuple) else (entry,)))
    functions = [part for part in parts if callable(part)]
    return [getattr(function, "__self__", function) for function in functions]
