"""The Lambda functions of `template.yaml`. Standard library and boto3 only: just this folder is uploaded."""

import json
import os
import re
import uuid

import boto3

_FIRST_ROLE = "owner"


def post_confirmation(event: dict, _context: object) -> dict:
    """Assigns a new organisation, once, to a person who has confirmed their sign-up.

    Cognito also calls it after a forgotten password: then it writes nothing. If an answer is late, Cognito calls it
    again: the id follows from the person's, so it is the same organisation.
    """
    if event["triggerSource"] != "PostConfirmation_ConfirmSignUp":
        return event
    pools = boto3.client("cognito-idp")
    person = {"UserPoolId": event["userPoolId"], "Username": event["userName"]}
    # The attributes in the event may be older than the write of a first attempt.
    attributes = pools.admin_get_user(**person)["UserAttributes"]
    current = {entry["Name"]: entry["Value"] for entry in attributes}
    if not current.get("custom:org"):
        assigned = {"custom:org": organisation_id(event["userPoolId"], current["sub"]), "custom:role": _FIRST_ROLE}
        entries = [{"Name": name, "Value": value} for name, value in assigned.items()]
        pools.admin_update_user_attributes(**person, UserAttributes=entries)
    return event


def organisation_id(pool_id: str, sub: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"cognito:{pool_id}/{sub}"))


# How IAM describes a sign-in to an HTTP API: the user pool's address, and the person's id in the pool.
_SIGNED_IN = re.compile(r"cognito-idp\.[a-z0-9-]+\.amazonaws\.com/([\w-]+):CognitoSignIn:([0-9a-f-]{36})", re.ASCII)


def profile(event: dict, _context: object) -> dict:
    """`GET /<org>/profile`: the caller's role in the organisation of the path.

    IAM has already compared the path with the caller's tag `org`. Functions do not receive tags, so this looks the
    organisation up by the caller's id and compares again. It does not rely on how a path was normalised on its way.
    """
    member = _member(event["requestContext"].get("authorizer", {}).get("iam", {}))
    path = event["rawPath"].split("/")
    if member is None or not member["org"] or path[1] != member["org"]:
        return _answer(403, {"message": "Forbidden"})
    if path[2:] != ["profile"]:
        return _answer(404, {"message": "Not Found"})
    if event["requestContext"]["http"]["method"] != "GET":
        return _answer(405, {"message": "Method Not Allowed"})
    return _answer(200, member)


def _member(iam: dict) -> dict | None:
    """The caller as a member; None unless an enabled user of this stack's user pool signed in."""
    methods = (iam.get("cognitoIdentity") or {}).get("amr") or []
    sign_ins = [match for method in methods if (match := _SIGNED_IN.fullmatch(method))]
    if len(sign_ins) != 1 or sign_ins[0][1] != os.environ["USER_POOL_ID"]:
        return None
    pools = boto3.client("cognito-idp")
    try:
        # The username of this pool's people is their sub. ListUsers would be eventually consistent.
        user = pools.admin_get_user(UserPoolId=sign_ins[0][1], Username=sign_ins[0][2])
    except pools.exceptions.UserNotFoundException:
        return None
    if not user["Enabled"]:
        return None
    values = {entry["Name"]: entry["Value"] for entry in user["UserAttributes"]}
    return {"org": values.get("custom:org", ""), "role": values.get("custom:role", ""), "sub": values["sub"]}


def _answer(status: int, body: dict) -> dict:
    headers = {"content-type": "application/json", "cache-control": "no-store"}
    return {"statusCode": status, "headers": headers, "body": json.dumps(body)}
