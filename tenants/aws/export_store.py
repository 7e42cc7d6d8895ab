"""Where an export goes: a directory that only its owner reads, or a bucket. A file is there whole or not at all.

What the files hold is not known here. Whoever writes keeps them small enough to be held in memory, which is what makes
an upload one request.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from botocore.exceptions import ClientError

from tenants.aws.failures import EXPORTS, answer_of, translated
from tenants.domain.errors import InvalidInput, Misconfigured

_BUCKET_URL = re.compile(
    r"s3://(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/(?P<prefix>[\w!.*'()/+@=,-]*))?", re.ASCII
)
_BLOCK = 1024 * 1024
# Somewhat less than there is room for where the export's address is kept.
_LONGEST = 400


class LineWriter:
    """What is being written: how much of it there is so far, and its hash."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._digest = file, hashlib.sha256()
        self.lines = self.bytes = 0

    def write(self, line: bytes) -> None:
        """A whole line, with its end."""
        self._file.write(line)
        self._digest.update(line)
        self.lines += 1
        self.bytes += len(line)

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()


@dataclass(frozen=True, slots=True)
class DirectoryStore:
    """Raises Misconfigured for what the disk does not take."""

    path: Path

    @property
    def url(self) -> str:
        return str(self.path)

    @contextmanager
    def writing(self, name: str) -> Iterator[LineWriter]:
        """The file has its name, and is on the disk, once the block has ended well."""
        with self._explained():
            _make_private(self.path)
            new = self.path / f".{name}.{secrets.token_hex(8)}"
            try:
                with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                    yield LineWriter(file)
                    file.flush()
                    os.fsync(file.fileno())
                new.replace(self.path / name)
            finally:
                with suppress(FileNotFoundError):
                    new.unlink()
            _sync(self.path)

    def read(self, name: str) -> bytes | None:
        with self._explained(), suppress(FileNotFoundError):
            return (self.path / name).read_bytes()
        return None

    def sha256(self, name: str) -> str | None:
        """None where there is no such file."""
        with self._explained(), suppress(FileNotFoundError), (self.path / name).open("rb") as file:
            return _hash_of(lambda: file.read(_BLOCK))
        return None

    def tidy(self) -> None:
        """Deletes what a killed process had begun. Nobody else may be writing."""
        with self._explained():
            for unfinished in self.path.glob(".*"):
                unfinished.unlink(missing_ok=True)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise Misconfigured(f"The export cannot be kept in {self.path}: {error.strerror or error}.") from error


@dataclass(frozen=True, slots=True)
class BucketStore:
    """`prefix` ends with a slash or is empty. Raises Misconfigured, Throttled, Unreachable."""

    client: Any
    bucket: str
    prefix: str

    @property
    def url(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/")

    @contextmanager
    def writing(self, name: str) -> Iterator[LineWriter]:
        """One request once the block has ended well: S3 shows an object whole or not at all."""
        held = io.BytesIO()
        yield LineWriter(held)
        with translated(EXPORTS):
            self.client.put_object(Bucket=self.bucket, Key=self.prefix + name, Body=held.getvalue())

    def read(self, name: str) -> bytes | None:
        body = self._body(name)
        with translated(EXPORTS):
            content: bytes | None = body.read() if body else None
        return content

    def sha256(self, name: str) -> str | None:
        """None where there is no such file."""
        body = self._body(name)
        with translated(EXPORTS):
            return _hash_of(lambda: body.read(_BLOCK)) if body else None

    def tidy(self) -> None:
        """What a killed process had begun was never there."""

    def _body(self, name: str) -> Any:
        with translated(EXPORTS):
            try:
                return self.client.get_object(Bucket=self.bucket, Key=self.prefix + name)["Body"]
            except ClientError as error:
                if answer_of(error, EXPORTS).code != "NoSuchKey":
                    raise
        return None


ExportStore = DirectoryStore | BucketStore


def read_json(store: ExportStore, name: str) -> Any:
    """None where there is no such file, or it is not JSON."""
    content = store.read(name)
    try:
        return None if content is None else json.loads(content)
    except ValueError:
        return None


def write_json(store: ExportStore, name: str, value: Any) -> str:
    """Returns the SHA-256 of what was written."""
    with store.writing(name) as file:
        file.write(json.dumps(value, ensure_ascii=False, indent=1).encode() + b"\n")
    return file.sha256


def open_stores(where: str, *, client: Callable[[], Any]) -> Callable[[str], ExportStore]:
    """From the name of an export to its place beneath `where`, a directory or `s3://bucket/prefix`.

    Looks first whether it is there and can be used, and makes the directory. `client` makes one for S3. Raises
    InvalidInput for what whoever typed it can mend; what AWS answers as the stores do.
    """
    if len(where) > _LONGEST:
        raise InvalidInput(f"Exports go to a place whose name has at most {_LONGEST} characters.", field="export_to")
    if "://" not in where:
        directory = _usable(where)
        return lambda name: DirectoryStore(directory / name)
    named = _BUCKET_URL.fullmatch(where)
    if named is None:
        raise InvalidInput(f"“{where}” is neither a directory nor of the form s3://bucket/prefix.", field="export_to")
    made, bucket = client(), named["bucket"]
    _check_bucket(made, bucket)
    prefix = "".join(f"{part}/" for part in (named["prefix"] or "").split("/") if part)
    return lambda name: BucketStore(made, bucket, f"{prefix}{name}/")


def _usable(where: str) -> Path:
    """The directory, with everything made that was missing of it, tried out by a file that is deleted again."""
    if not where.strip():
        raise InvalidInput("Say where the export goes: a directory, or s3://bucket/prefix.", field="export_to")
    path = Path(where).absolute()
    if len(str(path)) > _LONGEST:
        raise InvalidInput(f"The whole path of {where} has more than {_LONGEST} characters.", field="export_to")
    probe = path / f".probe.{secrets.token_hex(8)}"
    try:
        _make_private(path)
        os.close(os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        probe.unlink()
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise InvalidInput(f"Nothing can be written to {path}: {why}.", field="export_to") from error
    return path


def _check_bucket(client: Any, bucket: str) -> None:
    reasons = {
        "404": f"There is no bucket {bucket}.",
        "403": f"The bucket {bucket} is not for the closing job. Does the stack's parameter ExportBucket name it?",
        "301": f"The bucket {bucket} is in another region.",
    }
    with translated(EXPORTS):
        try:
            client.head_bucket(Bucket=bucket)
        except ClientError as error:
            # An answer without a body has its status for a code.
            reason = reasons.get(str(answer_of(error, EXPORTS).code))
            if reason is None:
                raise
            raise InvalidInput(reason, field="export_to") from error


def _make_private(path: Path) -> None:
    """The directory, and what is missing above it, for its owner alone."""
    for level in (*reversed(path.parents), path):
        if not level.exists():
            level.mkdir(mode=0o700, exist_ok=True)
    if not path.is_dir():
        raise NotADirectoryError(20, "there is a file of that name")


def _sync(directory: Path) -> None:
    """Until then the file's new name may be lost with the machine."""
    opened = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _hash_of(block: Callable[[], bytes]) -> str:
    digest = hashlib.sha256()
    while part := block():
        digest.update(part)
    return digest.hexdigest()
