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
from emulator.cognito import schema, user_pool_patches
from emulator.functions import http_api, resources
from emulator.rows import (
    capacity,
    index_keys,
    key_updates,
    pages,
    programs,
    reads,
    row_writes,
    statements,
    wide_partitions,
    writes,
)
from emulator.server import recorded_resources, role_policies, template_checks, template_values
from emulator.server.engine_signatures import PARAMETERS
from emulator.tables import names, templates

VERSION = "1.5.33"


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


def _check_people() -> None:
    engine.around_resource("AWS::IAM::Policy", check=role_policies.check_managed_policy)
    engine.around_resource("AWS::IAM::User", check=role_policies.check_user)


PATCHES = (
    Patch(
        "provisioners._iam_role_create",
        engine_does="ignores the PermissionsBoundary of a role in a template, and accepts any text as a policy",
        aws_does="limits the role by it, and refuses an invalid policy",
        apply=lambda: engine.around_resource(
            "AWS::IAM::Role", check=role_policies.check_role, complete=role_policies.set_boundary
        ),
    ),
    Patch(
        "provisioners._iam_managed_policy_create",
        engine_does="accepts any text as a policy",
        aws_does="refuses an invalid policy",
        apply=lambda: engine.around_resource("AWS::IAM::ManagedPolicy", check=role_policies.check_managed_policy),
    ),
    Patch(
        "provisioners._iam_policy_create",
        engine_does="accepts any text as a policy, and any name as a managed policy; so does _iam_user_create",
        aws_does="refuses an invalid or unknown policy",
        apply=_check_people,
    ),
    Patch(
        "provisioners._ddb_create",
        engine_does="accepts any definition, and ignores class, maxima on demand, expiry, recovery and encryption",
        aws_does="checks it as CreateTable does, and applies all of them",
        apply=templates.register_tables,
    ),
    Patch(
        "dynamodb._validate_data_plane_table_name",
        engine_does="takes names of one and two characters for unknown tables in operations on rows",
        aws_does="refuses names below three characters",
        apply=names.apply,
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
        "dynamodb._evaluate_condition",
        engine_does="evaluates expressions and legacy parameters while it reads their text, with 28 digits",
        aws_does="reads and checks them first, as emulator/expressions/ does, and evaluates with 38 digits",
        apply=programs.apply,
    ),
    Patch(
        "dynamodb._add_consumed_capacity",
        engine_does="counts every read as one block, and none in batches",
        aws_does="counts blocks of 4 KB, for each table and index",
        apply=capacity.apply,
    ),
    Patch(
        "dynamodb._index_key_empty_reason",
        engine_does="stores any length of an attribute that is the key of an index",
        aws_does="refuses more than 2048 bytes of a partition key and more than 1024 of a sort key",
        apply=index_keys.apply,
    ),
    Patch(
        "dynamodb._paginate_evaluated_items",
        engine_does="filters by attributes that an index lacks, and never fetches any for a local index",
        aws_does="filters what the index holds, and fetches the rest from the table for a local index",
        apply=pages.apply,
    ),
    Patch(
        "dynamodb._query",
        engine_does="tests the expressions of reads only on the rows that it finds",
        aws_does="tests them before it reads",
        apply=reads.apply,
    ),
    Patch(
        "dynamodb._update_item",
        engine_does="finds some mistakes in a write only while it writes, and others not at all",
        aws_does="tests everything before it writes anything",
        apply=writes.apply,
    ),
    Patch(
        "dynamodb._execute_statement",
        engine_does="takes an empty list of parameters",
        aws_does="refuses it",
        apply=statements.apply,
    ),
    Patch(
        "provisioners._cognito_user_pool_client_create",
        engine_does="ignores RefreshTokenRotation",
        aws_does="issues a new refresh token with every refresh",
        apply=lambda: engine.around_resource("AWS::Cognito::UserPoolClient", complete=user_pool_patches.set_rotation),
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
        "provisioners._cognito_user_pool_attributes",
        engine_does="lacks the attribute ProviderURL of a user pool in a template",
        aws_does="has it",
        apply=user_pool_patches.add_provider_url,
    ),
    Patch(
        "provisioners._cognito_user_pool_create",
        engine_does="accepts triggers that the emulator never calls",
        aws_does="calls all of them",
        apply=user_pool_patches.refuse_unsupported_triggers,
    ),
    Patch(
        "cognito._normalize_schema_attribute",
        engine_does="stores any type and limits of an attribute",
        aws_does="refuses limits that are no numbers, too large or in the wrong order, and changed standard attributes",
        apply=schema.check_attributes_of_schemas,
    ),
    Patch(
        "cognito._client_id",
        engine_does="makes ids and secrets of clients with characters that AWS's own model refuses",
        aws_does="makes them of small letters and digits",
        apply=user_pool_patches.name_clients_as_aws_does,
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
    Patch(
        "provisioners._RESOURCE_HANDLERS",
        engine_does='takes a text for a boolean, so that "false" is true, and values that the API refuses',
        aws_does="reads texts as the booleans and numbers that they spell, and checks values as the API does",
        apply=template_values.give_values_types,
    ),
    Patch(
        "stack_handlers.validate_template_support",
        engine_does="accepts hundreds of resource types, and ignores properties that it does not know",
        aws_does="serves all of them; here those without effect are refused by name",
        apply=template_checks.refuse_unserved,
    ),
    Patch(
        "stack_handlers._resolve_parameters",
        engine_does="ignores unknown parts of a template and macros, and compares functions in conditions as text",
        aws_does="refuses them, and evaluates the functions",
        apply=template_checks.check_before_reading,
    ),
)
