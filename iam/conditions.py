"""The Condition element: absent keys, multivalued keys, `IfExists`, `ForAllValues:`, `ForAnyValue:` and `Null`.

`iam.operators` compares single values. Follows "Single-valued vs. multivalued context keys" and "IAM JSON policy
elements: Condition operators" in the IAM User Guide.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum

from iam.failures import UnsupportedPolicy
from iam.operators import OPERATORS, Comparison, Operand
from iam.patterns import KEY, Test
from iam.prose import Mismatch, join_list
from iam.request import Context, ContextValue, Request

_KEY = re.compile(KEY)
_NULL = {"true": True, "false": False}


class Quantifier(Enum):
    NONE = ""
    ALL = "ForAllValues:"
    ANY = "ForAnyValue:"


_QUANTIFIERS = {quantifier.value: quantifier for quantifier in Quantifier}


@dataclass(frozen=True, slots=True)
class Condition:
    """One operator on one key. `name` is the operator as written, with prefix and suffix."""

    name: str
    key: str
    folded_key: str
    comparison: Comparison
    quantifier: Quantifier
    when_absent: bool
    operands: tuple[Operand, ...]

    def matches(self, request: Request) -> bool:
        context = request.values
        found = self._request_value(context)
        if found is None:
            return self.when_absent
        if self.quantifier is Quantifier.NONE:
            # AWS: a multivalued key matches only with a set operator.
            return isinstance(found, str) and self._accepts(found, self._tests(context))
        values = (found,) if isinstance(found, str) else found
        tests = self._tests(context)
        combine = all if self.quantifier is Quantifier.ALL else any
        return combine(self._accepts(value, tests) for value in values)

    def explain(self, request: Request) -> Mismatch:
        return Mismatch("Condition", self._mismatch_detail(request.values), operator=self.name, key=self.key)

    def _request_value(self, context: Context) -> ContextValue | None:
        """With a set operator, an empty string counts as no value. Otherwise it is a value."""
        found = context.get(self.folded_key)
        return None if found == "" and self.quantifier is not Quantifier.NONE else found

    def _tests(self, context: Context) -> list[Test]:
        """Leaves out a policy value whose variable has no value, because nothing can match it."""
        return [test for operand in self.operands if (test := operand.test(context)) is not None]

    def _accepts(self, value: str, tests: list[Test]) -> bool:
        return any(test(value) for test in tests) is not self.comparison.negated

    def _mismatch_detail(self, context: Context) -> str:
        found = self._request_value(context)
        if found is None:
            return f"the request has no value for {self.key}"
        if self.quantifier is Quantifier.NONE and not isinstance(found, str):
            return f"the request has a list of values for {self.key}, which only ForAllValues or ForAnyValue can match"
        refused = self._refused_values(found, context)
        verb = ("is" if len(refused) == 1 else "are") + ("" if self.comparison.negated else " not")
        wanted = join_list(operand.show(context) for operand in self.operands)
        return f"{join_list(refused, last='and')} {verb} {self.comparison.relation} {wanted}"

    def _refused_values(self, found: ContextValue, context: Context) -> list[str]:
        tests = self._tests(context)
        values = (found,) if isinstance(found, str) else found
        return [f'"{value}"' for value in values if not self._accepts(value, tests)]


@dataclass(frozen=True, slots=True)
class NullCondition:
    """`Null` tests whether the key is absent. An empty string is a value; an empty list is not."""

    name: str
    key: str
    folded_key: str
    absent: frozenset[bool]

    def matches(self, request: Request) -> bool:
        return (self.folded_key not in request.values) in self.absent

    def explain(self, request: Request) -> Mismatch:
        has = "has a" if self.folded_key in request.values else "has no"
        return Mismatch("Condition", f"the request {has} value for {self.key}", operator=self.name, key=self.key)


AnyCondition = Condition | NullCondition


def parse_conditions(block: object, *, variables: bool) -> tuple[AnyCondition, ...]:
    return tuple(_parse(name, key, values, variables=variables) for name, key, values in _entries(block))


def _entries(block: object) -> Iterable[tuple[str, str, tuple[str, ...]]]:
    for name, keys in _mapping("Condition", block).items():
        for key, values in _mapping(name, keys).items():
            if not _KEY.fullmatch(key):
                raise UnsupportedPolicy(f'"{key}" under {name} is not a condition key')
            yield name, key, _texts(f"{name} {key}", values)


def _mapping(name: str, value: object) -> Mapping[str, object]:
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise UnsupportedPolicy(f"{name} is not an object")
    return value


def _texts(where: str, values: object) -> tuple[str, ...]:
    several = values if isinstance(values, list | tuple) else [values]
    if not several:
        raise UnsupportedPolicy(f"{where} has an empty list of values")
    return tuple(_text(where, value) for value in several)


def _text(where: str, value: object) -> str:
    """JSON numbers and booleans are converted to text, as the policy grammar allows."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    raise UnsupportedPolicy(f"{where} has a value that is neither text, number nor boolean")


def _parse(name: str, key: str, values: tuple[str, ...], *, variables: bool) -> AnyCondition:
    if name == "Null":
        return _parse_null(key, values)
    quantifier, base, if_exists = _split_name(name)
    comparison = OPERATORS[base]
    operands = tuple(_operand(comparison, name, key, value, variables=variables) for value in values)
    return Condition(
        name=name,
        key=key,
        folded_key=key.lower(),
        comparison=comparison,
        quantifier=quantifier,
        when_absent=_when_absent(quantifier, comparison, if_exists=if_exists),
        operands=operands,
    )


def _split_name(name: str) -> tuple[Quantifier, str, bool]:
    prefix, colon, rest = name.rpartition(":")
    base = rest.removesuffix("IfExists")
    if prefix + colon not in _QUANTIFIERS or base not in OPERATORS:
        raise UnsupportedPolicy(f"unknown condition operator {name}")
    return _QUANTIFIERS[prefix + colon], base, base != rest


def _when_absent(quantifier: Quantifier, comparison: Comparison, *, if_exists: bool) -> bool:
    if quantifier is Quantifier.NONE:
        return if_exists or comparison.negated
    # Without a value ForAnyValue is false, even negated or with IfExists. ForAllValues is true.
    return quantifier is Quantifier.ALL


def _operand(comparison: Comparison, name: str, key: str, value: str, *, variables: bool) -> Operand:
    try:
        return comparison.compile(value, variables=variables)
    except UnsupportedPolicy as problem:
        raise UnsupportedPolicy(f"{name} {key}: {problem}") from problem


def _parse_null(key: str, values: tuple[str, ...]) -> NullCondition:
    unknown = [value for value in values if value.lower() not in _NULL]
    if unknown:
        raise UnsupportedPolicy(f'Null {key}: "{unknown[0]}" is not true or false')
    return NullCondition("Null", key, key.lower(), frozenset(_NULL[value.lower()] for value in values))
