"""All patches to MiniStack, each with what the engine does and what AWS does, and a check of MiniStack's version.

Nothing is patched or served unless the version and all listed signatures match. For a new version, someone must review
this file. Most gaps of the engine need no patch, because this package handles the requests first.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from emulator import engine
from emulator.cognito import user_pool_patches
from emulator.functions import http_api, resources
from emulator.rows import expressions, key_updates, row_writes, transactions, wide_partitions
from emulator.server import recorded_resources
from emulator.server.engine_signatures import PARAMETERS
from iam import Policy, UnsupportedPolicy, parse_policy, parse_trust_policy

VERSION = "1.5.33"

Created = tuple[str, dict[str, Any]]


class WrongEngine(Exception):
    """The installed MiniStack is not the expected one. The message says how they differ."""


@dataclass(frozen=True, slots=True)
class Patch:
    """`replaces` names the engine's function that is wrapped or, for an addition, the table that it is added to."""

    replaces: str
    engine_does: str
    aws_does: str
    apply: Callable[[], None]


def apply_all() -> None:
    """Raises `WrongEngine` before it changes anything."""
    check(version("ministack"), PARAMETERS)
    for patch in PATCHES:
        patch.apply()


def check(installed: str, signatures: Mapping[str, str]) -> None:
    if installed != VERSION:
        raise WrongEngine(f"MiniStack {VERSION} is needed, {installed} is installed.")
    for name, wanted in signatures.items():
        module, _, function = name.partition(".")
        found = getattr(getattr(engine, module), function, None)
        if found is None:
            raise WrongEngine(f"MiniStack {installed} has no {name}.")
        actual = " ".join(inspect.signature(found).parameters) if callable(found) else f"<{type(found).__name__}>"
        if actual != wanted:
            raise WrongEngine(f"{name} of MiniStack {installed} is ({actual}), not ({wanted}).")


# ── Stacks ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _wrap_handlers(resource_type: str, after: Callable[[str, Mapping[str, Any]], None]) -> Callable[[], None]:
    """Runs `after(physical id, properties)` once a resource of this type has been created or updated."""

    def apply() -> None:
        handlers = engine.provisioners._RESOURCE_HANDLERS[resource_type]
        create, update = handlers["create"], handlers["update"]

        def create_resource(logical_id: str, props: dict[str, Any], stack_name: str) -> Created:
            result: Created = create(logical_id, props, stack_name)
            after(result[0], props)
            return result

        def update_resource(
            physical_id: str, old: dict[str, Any], new: dict[str, Any], stack_name: str, logical_id: str | None = None
        ) -> Created:
            result: Created = update(physical_id, old, new, stack_name, logical_id)
            after(result[0], new)
            return result

        handlers.update(create=create_resource, update=update_resource)

    return apply


def _complete_role(role_name: str, props: Mapping[str, Any]) -> None:
    engine.iam._roles[role_name]["PermissionsBoundary"] = props.get("PermissionsBoundary", "")
    _check_policy(parse_trust_policy, props["AssumeRolePolicyDocument"], role_name)
    for policy in props.get("Policies") or []:
        _check_policy(parse_policy, policy["PolicyDocument"], policy["PolicyName"])


def _check_managed_policy(arn: str, props: Mapping[str, Any]) -> None:
    _check_policy(parse_policy, props["PolicyDocument"], arn)


def _check_policy(parse: Callable[..., Policy], document: Any, name: str) -> None:
    try:
        parse(document, name=name)
    except UnsupportedPolicy as failure:
        raise ValueError(str(failure)) from failure


def _apply_table_settings(name: str, props: Mapping[str, Any]) -> None:
    table = engine.dynamodb._tables[name]
    table["SSEDescription"] = engine.dynamodb._sse_description_from_spec(
        {"Enabled": True} if _is_true((props.get("SSESpecification") or {}).get("SSEEnabled")) else None
    )
    if limits := props.get("OnDemandThroughput"):
        table["OnDemandThroughput"] = {name: int(units) for name, units in limits.items()}
    if expiry := props.get("TimeToLiveSpecification"):
        enabled = _is_true(expiry.get("Enabled"))
        _check_reply(engine.dynamodb._update_ttl({
            "TableName": name,
            "TimeToLiveSpecification": {"AttributeName": expiry["AttributeName"], "Enabled": enabled},
        }))  # fmt: skip
    if recovery := props.get("PointInTimeRecoverySpecification"):
        enabled = _is_true(recovery.get("PointInTimeRecoveryEnabled"))
        _check_reply(engine.dynamodb._update_continuous_backups({
            "TableName": name,
            "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": enabled},
        }))  # fmt: skip


