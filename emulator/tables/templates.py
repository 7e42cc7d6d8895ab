"""Tables of templates: their definitions are checked as CreateTable checks them, and their settings applied."""

from collections.abc import Mapping
from typing import Any, Final

from emulator import engine
from emulator.tables import expiry, recovery
from emulator.tables.constraints import check_constraints
from emulator.tables.definitions import PROTECTED, check_definition

Data = Mapping[str, Any]
Created = tuple[str, dict[str, Any]]

_OF_STACKS: Final = "aws:cloudformation:"
_KIND: Final = "AWS::DynamoDB::Table"


def register_tables() -> None:
    handlers = engine.provisioners._RESOURCE_HANDLERS[_KIND]
    create, update, delete = handlers["create"], handlers["update"], handlers["delete"]

    def create_table(logical_id: str, props: dict[str, Any], stack_name: str) -> Created:
        request = _request_of(props)
        check_definition(request)
        _check_absent(props.get("TableName"))
        _check_settings(request["TableName"], props)
        result: Created = create(logical_id, props, stack_name)
        _apply_settings(result[0], props)
        return result

    def update_table(
        physical_id: str, old: dict[str, Any], new: dict[str, Any], stack_name: str, logical_id: str | None = None
    ) -> Created:
        check_definition(_request_of(new))
        _check_index_changes(old, new)
        _check_settings(physical_id, new)
        result: Created = update(physical_id, old, new, stack_name, logical_id)
        _apply_settings(result[0], new)
        return result

    def delete_table(physical_id: str, props: dict[str, Any]) -> Any:
        table = engine.dynamodb._tables.get(physical_id)
        if table is not None and table.get("DeletionProtectionEnabled"):
            raise ValueError(PROTECTED)
        result = delete(physical_id, props)
        if table is not None:
            for kept in (engine.dynamodb._ttl_settings, engine.dynamodb._pitr_settings):
                kept.pop(physical_id, None)
            engine.dynamodb._tags.pop(table["TableArn"], None)
        return result

    handlers.update(create=create_table, update=update_table, delete=delete_table)


def _request_of(properties: Data) -> dict[str, Any]:
    """The CreateTable request that CloudFormation makes of a table's properties."""
    request = {name: value for name, value in properties.items() if value not in (None, "")}
    # Without a name, the engine makes one of the stack's name.
    request.setdefault("TableName", "of-a-stack")
    # The engine has added the tags that AWS reserves for stacks.
    request["Tags"] = [tag for tag in request.get("Tags", []) if not str(tag.get("Key")).startswith(_OF_STACKS)]
    encryption = request.pop("SSESpecification", None)
    if encryption:
        request["SSESpecification"] = {
            "Enabled": encryption.get("SSEEnabled"),
            **_without(encryption, "SSEEnabled"),
        }
    return _without(request, "StreamSpecification", "TimeToLiveSpecification", "PointInTimeRecoverySpecification")


def _check_absent(name: str | None) -> None:
    """The engine would replace the table and lose its rows."""
    if name and name in engine.dynamodb._tables:
        raise ValueError(f"Resource of type '{_KIND}' with identifier '{name}' already exists.")


def _check_index_changes(old: Data, new: Data) -> None:
    before, after = _indexes(old), _indexes(new)
    if len(before.keys() ^ after.keys()) > 1:
        raise ValueError("Cannot perform more than one GSI creation or deletion in a single update")
    for name in before.keys() & after.keys():
        if any(before[name].get(part) != after[name].get(part) for part in ("KeySchema", "Projection")):
            raise ValueError(
                "Cannot update GSI's properties other than Provisioned Throughput and Contributor Insights "
                "Specification. You can create a new GSI with a different name."
            )


def _indexes(properties: Data) -> dict[str, Data]:
    return {index["IndexName"]: index for index in properties.get("GlobalSecondaryIndexes") or ()}


def _without(data: Data, *names: str) -> dict[str, Any]:
    return {name: value for name, value in data.items() if name not in names}


def _check_settings(name: str, props: Data) -> None:
    """Runs before anything is made or changed: a refusal afterwards would leave a table behind."""
    if request := _expiry_request(name, props):
        check_constraints("UpdateTimeToLive", request)
        expiry.check_change(request, {"TableName": name})
    if request := _recovery_request(name, props):
        recovery.check_change(request)


def _apply_settings(name: str, props: Data) -> None:
    table = engine.dynamodb._tables[name]
    table["SSEDescription"] = engine.dynamodb._sse_description_from_spec(
        {"Enabled": True} if (props.get("SSESpecification") or {}).get("SSEEnabled") else None
    )
    if table_class := props.get("TableClass"):
        table["TableClassSummary"] = {"TableClass": table_class}
    if limits := props.get("OnDemandThroughput"):
        table["OnDemandThroughput"] = limits
    if request := _expiry_request(name, props):
        _check_reply(engine.dynamodb._update_ttl(request))
    if request := _recovery_request(name, props):
        _check_reply(engine.dynamodb._update_continuous_backups(request))
        table[recovery.DAYS] = request[recovery.SETTING].get(recovery.DAYS, recovery.MOST_DAYS)


def _expiry_request(name: str, props: Data) -> dict[str, Any] | None:
    """None if the expiry stays as it is."""
    wanted = props.get("TimeToLiveSpecification") or {"Enabled": False}
    present = engine.dynamodb._ttl_settings.get(name) or {}
    enabled = present.get("TimeToLiveStatus") == "ENABLED"
    is_other_name = enabled and wanted.get("AttributeName") != present.get("AttributeName")
    if "TimeToLiveSpecification" not in props or (wanted.get("Enabled") == enabled and not is_other_name):
        return None
    return {"TableName": name, "TimeToLiveSpecification": wanted}


def _recovery_request(name: str, props: Data) -> dict[str, Any] | None:
    wanted = props.get(recovery.SETTING)
    return {"TableName": name, recovery.SETTING: wanted} if wanted else None


def _check_reply(reply: tuple[int, dict[str, str], bytes]) -> None:
    if reply[0] >= 300:
        raise ValueError(f"The table's settings were refused: {reply[2]!r}")
