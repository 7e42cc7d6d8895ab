"""Runs an AWS call: authenticates it, asks whether it is allowed, then lets the service run it.

Each service has one method, which says which operations may be unsigned, which checks they need, and what runs them.
"""

import json
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from emulator import engine
from emulator.access import sts
from emulator.access.authorization import authorize
from emulator.access.checks import Check
from emulator.access.control_plane import (
    STACK_READS,
    iam_checks,
    identity_pool_checks,
    name_caller,
    stack_checks,
    user_pool_checks,
)
from emulator.access.dynamodb_requests import checks_for, is_operation
from emulator.access.iam_records import snapshot_before
from emulator.access.policy_documents import check_documents
from emulator.access.principals import Principal, Root, Sessions
from emulator.access.request_constraints import check_constraints
from emulator.access.service_model import parse_request
from emulator.access.signing import Keyring, code_for
from emulator.cognito import identity_pool
from emulator.cognito.user_pool import SELF_SERVICE, UserPoolApi
from emulator.expressions.errors import Invalid
from emulator.server.answers import leave_out_empty
from emulator.server.api_settings import check_form_settings, check_settings
from emulator.server.calls import UNSIGNED_IDENTITY, WITH_WEB_IDENTITY, Call
from emulator.tables import operations as tables
from emulator.wire import AwsError, Reply, refusing

_DYNAMODB = {
    "BatchExecuteStatement", "BatchGetItem", "BatchWriteItem", "CreateTable", "DeleteItem", "DeleteTable",
    "DescribeContinuousBackups", "DescribeEndpoints", "DescribeLimits", "DescribeTable", "ExecuteStatement",
    "ExecuteTransaction", "GetItem", "ListTables", "PutItem", "Query", "Scan", "TagResource", "TransactGetItems",
    "TransactWriteItems", "UntagResource", "UpdateContinuousBackups", "UpdateItem", "UpdateTable",
}  # fmt: skip
_DYNAMODB_IRREGULAR = {
    "DescribeTimeToLive": "_describe_ttl",
    "UpdateTimeToLive": "_update_ttl",
    "ListTagsOfResource": "_list_tags",
}
DYNAMODB_HANDLERS = {
    **{name: "_" + re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower() for name in sorted(_DYNAMODB)},
    **_DYNAMODB_IRREGULAR,
}

# The engine would answer these with its own policy evaluator, which does not decide here.
NOT_SIMULATED = frozenset({"SimulateCustomPolicy", "SimulatePrincipalPolicy"})
_IDENTITY_ADMIN = frozenset({
    "CreateIdentityPool", "DeleteIdentityPool", "DescribeIdentityPool", "ListIdentityPools", "UpdateIdentityPool",
    "SetIdentityPoolRoles", "GetIdentityPoolRoles", "SetPrincipalTagAttributeMap", "GetPrincipalTagAttributeMap",
    "ListIdentities", "DescribeIdentity", "TagResource", "UntagResource", "ListTagsForResource",
})  # fmt: skip

IDENTITY_OPERATIONS = UNSIGNED_IDENTITY | _IDENTITY_ADMIN


