"""Reads all expressions of a request, in the order in which AWS checks them, or refuses the request."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from emulator.expressions import legacy, parsing
from emulator.expressions.binding import bind_condition, bind_projection, bind_update
from emulator.expressions.errors import Fault, Invalid, has_older_words
from emulator.expressions.key_conditions import KeySchema, KeyTerm, check_terms, terms_of_expression, terms_of_legacy
from emulator.expressions.placeholders import NAMES, VALUES, Placeholders
from emulator.expressions.syntax import (
    And,
    Arithmetic,
    Between,
    Call,
    Comparison,
    Condition,
    In,
    Not,
    Or,
    Path,
    Projection,
    Update,
)
from emulator.expressions.value_checks import normal_value

Data = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Parameters:
    """The expressions and the legacy parameters that an operation has."""

    expressions: tuple[str, ...]
    legacy: tuple[str, ...]


WRITE: Final = Parameters((parsing.CONDITION,), ("Expected", "ConditionalOperator"))
UPDATE: Final = Parameters((parsing.UPDATE, parsing.CONDITION), ("AttributeUpdates", "Expected", "ConditionalOperator"))
GET: Final = Parameters((parsing.PROJECTION,), ("AttributesToGet",))
QUERY: Final = Parameters(
    (parsing.PROJECTION, parsing.FILTER, parsing.KEY_CONDITION),
    ("AttributesToGet", "QueryFilter", "ConditionalOperator", "KeyConditions"),
)
SCAN: Final = Parameters((parsing.FILTER, parsing.PROJECTION), ("AttributesToGet", "ScanFilter", "ConditionalOperator"))
_ALL: Final = frozenset(
    (NAMES, VALUES, *(name for each in (UPDATE, QUERY, SCAN) for name in each.expressions + each.legacy))
)
START_KEY: Final = "ExclusiveStartKey"
_BARE: Final = ("contains duplicates", "number set", "numeric value", "significant digits", "number with magnitude")
_NO_KEY_CONDITION = "Either the KeyConditions or KeyConditionExpression parameter must be specified in the request."


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a request asks for, with its names and values in place."""

    condition: Condition | None = None
    filter: Condition | None = None
    update: Update | None = None
    projection: Projection | None = None
    key_terms: tuple[KeyTerm, ...] = ()


NOTHING: Final = Prepared()


def prepare(data: Data, parameters: Parameters, keys: KeySchema | None) -> Prepared:
    """`keys` are those of the index that a Query reads, otherwise those of the table. Raises `Invalid`."""
    prepared = read(data, parameters)
    if keys is not None:
        check_keys(prepared, data, parameters, keys)
    return prepared


def read(data: Data, parameters: Parameters) -> Prepared:
    """Checks all that does not depend on a table. Raises `Invalid`."""
    if parameters is not QUERY and data.keys().isdisjoint(_ALL):
        return NOTHING
    given = {name: value for name, value in data.items() if value is not None}
    _check_mixture(given, parameters)
    old_filter, attributes = _legacy_filter(given, parameters), _attributes_to_get(given)
    if START_KEY in given:
        check_start_values(given[START_KEY])
    placeholders = Placeholders(given.get(NAMES), given.get(VALUES))
    found = {slot: _read(given, slot, parameters, placeholders) for slot in _order_of_slots()}
    placeholders.check_unused()
    condition, update = found[parsing.CONDITION], found[parsing.UPDATE]
    filtered, projection = found[parsing.FILTER], found[parsing.PROJECTION]
    return Prepared(
        condition if condition is not None else _expected(given, parameters),
        filtered if filtered is not None else old_filter,
        update if update is not None else _attribute_updates(given, parameters),
        projection if projection is not None else attributes,
        _key_terms(given, found[parsing.KEY_CONDITION]) if parameters is QUERY else (),
    )


def _order_of_slots() -> tuple[str, ...]:
    """A transaction reads the update before the condition, UpdateItem the condition before the update."""
    writes = (parsing.UPDATE, parsing.CONDITION) if has_older_words() else (parsing.CONDITION, parsing.UPDATE)
    return (*writes, parsing.KEY_CONDITION, parsing.FILTER, parsing.PROJECTION)


def _read(given: Data, slot: str, parameters: Parameters, placeholders: Placeholders) -> Any:
    if slot not in given or slot not in parameters.expressions:
        return None
    if slot == parsing.UPDATE:
        return bind_update(parsing.parse_update(given[slot]), placeholders)
    if slot == parsing.PROJECTION:
        return bind_projection(parsing.parse_projection(given[slot]), placeholders)
    return bind_condition(parsing.parse_condition(given[slot], slot), placeholders, slot)


def _expected(given: Data, parameters: Parameters) -> Condition | None:
    if "Expected" not in parameters.legacy:
        return None
    return legacy.expected_condition(given.get("Expected") or {}, given.get("ConditionalOperator"))


def _legacy_filter(given: Data, parameters: Parameters) -> Condition | None:
    parameter = next((name for name in ("QueryFilter", "ScanFilter") if name in parameters.legacy), None)
    if parameter is None:
        return None
    label = parameter[0].lower() + parameter[1:]
    return legacy.filter_condition(given.get(parameter) or {}, label, given.get("ConditionalOperator"))


