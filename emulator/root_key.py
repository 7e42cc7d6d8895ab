"""Reads the account's root key from a state directory. Standard library only, for programs that start the emulator."""

import json
from pathlib import Path

ROOT_KEY_FILE = "root-key.json"


class UnreadableRootKey(Exception):
    """The file holds no key. The message is one line for a terminal."""


def read_root_key(directory: Path) -> tuple[str, str] | None:
    """Returns the access key id and the secret; None if the directory has no key file yet."""
    file = directory / ROOT_KEY_FILE
    try:
        stored = json.loads(file.read_text("utf-8"))
        return stored["access_key_id"], stored["secret_access_key"]
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as failure:
        raise UnreadableRootKey(f"{file} holds no key; --reset begins anew.") from failure
