"""A tenant's export: its rows, collection by collection, what the portal knows of it, and last of all a manifest.

Rows are lines as DynamoDB's own exports have them. A file ends at some megabytes, so that little is held in memory and
an export that was interrupted goes on behind the last file that is whole.
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
# A file smaller than this is sooner exported again than written down.
_WRITTEN_DOWN_EVERY_BYTES = 1000 * 1000
_LINES_A_STEP = 1000
Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Part:
    """A file that is whole. `collection` is "" for the catalogue; `after` is where the next file goes on, None at the
    collection's end.
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
class _Parts:
    """Those of this closing that are in the store and still what they were; the last of each collection by its name."""

    store: ExportStore
    about: dict[str, str]
    whole: list[Part] = field(default_factory=list)
    last: dict[str, Part] = field(default_factory=dict)
    unwritten: int = 0

    def know(self, part: Part) -> None:
        self.whole.append(part)
        self.last[part.collection] = part

    def add(self, part: Part) -> None:
        self.know(part)
        self.unwritten += part.bytes
        if self.unwritten >= _WRITTEN_DOWN_EVERY_BYTES:
            write_json(self.store, _PROGRESS, {**self.about, "parts": [asdict(part) for part in self.whole]})
            self.unwritten = 0


def export_tenant(closing: Closing, *, rows: TenantRows, space: Space, store: ExportStore, tell: Tell) -> Exported:
    """Everything of the tenant, into `store`; nobody may be able to write rows meanwhile.

    `tell` is called before each file, and every megabyte or so; what it raises ends the export, which goes on from
    there when it is called again. Raises what `rows` and `store` do.
    """
    tell("exporting")
    store.delete_unfinished()
    parts = _known_parts(closing, store)
    for collection in ("", *rows.collections(space)):
        _export_collection(collection, rows=rows, space=space, parts=parts, tell=tell)
    files = [_listed(part) for part in parts.whole] + [*_members(closing, store, tell), *_audit(closing, store, tell)]
    exported = sum(part.lines for part in parts.whole)
    manifest = {**_about(closing), "exported_at": timezone.now().isoformat(), "rows": exported, "files": files}
    tell("exporting: the manifest")
    return Exported(exported, write_json(store, MANIFEST, manifest))


def is_whole(store: ExportStore, *, manifest_sha256: str, tell: Tell) -> bool:
    """Whether the manifest is there as it was written, and every file as it says. Raises what `store` does."""
    content = store.read(MANIFEST)
    if content is None or hashlib.sha256(content).hexdigest() != manifest_sha256:
        return False
    for listed in json.loads(content)["files"]:
        tell(f"looking at the export: {listed['file']}")
        if store.sha256(listed["file"]) != listed["sha256"]:
            return False
    return True


def _known_parts(closing: Closing, store: ExportStore) -> _Parts:
    """Up to the first one that is missing or was changed: that one and those behind it are made again."""
    about = {"format": FORMAT, "org": str(closing.tenant.org_id), "began_at": closing.began_at.isoformat()}
    parts = _Parts(store, about)
    for part in takewhile(lambda part: store.sha256(part.file) == part.sha256, _written_down(about, store)):
        parts.know(part)
    return parts


def _written_down(about: dict[str, str], store: ExportStore) -> list[Part]:
    """None for another closing's, and for what is not of this form."""
    found = read_json(store, _PROGRESS)
    if not isinstance(found, dict) or {name: found.get(name) for name in about} != about:
        return []
    try:
        return [Part(**part) for part in found["parts"]]
    except (TypeError, KeyError):
        return []


def _export_collection(collection: str, *, rows: TenantRows, space: Space, parts: _Parts, tell: Tell) -> None:
    last = parts.last.get(collection)
    partition = space.collection(collection) if collection else space.catalogue
    while last is None or last.after is not None:
        name, after = f"rows-{len(parts.whole):05d}.jsonl", last.after if last else None
        with parts.store.writing(name) as file:
            for page in rows.pages(partition, after=after):
                for item in page.items:
                    file.write(_line(item))
                after = page.after
                tell(f"exporting {collection or 'the catalogue'}: {file.lines:,} rows into {name}")
                if file.bytes >= MOST_BYTES:
                    break
        last = Part(collection, name, file.lines, file.bytes, file.sha256, after)
        parts.add(last)


def _line(item: Item) -> bytes:
    return _as_json({"Item": {name: as_json(value) for name, value in item.items()}})


def _listed(part: Part) -> dict[str, Any]:
    kind = {"holds": "rows", "collection": part.collection} if part.collection else {"holds": "catalogue"}
    return {"file": part.file, **kind, "lines": part.lines, "bytes": part.bytes, "sha256": part.sha256}


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


def _members(closing: Closing, store: ExportStore, tell: Tell) -> Iterator[dict[str, Any]]:
    members = Member.objects.filter(tenant=closing.tenant).select_related("person").order_by("pk")
    written = (
        _as_json({
            "email": member.person.email,
            "name": member.person.name,
            "role": member.role,
            "enabled": member.enabled,
            "removed": member.removed,
        })
        for member in members.iterator(chunk_size=_LINES_A_STEP)
    )  # fmt: skip
    yield from _files("members", written, store, tell)


def _audit(closing: Closing, store: ExportStore, tell: Tell) -> Iterator[dict[str, Any]]:
    """The organisation's own entries, each with its hashes."""
    yield from _files("audit", json_lines(EntryFilter(org=closing.tenant.org_id)), store, tell)


def _files(holds: str, written: Iterable[bytes], store: ExportStore, tell: Tell) -> Iterator[dict[str, Any]]:
    """One file at least, and as many as it takes."""
    remaining, number, at_end = iter(written), 0, False
    while not at_end:
        name = f"{holds}-{number:05d}.jsonl"
        with store.writing(name) as file:
            at_end = _fill(file, remaining, lambda count: tell(f"exporting {holds}: {count:,}"))
        yield {"file": name, "holds": holds, "lines": file.lines, "bytes": file.bytes, "sha256": file.sha256}
        number += 1


def _fill(file: LineWriter, remaining: Iterator[bytes], progress: Callable[[int], None]) -> bool:
    """Whether nothing remains."""
    progress(file.lines)
    for line in remaining:
        file.write(line)
        if file.lines % _LINES_A_STEP == 0:
            progress(file.lines)
        if file.bytes >= MOST_BYTES:
            return False
    return True


def _as_json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
