"""Which attributes may be written: by an app client, by an administrator, when a user is created, and later.

Follows "User pool attributes" in the Cognito Developer Guide. A client without a write list may write everything. That
is what was measured, and it makes a forgotten list visible.
"""

from collections.abc import Mapping
from typing import Any

from emulator.cognito.pools import Client, Record
from emulator.wire import AwsError

_NOT_WRITABLE_BY_CLIENTS = frozenset({"sub", "email_verified", "phone_number_verified", "identities", "updated_at"})


def parse_attributes(entries: object) -> dict[str, str]:
    """The attributes of a request, by name.

    Raises `AwsError` unless they are a list of distinct names with text values.
    """
    if entries is None:
        return {}
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise AwsError("SerializationException", "UserAttributes is not a list of attributes.")
    values = {entry.get("Name"): entry.get("Value", "") for entry in entries}
    if len(values) != len(entries) or not all(isinstance(part, str) for pair in values.items() for part in pair):
        raise AwsError("InvalidParameterException", "An attribute is given twice or is not text.")
    return values


def check_creation(pool: Record, values: Mapping[str, str], *, client: Client | None) -> None:
    """For SignUp (`client` given) and AdminCreateUser. Immutable attributes may be written only here."""
    if client is not None:
        _check_client(client, values)
    for name, value in values.items():
        _check_value(_definition(pool, name), name, value)
    for definition in pool["SchemaAttributes"]:
        name = definition["Name"]
        if definition.get("Required") and name != "sub" and not values.get(name):
            raise _schema_error(f"{name}: The attribute is required")


def check_update(pool: Record, values: Mapping[str, str], *, client: Client | None) -> None:
    if client is not None:
        _check_client(client, values)
    for name, value in values.items():
        definition = _definition(pool, name)
        if name == "sub":
            raise AwsError("InvalidParameterException", "Cannot modify the non-mutable attribute sub")
        if not definition.get("Mutable", True):
            raise AwsError("InvalidParameterException", f"user.{name}: Attribute cannot be updated.\n")
        if value or definition.get("Required"):
            _check_value(definition, name, value)


def _check_client(client: Client, values: Mapping[str, str]) -> None:
    listed = client.record.get("WriteAttributes") or None
    definitions = {definition["Name"]: definition for definition in client.pool["SchemaAttributes"]}
    for name in values:
        required = bool(definitions.get(name, {}).get("Required"))
        allowed = listed is None or name in listed or required
        if name not in definitions or name in _NOT_WRITABLE_BY_CLIENTS or not allowed:
            raise AwsError("NotAuthorizedException", "A client attempted to write unauthorized attribute")


def _definition(pool: Record, name: str) -> dict[str, Any]:
    for definition in pool["SchemaAttributes"]:
        if definition["Name"] == name:
            found: dict[str, Any] = definition
            return found
    raise _schema_error(f"Type for attribute {{{name}}} could not be determined")


def _check_value(definition: Mapping[str, Any], name: str, value: str) -> None:
    kind = definition.get("AttributeDataType")
    if kind == "Number":
        _check_number(definition.get("NumberAttributeConstraints") or {}, name, value)
    elif kind == "Boolean" and value.lower() not in ("true", "false"):
        raise _schema_error(f"{name}: Value is not a boolean")
    elif kind == "String":
        limits = definition.get("StringAttributeConstraints") or {}
        if len(value) < int(limits.get("MinLength") or 0):
            raise _schema_error(f"{name}: String must be at least {limits['MinLength']} characters")
        if len(value) > int(limits.get("MaxLength") or 2048):
            raise _schema_error(f"{name}: String must be no longer than {limits.get('MaxLength') or 2048} characters")


def _check_number(limits: Mapping[str, Any], name: str, value: str) -> None:
    if not value.lstrip("-").isdecimal():
        raise _schema_error(f"{name}: Value is not a number")
    if not float(limits.get("MinValue") or "-inf") <= float(value) <= float(limits.get("MaxValue") or "inf"):
        raise _schema_error(f"{name}: Value is out of range")


def _schema_error(what: str) -> AwsError:
    return AwsError("InvalidParameterException", f"Attributes did not conform to the schema: {what}")
