"""The portal's settings for the tests: placeholders, until a test asks for the world (tests/conftest.py)."""

import os
import tempfile
from pathlib import Path

_PLACEHOLDERS = Path(__file__).resolve().parent.parent / ".ci" / "deploy.env"
_SCRATCH = Path(tempfile.mkdtemp(prefix="portal-tests-"))

# A test begins with an empty cache: of several processes each has a database of Redis to itself.
_REDIS = os.environ.get("TEST_CACHE_URL") and (
    f"{os.environ['TEST_CACHE_URL']}/{8 + int(os.environ.get('PYTEST_XDIST_WORKER', 'gw0').removeprefix('gw'))}"
)

for line in _PLACEHOLDERS.read_text().splitlines():
    name, sign, value = line.partition("=")
    if sign and not name.startswith("#"):
        os.environ[name] = value
os.environ |= {
    "PORTAL_URL": "http://localhost:8000",
    "DJANGO_ALLOWED_HOSTS": "localhost",
    "DATABASE_URL": os.environ.get("TEST_DATABASE_URL") or f"sqlite:///{_SCRATCH}/portal.sqlite3",
    "CACHE_URL": _REDIS or "locmemcache://",
    "EMAIL_URL": "memorymail://",
}

from portal.settings import *  # noqa: E402, F403 - the environment had to be there first

if not os.environ.get("TEST_DATABASE_URL"):
    # A file, since an SQLite database in memory is not for many threads.
    DATABASES["default"]["TEST"] = {"NAME": str(_SCRATCH / "test.sqlite3")}  # noqa: F405

# Every test client is a server of its own, which would look through all static files when it starts.
WHITENOISE_AUTOREFRESH = True
