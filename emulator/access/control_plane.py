"""The IAM checks of calls that do not touch rows: user pools, identity pools, IAM itself and stacks.

Each check is `service:Operation` on the most precise ARN that the call names, or `*` if it names none (Service
Authorization Reference). Deploying a stack needs further permissions of the caller on AWS; here only root may do it.
"""

from collections.abc import Mapping
from typing import Any

from emulator import engine
from emulator.access.checks import Check
from emulator.access.principals import Principal, Root, Session
from emulator.wire import AwsError

Data = Mapping[str, Any]

_TAG_OPERATIONS = frozenset({"TagResource", "UntagResource", "ListTagsForResource"})
_WITHOUT_POOL = frozenset({
    "CreateUserPool", "ListUserPools", "DescribeUserPoolDomain",
    "CreateIdentityPool", "ListIdentityPools", "DescribeIdentity",
})  # fmt: skip
# The operation's name says what it acts on. A parameter that the operation ignores must not decide.
_IAM_RESOURCES = (
    ("InstanceProfile", None, ""),
    ("Role", "RoleName", "role"),
    ("Group", "GroupName", "group"),
    ("User", "UserName", "user"),
    ("AccessKey", "UserName", "user"),
    ("LoginProfile", "UserName", "user"),
)
# Without a user name, these act on the user whose key signed the request.
_OF_THE_CALLER = frozenset({"GetUser", "ListAccessKeys", "CreateAccessKey", "UpdateAccessKey", "DeleteAccessKey"})
STACK_READS = frozenset({
    "DescribeStacks", "DescribeStackEvents", "DescribeStackResource", "DescribeStackResources", "ListStackResources",
    "GetTemplate", "GetTemplateSummary", "ListStacks", "ValidateTemplate",
})  # fmt: skip


def user_pool_checks(operation: str, data: Data) -> list[Check]:
    return [
        Check(f"cognito-idp:{operation}", _pool_arn("cognito-idp", "userpool", operation, data.get("UserPoolId"), data))
    ]


def identity_pool_checks(operation: str, data: Data) -> list[Check]:
    arn = _pool_arn("cognito-identity", "identitypool", operation, data.get("IdentityPoolId"), data)
    return [Check(f"cognito-identity:{operation}", arn)]


def _pool_arn(service: str, kind: str, operation: str, pool: object, data: Data) -> str:
    if operation in _TAG_OPERATIONS:
        return _refuse_wildcards(str(data.get("ResourceArn") or "")) or "*"
    if operation in _WITHOUT_POOL or not isinstance(pool, str):
        return "*"
    return _refuse_wildcards(f"arn:aws:{service}:{engine.region()}:{engine.ACCOUNT}:{kind}/{pool}")


def name_caller(operation: str, data: Mapping[str, str], principal: Principal) -> Mapping[str, str]:
    """Names the calling user in a request that names nobody. Raises `AwsError` for a role session."""
    if operation not in _OF_THE_CALLER or data.get("UserName") or isinstance(principal, Root):
        return data
    if isinstance(principal, Session):
        raise AwsError("ValidationError", "Must specify userName when calling with non-User credentials")
    return {**data, "UserName": principal.name}


def iam_checks(operation: str, data: Data) -> list[Check]:
    context = {"iam:PolicyARN": str(data["PolicyArn"])} if "PolicyArn" in data else {}
    if "PermissionsBoundary" in data:
        context["iam:PermissionsBoundary"] = str(data["PermissionsBoundary"])
    return [Check(f"iam:{operation}", _iam_arn(operation, data), context)]


def _iam_arn(operation: str, data: Data) -> str:
    for word, member, kind in _IAM_RESOURCES:
        if word in operation:
            name = data.get(member) if member else None
            return _iam_resource_arn(kind, str(name), str(data.get("Path") or "/")) if name else "*"
    if "Policy" in operation and (arn := data.get("PolicyArn")):
        return _refuse_wildcards(str(arn))
    if operation == "CreatePolicy":
        return _refuse_wildcards(
            f"arn:aws:iam::{engine.ACCOUNT}:policy{data.get('Path') or '/'}{data.get('PolicyName')}"
        )
    return "*"


def _iam_resource_arn(kind: str, name: str, path: str) -> str:
    stores = {"role": engine.iam._roles, "user": engine.iam._users, "group": engine.iam._groups}
    record = stores[kind].get(name)
    return str(record["Arn"]) if record else _refuse_wildcards(f"arn:aws:iam::{engine.ACCOUNT}:{kind}{path}{name}")


def stack_checks(operation: str, data: Data) -> list[Check]:
    if operation not in STACK_READS:
        raise AwsError("AccessDenied", f"Only the root of the account may call cloudformation:{operation} here.", 403)
    return [Check(f"cloudformation:{operation}", _stack_arn(str(data.get("StackName") or "")))]


def _stack_arn(name: str) -> str:
    if not name:
        return "*"
    if name.startswith("arn:"):
        return _refuse_wildcards(name)
    stack = engine.cloudformation._stacks.get(name)
    fallback = f"arn:aws:cloudformation:{engine.region()}:{engine.ACCOUNT}:stack/{name}/unknown"
    return str(stack["StackId"]) if stack else _refuse_wildcards(fallback)


def _refuse_wildcards(arn: str) -> str:
    """Returns the ARN. A resource is a single thing, and no existing resource has a wildcard in its name."""
    if any(character in arn for character in "*?\n"):
        raise AwsError("ValidationError", "A name in the request contains a character that is not allowed.")
    return arn
