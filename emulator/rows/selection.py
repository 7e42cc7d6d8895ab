"""Checks the Select of a Query or Scan against its projection and index."""

from emulator.expressions.capacity import Index
from emulator.expressions.errors import Invalid, has_older_words, invalid_parameter
from emulator.expressions.requests import Prepared
from emulator.rows.pages import index_of
from emulator.rows.preparation import Data, Table

_SELECTS = ("SPECIFIC_ATTRIBUTES", "COUNT", "ALL_ATTRIBUTES", "ALL_PROJECTED_ATTRIBUTES")
_WORDS = {
    "ALL_ATTRIBUTES": "ALL_ATTRIBUTES",
    "ALL_PROJECTED_ATTRIBUTES": "ALL_PROJECTED_ATTRIBUTES",
    "COUNT": "only the Count",
}


def check_selection(data: Data, prepared: Prepared, table: Table) -> None:
    select = data.get("Select")
    if select is not None and select not in _SELECTS:
        raise Invalid(
            f"1 validation error detected: Value '{select}' at 'select' failed to satisfy constraint: "
            f"Member must satisfy enum value set: [{', '.join(_SELECTS)}]"
        )
    if prepared.projection is not None and select in _WORDS:
        parameter = "AttributesToGet" if data.get("AttributesToGet") else "ProjectionExpression"
        raise _of_request(f"Cannot specify the {parameter} when choosing to get {_WORDS[select]}")
    index = index_of(table, data.get("IndexName"))
    if select == "ALL_PROJECTED_ATTRIBUTES" and index is None:
        raise _of_request("ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName")
    if index is not None and index.is_global and index.projected is not None:
        _check_projected(index, index.projected, prepared, select)


def _of_request(text: str) -> Invalid:
    """A Query counts these as validation errors of the request, a Scan does not."""
    return Invalid(text if has_older_words() else f"1 validation error detected: {text}")


def fetches(data: Data, prepared: Prepared, table: Table) -> bool:
    """Whether attributes are wanted that a local index does not hold."""
    index = index_of(table, data.get("IndexName"))
    if index is None or index.is_global or index.projected is None:
        return False
    if prepared.projection is None:
        return data.get("Select") == "ALL_ATTRIBUTES"
    return any(path.parts[0] not in index.projected for path in prepared.projection.paths)


def _check_projected(index: Index, projected: frozenset[str], prepared: Prepared, select: str | None) -> None:
    if select == "ALL_ATTRIBUTES":
        raise invalid_parameter(
            f"Select type ALL_ATTRIBUTES is not supported for global secondary index {index.name} because its "
            "projection type is not ALL"
        )
    wanted = prepared.projection.paths if prepared.projection is not None else ()
    missing = [str(path.parts[0]) for path in wanted if path.parts[0] not in projected]
    if missing:
        raise invalid_parameter(f"Global secondary index {index.name} does not project [{', '.join(missing)}]")
