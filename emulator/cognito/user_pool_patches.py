"""Patches to the engine's user pools. `emulator.server.patches` says what the engine does and what AWS does."""

import secrets
import string
from collections.abc import Callable, Mapping
from typing import Any

from emulator import engine
from emulator.cognito.passwords import check_new_password
from emulator.cognito.pools import find_client, find_pool
from emulator.cognito.triggers import check_supported
from emulator.cognito.user_index import index_of
from emulator.wire import AwsError

Created = tuple[str, dict[str, Any]]


def refuse_unsupported_triggers() -> None:
    def check(properties: Mapping[str, Any]) -> None:
        check_supported(properties.get("LambdaConfig"))

    engine.around_resource("AWS::Cognito::UserPool", check=check)


def add_provider_url() -> None:
    attributes_of = engine.provisioners._cognito_user_pool_attributes

    def attributes(pool_id: str) -> dict[str, str]:
        found: dict[str, str] = attributes_of(pool_id)
        return {**found, "ProviderURL": f"https://{found['ProviderName']}"}

    engine.provisioners._cognito_user_pool_attributes = attributes


def find_users_by_index() -> None:
    def resolve_by_index(pool: dict[str, Any], username: Any) -> Any:
        user = index_of(pool).find(username) if isinstance(username, str) else None
        if user is None:
            return None, engine.cognito.error_response_json("UserNotFoundException", "User does not exist.", 400)
        return user, None

    engine.cognito._resolve_user = resolve_by_index


def report_first_password_error() -> None:
    def validate(pool: dict[str, Any], password: Any) -> Any:
        try:
            check_new_password(pool, str(password))
        except AwsError as failure:
            return engine.cognito.error_response_json(failure.code, failure.message, failure.status)
        return None

    engine.cognito._validate_password = validate


def name_clients_as_aws_does() -> None:
    characters = string.ascii_lowercase + string.digits

    def random_text(length: int) -> Callable[[], str]:
        return lambda: "".join(secrets.choice(characters) for _ in range(length))

    engine.cognito._client_id, engine.cognito._client_secret = random_text(26), random_text(51)


def skip_token_trigger() -> None:
    def keep_claims(*, claims: dict[str, Any], **_rest: Any) -> dict[str, Any]:
        return claims

    engine.cognito._apply_pretoken_trigger = keep_claims


def set_rotation(client_id: str, props: Mapping[str, Any]) -> None:
    client = find_client(client_id)
    if client is None:
        raise ValueError(f"The client {client_id} does not exist.")
    client.record["RefreshTokenRotation"] = dict(props.get("RefreshTokenRotation") or {})


def add_branding() -> None:
    def create_resource(logical_id: str, props: Mapping[str, Any], stack_name: str) -> Created:
        branding = f"{stack_name}-{logical_id}"
        return f"{props['UserPoolId']}|{branding}", {"ManagedLoginBrandingId": branding}

    def update_resource(
        physical_id: str, _old: Mapping[str, Any], _new: Mapping[str, Any], _stack_name: str
    ) -> Created:
        return physical_id, {"ManagedLoginBrandingId": physical_id.partition("|")[2]}

    def delete_resource(_physical_id: str, _props: Mapping[str, Any]) -> None:
        """Branding has no stored state."""

    handlers = {"create": create_resource, "update": update_resource, "delete": delete_resource}
    engine.provisioners._RESOURCE_HANDLERS["AWS::Cognito::ManagedLoginBranding"] = handlers


def add_risk_configuration() -> None:
    def create_resource(_logical_id: str, props: Mapping[str, Any], _stack_name: str) -> Created:
        return _set_risk(props), {}

    def update_resource(
        _physical_id: str, _old: Mapping[str, Any], new: Mapping[str, Any], _stack_name: str
    ) -> Created:
        return _set_risk(new), {}

    def delete_resource(physical_id: str, _props: Mapping[str, Any]) -> None:
        pool = find_pool(physical_id.partition("|")[2])
        if pool is not None:
            pool.pop("RiskConfiguration", None)

    handlers = {"create": create_resource, "update": update_resource, "delete": delete_resource}
    engine.provisioners._RESOURCE_HANDLERS["AWS::Cognito::UserPoolRiskConfigurationAttachment"] = handlers


def _set_risk(props: Mapping[str, Any]) -> str:
    """Stored, and not enforced: no list of breached passwords is here."""
    pool = find_pool(str(props["UserPoolId"]))
    if pool is None:
        raise ValueError(f"The user pool {props['UserPoolId']} does not exist.")
    if (pool.get("UserPoolAddOns") or {}).get("AdvancedSecurityMode", "OFF") == "OFF":
        raise ValueError("UserPoolAddOnNotEnabledException: threat protection is off in this user pool.")
    pool["RiskConfiguration"] = {key: value for key, value in props.items() if key != "UserPoolId"}
    return f"UserPoolRiskConfigurationAttachment|{props['UserPoolId']}"


def delete_empty_attributes() -> None:
    merge = engine.cognito._merge_attributes

    def merge_and_drop_empty(existing: list[dict[str, str]], updates: list[dict[str, str]]) -> list[dict[str, str]]:
        return [entry for entry in merge(existing, updates) if entry.get("Value") not in ("", None)]

    engine.cognito._merge_attributes = merge_and_drop_empty


def run_without_threads() -> None:
    async def run(function: Callable[..., Any], *arguments: Any, thread_name: str) -> Any:  # noqa: ARG001
        return function(*arguments)

    engine.cognito.run_reentrant = run
