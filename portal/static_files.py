"""Static files: those that a page uses, and no other. A package may bring files that nobody has looked at.

After collectstatic they are hashed, compressed and cached for ever. Before it, they are served under their own names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.staticfiles.finders import AppDirectoriesFinder, FileSystemFinder
from django.core.files.storage import Storage as Files
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from whitenoise.middleware import WhiteNoiseMiddleware
from whitenoise.storage import CompressedManifestStaticFilesStorage

from tenants.domain.once import once

# A script that imports another one of ours gets the hashed one. Django's own patterns, which are off by default, would
# also read what the scripts of others do.
_IMPORT = (r"""(?P<matched>from "(?P<url>\./[^"]+)";)""", 'from "%(url)s";')
_IN_TEMPLATE = re.compile(r"""{%\s*static\s+['"]([^'"]+)['"]""")
_IN_FILE = re.compile(r"""(?:from|import)\s+["']\./([^"']+)["']|url\(["']?(?:\./)?([\w./-]+)["']?\)""")
# A tag of a package that names its file itself. Django's debug mode adds the second one.
_OF_TAGS = {"{% htmx_script %}": {"django_htmx/htmx-2.min.js", "django_htmx/django-htmx.js"}}


class Storage(CompressedManifestStaticFilesStorage):  # type: ignore[misc]
    """Keeps the addresses, which every page asks for again. Names of hashed files are read at the start only."""

    patterns = (*CompressedManifestStaticFilesStorage.patterns, ("*.js", (_IMPORT,)))

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._addresses: dict[tuple[str, bool, str], str] = {}

    def url(self, name: str, force: bool = False) -> str:
        if force:
            address: str = super().url(name, force)
            return address
        key = (name, settings.DEBUG, self.base_url)
        if key not in self._addresses:
            self._addresses[key] = super().url(name)
        return self._addresses[key]

    def stored_name(self, name: str) -> str:
        stored: str = super().stored_name(name) if self.hashed_files else name
        return stored


class UsedFiles(FileSystemFinder):
    """Of our own files, finds only what is used, so that nothing else is collected."""

    def list(self, ignore_patterns: Iterable[str] | None) -> Iterator[tuple[str, Files]]:
        return ((path, files) for path, files in super().list(ignore_patterns) if path in used_files())

    def find_location(self, root: str, path: str, prefix: str | None = None) -> str | None:
        return super().find_location(root, path, prefix) if path in used_files() else None


class UsedFilesOfPackages(AppDirectoriesFinder):
    def list(self, ignore_patterns: Iterable[str] | None) -> Iterator[tuple[str, Files]]:
        return ((path, files) for path, files in super().list(ignore_patterns) if path in used_files())

    def find_in_app(self, app: str, path: str) -> str | None:
        return super().find_in_app(app, path) if path in used_files() else None


class Serving(WhiteNoiseMiddleware):  # type: ignore[misc]
    """Serves only what is used: the folder may still hold what an earlier version collected."""

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        asked = request.path_info.startswith(self.static_prefix) and self._is_used(request.path_info)
        response: HttpResponseBase = super().__call__(request) if asked else self.get_response(request)
        return response

    def _is_used(self, path: str) -> bool:
        name = path.removeprefix(self.static_prefix)
        return name in used_files() or self.get_name_without_hash(name) in used_files()


@once
def used_files() -> frozenset[str]:
    """Names of the files that a template asks for, and of those that these ask for."""
    folders: Any = settings.TEMPLATES[0]["DIRS"]
    paths = (path for folder in folders for path in Path(folder).rglob("*.html"))
    waiting: set[str] = set()
    for text in (path.read_text("utf-8") for path in paths):
        waiting.update(_IN_TEMPLATE.findall(text), *(files for tag, files in _OF_TAGS.items() if tag in text))
    used: set[str] = set()
    while waiting:
        name = waiting.pop()
        used.add(name)
        waiting |= _asked_for_by(name) - used
    return frozenset(used)


def _asked_for_by(name: str) -> set[str]:
    found: Any = (folder / name for folder in map(Path, settings.STATICFILES_DIRS) if (folder / name).is_file())
    return {one or other for path in found for one, other in _IN_FILE.findall(path.read_text("utf-8"))}