@dataclass
class Operations:
    keyring: Keyring
    sessions: Sessions
    user_pools: UserPoolApi

    async def run(self, call: Call) -> Reply:
        """Raises `AwsError` for every refusal, in the words of the call's protocol."""
        with engine.scope(call.region or engine.DEFAULT_REGION):
            match call.service.signing_name:
                case "dynamodb":
                    return self._dynamodb(call)
                case "cognito-idp":
                    return await self._cognito_idp(call)
                case "cognito-identity":
                    return await self._cognito_identity(call)
                case "iam":
                    return self._iam(call)
                case "cloudformation":
                    return await self._cloudformation(call)
                case "sts":
                    return self._sts(call)
                case other:
                    raise AwsError("UnknownOperationException", f"{other} is not served here.")

    def _caller(self, call: Call) -> Principal:
        try:
            return self.keyring.authenticate(call.incoming, service=call.service.signing_name)
        except AwsError as failure:
            protocol = call.service.protocol
            status = 400 if protocol == "json" else failure.status
            raise AwsError(code_for(failure.code, protocol), failure.message, status, coral=True) from failure

    def _authorize(self, call: Call, principal: Principal, checks: list[Check]) -> None:
        try:
            authorize(principal, checks, call.incoming)
        except AwsError as failure:
            if call.service.protocol == "json":
                raise
            raise AwsError("AccessDenied", failure.message, 403) from failure

    def _dynamodb(self, call: Call) -> Reply:
        principal = self._caller(call)
        if not is_operation(call.operation) and call.service.label == "DynamoDB":
            raise AwsError("UnknownOperationException", f"{call.operation} is no operation of DynamoDB.", coral=True)
        data = parse_request("dynamodb", call.operation, call.data)
        if not isinstance(principal, Root):
            self._authorize(call, principal, checks_for(call.operation, data))
        handler = DYNAMODB_HANDLERS.get(call.operation)
        if handler is None or call.service.label != "DynamoDB":
            raise AwsError("UnknownOperationException", f"{call.operation} is not served here.", coral=True)
        check_settings(call.operation, data)
        status, headers, body = tables.run(
            call.operation, data, lambda request: _run_in_dynamodb(handler, call.operation, request)
        )
        if status >= 400:
            raise _dynamodb_error(status, json.loads(body))
        checksum = str(zlib.crc32(body) & 0xFFFFFFFF)
        return Reply(status, body, (*headers.items(), ("x-amz-crc32", checksum)))

    async def _cognito_idp(self, call: Call) -> Reply:
        principal = None if call.operation in SELF_SERVICE else self._caller(call)
        data = parse_request("cognito-idp", call.operation, call.data)
        if principal is not None:
            self._authorize(call, principal, user_pool_checks(call.operation, data))
        check_settings(call.operation, data)
        check_constraints("cognito-idp", call.operation, data)
        return leave_out_empty(call.operation, _json_1_1(await self.user_pools.run(call.operation, data)))

    async def _cognito_identity(self, call: Call) -> Reply:
        principal = None if call.operation in UNSIGNED_IDENTITY else self._caller(call)
        call = replace(call, data=parse_request("cognito-identity", call.operation, call.data))
        if principal is None:
            check_constraints("cognito-identity", call.operation, call.data)
            return self._federate(call)
        self._authorize(call, principal, identity_pool_checks(call.operation, call.data))
        if call.operation not in _IDENTITY_ADMIN:
            raise AwsError("UnknownOperationException", f"{call.operation} is not served here.")
        check_settings(call.operation, call.data)
        check_constraints("cognito-identity", call.operation, call.data)
        identity_pool.check_setting(call.operation, call.data)
        with refusing(call.operation, "InvalidParameterException", "A parameter of the request is invalid."):
            reply = _reply(await engine.cognito._dispatch_identity(call.operation, call.data))
        return leave_out_empty(call.operation, _json_1_1(reply))

    def _federate(self, call: Call) -> Reply:
        named = str(call.data.get("IdentityPoolId") or call.data.get("IdentityId") or "")
        with engine.scope(engine.cognito._region_from_identity_id(named)):
            match call.operation:
                case "GetId":
                    return identity_pool.get_id(call.data)
                case "GetCredentialsForIdentity":
                    return identity_pool.get_credentials(call.data, self.sessions, call.incoming)
                case _:
                    return identity_pool.get_open_id_token(call.data)

    def _iam(self, call: Call) -> Reply:
        principal = self._caller(call)
        data = name_caller(call.operation, call.data, principal)
        self._authorize(call, principal, iam_checks(call.operation, data))
        handler = engine.iam._IAM_HANDLERS.get(call.operation)
        if handler is None or call.operation in NOT_SIMULATED:
            raise AwsError("InvalidAction", f"{call.operation} is not served here.")
        check_documents(call.operation, data)
        snapshot_before(call.operation)
        with refusing(call.operation, "ValidationError", "A parameter of the request has the wrong type."):
            return _reply(handler(_as_lists(data)))

    async def _cloudformation(self, call: Call) -> Reply:
        principal = self._caller(call)
        if not isinstance(principal, Root):
            self._authorize(call, principal, stack_checks(call.operation, call.data))
        check_form_settings(call.operation, call.data)
        parameters = _as_lists(call.data)
        if call.operation not in STACK_READS:
            snapshot_before(call.operation)
        with refusing(call.operation, "ValidationError", "Template format error: a part of it has the wrong type."):
            return _reply(await engine.cloudformation.handle_request("POST", "/", {}, b"", parameters))

    def _sts(self, call: Call) -> Reply:
        if call.operation == WITH_WEB_IDENTITY:
            # Its tokens come from the classic flow or from IAM's OIDC providers. Neither is emulated.
            raise AwsError("InvalidIdentityToken", "No OpenIDConnect provider found in your account for this token.")
        principal = self._caller(call)
        if call.operation not in sts.OPERATIONS:
            raise AwsError("InvalidAction", f"{call.operation} is not served here.")
        if call.operation == "GetCallerIdentity":
            return sts.caller_identity(principal)
        check_form_settings(call.operation, call.data)
        return sts.assume_role(call.data, principal, self.sessions, call.incoming)


def _run_in_dynamodb(handler: str, operation: str, data: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
    with refusing(operation, "ValidationException", "One or more parameter values were invalid."):
        try:
            answer: tuple[int, dict[str, str], bytes] = getattr(engine.dynamodb, handler)(data)
        except Invalid as failure:
            raise AwsError("ValidationException", str(failure)) from failure
    return answer


def _reply(answer: tuple[int, Mapping[str, str], bytes | str]) -> Reply:
    status, headers, body = answer
    return Reply(status, body.encode() if isinstance(body, str) else body, tuple(headers.items()))


def _json_1_1(reply: Reply) -> Reply:
    kept = (header for header in reply.headers if header[0].lower() != "content-type")
    return Reply(reply.status, reply.body, (("Content-Type", "application/x-amz-json-1.1"), *kept))


def _as_lists(data: Mapping[str, str]) -> dict[str, list[str]]:
    return {name: [value] for name, value in data.items()}


def _dynamodb_error(status: int, answer: dict[str, Any]) -> AwsError:
    code = str(answer.pop("__type")).rpartition("#")[2]
    message = str(answer.pop("message", "") or answer.pop("Message", ""))
    return AwsError(code, message, status, members=answer)
