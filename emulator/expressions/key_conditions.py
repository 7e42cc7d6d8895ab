"""What a Query searches for: one equality for each partition key attribute, and conditions on sort key attributes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from emulator.expressions import legacy, values
from emulator.expressions.binding import bind_condition
from emulator.expressions.errors import Invalid, invalid_parameter
from emulator.expressions.parsing import KEY_CONDITION, parse_condition
from emulator.expressions.placeholders import Placeholders
from emulator.expressions.sizes import value_size
from emulator.expressions.syntax import (
    And,
    Between,
    Call,
    Comparison,
    Condition,
    In,
    Literal,
    Not,
    Operand,
    Or,
    Path,
)
from emulator.expressions.values import Item, Value

_MIRRORED: Final = {"=": "=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_LEGACY: Final = {"=": "EQ", "<": "LT", "<=": "LE", ">": "GT", ">=": "GE"}
_SEARCHABLE: Final = frozenset({"EQ", "LT", "LE", "GT", "GE", "BETWEEN", "BEGINS_WITH"})
_LONGEST_PARTITION_KEY, _LONGEST_SORT_KEY = 2048, 1024
_EMPTY: Final = {"S": "string", "B": "binary"}


@dataclass(frozen=True, slots=True)
class KeyTerm:
    """`operator` is spelled as in KeyConditions."""

    name: str
    operator: str
    values: tuple[Value, ...]

    @property
    def condition(self) -> Condition:
        path, literals = Path((self.name,)), tuple(map(Literal, self.values))
        if self.operator == "BETWEEN":
            return Between(path, literals[0], literals[1])
        if self.operator == "BEGINS_WITH":
            return Call("begins_with", (path, literals[0]))
        sign = next(sign for sign, name in _LEGACY.items() if name == self.operator)
        return Comparison(sign, path, literals[0])


@dataclass(frozen=True, slots=True)
class KeySchema:
    """The key attributes of a table or index, in order.

    `types` holds the types of all key attributes, those of other indexes too; `of_table` are the keys of the table.
    """

    partition: tuple[str, ...]
    sort: tuple[str, ...]
    types: Mapping[str, str]
    of_table: frozenset[str]

    @property
    def names(self) -> tuple[str, ...]:
        return self.partition + self.sort

    @property
    def limits(self) -> tuple[tuple[str, tuple[str, ...], int], ...]:
        """Which attributes together may have how many bytes."""
        return ("hash", self.partition, _LONGEST_PARTITION_KEY), ("range", self.sort, _LONGEST_SORT_KEY)

    def fits(self, item: Item) -> bool:
        """Whether an index with this key holds the item. Rows that are older than the index may have any values."""
        keys = [(item.get(name), self.types[name]) for name in self.names]
        return all(value is not None and value.get(kind) for value, kind in keys) and all(
            sum(value_size(item[name]) for name in names) <= limit for _, names, limit in self.limits
        )

    @property
    def is_multi_attribute(self) -> bool:
        return max(len(self.partition), len(self.sort)) > 1


def terms_of_expression(condition: Condition) -> list[KeyTerm]:
    terms = [_term(each) for each in _conjuncts(condition)]
    names = [term.name for term in terms]
    if len(set(names)) < len(names):
        raise Invalid("Invalid KeyConditionExpression: KeyConditionExpressions must only contain one condition per key")
    return terms


def partition_value(expression: str, names: Mapping[str, str], given: Mapping[str, Value], name: str) -> Value | None:
    """The value that a KeyConditionExpression gives to one partition key attribute. Raises `Invalid`."""
    placeholders = Placeholders(names or None, given or None)
    condition = bind_condition(parse_condition(expression, KEY_CONDITION), placeholders, KEY_CONDITION)
    for term in terms_of_expression(condition):
        if term.name == name and term.operator == "EQ":
            return term.values[0]
    return None


def terms_of_legacy(conditions: legacy.Conditions) -> list[KeyTerm]:
    return [KeyTerm(*each) for each in legacy.key_condition(conditions)]


def check_terms(terms: Sequence[KeyTerm], schema: KeySchema) -> None:
    by_name = {term.name: term for term in terms}
    if len(terms) > len(schema.names) == 1:
        raise Invalid("Query key condition not supported")
    if len(terms) > len(schema.names):
        raise Invalid(
            f"The number of query conditions ({len(terms)}) exceeds the number of key attributes defined in the schema "
            f"({len(schema.names)})"
        )
    if len(schema.partition) > 1:
        _check_partition_terms(by_name, schema.partition)
    for name in schema.partition:
        if name not in by_name:
            raise _missed(name)
    if set(by_name) - set(schema.names):
        raise _missed(next((name for name in schema.sort if name not in by_name), next(iter(by_name))))
    for term in terms:
        _check_term(term, schema)
    if len(schema.sort) > 1:
        _check_sort_terms(by_name, schema.sort)


def _conjuncts(condition: Condition) -> list[Condition]:
    if isinstance(condition, And):
        return [part for each in condition.conditions for part in _conjuncts(each)]
    operator = {Or: "OR", Not: "NOT", In: "IN"}.get(type(condition))
    if isinstance(condition, Comparison) and condition.operator == "<>":
        operator = "<>"
    if isinstance(condition, Call) and condition.name != "begins_with":
        operator = condition.name
    if operator:
        raise Invalid(f"Invalid operator used in KeyConditionExpression: {operator}")
    return [condition]


def _term(condition: Condition) -> KeyTerm:
    match condition:
        case Comparison(operator, left, right):
            if not isinstance(left, Path):
                operator, left, right = _MIRRORED[operator], right, left
            return _key_term(_LEGACY[operator], (left, right), condition)
        case Between(operand, low, high):
            return _key_term("BETWEEN", (operand, low, high), condition)
        case Call(_, arguments):
            return _key_term("BEGINS_WITH", arguments, condition)
        case _:
            raise Invalid("Query key condition not supported")


def _key_term(operator: str, operands: Sequence[Operand], condition: Condition) -> KeyTerm:
    if any(isinstance(operand, Call) for operand in operands):
        raise Invalid("KeyConditionExpressions cannot contain nested operations")
    paths: list[Path] = []
    for operand in operands:
        if not isinstance(operand, Path):
            continue
        if paths:
            raise Invalid("Invalid condition in KeyConditionExpression: Multiple attribute names used in one condition")
        if len(operand.parts) > 1:
            raise Invalid("KeyConditionExpressions cannot have conditions on nested attributes")
        paths.append(operand)
    if not paths:
        raise Invalid("Invalid condition in KeyConditionExpression: No key attribute specified")
    if paths[0] is not operands[0]:
        shown = "BETWEEN" if isinstance(condition, Between) else "begins_with"
        raise Invalid(
            f"Invalid condition in KeyConditionExpression: {shown} operator must have the key attribute as its first "
            "operand"
        )
    found = tuple(operand.value for operand in operands if isinstance(operand, Literal))
    return KeyTerm(str(paths[0].parts[0]), operator, found)


def _check_term(term: KeyTerm, schema: KeySchema) -> None:
    if term.operator not in _SEARCHABLE:
        raise Invalid("Attempted conditional constraint is not an indexable operation")
    kind = schema.types[term.name]
    for value in term.values:
        if values.type_of(value) != kind:
            raise invalid_parameter("Condition parameter type does not match schema type")
    if term.name in schema.partition and term.operator != "EQ":
        raise Invalid("Query key condition not supported")
    if any(not value[kind] for value in term.values):
        raise Invalid(
            "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an "
            f"empty {_EMPTY[kind]} value. Key: {term.name}"
        )


def _check_partition_terms(terms: Mapping[str, KeyTerm], partition: Sequence[str]) -> None:
    """Every attribute of a partition key needs an equality. The text is inferred from the one for sort keys."""
    lacking = [name for name in partition if name not in terms or terms[name].operator != "EQ"]
    if lacking:
        raise Invalid(f"HASH key attributes {', '.join(lacking)} must have equality conditions specified in the query")


def _check_sort_terms(terms: Mapping[str, KeyTerm], sort: Sequence[str]) -> None:
    """Attributes of the sort key are searched from left to right, and only the last one by a range."""
    used = [place for place, name in enumerate(sort) if name in terms]
    if not used:
        return
    last = used[-1]
    lacking = [name for name in sort[:last] if name not in terms or terms[name].operator != "EQ"]
    if lacking:
        raise Invalid(
            f"RANGE key attributes {', '.join(lacking)} must have equality conditions specified in the query because a "
            f"condition is present on key attribute {sort[last]}"
        )


def _missed(name: str) -> Invalid:
    return Invalid(f"Query condition missed key schema element: {name}")