def _attribute_updates(given: Data, parameters: Parameters) -> Update | None:
    updates = given.get("AttributeUpdates") if "AttributeUpdates" in parameters.legacy else None
    return legacy.attribute_updates(updates) if updates else None


def _attributes_to_get(given: Data) -> Projection | None:
    return legacy.attributes_to_get(given["AttributesToGet"]) if "AttributesToGet" in given else None


def _key_terms(given: Data, condition: Condition | None) -> tuple[KeyTerm, ...]:
    if condition is not None:
        return tuple(terms_of_expression(condition))
    if "KeyConditions" not in given:
        raise Invalid(_NO_KEY_CONDITION)
    return tuple(terms_of_legacy(given["KeyConditions"]))


def _check_mixture(given: Data, parameters: Parameters) -> None:
    used = [name for name in parameters.expressions if name in given]
    old = [name for name in parameters.legacy if name in given]
    # A Query may use expressions together with KeyConditions.
    if parsing.KEY_CONDITION not in used and "KeyConditions" in old:
        old.remove("KeyConditions")
    if used and old:
        raise Invalid(
            "Can not use both expression and non-expression parameters in the same request: Non-expression parameters: "
            f"{{{', '.join(old)}}} Expression parameters: {{{', '.join(used)}}}"
        )
    with_values = [name for name in parameters.expressions if name != parsing.PROJECTION]
    if VALUES in given and with_values and not any(name in given for name in with_values):
        of_read = f": {' and '.join(with_values)} {'are' if len(with_values) > 1 else 'is'} null"
        is_write = parsing.CONDITION in parameters.expressions
        raise Invalid(f"{VALUES} can only be specified when using expressions{'' if is_write else of_read}")
    if NAMES in given and not used:
        raise Invalid(f"{NAMES} can only be specified when using expressions")


def check_start_values(start: Mapping[str, Any]) -> None:
    """Checks the values of an ExclusiveStartKey. AWS names the key in some of these refusals only."""
    for value in start.values():
        try:
            normal_value(value)
        except Invalid as failure:
            bare = any(words in str(failure) for words in _BARE)
            raise Invalid(str(failure) if bare else f"The provided starting key is invalid: {failure}") from failure


# ── Key attributes ──────────────────────────────────────────────────────────────────────────────────────────────────


def check_keys(prepared: Prepared, data: Data, parameters: Parameters, keys: KeySchema) -> None:
    """Checks how the request uses key attributes. Raises `Invalid`."""
    if prepared is NOTHING:
        return
    if parameters is QUERY:
        if "KeyConditions" in data and keys.is_multi_attribute:
            # AWS's text is not published.
            raise Invalid("KeyConditions cannot be used with multi-attribute keys, use KeyConditionExpression")
        check_terms(prepared.key_terms, keys)
    if prepared.projection is not None:
        _check_scalars(prepared.projection, keys)
    if parameters is QUERY:
        label = "Filter Expression" if data.get(parsing.FILTER) is not None else "QueryFilter"
        _check_filter(prepared.filter, label, keys)
    _check_scalars(prepared.condition, keys)
    _check_scalars(prepared.filter, keys)
    actions = prepared.update.actions if prepared.update is not None else ()
    if any(action.path.parts[0] in keys.names for action in actions):
        return  # refused later, because an update may not write a key at all
    for action in actions:
        _check_scalars(action.path, keys)
        _check_scalars(action.operand, keys)


def _check_scalars(node: object, keys: KeySchema) -> None:
    for path in paths_of(node):
        name = path.parts[0]
        if len(path.parts) > 1 and name in keys.types:
            kind = "Key" if name in keys.of_table else "IndexKey"
            raise Invalid(
                "Key attributes must be scalars; list random access '[]' and map lookup '.' are not allowed: "
                f"{kind}: {name}",
                Fault.KEY,
            )


def _check_filter(condition: Condition | None, label: str, keys: KeySchema) -> None:
    for path in paths_of(condition):
        if path.parts[0] in keys.names:
            raise Invalid(
                f"{label} can only contain non-primary key attributes: Primary key attribute: {path.parts[0]}"
            )


def paths_of(node: object) -> Iterator[Path]:
    """All document paths below a bound node, in order."""
    if isinstance(node, Path):
        yield node
        return
    children = _CHILDREN.get(type(node))
    for child in children(node) if children else ():
        yield from paths_of(child)


_CHILDREN: Final[dict[type, Callable[[Any], Sequence[object]]]] = {
    And: lambda node: node.conditions,
    Or: lambda node: node.conditions,
    Not: lambda node: (node.condition,),
    Comparison: lambda node: (node.left, node.right),
    Between: lambda node: (node.operand, node.low, node.high),
    In: lambda node: (node.operand, *node.candidates),
    Call: lambda node: node.arguments,
    Arithmetic: lambda node: (node.left, node.right),
    Projection: lambda node: node.paths,
}
