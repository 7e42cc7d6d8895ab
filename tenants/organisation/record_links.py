"""The edit controls on the pages that read records: where each leads."""

from __future__ import annotations

from collections.abc import Mapping

from django.http import HttpRequest

from tenants.domain.keys import Space
from tenants.organisation.record_ground import editable_ground
from tenants.organisation.record_table import RowSteps

Links = Mapping[str, str] | None


def collections_links(request: HttpRequest, space: Space) -> Links:
    """None, as below, for those who see no controls."""
    ground = editable_ground(request, space)
    return {"new_collection": ground.edit("collection_new")} if ground else None


def collection_links(request: HttpRequest, space: Space, collection: str) -> Links:
    ground = editable_ground(request, space)
    return (
        {verb: ground.edit(verb, collection) for verb in ("new", "deleted", "bulk_delete", "bulk_change")}
        if ground
        else None
    )


def row_steps(request: HttpRequest, space: Space, collection: str) -> RowSteps | None:
    ground = editable_ground(request, space)
    if ground is None:
        return None
    # An address for each row would take longer than the query.
    change, delete = (ground.edit(verb, collection, "-").removesuffix("-/") for verb in ("change", "delete"))
    return RowSteps(change, delete)


def record_links(request: HttpRequest, space: Space, collection: str, key: str) -> Links:
    ground = editable_ground(request, space)
    verbs = ("change", "json", "duplicate", "key", "delete")
    return {verb: ground.edit(verb, collection, key) for verb in verbs} if ground else None
