"""Checks lengths, patterns, ranges and possible values of a template's properties, as the API's request checks them.

On AWS the service refuses them while the stack is made. Here they are refused before, as far as the values are known,
and again when the resource is made. By then all are, and they have AWS's types.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from emulator import engine
from emulator.access.request_constraints import Checker, report
from emulator.access.service_model import model_of
from emulator.server.api_settings import NO_FACTOR
from emulator.server.property_types import with_types
from emulator.server.served_settings import SERVED, Either, Unknown

_Shapes = Mapping[str, Mapping[str, Any]]

# The request that makes the resource.
_REQUESTS = {
    "AWS::Cognito::IdentityPool": ("cognito-identity", "CreateIdentityPool"),
    "AWS::Cognito::IdentityPoolPrincipalTag": ("cognito-identity", "SetPrincipalTagAttributeMap"),
    "AWS::Cognito::IdentityPoolRoleAttachment": ("cognito-identity", "SetIdentityPoolRoles"),
    "AWS::Cognito::UserPool": ("cognito-idp", "CreateUserPool"),
    "AWS::Cognito::UserPoolClient": ("cognito-idp", "CreateUserPoolClient"),
    "AWS::Cognito::UserPoolDomain": ("cognito-idp", "CreateUserPoolDomain"),
    "AWS::Cognito::UserPoolGroup": ("cognito-idp", "CreateGroup"),
    "AWS::Cognito::UserPoolResourceServer": ("cognito-idp", "CreateResourceServer"),
    "AWS::IAM::ManagedPolicy": ("iam", "CreatePolicy"),
    "AWS::IAM::Role": ("iam", "CreateRole"),
    "AWS::IAM::User": ("iam", "CreateUser"),
}
_MEMBERS = {"UserPoolName": "PoolName", "ManagedPolicyName": "PolicyName"}
_TYPES: Mapping[str, Any] = {
    "structure": Mapping,
    "map": Mapping,
    "list": list,
    "string": str,
    "boolean": bool,
    "integer": int,
}


def value_problems(kind: str, properties: Mapping[str, Any]) -> list[str]:
    """What the service says of the values that are known."""
    if kind not in _REQUESTS:
        return []
    service, operation = _REQUESTS[kind]
    model = model_of(service)
    request = {_MEMBERS.get(name, name): value for name, value in with_types(kind, properties).items()}
    name = model["operations"][operation]["input"]["shape"]
    known = _known_part(model["shapes"], name, request)
    found = list(Checker(model["shapes"], is_part=True).violations(name, known))
    problems = [report(found)] if found else []
    asks = kind == "AWS::Cognito::UserPool" and properties.get("MfaConfiguration") in ("ON", "OPTIONAL")
    return [*problems, NO_FACTOR] if asks and not properties.get("EnabledMfas") else problems


def _known_part(shapes: _Shapes, name: str, value: Any) -> Any:
    """The members that the request has too, in the same form. None if nothing is known."""
    shape = shapes[name]
    if isinstance(value, (Unknown, Either)) or not isinstance(value, _TYPES.get(shape["type"], object)):
        return None
    if shape["type"] in ("structure", "map"):
        members = shape.get("members", value)
        names = {one: (members[one] if "members" in shape else shape["value"])["shape"] for one in members}
        parts = {one: _known_part(shapes, inner, value.get(one)) for one, inner in names.items()}
        return {one: part for one, part in parts.items() if part is not None}
    if shape["type"] == "list":
        found = [_known_part(shapes, shape["member"]["shape"], part) for part in value]
        return None if None in found else found
    return value


def give_values_types() -> None:
    for kind in SERVED:
        engine.around_resource(kind, read=partial(with_types, kind), check=partial(_check, kind))


def _check(kind: str, properties: Mapping[str, Any]) -> None:
    if problems := value_problems(kind, properties):
        raise ValueError(" ".join(problems))
