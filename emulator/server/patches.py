"""Everything changed about MiniStack, with what it does, what AWS does, and a check that this is the MiniStack meant.

Nothing is patched, and nothing served, unless the version and every signature listed below agree: a new version means
that somebody reads this file again. Most of what the engine lacks needs no patch, because this package stands in
front of it.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from emulator import engine
from emulator.cognito import user_pool_patches
from emulator.functions import http_api, resources
from emulator.rows import key_updates, row_writes, wide_partitions
from emulator.server.engine_signatures import PARAMETERS
from iam import Policy, UnsupportedPolicy, parse_policy, parse_trust_policy

VERSION = "1.5.33"

Created = tuple[str, dict[str, Any]]


class WrongEngine(Exception):
    """The installed MiniStack is not the one this was written for. The message says where they differ."""


@dataclass(frozen=True, slots=True)
class Patch:
    """`replaces` names the function of the engine that is wrapped or, for something new, the table it joins."""

    replaces: str
    engine_does: str
    aws_does: str
    apply: Callable[[], None]


def apply_all() -> None:
    """Raises `WrongEngine` before anything is changed."""
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

        def created(logical_id: str, props: dict[str, Any], stack_name: str) -> Created:
            result: Created = create(logical_id, props, stack_name)
            after(result[0], props)
            return result

        def updated(
            physical_id: str, old: dict[str, Any], new: dict[str, Any], stack_name: str, logical_id: str | None = None
        ) -> Created:
            result: Created = update(physical_id, old, new, stack_name, logical_id)
            after(result[0], new)
            return result

        handlers.update(create=created, update=updated)

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
        raise ValueError(f"The table was not set up: {reply[2]!r}")


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
        engine_does="forgets the PermissionsBoundary of a role in a template, and takes any text for a policy",
        aws_does="limits the role by it, and refuses what is no policy",
        apply=_wrap_handlers("AWS::IAM::Role", _complete_role),
    ),
    Patch(
        "provisioners._iam_managed_policy_create",
        engine_does="takes any text for a policy",
        aws_does="refuses what is no policy",
        apply=_wrap_handlers("AWS::IAM::ManagedPolicy", _check_managed_policy),
    ),
    Patch(
        "provisioners._ddb_create",
        engine_does="ignores TimeToLiveSpecification, PointInTimeRecoverySpecification and SSESpecification",
        aws_does="turns all three on",
        apply=_wrap_handlers("AWS::DynamoDB::Table", _apply_table_settings),
    ),
    Patch(
        "provisioners._apigw_v2_api_create",
        engine_does="serves an HTTP API without IAM, by its own router and its own functions",
        aws_does="asks IAM about the path of a request; http_api_calls.py does",
        apply=http_api.register_resources,
    ),
    Patch(
        "dynamodb._set_item",
        engine_does="changes rows without a word; _remove_item and _items_replaced as well",
        aws_does="keeps them on disks, and so does this with --state",
        apply=row_writes.apply,
    ),
    Patch(
        "dynamodb._query",
        engine_does="sorts and tests all rows of a partition for every page, however long the partition has grown",
        aws_does="reads from where the page begins to where it ends",
        apply=wide_partitions.apply,
    ),
    Patch(
        "provisioners._cognito_user_pool_client_create",
        engine_does="ignores RefreshTokenRotation",
        aws_does="gives a new refresh token with every refresh",
        apply=_wrap_handlers("AWS::Cognito::UserPoolClient", user_pool_patches.set_rotation),
    ),
    Patch(
        "provisioners._RESOURCE_HANDLERS",
        engine_does="refuses a template with an AWS::Cognito::ManagedLoginBranding",
        aws_does="styles the hosted pages by it; the pages here have a style of their own",
        apply=user_pool_patches.add_branding,
    ),
    Patch(
        "provisioners._lambda_create",
        engine_does="wants an archive in S3, and runs it in a process or a container of its own",
        aws_does="takes the template's own folder once it is packaged; here that folder is run as it is",
        apply=resources.register_functions,
    ),
    Patch(
        "provisioners._lambda_permission_create",
        engine_does="adds a statement to a function of its own",
        aws_does="lets the named service invoke the function, and nobody else",
        apply=resources.register_permissions,
    ),
    Patch(
        "dynamodb._update_item",
        engine_does="lets AttributeUpdates give an item that is not there yet another key than its own",
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
        engine_does="takes triggers that nothing here calls",
        aws_does="calls every one of them",
        apply=user_pool_patches.refuse_unsupported_triggers,
    ),
    Patch(
        "cognito._resolve_user",
        engine_does="tells small letters from capitals in every pool, and looks through everybody for an address",
        aws_does="tells them apart only in a pool that says so, and finds one of millions as fast as one of ten",
        apply=user_pool_patches.find_users_by_index,
    ),
    Patch(
        "cognito._validate_password",
        engine_does="names everything that a password lacks, in words of its own",
        aws_does="names the first thing",
        apply=user_pool_patches.report_first_password_error,
    ),
    Patch(
        "cognito._apply_pretoken_trigger",
        engine_does="runs the PreTokenGeneration function for tokens of its own, which are exchanged for ours",
        aws_does="runs it once for what it issues",
        apply=user_pool_patches.skip_token_trigger,
    ),
    Patch(
        "cognito.run_reentrant",
        engine_does="runs each call in a thread of its own, on dictionaries that another thread may be changing",
        aws_does="answers every call as if it were alone",
        apply=user_pool_patches.run_without_threads,
    ),
    Patch(
        "cognito._merge_attributes",
        engine_does="stores an empty attribute",
        aws_does="deletes an attribute that is written empty",
        apply=user_pool_patches.delete_empty_attributes,
    ),
)
