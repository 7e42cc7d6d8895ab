"""Lets stacks create `AWS::Lambda::Function` and `AWS::Lambda::Permission` in `lambdas`."""

from collections.abc import Mapping
from typing import Any

from emulator import engine
from emulator.functions import lambdas

Created = tuple[str, dict[str, Any]]


def register_functions() -> None:
    def create(logical_id: str, props: Mapping[str, Any], stack_name: str) -> Created:
        name = str(props.get("FunctionName") or f"{stack_name}-{logical_id}"[:64])
        return name, {"Arn": lambdas.put_function(name, props).arn}

    def update(physical_id: str, _old: Mapping[str, Any], new: Mapping[str, Any], _stack_name: str) -> Created:
        return physical_id, {"Arn": lambdas.put_function(physical_id, new).arn}

    def delete(physical_id: str, _props: Mapping[str, Any]) -> None:
        lambdas.delete_function(physical_id)

    handlers = {"create": create, "update": update, "delete": delete}
    engine.provisioners._RESOURCE_HANDLERS["AWS::Lambda::Function"] = handlers


def register_permissions() -> None:
    def create(logical_id: str, props: Mapping[str, Any], stack_name: str) -> Created:
        statement_id = f"{stack_name}-{logical_id}"
        lambdas.put_permission(statement_id, props)
        return statement_id, {}

    def update(physical_id: str, _old: Mapping[str, Any], new: Mapping[str, Any], _stack_name: str) -> Created:
        lambdas.delete_permission(physical_id)
        lambdas.put_permission(physical_id, new)
        return physical_id, {}

    def delete(physical_id: str, _props: Mapping[str, Any]) -> None:
        lambdas.delete_permission(physical_id)

    handlers = {"create": create, "update": update, "delete": delete}
    engine.provisioners._RESOURCE_HANDLERS["AWS::Lambda::Permission"] = handlers
