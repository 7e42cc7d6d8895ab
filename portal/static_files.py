"""Static files. After collectstatic: hashed, compressed, cached for ever. Before it: served under their own names."""

from whitenoise.storage import CompressedManifestStaticFilesStorage

# A script that imports another one of ours gets the hashed one. Django's own patterns, which are off by default, would
# also read what the scripts of others do.
_IMPORT = (r"""(?P<matched>from "(?P<url>\./[^"]+)";)""", 'from "%(url)s";')


class Storage(CompressedManifestStaticFilesStorage):  # type: ignore[misc]
    patterns = (*CompressedManifestStaticFilesStorage.patterns, ("*.js", (_IMPORT,)))

    def stored_name(self, name: str) -> str:
        stored: str = super().stored_name(name) if self.hashed_files else name
        return stored
