"""Secrets in files, and kept to this process.

Any secret setting can be given as a file: `<NAME>_FILE` has its path, as containers and systemd hand secrets over. What
is in the environment can be read by every child process, in `docker inspect` and in `/proc/PID/environ`.
"""

from __future__ import annotations

import ctypes
import os
import stat
import sys
from collections.abc import Mapping, MutableMapping
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

SECRETS = (
    "DJANGO_SECRET_KEY",
    "DJANGO_SECRET_KEY_FALLBACKS",
    "DATABASE_URL",
    "CACHE_URL",
    "EMAIL_URL",
    "TOKEN_ENCRYPTION_KEYS",
    "COGNITO_CLIENT_SECRET",
    "METRICS_TOKEN",
)
# Its owner may write it, and its group read it. All others may do nothing.
_NOT_ALLOWED = 0o137
_MOST_BYTES = 64_000
_PR_SET_DUMPABLE = 4


def contents(variables: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """The variables with what is in the files, and by setting what is wrong with a file."""
    found, problems = dict(variables), {}
    for name in SECRETS:
        path = variables.get(f"{name}_FILE", "").strip()
        if path and variables.get(name, "").strip():
            problems[name] = f"is given twice: remove {name} or {name}_FILE"
        elif path:
            try:
                found[name] = _read_secret(Path(path))
            except ValueError as error:
                problems[name] = f"cannot be taken from {name}_FILE: that {error}"
    return found, problems


def check_private(path: Path) -> None:
    """Raises ImproperlyConfigured if others can use the file."""
    try:
        _refuse_public(path.stat())
    except ValueError as error:
        raise ImproperlyConfigured(f"The file {path.name} {error}.") from None


def _read_secret(path: Path) -> str:
    """Raises ValueError with the end of a sentence."""
    try:
        _refuse_public(path.stat())
        text = path.read_text("utf-8")
    except OSError as error:
        raise ValueError(f"cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise ValueError("is not text") from None
    if not text.strip() or len(text) > _MOST_BYTES:
        raise ValueError("is empty or too long")
    return text.strip()


def _refuse_public(about: os.stat_result) -> None:
    if not stat.S_ISREG(about.st_mode):
        raise ValueError("is not a file")
    if about.st_mode & _NOT_ALLOWED:
        raise ValueError(f"has mode {stat.S_IMODE(about.st_mode):04o}, so others can use it: chmod 0400 or 0600")
    if about.st_uid not in {0, os.geteuid()}:
        raise ValueError("belongs to another user")


def forget(variables: MutableMapping[str, str]) -> None:
    """So that no child process inherits them. `/proc/PID/environ` shows what a process began with, all the same."""
    for name in SECRETS:
        variables.pop(name, None)


def hide_memory() -> None:
    """Closes this process to others of the same user: its memory, its first environment, debuggers, core dumps.

    The administrator can read them all the same. Linux alone has this.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
