"""Creates, names and changes user records. Their shape is the engine's, which stores and lists them."""

import json
import uuid
from collections.abc import Mapping
from typing import Any

from emulator import clock, engine
from emulator.cognito.pools import Record, attributes_of, find_user
from emulator.cognito.user_index import update_indexes
from emulator.wire import AwsError

# The limit also applies to an e-mail address used as the user name.
_MAX_USERNAME = 128


def check_name(pool: Record, username: str, attributes: Mapping[str, str]) -> dict[str, str]:
    """Returns the attributes of a new user, with the address they sign in with. Raises `AwsError`."""
    if not username:
        raise AwsError("InvalidParameterException", "Username is required.")
    if len(username) > _MAX_USERNAME:
        shown = f"1 validation error detected: Value '{username}' at 'username' failed to satisfy constraint: "
        text = f"{shown}Member must have length less than or equal to {_MAX_USERNAME}"
        raise AwsError("InvalidParameterException", text)
    refusal = engine.cognito._new_user_error(pool, username, dict(attributes))
    if refusal is not None:
        stated = json.loads(refusal[2])
        raise AwsError(stated["__type"], stated["message"])
    alias = engine.cognito._username_alias_attribute(pool, username)
    return {**({alias: username} if alias else {}), **attributes}


def new_user(pool: Record, username: str, attributes: Mapping[str, str], *, status: str, password: str) -> Record:
    """The record is not in the pool yet. If people sign in with an address, the user name is the sub."""
    now, sub = clock.now(), str(uuid.uuid4())
    named = {"sub": sub, **{name: value for name, value in attributes.items() if value}}
    return {
        "Username": sub if pool.get("UsernameAttributes") else username,
        "Attributes": [{"Name": name, "Value": value} for name, value in named.items()],
        "UserCreateDate": now,
        "UserLastModifiedDate": now,
        "Enabled": True,
        "UserStatus": status,
        "MFAOptions": [],
        "_password": password,
        "_password_since": now,
        "_groups": [],
        "_tokens": [],
    }


def check_alias_free(pool: Record, user: Record, values: Mapping[str, str]) -> None:
    """Raises `AwsError` if another user already signs in with one of these values."""
    for name in pool.get("UsernameAttributes") or []:
        other = find_user(pool, values.get(name, ""))
        if other is not None and other is not user:
            label = name.replace("_", " ")
            raise AwsError("AliasExistsException", f"An account with the given {label} already exists.")


def set_attributes(user: Record, values: Mapping[str, str]) -> None:
    """An empty value deletes the attribute."""
    before = attributes_of(user)
    merged = {**before, **values}
    if merged.get("email") != before.get("email"):
        # The code was mailed to the old address.
        user.get("_codes", {}).pop("password", None)
    user["Attributes"] = [{"Name": name, "Value": value} for name, value in merged.items() if value]
    user["UserLastModifiedDate"] = clock.now()
    update_indexes(user)


def describe(user: Record) -> dict[str, Any]:
    """The user as the API shows it."""
    shown: dict[str, Any] = engine.cognito._user_out(user)
    return shown
