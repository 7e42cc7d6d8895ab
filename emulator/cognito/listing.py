"""ListUsers: filters as the API defines them, and pages that stay complete while users are added and deleted.

AWS calls it eventually consistent. Here it shows every change at once, unless a test holds it back at a moment.

https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_ListUsers.html
"""

import base64
import copy
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from emulator.cognito.pools import Record, attributes_of, find_pool
from emulator.cognito.user_index import UserIndex, index_of
from emulator.cognito.users import describe
from emulator.wire import AwsError, Reply, json_reply

_MAX_PAGE = 60
_SEARCHABLE = (
    "username", "email", "phone_number", "name", "given_name", "family_name", "preferred_username",
    "cognito:user_status", "status", "sub",
)  # fmt: skip
_INDEXED = frozenset({"username", "sub", "email", "phone_number", "preferred_username"})
_CASE_SENSITIVE = frozenset({"username", "status"})
# By pool: its users as ListUsers shows them while it is held back.
_held_back: dict[str, UserIndex] = {}
_FILTER = re.compile(rf'\s*"?({"|".join(_SEARCHABLE)})"?\s*(\^?=)\s*"((?:[^"\\]|\\.)*)"\s*')


def page_of_groups(data: Mapping[str, Any], reply: Reply) -> Reply:
    """A page of a person's groups. The engine sends all of them."""
    if reply.status >= 400:
        return reply
    groups, token = json.loads(reply.body)["Groups"], str(data.get("NextToken") or "0")
    if not token.isdecimal():
        raise AwsError("InvalidParameterException", "Invalid pagination token.")
    first, most = int(token), int(data.get("Limit") or _MAX_PAGE)
    after = {"NextToken": str(first + most)} if first + most < len(groups) else {}
    return json_reply({"Groups": groups[first : first + most], **after})


@dataclass(frozen=True, slots=True)
class _Filter:
    attribute: str
    value: str
    is_prefix: bool

    def matches(self, user: Record) -> bool:
        found, wanted = self._value_of(user), self.value
        if self.attribute not in _CASE_SENSITIVE:
            found, wanted = found.casefold(), wanted.casefold()
        return found.startswith(wanted) if self.is_prefix else found == wanted

    def _value_of(self, user: Record) -> str:
        match self.attribute:
            case "username":
                return str(user["Username"])
            case "cognito:user_status":
                return str(user["UserStatus"])
            case "status":
                return "Enabled" if user.get("Enabled", True) else "Disabled"
            case name:
                return attributes_of(user).get(name, "")


def hold_back(data: object) -> None:
    """`{"user_pool_id": id}`: until `show_all`, ListUsers shows the pool as it is now. Raises ValueError."""
    pool = find_pool(str(data["user_pool_id"])) if isinstance(data, dict) and set(data) == {"user_pool_id"} else None
    if pool is None:
        raise ValueError("The body must have the user_pool_id of a pool.")
    _held_back[pool["Id"]] = UserIndex({**pool, "_users": copy.deepcopy(pool["_users"])})


def show_all() -> None:
    """Of all pools, with all changes."""
    _held_back.clear()


def list_users(pool: Record, data: Mapping[str, Any]) -> Reply:
    """Raises `AwsError`."""
    most, text = _limit(data.get("Limit")), str(data.get("Filter") or "")
    condition = _parse(text)
    place = _read_token(str(data["PaginationToken"]), pool, text) if data.get("PaginationToken") else ""
    following = _candidates(pool, condition, place)
    found = list(islice((user for user in following if condition is None or condition.matches(user)), most + 1))
    answer: dict[str, Any] = {
        "Users": [_describe_attributes(user, data.get("AttributesToGet")) for user in found[:most]]
    }
    if len(found) > most:
        answer["PaginationToken"] = _token(found[most - 1]["Username"], pool, text)
    return json_reply(answer)


def _candidates(pool: Record, condition: _Filter | None, place: str) -> Iterable[Record]:
    index = _held_back.get(pool["Id"]) or index_of(pool)
    if condition is None or condition.is_prefix or condition.attribute not in _INDEXED:
        return index.after(place)
    return (user for user in index.candidates(condition.value) if user["Username"] > place)


def _limit(given: int | None) -> int:
    if given is not None and not 0 <= given <= _MAX_PAGE:
        side = f"less than or equal to {_MAX_PAGE}" if given > _MAX_PAGE else "greater than or equal to 0"
        text = f"1 validation error detected: Value '{given}' at 'limit' failed to satisfy constraint: Member must"
        raise AwsError("InvalidParameterException", f"{text} have value {side}")
    return given or _MAX_PAGE


def _parse(text: str) -> _Filter | None:
    if not text.strip():
        return None
    if "custom:" in text:
        raise AwsError("InvalidParameterException", "Custom attributes cannot be searched.")
    parts = _FILTER.fullmatch(text)
    if parts is None:
        raise AwsError("InvalidParameterException", "Error while parsing filter.")
    return _Filter(parts[1], re.sub(r"\\(.)", r"\1", parts[3]), is_prefix=parts[2] == "^=")


def _describe_attributes(user: Record, wanted: list[str] | None) -> dict[str, Any]:
    shown = describe(user)
    if wanted is not None:
        shown["Attributes"] = [entry for entry in shown["Attributes"] if entry["Name"] in wanted]
    return shown


def _token(place: str, pool: Record, text: str) -> str:
    """The token is valid for this pool and this filter only."""
    return base64.urlsafe_b64encode(json.dumps([place, _digest(place, pool, text)]).encode()).decode()


def _read_token(token: str, pool: Record, text: str) -> str:
    try:
        place, digest = json.loads(base64.urlsafe_b64decode(token.encode()))
    except (ValueError, TypeError) as failure:
        raise _invalid_token() from failure
    if not isinstance(place, str) or digest != _digest(place, pool, text):
        raise _invalid_token()
    return place


def _digest(place: str, pool: Record, text: str) -> str:
    return hashlib.sha256(json.dumps([place, pool["Id"], text]).encode()).hexdigest()


def _invalid_token() -> AwsError:
    return AwsError("InvalidParameterException", "Invalid pagination token.")
