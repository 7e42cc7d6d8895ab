"""The account's root key in a file. Standard library only, for programs that start the emulator.

A state directory has it as JSON. A file of its own is a credentials file of AWS, which aws-cli and boto3 read.
"""

import configparser
import json
import os
import secrets
from pathlib import Path

ROOT_KEY_FILE = "root-key.json"
SHORTEST_SECRET = 16


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


def read_or_make_key_file(file: Path) -> tuple[str, str]:
    """Returns the access key id and the secret of the profile `default`. Raises `UnreadableRootKey`.

    If there is no file, makes one with a random key, which only its owner may read.
    """
    if not file.exists():
        _make_key_file(file)
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(file.read_text("utf-8"))
        profile = parser["default"]
        key_id, secret = profile["aws_access_key_id"], profile["aws_secret_access_key"]
    except (OSError, ValueError, KeyError, configparser.Error) as failure:
        raise UnreadableRootKey(f"{file} holds no key of AWS in a profile named default.") from failure
    if os.name == "posix" and file.stat().st_mode & 0o077:
        raise UnreadableRootKey(f"{file} is open to other users: chmod 600 {file}")
    if len(secret) < SHORTEST_SECRET:
        raise UnreadableRootKey(f"The secret in {file} has fewer than {SHORTEST_SECRET} characters.")
    return key_id, secret


def _make_key_file(file: Path) -> None:
    key_id, secret = f"AKIA{secrets.token_hex(8).upper()}", secrets.token_hex(20)
    text = f"[default]\naws_access_key_id = {key_id}\naws_secret_access_key = {secret}\n"
    try:
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as opened:
            opened.write(text)
    except OSError as failure:
        raise UnreadableRootKey(f"{file} cannot be made: {failure.strerror}.") from failure
