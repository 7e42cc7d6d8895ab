"""The audit trail: who did what to whom. Other rooms record here; `reading`, `timeline` and `retention` look at it."""

from tenants.audit.writing import (
    NewEntry,
    record,
    record_all,
    record_refusal,
    record_refusal_once,
    refusals_recorded,
)

__all__ = ["NewEntry", "record", "record_all", "record_refusal", "record_refusal_once", "refusals_recorded"]
