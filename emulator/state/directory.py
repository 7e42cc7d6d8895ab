"""The directory that holds an emulator's state: a file of entries, the root key and a lock.

It does not know what the entries mean. The file is an SQLite database, so a change is written completely or not at all,
even if the process is killed. The directory belongs to one user, and only one emulator may use it at a time.
"""

import fcntl
import json
import os
import secrets
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path

from emulator.root_key import ROOT_KEY_FILE, UnreadableRootKey, read_root_key

FORMAT = "2"
# The prefix of stores that hold rows.
ROWS = "rows:"
_ENTRIES, _LOCK = "state.sqlite3", "emulator.lock"
# The demo's password file. A reset deletes it too.
KEPT_PASSWORD = "demo-password"  # noqa: S105 - a file name
_OUR_FILES = frozenset(
    {_ENTRIES, f"{_ENTRIES}-wal", f"{_ENTRIES}-shm", f"{_ENTRIES}-journal", ROOT_KEY_FILE, _LOCK, KEPT_PASSWORD}
)
_SCHEMA = """
CREATE TABLE IF NOT EXISTS about (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS entries (store TEXT, key TEXT, value TEXT NOT NULL, PRIMARY KEY (store, key));
"""
_PUT = "INSERT INTO entries VALUES (?, ?, ?) ON CONFLICT (store, key) DO UPDATE SET value = excluded.value"

Entry = tuple[str, str, str]


class StateRefused(Exception):
    """The directory cannot be used. The message is one line for a terminal."""


@dataclass(slots=True)
class ChangeSet:
    """Changes to the entries since the last write. Whole stores are deleted first."""

    deleted_stores: set[str] = field(default_factory=set)
    deleted: list[tuple[str, str]] = field(default_factory=list)
    put: list[Entry] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.deleted_stores or self.deleted or self.put)


class StateDirectory:
    """An open directory: locked, checked and readable. `engine` is the MiniStack version that wrote the entries."""

    def __init__(self, path: Path, *, engine: str, reset: bool = False) -> None:
        """Raises `StateRefused`. `reset` deletes all saved state."""
        self.path = path
        _prepare(path)
        with ExitStack() as opened:
            opened.callback(os.close, _lock_directory(path))
            if reset:
                for name in _OUR_FILES - {_LOCK}:
                    (path / name).unlink(missing_ok=True)
            try:
                # Python 3.13 warns of a connection that nobody closes.
                self._entries = opened.enter_context(closing(_connect(path / _ENTRIES)))
                _set_up(self._entries)
                self._check(engine)
            except sqlite3.DatabaseError as failure:
                raise StateRefused(f"The state in {path} cannot be read ({failure}); --reset begins anew.") from failure
            self._opened = opened.pop_all()

    def _check(self, engine: str) -> None:
        wanted = {"format": FORMAT, "engine": engine}
        found = dict(self._entries.execute("SELECT name, value FROM about").fetchall())
        if not found:
            with self._entries:
                self._entries.executemany("INSERT INTO about VALUES (?, ?)", wanted.items())
        elif found != wanted:
            raise StateRefused(
                f"The state in {self.path} is of {_describe(found)}, but this is {_describe(wanted)}; "
                "--reset begins anew."
            )

    def entries(self, *, rows: bool) -> Iterator[Entry]:
        """The entries of row stores, or of all other stores, in the order in which they were first written."""
        yield from self._entries.execute(
            "SELECT store, key, value FROM entries WHERE (substr(store, 1, ?) = ?) = ? ORDER BY rowid",
            (len(ROWS), ROWS, rows),
        )

    def write(self, changes: ChangeSet) -> None:
        """Writes all changes or none. Any thread may call it, but only one at a time."""
        with self._entries:
            self._entries.executemany(
                "DELETE FROM entries WHERE store = ?", [(name,) for name in changes.deleted_stores]
            )
            self._entries.executemany("DELETE FROM entries WHERE store = ? AND key = ?", changes.deleted)
            self._entries.executemany(_PUT, changes.put)

    def root_key(self, given: tuple[str, str] | None) -> tuple[str, str]:
        """Returns the given key, the stored one, or a new one. Stores it."""
        stored = _stored_root_key(self.path)
        key = given or stored or (f"AKIA{secrets.token_hex(8).upper()}", secrets.token_urlsafe(30))
        if key != stored:
            text = json.dumps({"access_key_id": key[0], "secret_access_key": key[1]})
            write_privately(self.path / ROOT_KEY_FILE, text)
        return key

    def close(self) -> None:
        self._opened.close()


def _stored_root_key(path: Path) -> tuple[str, str] | None:
    try:
        return read_root_key(path)
    except UnreadableRootKey as failure:
        raise StateRefused(str(failure)) from failure


def write_privately(path: Path, text: str) -> None:
    """Replaces the whole file. Only its owner can read it."""
    new = path.with_name(f"{path.name}.{secrets.token_hex(4)}.new")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


def _prepare(path: Path) -> None:
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = path.stat()
        names = {entry.name for entry in path.iterdir()}
    except OSError as failure:
        raise StateRefused(f"{path} cannot hold state: {failure.strerror}.") from failure
    if found.st_uid != os.geteuid():
        raise StateRefused(f"{path} belongs to another user.")
    if names and _LOCK not in names:
        raise StateRefused(f"{path} is not empty and holds no emulator's state; choose another directory.")
    if stat.S_IMODE(found.st_mode) != 0o700:
        path.chmod(0o700)


def _lock_directory(path: Path) -> int:
    lock = os.open(path / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as failure:
        os.close(lock)
        raise StateRefused(f"Another emulator is running on {path}.") from failure
    return lock


def _connect(file: Path) -> sqlite3.Connection:
    os.close(os.open(file, os.O_RDWR | os.O_CREAT, 0o600))
    return sqlite3.connect(file, check_same_thread=False, timeout=5)


def _set_up(entries: sqlite3.Connection) -> None:
    # With a write-ahead log a commit does not wait for the disk, and a killed process loses no committed data.
    entries.execute("PRAGMA journal_mode = WAL")
    entries.execute("PRAGMA synchronous = NORMAL")
    entries.executescript(_SCHEMA)


def _describe(about: dict[str, str]) -> str:
    return f"format {about.get('format')} and MiniStack {about.get('engine')}"
