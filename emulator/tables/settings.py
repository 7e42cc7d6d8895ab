"""Checks a table's throughput, encryption and class. The texts of CreateTable and UpdateTable differ in places."""

from collections.abc import Mapping
from typing import Any, Final

from emulator.expressions.errors import Invalid, invalid_parameter

Data = Mapping[str, Any]

ON_DEMAND: Final = "PAY_PER_REQUEST"
_CLASSES: Final = ("STANDARD", "STANDARD_INFREQUENT_ACCESS")
_MOST_UNITS: Final = 1_000_000_000_000
_NO_UNITS: Final = f"Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is {ON_DEMAND}"


def check_new_throughput(data: Data) -> None:
    """Checks the throughput of a new table and its indexes."""
    on_demand, units = data.get("BillingMode") == ON_DEMAND, data.get("ProvisionedThroughput")
    if on_demand and units:
        raise invalid_parameter(_NO_UNITS)
    if not on_demand and not units:
        raise invalid_parameter(
            "ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is PROVISIONED"
        )
    check_units(units)
    check_maxima(data, on_demand=on_demand)
    for index in data.get("GlobalSecondaryIndexes") or ():
        name = index["IndexName"]
        if on_demand and index.get("ProvisionedThroughput"):
            raise invalid_parameter(
                f"ProvisionedThroughput should not be specified for index: {name} when BillingMode is {ON_DEMAND}"
            )
        if not on_demand and not index.get("ProvisionedThroughput"):
            raise invalid_parameter(f"ProvisionedThroughput is not specified for index: {name}")
        check_maxima(index, on_demand=on_demand, index=name)


def check_changed_throughput(data: Data, *, was_on_demand: bool) -> None:
    """Checks what UpdateTable sets for the table itself."""
    mode, units = data.get("BillingMode"), data.get("ProvisionedThroughput")
    if mode == "PROVISIONED" and not units:
        raise invalid_parameter("ProvisionedThroughput must be specified when BillingMode is PROVISIONED")
    on_demand = was_on_demand if mode is None else mode == ON_DEMAND
    if on_demand and units:
        raise invalid_parameter(_NO_UNITS)
    check_units(units)
    check_maxima(data, on_demand=on_demand, lowest=-1)


def check_units(units: Data | None) -> None:
    for name, value in (units or {}).items():
        if value > _MOST_UNITS:
            raise Invalid(f"Given value {value} for {name} is out of bounds")


def check_maxima(data: Data, *, on_demand: bool, index: str = "", lowest: int = 1) -> None:
    """`lowest` is -1 where that removes a maximum."""
    for name, value in (data.get("OnDemandThroughput") or {}).items():
        where = f" for index : {index}" if index else ""
        if not on_demand:
            raise invalid_parameter(
                f"{name} for OnDemandThroughput{where} cannot be specified when the table BillingMode is PROVISIONED"
            )
        if value < lowest or value == 0:
            where = where or " for table"
            raise invalid_parameter(f"Requested {name} for OnDemandThroughput{where} is outside of valid range")


def check_class(data: Data) -> None:
    if data.get("TableClass", _CLASSES[0]) not in _CLASSES:
        raise Invalid(
            "Invalid table-class parameter provided. Please try again with a valid table-class value: "
            f"[{', '.join(_CLASSES)}]."
        )


def check_encryption(data: Data) -> None:
    wanted = data.get("SSESpecification") or {}
    kind = wanted.get("SSEType")
    if kind and not wanted.get("Enabled"):
        raise invalid_parameter("SSEType can not be specified if Enabled is false")
    if kind == "AES256":
        raise invalid_parameter("SSEType AES256 is not supported")
