"""Finds the users of a pool by any of their names, and lists them in a stable order, without scanning the pool.

The engine's dictionary of users is authoritative. The index is checked against it, and rebuilt when it holds too many
outdated entries. It does not need the engine.
"""

from bisect import bisect_right, insort
from collections.abc import Callable, Iterator, Mapping
from typing import Any

Record = dict[str, Any]

_NAMES = ("sub", "email", "phone_number", "preferred_username")
_NEEDS_VERIFYING = frozenset({"email", "phone_number"})
# The order is rebuilt once a listing has skipped this many deleted users.
_MAX_DELETED = 1000
_MAX_POOLS = 20


class UserIndex:
    def __init__(self, pool: Record) -> None:
        self.pool = pool
        self.users: dict[str, Record] = pool["_users"]
        self._rebuild()

    def _rebuild(self) -> None:
        self._known: dict[str, Record] = {}
        self._by_name: dict[str, list[str]] = {}
        self._order: list[str] = []
        self._names = 0

    def find(self, name: str) -> Record | None:
        """Finds a user by user name, sub, or an attribute that this pool accepts for sign-in.

        Case matters only if the pool says so.
        """
        if (user := self.users.get(name)) is not None:
            return user
        self._update()
        case_sensitive = bool((self.pool.get("UsernameConfiguration") or {}).get("CaseSensitive", False))
        fold: Callable[[str], str] = str if case_sensitive else str.casefold
        for username in self._by_name.get(name.casefold(), ()):
            user = self.users.get(username)
            if user is not None and any(fold(own) == fold(name) for own in self._names_of(user)):
                return user
        return None

    def candidates(self, name: str) -> list[Record]:
        """All users that have this name in some spelling, in order. May include users that had it before."""
        self._update()
        return [self.users[found] for found in sorted(self._by_name.get(name.casefold(), ())) if found in self.users]

    def after(self, username: str) -> Iterator[Record]:
        """All users with a later user name, in order.

        The order of users does not change when others are added or deleted.
        """
        self._update()
        deleted, order = 0, self._order
        for place in range(bisect_right(order, username), len(order)):
            name = order[place]
            if (user := self.users.get(name)) is not None:
                yield user
            elif (deleted := deleted + 1) > _MAX_DELETED:
                self._rebuild()
                yield from self.after(name)
                return

    def add_names(self, user: Mapping[str, Any]) -> None:
        """Adds the current names of this user, if it is in this pool."""
        username = user["Username"]
        if self.users.get(username) is not user:
            return
        attributes = {entry["Name"]: entry["Value"] for entry in user["Attributes"]}
        for name in (username, *(attributes[kind] for kind in _NAMES if attributes.get(kind))):
            others = self._by_name.setdefault(str(name).casefold(), [])
            if username not in others:
                others.append(username)
                self._names += 1

    def _update(self) -> None:
        """Adds users that are new.

        New entries are last in a dictionary, so the search goes backwards to the first known one.
        """
        new = self._new_usernames()
        if self._names > 4 * len(_NAMES) * (len(self.users) + _MAX_DELETED):
            self._rebuild()
            new = list(self.users)
        unordered = [name for name in new if name not in self._known]
        for name in new:
            self._known[name] = self.users[name]
            self.add_names(self.users[name])
        if len(unordered) == 1:
            insort(self._order, unordered[0])
        elif unordered:
            self._order = sorted([*self._order, *unordered])

    def _new_usernames(self) -> list[str]:
        new: list[str] = []
        for name in reversed(self.users):
            if self._known.get(name) is self.users[name]:
                break
            new.append(name)
        return new[::-1]

    def _names_of(self, user: Record) -> Iterator[str]:
        attributes = {entry["Name"]: str(entry["Value"]) for entry in user["Attributes"]}
        yield user["Username"]
        yield attributes.get("sub", "")
        sign_in_names, aliases = self.pool.get("UsernameAttributes") or [], self.pool.get("AliasAttributes") or []
        for kind in {*sign_in_names, *aliases} & attributes.keys():
            verified = attributes.get(f"{kind}_verified", "").lower() == "true"
            if kind in sign_in_names or kind not in _NEEDS_VERIFYING or verified:
                yield attributes[kind]


_indexes: dict[str, UserIndex] = {}


def index_of(pool: Record) -> UserIndex:
    found = _indexes.get(pool["Id"])
    if found is None or found.pool is not pool or found.users is not pool["_users"]:
        found = _indexes[pool["Id"]] = UserIndex(pool)
        while len(_indexes) > _MAX_POOLS:
            del _indexes[next(iter(_indexes))]
    return found


def update_indexes(user: Mapping[str, Any]) -> None:
    """Call this after a user's attributes have changed."""
    for index in _indexes.values():
        index.add_names(user)
