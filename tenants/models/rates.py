"""How often something happened in a window of time. The database counts, so that all web processes count together."""

from __future__ import annotations

import hashlib
import time

from django.db import connection, models


class _Rates(models.QuerySet["RateCount"]):
    def add_one(self, what: str, *, seconds: int) -> int:
        """Adds one to `what`, any text, and returns how often it was counted in this window. One statement.

        Windows begin at multiples of `seconds`. The text itself is not kept, only its hash.
        """
        return self.add(1, what, seconds=seconds)

    def add(self, times: int, what: str, *, seconds: int) -> int:
        """The same for many at once."""
        began_at = int(time.time()) // seconds * seconds
        key = hashlib.sha256(f"{seconds}:{what}".encode("utf-8", "surrogatepass")).hexdigest()
        with connection.cursor() as cursor:
            cursor.execute(_COUNT, [key, began_at, times])
            return int(cursor.fetchone()[0])


class RateCount(models.Model):
    key = models.CharField(max_length=64, primary_key=True)
    # In seconds since the epoch.
    began_at = models.BigIntegerField()
    times = models.PositiveBigIntegerField(default=0)

    objects = _Rates.as_manager()

    class Meta:
        indexes = [models.Index(fields=["began_at"], name="rate_by_age")]

    def __str__(self) -> str:
        return f"{self.times} since {self.began_at}"


_COUNT = """
INSERT INTO tenants_ratecount AS kept (key, began_at, times) VALUES (%s, %s, %s)
ON CONFLICT (key) DO UPDATE SET
  times = CASE WHEN kept.began_at = excluded.began_at THEN kept.times + excluded.times ELSE excluded.times END,
  began_at = excluded.began_at
RETURNING times
"""
