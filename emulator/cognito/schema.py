"""Checks the attributes of a user pool's schema, where the engine stores whatever it is given.

https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_SchemaAttributeType.html
The texts are those that AWS is reported to send.
"""

from collections.abc import Mapping
from typing import Any

from emulator import engine
from emulator.wire import AwsError

Attribute = dict[str, Any]

_LONGEST = 2048
# By data type: the member with its limits, its smallest and its largest value, and what AWS calls them.
_LIMITS = {
    "String": ("StringAttributeConstraints", "MinLength", "MaxLength", "length"),
    "Number": ("NumberAttributeConstraints", "MinValue", "MaxValue", "value"),
}


def check_attributes_of_schemas() -> None:
    normalize = engine.cognito._normalize_schema_attribute

    def check_and_normalize(raw: Mapping[str, Any]) -> Attribute:
        name = str(raw.get("Name") or "")
        standard = engine.cognito._STANDARD_ATTRIBUTES_BY_NAME.get(name)
        _check_type(name, raw, standard)
        _check_limits(name, raw, str(raw.get("AttributeDataType") or (standard or {})["AttributeDataType"]))
        attribute: Attribute = normalize(raw)
        kept = _LIMITS.get(attribute["AttributeDataType"], ("",))[0]
        return {key: value for key, value in attribute.items() if key == kept or not key.endswith("Constraints")}

    engine.cognito._normalize_schema_attribute = check_and_normalize


def _check_type(name: str, raw: Mapping[str, Any], standard: Attribute | None) -> None:
    kind = raw.get("AttributeDataType")
    if standard is None and not kind:
        raise _invalid("Invalid AttributeDataType input, consider using the provided AttributeDataType enum.")
    if standard is None:
        return
    if kind not in (None, standard["AttributeDataType"]) or _is_true(raw.get("DeveloperOnlyAttribute")):
        raise _invalid(
            "You can not change AttributeDataType or set developerOnlyAttribute for standard schema attribute " + name
        )


def _check_limits(name: str, raw: Mapping[str, Any], kind: str) -> None:
    if kind not in _LIMITS:
        return
    member, smallest, largest, what = _LIMITS[kind]
    given = raw.get(member) or {}
    try:
        least, most = (int(given[limit]) if limit in given else None for limit in (smallest, largest))
    except ValueError as failure:
        raise _invalid(f"Invalid {member} for schema attribute {name}") from failure
    if kind == "String" and any(limit is not None and limit > _LONGEST for limit in (least, most)):
        raise _invalid(f"user.{name}: String attributes cannot have a length of more than {_LONGEST}")
    if least is not None and most is not None and most < least:
        raise _invalid(f"user.{name}: Max {what} cannot be less than min {what}.")


def _is_true(value: object) -> bool:
    return str(value).lower() == "true"


def _invalid(text: str) -> AwsError:
    return AwsError("InvalidParameterException", text)
