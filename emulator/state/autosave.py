"""Saves the emulator's state to a directory while it runs, and restores it at the next start.

Writes at most every half second, and only what changed. Changed rows are tracked; everything else is compared. Other
calls are answered meanwhile, because the file is written in a thread.
"""

import asyncio
import json
import logging
from collections.abc import Iterator

from emulator.state.changes import Row, tracker
from emulator.state.directory import ROWS, ChangeSet, Entry, StateDirectory
from emulator.state.entries import Stores, fail_unfinished_stacks, restore_rows, row_key

log = logging.getLogger(__name__)

_INTERVAL = 0.4
# After this many entries other tasks may run.
_BATCH = 200


class Autosave:
    def __init__(self, directory: StateDirectory, app: object) -> None:
        self._directory, self._stores = directory, Stores(app)
        self._written: dict[tuple[str, str], int] = {}
        self._row_stores: set[str] = set()

    def restore(self) -> None:
        """Loads the directory into this process and starts to track changes. Raises `StateRefused`."""
        self._stores.restore(self._other_entries())
        restore_rows(self._stores.tables(), self._row_entries())
        fail_unfinished_stacks()
        tracker.start()

    async def run(self, stop: asyncio.Event) -> None:
        """Saves changes until `stop` is set."""
        while not stop.is_set():
            try:
                async with asyncio.timeout(_INTERVAL):
                    await stop.wait()
            except TimeoutError:
                await self._write_changes()

    async def close(self) -> None:
        await self._write_changes()
        self._directory.close()

    async def _write_changes(self) -> None:
        if not tracker:
            return
        rows, tables, other = tracker.take()
        try:
            changed = self._changed_rows(rows, tables)
            changes, written = await self._changed_entries() if other else (ChangeSet(), self._written)
            await asyncio.to_thread(self._write, changes, changed)
            self._written = written
        except Exception:
            # The changes are put back, so that a full disk loses nothing.
            tracker.put_back(rows, tables, other=other)
            log.exception("The state could not be saved")

    def _write(self, changes: ChangeSet, rows: list[tuple[str, str, object]]) -> None:
        for store, key, item in rows:
            if item is None:
                changes.deleted.append((store, key))
            elif key == "":
                changes.deleted_stores.add(store)
            else:
                changes.put.append((store, key, json.dumps(item, separators=(",", ":"))))
        if changes:
            self._directory.write(changes)

    def _changed_rows(self, rows: set[Row], replaced: set[str]) -> list[tuple[str, str, object]]:
        """The current rows; None for a deleted row.

        Items are replaced and never changed in place, so they need no copy.
        """
        tables = self._stores.tables()
        found: list[tuple[str, str, object]] = []
        for table_id in replaced & tables.keys():
            found.append((ROWS + table_id, "", True))
            for partition, items in tables[table_id]["items"].items():
                found += [(ROWS + table_id, row_key(partition, sort), item) for sort, item in items.items()]
        for table_id, partition, sort in rows:
            if table_id in tables and table_id not in replaced:
                item = tables[table_id]["items"].get(partition, {}).get(sort)
                found.append((ROWS + table_id, row_key(partition, sort), item))
        return found

    async def _changed_entries(self) -> tuple[ChangeSet, dict[tuple[str, str], int]]:
        """The entries that differ from those last written, and the fingerprints of all current entries."""
        changes, now = ChangeSet(), dict[tuple[str, str], int]()
        for number, (store, key, value) in enumerate(self._stores.entries()):
            now[store, key] = hash(value)
            if self._written.get((store, key)) != now[store, key]:
                changes.put.append((store, key, value))
            if number % _BATCH == _BATCH - 1:
                await asyncio.sleep(0)
        changes.deleted = [known for known in self._written if known not in now]
        tables = {ROWS + table_id for table_id in self._stores.tables()}
        changes.deleted_stores = self._row_stores - tables
        self._row_stores = self._row_stores | tables
        return changes, now

    def _other_entries(self) -> Iterator[Entry]:
        for store, key, value in self._directory.entries(rows=False):
            self._written[store, key] = hash(value)
            yield store, key, value

    def _row_entries(self) -> Iterator[Entry]:
        for store, key, value in self._directory.entries(rows=True):
            self._row_stores.add(store)
            yield store.removeprefix(ROWS), key, value
