"""The portal's settings for tests: example values, until a test uses the world of tests/conftest.py."""

import os
import tempfile
from pathlib import Path

_PLACEHOLDERS = Path(__file__).resolve().parent.parent / ".ci" / "deploy.env"
_SCRATCH = Path(tempfile.mkdtemp(prefix="portal-tests-"))

# A test begins with an empty cache, so each test process has its own database of Redis.
_REDIS = os.environ.get("TEST_CACHE_URL") and (
    f"{os.environ['TEST_CACHE_URL']}/{8 + int(os.environ.get('PYTEST_XDIST_WORKER', 'gw0').removeprefix('gw'))}"
)

for line in _PLACEHOLDERS.read_text().splitlines():
    name, sign, value = line.partition("=")
    if sign and not name.startswith("#"):
        os.environ[name] = value
os.environ |= {
    "PORTAL_URL": "http://localhost:8000",
    "DATABASE_URL": os.environ.get("TEST_DATABASE_URL") or f"sqlite:///{_SCRATCH}/portal.sqlite3",
    "CACHE_URL": _REDIS or "locmemcache://",
    "EMAIL_URL": "memorymail://",
}

from portal.settings import *  # noqa: E402, F403 - the environment had to be there first

if not os.environ.get("TEST_DATABASE_URL"):
    # A file, because threads cannot share an SQLite database in memory.
    DATABASES["default"]["TEST"] = {"NAME": str(_SCRATCH / "test.sqlite3")}  # noqa: F405

# The static files that a demo collected may be of an older version.
STATIC_ROOT = str(_SCRATCH / "static")
# Otherwise every test client would list all static files when it starts.
WHITENOISE_AUTOREFRESH = True
