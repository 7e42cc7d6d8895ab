"""Checks the tags of tables: keys, values, their number, and the ARN that they are for."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any, Final

from emulator import engine
from emulator.access.request_constraints import report, small_first_letter, violation
from emulator.expressions.errors import Invalid, invalid_parameter
from emulator.wire import AwsError

Data = Mapping[str, Any]

_MOST, _LONGEST_KEY, _LONGEST_VALUE, _LONGEST_ARN = 50, 128, 256, 1283
_PUNCTUATION: Final = frozenset("_.:/=+-@")
_CLASSES: Final = frozenset("LZN")
_TABLE_ARN = re.compile(r"arn:aws:dynamodb:(?P<region>[^:]+):(?P<account>\d{12}):table/(?P<name>[^/]+)(?P<rest>/.*)?")


def check_tags(tags: Sequence[Data]) -> None:
    """Raises `Invalid`."""
    for tag in tags:
        _check_key(tag.get("Key"))
        value = tag.get("Value")
        if value is None or not _is_written_well(value, _LONGEST_VALUE):
            raise Invalid(f"The Tag Value provided is invalid, Value: {'null' if value is None else value}")
    keys: set[str] = set()
    for tag in tags:
        if tag["Key"] in keys:
            raise Invalid(f"Duplicate Tag Keys provided as input: Duplicate Tag Key found {tag['Key']}")
        keys.add(tag["Key"])
    _check_number(keys)


def check_tagging(data: Data) -> None:
    tags, table = data.get("Tags"), _table_of(data, "Tags")
    if not tags:
        raise Invalid("Atleast one Tag needs to be provided as Input.")
    check_tags(tags)
    present = [tag["Key"] for tag in engine.dynamodb._tags.get(table, ())]
    _check_number({*present, *(tag["Key"] for tag in tags)})


def check_untagging(data: Data) -> None:
    keys, _ = data.get("TagKeys"), _table_of(data, "TagKeys")
    if not keys:
        raise Invalid("Atleast one Tag Key needs to be provided as Input.")
    for key in keys:
        _check_key(key)
    _check_number(keys)


def check_listing(data: Data) -> None:
    _table_of(data, None)


def _table_of(data: Data, member: str | None) -> str:
    """The ARN, which is that of a table in this account and region. Raises `Invalid` or `AwsError`."""
    arn = data.get("ResourceArn")
    missing = [name for name in ("ResourceArn", member) if name is not None and data.get(name) is None]
    if missing:
        found = [violation(None, small_first_letter(name), "Member must not be null") for name in missing]
        raise Invalid(report(found))
    _check_arn(str(arn))
    return str(arn)


def _check_arn(arn: str) -> None:
    if not 1 <= len(arn) <= _LONGEST_ARN:
        limit = "greater than or equal to 1" if not arn else f"less than or equal to {_LONGEST_ARN}"
        raise Invalid(report([violation(arn, "resourceArn", f"Member must have length {limit}")]))
    if not arn.startswith("arn:"):
        raise invalid_parameter(f"ARNs must start with 'arn:': {arn}")
    if not re.match(r"arn:[^:]+:dynamodb:[^:]+:\d{12}:.", arn):
        raise invalid_parameter(f"Provided Arn is not a DynamoDB resource arn: {arn}")
    found = _TABLE_ARN.fullmatch(arn)
    if found is None or (found["rest"] and not found["rest"].startswith("/stream/")):
        raise invalid_parameter(
            f"Invalid resource arn provided, only table or stream is accepted. Provided resource arn: {arn}"
        )
    if (found["region"], found["account"]) != (engine.region(), engine.ACCOUNT):
        raise Invalid(f"Invalid TableArn: Invalid ResourceArn provided as input {arn}")
    if found["rest"] or found["name"] not in engine.dynamodb._tables:
        raise AwsError("ResourceNotFoundException", f"Requested resource not found: ResourceArn: {arn} not found")


def _check_key(key: str | None) -> None:
    if not key or not _is_written_well(key, _LONGEST_KEY):
        raise Invalid(f"The Tag Key provided is invalid, Key: {'null' if key is None else key}")
    if key.lower().startswith("aws:"):
        raise Invalid(f"Tag Key cannot be prefixed with aws:, Key: {key}")


def _check_number(keys: Sequence[str] | set[str]) -> None:
    if len(keys) > _MOST:
        raise Invalid("Number of Tags exceed the current limit for the provided ResourceArn")


def _is_written_well(text: str, longest: int) -> bool:
    """Letters and digits of every script, spaces, and a few signs."""
    return len(text) <= longest and all(
        sign in _PUNCTUATION or unicodedata.category(sign)[0] in _CLASSES for sign in text
    )
