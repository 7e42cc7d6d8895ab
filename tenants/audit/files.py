"""Files of audit entries. A file appears complete or not at all."""

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


def write_lines(lines: Iterable[bytes], file: BinaryIO, *, progress: Progress = lambda _: None) -> tuple[int, str]:
    """Returns the number of lines and the SHA-256 of all of them. `progress` is called with the number so far."""
    digest, count = hashlib.sha256(), 0
    for line in lines:
        file.write(line)
        digest.update(line)
        count += 1
        progress(count)
    return count, digest.hexdigest()


@contextmanager
def atomic_file(path: Path) -> Iterator[BinaryIO]:
    """A new file, readable by its owner alone. It gets its name, and is on the disk, when the block succeeds.

    Raises OSError; FileExistsError if a file of that name exists by then.
    """
    try:
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        # Names the file that was asked for, not the temporary one.
        raise OSError(error.errno, error.strerror, str(path)) from error
    try:
        with os.fdopen(descriptor, "wb") as file:
            # Locked while it is written, so that leftovers of a killed process can be told from it.
            fcntl.flock(file, fcntl.LOCK_EX)
            _delete_leftovers(path)
            yield file
            file.flush()
            os.fsync(file.fileno())
        _give_name(Path(name), path)
    finally:
        Path(name).unlink(missing_ok=True)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _delete_leftovers(path: Path) -> None:
    for leftover in path.parent.glob(f".{glob.escape(path.name)}.*"):
        with suppress(OSError), leftover.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            leftover.unlink()


def _give_name(written: Path, path: Path) -> None:
    """Raises FileExistsError if another process was faster: its file may be the only copy of deleted entries."""
    try:
        path.hardlink_to(written)
    except FileExistsError:
        raise
    except OSError:
        # A file system without hard links: here a file made in between would be overwritten.
        if path.exists():
            raise
        written.replace(path)
