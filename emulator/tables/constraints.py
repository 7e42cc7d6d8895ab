"""Checks a request against the constraints of its shapes: what is required, enumerations, lengths, patterns.

AWS does this before it looks at any table, and reports up to ten violations together.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Final

from emulator.access.request_constraints import Checker, Shape, report, small_first_letter
from emulator.access.service_model import model_of
from emulator.expressions.errors import Invalid

Data = Mapping[str, Any]

_MOST_REPORTED = 10
_UNCHECKED: Final[Shape] = {"type": "string"}


def check_constraints(operation: str, data: Data) -> None:
    """Raises `Invalid`."""
    name, table = model_of("dynamodb")["operations"][operation]["input"]["shape"], data.get("TableName")
    if "TableName" in _shapes()[name].get("required", ()) and table is None:
        raise Invalid("The parameter 'TableName' is required but was not present in the request")
    found = list(_checker(table or "").violations(name, data))[:_MOST_REPORTED]
    if found:
        raise Invalid(report(found))


def table_name_violations(name: str) -> Iterator[str]:
    """`name` may be the ARN of a table."""
    return _checker(name).violations("TableArn", name, "tableName")


def _checker(table: str) -> Checker:
    return _checker_by(arn=not table or table.startswith("arn:"))


@cache
def _checker_by(*, arn: bool) -> Checker:
    # The model describes every table as an ARN.
    shapes = _shapes() if arn else _shapes() | {"TableArn": _shapes()["TableName"]}
    return Checker(shapes, _step, _show, _measure, in_model_order=True, both_limits=True, empty_fits=True)


@cache
def _shapes() -> dict[str, Shape]:
    """The model's, as AWS's answers show them."""
    shapes: dict[str, Shape] = model_of("dynamodb")["shapes"]
    creation, local = shapes["CreateTableInput"], shapes["LocalSecondaryIndex"]
    two_keys = {"KeySchema": {"shape": "TwoKeys"}}
    other_members = {**two_keys, "GlobalTableSourceArn": {"shape": "SourceArn"}}
    return shapes | {
        "CreateTableInput": {
            **creation,
            "required": (*creation["required"], "AttributeDefinitions", "KeySchema"),
            "members": creation["members"] | other_members,
        },
        "SourceArn": shapes["TableArn"],  # never a name
        # Only the keys of global indexes may have more than two attributes.
        "LocalSecondaryIndex": {**local, "members": local["members"] | two_keys},
        "TwoKeys": {**shapes["KeySchema"], "max": 2},
        "ProjectionType": {"type": "string", "enum": ("ALL", "INCLUDE", "KEYS_ONLY")},
        "ScalarAttributeType": {"type": "string", "enum": ("B", "N", "S")},
        # These have refusals of their own.
        "TagList": _UNCHECKED,
        "TableClass": _UNCHECKED,
    }


def _measure(value: str | list[Any]) -> int:
    """Text counts in bytes."""
    return len(value.encode() if isinstance(value, str) else value)


def _show(value: object) -> str:
    """As Java shows it."""
    if isinstance(value, list):
        return f"[{', '.join(map(_show, value))}]"
    if isinstance(value, Mapping):
        parts = ", ".join(f"{_step(name)}={_show(part)}" for name, part in value.items())
        return f"KeySchemaElement({parts})" if "KeyType" in value else f"({parts})"
    return str(value)


def _step(name: str) -> str:
    # Java's rule for names that begin with several capitals.
    return name if name[:2].isupper() else small_first_letter(name)
