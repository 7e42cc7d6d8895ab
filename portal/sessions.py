"""Sessions: kept in the database, so that none is lost with the shared cache. A copy there spares the query of
somebody who opens one page right after another.

Only the browser has the session's id. Table and cache know its hash, so a list of either opens no session. A row is
signed for its place, and opens nothing in another one.
A copy that could not be deleted, at a sign-out without the cache for example, ends by itself within seconds.
"""

from __future__ import annotations

import hashlib
from functools import partial
from typing import Any

from django.contrib.sessions.backends import db
from django.contrib.sessions.base_session import AbstractBaseSession
from django.core.cache import cache
from django.db import connection, transaction
from django.utils import timezone

from tenants.domain.lately import lately

COPIED_SECONDS = 5
# As long as the column of Django's table: 160 bits. An id itself is 165 bits, at random.
_HASH_LETTERS = 40


def at_rest(session_id: str) -> str:
    """What the database and the cache know the session by."""
    return hashlib.sha256(session_id.encode("utf-8", "surrogatepass")).hexdigest()[:_HASH_LETTERS]


class SessionStore(db.SessionStore):
    """Django's `cached_db` believes a copy for as long as the session lives.

    `session_key` is the browser's, as Django's middleware needs it.
    """

    @property
    def key_salt(self) -> str:
        return f"portal.sessions {at_rest(self.session_key or '')}"

    @property
    def hashed_id(self) -> str:
        """What `end_by_hash` takes; "" before the session has an id."""
        return at_rest(self.session_key) if self.session_key else ""

    @classmethod
    def end_by_hash(cls, hashed_id: str) -> None:
        """Ends the session of another browser. A request of it that runs now cannot write it back."""
        cls.get_model_class().objects.filter(session_key=hashed_id).delete()
        transaction.on_commit(partial(cache.delete_many, [_copy_of(hashed_id)]))

    def load(self) -> dict[str, Any]:
        if self.session_key is None:
            return {}
        met_again = lately("session", COPIED_SECONDS).met_again(self.hashed_id)
        match cache.get(_copy_of(self.hashed_id)) if met_again else None:
            case {"session": dict(data)}:
                return data
        row = self._row()
        if row is None:
            self._session_key = None
            return {}
        kept: dict[str, Any] = self.decode(row)
        if met_again:
            self._copy(kept)
        return kept

    def _row(self) -> str | None:
        """The statement is written out: nearly every page needs it, and Django takes four times as long to make it."""
        with connection.cursor() as cursor:
            now = connection.ops.adapt_datetimefield_value(timezone.now())
            cursor.execute(_UNEXPIRED, [self.hashed_id, now])
            found = cursor.fetchone()
        return str(found[0]) if found else None

    def exists(self, session_key: str) -> bool:
        return super().exists(at_rest(session_key))

    def create_model_instance(self, data: dict[str, Any]) -> AbstractBaseSession:
        row: AbstractBaseSession = super().create_model_instance(data)
        row.session_key = at_rest(row.session_key)
        return row

    def save(self, must_create: bool = False) -> None:
        super().save(must_create)
        self._copy(self._session)  # type: ignore[attr-defined]

    def delete(self, session_key: str | None = None) -> None:
        session_id = session_key or self.session_key
        if session_id is None:
            return
        super().delete(at_rest(session_id))
        cache.delete(_copy_of(at_rest(session_id)))

    def _copy(self, data: dict[str, Any]) -> None:
        if self.session_key is not None:
            cache.set(_copy_of(self.hashed_id), {"session": data}, COPIED_SECONDS)


_UNEXPIRED = "SELECT session_data FROM django_session WHERE session_key = %s AND expire_date > %s"


def _copy_of(hashed_id: str) -> str:
    return f"session:{hashed_id}"
