"""Whether somebody may change these keys of the metadata. An organisation's people change those marked for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.conf import settings

from tenants.domain.actor import Actor, ActorKind
from tenants.domain.errors import NotAllowed
from tenants.domain.metadata_marks import EDIT, MARK, open_properties


def check_may_change_keys(by: Actor, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    """Raises NotAllowed for a member who changes a key that is not marked for editing."""
    if by.kind != ActorKind.MEMBER:
        return
    marked = open_properties(settings.TENANT_METADATA_SCHEMA)
    editable = {key for key, about in marked.items() if about[MARK] == EDIT}
    changed = {key for key in {*before, *after} if (key in before, before.get(key)) != (key in after, after.get(key))}
    if changed - editable:
        raise NotAllowed("Only operators can change this part of the metadata.")