def _check_reply(reply: tuple[int, dict[str, str], bytes]) -> None:
    if reply[0] >= 300:
        raise ValueError(f"The table's settings were refused: {reply[2]!r}")


def _is_true(value: object) -> bool:
    return value is True or str(value).lower() == "true"


# ── IAM ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _add_default_version() -> None:
    def set_default(parameters: Mapping[str, list[str]]) -> Any:
        arn, wanted = parameters.get("PolicyArn", [""])[0], parameters.get("VersionId", [""])[0]
        policy = engine.iam._policies.get(arn)
        if policy is None or wanted not in policy["Versions"]:
            return engine.iam._error(404, "NoSuchEntity", f"Policy {arn} version {wanted} does not exist.")
        for version_id, entry in policy["Versions"].items():
            entry["IsDefaultVersion"] = version_id == wanted
        policy["DefaultVersionId"] = wanted
        return engine.iam._xml(200, "SetDefaultPolicyVersionResponse", "")

    engine.iam._IAM_HANDLERS["SetDefaultPolicyVersion"] = set_default


PATCHES = (
    Patch(
        "provisioners._iam_role_create",
        engine_does="ignores the PermissionsBoundary of a role in a template, and accepts any text as a policy",
        aws_does="limits the role by it, and refuses an invalid policy",
        apply=_wrap_handlers("AWS::IAM::Role", _complete_role),
    ),
    Patch(
        "provisioners._iam_managed_policy_create",
        engine_does="accepts any text as a policy",
        aws_does="refuses an invalid policy",
        apply=_wrap_handlers("AWS::IAM::ManagedPolicy", _check_managed_policy),
    ),
    Patch(
        "provisioners._ddb_create",
        engine_does="ignores OnDemandThroughput, and the specifications of expiry, recovery and encryption",
        aws_does="applies all four",
        apply=_wrap_handlers("AWS::DynamoDB::Table", _apply_table_settings),
    ),
    Patch(
        "provisioners._apigw_v2_api_create",
        engine_does="serves an HTTP API without IAM, with its own router and functions",
        aws_does="asks IAM about the path of a request, as http_api_requests.py does",
        apply=http_api.register_resources,
    ),
    Patch(
        "dynamodb._set_item",
        engine_does="changes rows without reporting it; so do _remove_item and _items_replaced",
        aws_does="stores them on disk; with --state the emulator does too",
        apply=row_writes.apply,
    ),
    Patch(
        "dynamodb._query",
        engine_does="sorts and tests all rows of a partition for every page, however large the partition is",
        aws_does="reads only the rows of the page",
        apply=wide_partitions.apply,
    ),
    Patch(
        "dynamodb._query",
        engine_does="accepts OR, NOT and <> in a condition on keys, and reads its first parts only",
        aws_does="accepts only AND and the operators that a sort key can be searched by",
        apply=expressions.refuse_in_queries,
    ),
    Patch(
        "dynamodb._get_item",
        engine_does="tests a projection or filter only on a row that it finds; so does _scan",
        aws_does="tests it before it reads",
        apply=expressions.refuse_in_single_reads,
    ),
    Patch(
        "dynamodb._batch_get_item",
        engine_does="raises an exception for a projection with a reserved word",
        aws_does="refuses it with ValidationException, even if no row is found",
        apply=expressions.refuse_in_batches,
    ),
    Patch(
        "dynamodb._transact_get_items",
        engine_does="raises an exception for a projection whose paths overlap",
        aws_does="refuses it with ValidationException, even if no row is found",
        apply=expressions.refuse_in_transactions,
    ),
    Patch(
        "dynamodb._evaluate_condition",
        engine_does="calls every expression with a reserved word an UpdateExpression",
        aws_does="names the expression",
        apply=expressions.name_conditions,
    ),
    Patch(
        "provisioners._cognito_user_pool_client_create",
        engine_does="ignores RefreshTokenRotation",
        aws_does="issues a new refresh token with every refresh",
        apply=_wrap_handlers("AWS::Cognito::UserPoolClient", user_pool_patches.set_rotation),
    ),
    Patch(
        "provisioners._RESOURCE_HANDLERS",
        engine_does="refuses a template with an AWS::Cognito::ManagedLoginBranding",
        aws_does="styles the hosted pages with it; the pages here have their own style",
        apply=user_pool_patches.add_branding,
    ),
    Patch(
        "provisioners._RESOURCE_HANDLERS",
        engine_does="refuses NAT gateways and given subnets, and starts containers for tasks and databases",
        aws_does="runs them; here they are only recorded",
        apply=recorded_resources.register_recorded,
    ),
    Patch(
        "provisioners._RESOURCE_HANDLERS",
        engine_does="gives a secret's name as its reference, and punctuation to one that excludes it",
        aws_does="gives its ARN, and letters and digits",
        apply=recorded_resources.register_secrets,
    ),
    Patch(
        "provisioners._RESOURCE_HANDLERS",
        engine_does="refuses a template with an AWS::Cognito::UserPoolRiskConfigurationAttachment",
        aws_does="refuses breached passwords by it; here it is stored only",
        apply=user_pool_patches.add_risk_configuration,
    ),
    Patch(
        "provisioners._lambda_create",
        engine_does="needs an archive in S3, and runs it in a separate process or container",
        aws_does="runs the template's folder after packaging; here that folder runs unpackaged",
        apply=resources.register_functions,
    ),
    Patch(
        "provisioners._lambda_permission_create",
        engine_does="adds a statement to its own function",
        aws_does="lets only the named service invoke the function",
        apply=resources.register_permissions,
    ),
    Patch(
        "dynamodb._update_item",
        engine_does="lets AttributeUpdates change the key of an item that does not exist yet",
        aws_does="refuses to update a key attribute",
        apply=key_updates.refuse_in_update_item,
    ),
    Patch(
        "dynamodb._transact_write_action_error",
        engine_does="lets an Update in a transaction change an item's key",
        aws_does="refuses to update a key attribute",
        apply=key_updates.refuse_in_transactions,
    ),
    Patch(
        "dynamodb._transact_write_action_error",
        engine_does="applies the actions before one without an item or key, and then raises an exception",
        aws_does="refuses the transaction, and applies nothing",
        apply=transactions.refuse_incomplete_actions,
    ),
    Patch(
        "dynamodb._partiql_update",
        engine_does="lets an UPDATE statement change an item's key",
        aws_does="refuses to update a key attribute",
        apply=key_updates.refuse_in_statements,
    ),
    Patch(
        "iam._IAM_HANDLERS",
        engine_does="has no SetDefaultPolicyVersion",
        aws_does="has one",
        apply=_add_default_version,
    ),
    Patch(
        "provisioners._cognito_user_pool_create",
        engine_does="accepts triggers that the emulator never calls",
        aws_does="calls all of them",
        apply=user_pool_patches.refuse_unsupported_triggers,
    ),
    Patch(
        "cognito._resolve_user",
        engine_does="matches case in every pool, and scans all users for an address",
        aws_does="matches case only if the pool says so, and uses an index",
        apply=user_pool_patches.find_users_by_index,
    ),
    Patch(
        "cognito._validate_password",
        engine_does="names everything that a password lacks, in its own words",
        aws_does="names only the first missing item",
        apply=user_pool_patches.report_first_password_error,
    ),
    Patch(
        "cognito._apply_pretoken_trigger",
        engine_does="runs the PreTokenGeneration function for its own tokens, which ours replace",
        aws_does="runs it once for the tokens that it issues",
        apply=user_pool_patches.skip_token_trigger,
    ),
    Patch(
        "cognito.run_reentrant",
        engine_does="runs each call in a new thread, on dictionaries that another thread may be changing",
        aws_does="isolates calls from each other",
        apply=user_pool_patches.run_without_threads,
    ),
    Patch(
        "cognito._merge_attributes",
        engine_does="stores an empty attribute",
        aws_does="deletes an attribute when an empty value is written",
        apply=user_pool_patches.delete_empty_attributes,
    ),
)
