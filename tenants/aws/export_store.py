"""Stores for exports: a private directory, or a bucket. A file appears complete or not at all.

Knows nothing about the content of the files. A caller keeps each small enough for memory, so that an upload is one
request.
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

from tenants.aws.failures import EXPORTS, aws_error, translate_errors
from tenants.domain.errors import InvalidInput, Misconfigured

_BUCKET_URL = re.compile(
    r"s3://(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/(?P<prefix>[\w!.*'()/+@=,-]*))?", re.ASCII
)
_BLOCK = 1024 * 1024
# Less than the database column for the export's address holds.
_MAX_LENGTH = 400


class LineWriter:
    """Writes lines to a file and keeps their number, size and hash."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._digest = file, hashlib.sha256()
        self.lines = self.bytes = 0

    def write(self, line: bytes) -> None:
        """Expects a whole line with its line feed."""
        self._file.write(line)
        self._digest.update(line)
        self.lines += 1
        self.bytes += len(line)

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()


@dataclass(frozen=True, slots=True)
class DirectoryStore:
    """Raises Misconfigured if the disk refuses."""

    path: Path

    @property
    def url(self) -> str:
        return str(self.path)

    @contextmanager
    def writing(self, name: str) -> Iterator[LineWriter]:
        """The file gets its name, and is on the disk, when the block succeeds."""
        with self._as_misconfigured():
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
        with self._as_misconfigured(), suppress(FileNotFoundError):
            return (self.path / name).read_bytes()
        return None

    def sha256(self, name: str) -> str | None:
        """None if there is no such file."""
        with self._as_misconfigured(), suppress(FileNotFoundError), (self.path / name).open("rb") as file:
            return _hash_of(lambda: file.read(_BLOCK))
        return None

    def delete_unfinished(self) -> None:
        """Deletes unfinished files of a killed process. No other process may be writing."""
        with self._as_misconfigured():
            for unfinished in self.path.glob(".*"):
                unfinished.unlink(missing_ok=True)

    @contextmanager
    def _as_misconfigured(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise Misconfigured(f"The export cannot be written to {self.path}: {error.strerror or error}.") from error


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
        """One request when the block succeeds. S3 shows an object complete or not at all."""
        buffer = io.BytesIO()
        yield LineWriter(buffer)
        with translate_errors(EXPORTS):
            self.client.put_object(Bucket=self.bucket, Key=self.prefix + name, Body=buffer.getvalue())

    def read(self, name: str) -> bytes | None:
        body = self._body(name)
        with translate_errors(EXPORTS):
            content: bytes | None = body.read() if body else None
        return content

    def sha256(self, name: str) -> str | None:
        """None if there is no such file."""
        body = self._body(name)
        with translate_errors(EXPORTS):
            return _hash_of(lambda: body.read(_BLOCK)) if body else None

    def delete_unfinished(self) -> None:
        """Does nothing: an unfinished upload leaves no object."""

    def _body(self, name: str) -> Any:
        with translate_errors(EXPORTS):
            try:
                return self.client.get_object(Bucket=self.bucket, Key=self.prefix + name)["Body"]
            except ClientError as error:
                if aws_error(error, EXPORTS).code != "NoSuchKey":
                    raise
        return None


ExportStore = DirectoryStore | BucketStore


def read_json(store: ExportStore, name: str) -> Any:
    """None if there is no such file or it is not JSON."""
    content = store.read(name)
    try:
        return None if content is None else json.loads(content)
    except ValueError:
        return None


def write_json(store: ExportStore, name: str, value: Any) -> str:
    """Returns the SHA-256 of the file."""
    with store.writing(name) as file:
        file.write(json.dumps(value, ensure_ascii=False, indent=1).encode() + b"\n")
    return file.sha256


def open_stores(where: str, *, client: Callable[[], Any]) -> Callable[[str], ExportStore]:
    """Returns a function from the name of an export to its store in `where`, a directory or `s3://bucket/prefix`.

    Checks first that `where` can be used, and makes the directory. `client` makes an S3 client. Raises InvalidInput
    for a `where` that cannot be used, and errors of AWS as the stores do.
    """
    if len(where) > _MAX_LENGTH:
        raise InvalidInput(f"Enter at most {_MAX_LENGTH} characters for the place of the export.", field="export_to")
    if "://" not in where:
        directory = _usable_directory(where)
        return lambda name: DirectoryStore(directory / name)
    parsed = _BUCKET_URL.fullmatch(where)
    if parsed is None:
        raise InvalidInput(f"“{where}” is neither a directory nor of the form s3://bucket/prefix.", field="export_to")
    s3, bucket = client(), parsed["bucket"]
    _check_bucket(s3, bucket)
    prefix = "".join(f"{part}/" for part in (parsed["prefix"] or "").split("/") if part)
    return lambda name: BucketStore(s3, bucket, f"{prefix}{name}/")


def _usable_directory(where: str) -> Path:
    """Makes the directory and checks it by writing a file, which it deletes again."""
    if not where.strip():
        raise InvalidInput("Say where the export goes: a directory, or s3://bucket/prefix.", field="export_to")
    path = Path(where).absolute()
    if len(str(path)) > _MAX_LENGTH:
        raise InvalidInput(f"The whole path of {where} has more than {_MAX_LENGTH} characters.", field="export_to")
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
        "404": f"The bucket {bucket} does not exist.",
        "403": f"The closing job may not use the bucket {bucket}. Set the stack's parameter ExportBucket to it.",
        "301": f"The bucket {bucket} is in another region.",
    }
    with translate_errors(EXPORTS):
        try:
            client.head_bucket(Bucket=bucket)
        except ClientError as error:
            # HEAD has no body, so botocore uses the status as the code.
            reason = reasons.get(str(aws_error(error, EXPORTS).code))
            if reason is None:
                raise
            raise InvalidInput(reason, field="export_to") from error


def _make_private(path: Path) -> None:
    """Makes the directory and its missing parents, readable by the owner only."""
    for level in (*reversed(path.parents), path):
        if not level.exists():
            level.mkdir(mode=0o700, exist_ok=True)
    if not path.is_dir():
        raise NotADirectoryError(20, "there is a file of that name")


def _sync(directory: Path) -> None:
    """Without it, a crash of the machine may lose the file's new name."""
    opened = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _hash_of(next_block: Callable[[], bytes]) -> str:
    digest = hashlib.sha256()
    while block := next_block():
        digest.update(block)
    return digest.hexdigest()
