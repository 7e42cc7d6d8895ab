"""Entries of the audit trail in files that appear whole or not at all."""

from __future__ import annotations

import fcntl
import glob
import hashlib
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

Progress = Callable[[int], None]


def write_lines(written: Iterable[bytes], file: BinaryIO, *, progress: Progress = lambda _: None) -> tuple[int, str]:
    """How many lines it was, and the SHA-256 of them all."""
    digest, count = hashlib.sha256(), 0
    for line in written:
        file.write(line)
        digest.update(line)
        count += 1
        progress(count)
    return count, digest.hexdigest()


@contextmanager
def appearing_whole(path: Path) -> Iterator[BinaryIO]:
    """A new file, readable by its owner alone, that has its name and is on the disk once the block has ended well.

    Raises OSError, FileExistsError for one that is there by then.
    """
    try:
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        # With the name that was asked for.
        raise OSError(error.errno, error.strerror, str(path)) from error
    try:
        with os.fdopen(descriptor, "wb") as file:
            # Held for as long as it is written, so that what a killed program left can be told from it.
            fcntl.flock(file, fcntl.LOCK_EX)
            _clear_away_halves(path)
            yield file
            file.flush()
            os.fsync(file.fileno())
        _name_it(Path(name), path)
    finally:
        Path(name).unlink(missing_ok=True)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _clear_away_halves(path: Path) -> None:
    for half in path.parent.glob(f".{glob.escape(path.name)}.*"):
        with suppress(OSError), half.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            half.unlink()


def _name_it(written: Path, path: Path) -> None:
    """Raises FileExistsError where somebody else was faster: their file may be what entries were deleted for."""
    try:
        path.hardlink_to(written)
    except FileExistsError:
        raise
    except OSError:
        # A file system without hard links. Nothing better can be had there.
        if path.exists():
            raise
        written.replace(path)
