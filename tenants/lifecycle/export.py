"""A tenant's export: its rows by collection, its members and audit entries, and at the end a manifest.

Rows are lines in the format of DynamoDB's own exports. A file ends after some megabytes, so that little is held in
memory, and an interrupted export continues after the last complete file.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from itertools import takewhile
from typing import Any

from django.utils import timezone

from tenants.audit.reading import EntryFilter, json_lines
from tenants.aws.export_store import ExportStore, LineWriter, read_json, write_json
from tenants.aws.tenant_rows import TenantRows
from tenants.domain.keys import Space
from tenants.domain.values import Item, as_json
from tenants.models import Closing, Member

FORMAT = "tenant-export/1"
MANIFEST = "manifest.json"
_PROGRESS = "progress.json"
MOST_BYTES = 16 * 1000 * 1000
# Progress is written after this many bytes of files: less is faster exported again.
PROGRESS_EVERY_BYTES = 1000 * 1000
_REPORT_EVERY_LINES = 1000
Report = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class RowsFile:
    """A complete file of rows. `collection` is "" for the catalogue.

    `after` is the sort key after which the next file begins, None at the collection's end.
    """

    collection: str
    file: str
    lines: int
    bytes: int
    sha256: str
    after: str | None


@dataclass(frozen=True, slots=True)
class Exported:
    rows: int
    manifest_sha256: str


@dataclass
class _Progress:
    """The complete files of this closing that are in the store; `last` has the last one of each collection.

    `unsaved` counts bytes of files that are not in the store's progress file yet.
    """

    store: ExportStore
    about: dict[str, str]
    files: list[RowsFile] = field(default_factory=list)
    last: dict[str, RowsFile] = field(default_factory=dict)
    unsaved: int = 0

    def keep(self, file: RowsFile) -> None:
        self.files.append(file)
        self.last[file.collection] = file

    def add(self, file: RowsFile) -> None:
        """Keeps the file, and saves the progress from time to time."""
        self.keep(file)
        self.unsaved += file.bytes
        if self.unsaved >= PROGRESS_EVERY_BYTES:
            write_json(self.store, _PROGRESS, {**self.about, "parts": [asdict(one) for one in self.files]})
            self.unsaved = 0


def export_tenant(closing: Closing, *, rows: TenantRows, space: Space, store: ExportStore, report: Report) -> Exported:
    """Exports the tenant in `space` to `store`. No credentials may be able to write its rows meanwhile.

    `report` is called before each file and about every megabyte. If it raises, the export ends, and the next call
    continues from there. Raises what `rows` and `store` raise.
    """
    report("exporting")
    store.delete_unfinished()
    progress = _saved_progress(closing, store)
    for collection in ("", *rows.collections(space)):
        _export_collection(collection, rows=rows, space=space, progress=progress, report=report)
    files = [_entry(file) for file in progress.files]
    files += [*_export_members(closing, store, report), *_export_audit(closing, store, report)]
    exported = sum(file.lines for file in progress.files)
    manifest = {**_about(closing), "exported_at": timezone.now().isoformat(), "rows": exported, "files": files}
    report("exporting: the manifest")
    return Exported(exported, write_json(store, MANIFEST, manifest))


def is_complete(store: ExportStore, *, manifest_sha256: str, report: Report) -> bool:
    """Whether the manifest has this hash, and every file the hash in the manifest. Raises what `store` raises."""
    content = store.read(MANIFEST)
    if content is None or hashlib.sha256(content).hexdigest() != manifest_sha256:
        return False
    for file in json.loads(content)["files"]:
        report(f"looking at the export: {file['file']}")
        if store.sha256(file["file"]) != file["sha256"]:
            return False
    return True


def named_collections(store: ExportStore, *, manifest_sha256: str) -> frozenset[str] | None:
    """The collections that the manifest names. None if it is missing, or has another hash."""
    content = store.read(MANIFEST)
    if content is None or hashlib.sha256(content).hexdigest() != manifest_sha256:
        return None
    return frozenset(file["collection"] for file in json.loads(content)["files"] if file["holds"] == "rows")


def _saved_progress(closing: Closing, store: ExportStore) -> _Progress:
    """The files up to the first one that is missing or was changed. The others are made again."""
    about = {"format": FORMAT, "org": str(closing.tenant.org_id), "began_at": closing.began_at.isoformat()}
    progress = _Progress(store, about)
    for file in takewhile(lambda file: store.sha256(file.file) == file.sha256, _saved_files(about, store)):
        progress.keep(file)
    return progress


def _saved_files(about: dict[str, str], store: ExportStore) -> list[RowsFile]:
    """Empty if the progress file is broken or belongs to another closing."""
    saved = read_json(store, _PROGRESS)
    if not isinstance(saved, dict) or {name: saved.get(name) for name in about} != about:
        return []
    try:
        return [RowsFile(**file) for file in saved["parts"]]
    except (TypeError, KeyError):
        return []


def _export_collection(collection: str, *, rows: TenantRows, space: Space, progress: _Progress, report: Report) -> None:
    last = progress.last.get(collection)
    partition = space.collection(collection) if collection else space.catalogue
    while last is None or last.after is not None:
        name, after = f"rows-{len(progress.files):05d}.jsonl", last.after if last else None
        with progress.store.writing(name) as file:
            for page in rows.pages(partition, after=after):
                for item in page.items:
                    file.write(_line(item))
                after = page.after
                report(f"exporting {collection or 'the catalogue'}: {file.lines:,} rows into {name}")
                if file.bytes >= MOST_BYTES:
                    break
        last = RowsFile(collection, name, file.lines, file.bytes, file.sha256, after)
        progress.add(last)


def _line(item: Item) -> bytes:
    return _as_json({"Item": {name: as_json(value) for name, value in item.items()}})


def _entry(file: RowsFile) -> dict[str, Any]:
    """The file as the manifest lists it."""
    holds = {"holds": "rows", "collection": file.collection} if file.collection else {"holds": "catalogue"}
    return {"file": file.file, **holds, "lines": file.lines, "bytes": file.bytes, "sha256": file.sha256}


def _about(closing: Closing) -> dict[str, Any]:
    tenant = closing.tenant
    return {
        "format": FORMAT,
        "org": str(tenant.org_id),
        "name": tenant.name,
        "slug": tenant.slug,
        "plan": tenant.plan,
        "metadata": tenant.metadata,
        "created_at": tenant.created_at.isoformat(),
        "closing_since": closing.began_at.isoformat(),
        "reason": tenant.reason,
    }


def _export_members(closing: Closing, store: ExportStore, report: Report) -> Iterator[dict[str, Any]]:
    members = Member.objects.filter(tenant=closing.tenant).select_related("person").order_by("pk")
    lines_of_members = (
        _as_json({
            "email": member.person.email,
            "name": member.person.name,
            "role": member.role,
            "enabled": member.enabled,
            "removed": member.removed,
        })
        for member in members.iterator(chunk_size=_REPORT_EVERY_LINES)
    )  # fmt: skip
    yield from _write_files("members", lines_of_members, store, report)


def _export_audit(closing: Closing, store: ExportStore, report: Report) -> Iterator[dict[str, Any]]:
    """The entries about this organisation, each with its hashes."""
    yield from _write_files("audit", json_lines(EntryFilter(org=closing.tenant.org_id)), store, report)


def _write_files(holds: str, content: Iterable[bytes], store: ExportStore, report: Report) -> Iterator[dict[str, Any]]:
    """At least one file. Yields each as the manifest lists it."""
    remaining, number, at_end = iter(content), 0, False
    while not at_end:
        name = f"{holds}-{number:05d}.jsonl"
        with store.writing(name) as file:
            at_end = _fill_file(file, remaining, lambda count: report(f"exporting {holds}: {count:,}"))
        yield {"file": name, "holds": holds, "lines": file.lines, "bytes": file.bytes, "sha256": file.sha256}
        number += 1


def _fill_file(file: LineWriter, remaining: Iterator[bytes], progress: Callable[[int], None]) -> bool:
    """Returns whether nothing remains."""
    progress(file.lines)
    for line in remaining:
        file.write(line)
        if file.lines % _REPORT_EVERY_LINES == 0:
            progress(file.lines)
        if file.bytes >= MOST_BYTES:
            return False
    return True


def _as_json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
