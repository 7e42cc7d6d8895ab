"""The audit trail: who did what to whom. Other rooms record entries with the functions of this module.

`reading`, `verification`, `timeline`, `retention` and `csv` read the trail.
"""

from tenants.audit.refused import audit_refusals, record_refusal, record_refusal_once
from tenants.audit.writing import NewEntry, record, record_all

__all__ = ["NewEntry", "audit_refusals", "record", "record_all", "record_refusal", "record_refusal_once"]
