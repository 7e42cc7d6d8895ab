"""The web process keeps its secrets to itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from portal.environment import BASE
from portal.secret_files import SECRETS, check_private
from tests.house.test_environment import GOOD

# What the web process, one of its children and somebody who reads /proc see.
_PROGRAM = """
import ctypes, json, os, subprocess, sys
from portal.wsgi import application
from django.conf import settings
child = [sys.executable, "-c", "import os, json; print(json.dumps(list(os.environ)))"]
print(json.dumps({
    "keys": len(settings.TOKEN_KEYS),
    "names": list(os.environ),
    "names of a child": json.loads(subprocess.check_output(child)),
    "first environment": open("/proc/self/environ").read() if os.geteuid() == 0 else "",
    "can be read": ctypes.CDLL(None).prctl(3, 0, 0, 0, 0),
}))
"""


def test_no_child_inherits_the_web_processs_secrets_and_nobody_reads_it(tmp_path: Path) -> None:
    files = {}
    for name in ("TOKEN_ENCRYPTION_KEYS", "DJANGO_SECRET_KEY"):
        path = tmp_path / name
        path.write_text(GOOD[name])
        path.chmod(0o400)
        files[f"{name}_FILE"] = str(path)
    own = {name: value for name, value in GOOD.items() if f"{name}_FILE" not in files}
    inherited = {name: value for name, value in os.environ.items() if name not in GOOD}
    environment = {
        **inherited,
        **own,
        **files,
        "CACHE_URL": "locmemcache://",
        "DJANGO_SETTINGS_MODULE": "portal.settings",
    }
    printed = subprocess.check_output([sys.executable, "-c", _PROGRAM], env=environment, cwd=BASE)
    seen = json.loads(printed.splitlines()[-1])
    assert seen["keys"] == 1
    assert set(SECRETS) & {*seen["names"], *seen["names of a child"]} == set()
    assert GOOD["TOKEN_ENCRYPTION_KEYS"] not in seen["first environment"]
    assert seen["can be read"] == 0


def test_a_file_of_settings_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("PORTAL_URL=https://portal.example.com\n")
    path.chmod(0o644)
    with pytest.raises(ImproperlyConfigured, match=r"The file \.env has mode 0644, so others can use it: chmod"):
        check_private(path)
    path.chmod(0o600)
    check_private(path)
