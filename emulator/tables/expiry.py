"""Checks changes of a table's expiry of rows, which AWS calls time to live."""

from collections.abc import Mapping
from typing import Any

from emulator import engine
from emulator.expressions.errors import Invalid

Data = Mapping[str, Any]


def check_change(data: Data, table: Data) -> None:
    """AWS also refuses a second change within an hour or so. That is not done here."""
    wanted = data["TimeToLiveSpecification"]
    present = engine.dynamodb._ttl_settings.get(table["TableName"]) or {}
    is_enabled, name = present.get("TimeToLiveStatus") == "ENABLED", present.get("AttributeName")
    if is_enabled and name != wanted["AttributeName"]:
        raise Invalid(f"TimeToLive is active on a different AttributeName: current AttributeName is {name}")
    if is_enabled and wanted["Enabled"]:
        raise Invalid("TimeToLive is already enabled")
    if not is_enabled and not wanted["Enabled"]:
        raise Invalid("TimeToLive is already disabled")


def complete_description(description: dict[str, Any]) -> None:
    """The engine keeps the attribute of an expiry that was disabled."""
    if description["TimeToLiveStatus"] == "DISABLED":
        description.pop("AttributeName", None)
