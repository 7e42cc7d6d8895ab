"""The Lambda functions of `template.yaml`. Standard library and boto3 only: this folder is what is uploaded."""

import json
import os
import re
import uuid

import boto3

_FIRST_ROLE = "owner"


def post_confirmation(event: dict, _context: object) -> dict:
    """Gives whoever has confirmed their sign-up an organisation of their own, once.

    Cognito calls this after a forgotten password too, and calls again when an answer comes late: nothing is written
    for the first, and the second finds the same organisation, because its id follows from the person's.
    """
    if event["triggerSource"] != "PostConfirmation_ConfirmSignUp":
        return event
    pools = boto3.client("cognito-idp")
    person = {"UserPoolId": event["userPoolId"], "Username": event["userName"]}
    # What the event says may be older than a first attempt's write.
    attributes = pools.admin_get_user(**person)["UserAttributes"]
    known = {entry["Name"]: entry["Value"] for entry in attributes}
    if not known.get("custom:org"):
        given = {"custom:org": organisation_id(event["userPoolId"], known["sub"]), "custom:role": _FIRST_ROLE}
        entries = [{"Name": name, "Value": value} for name, value in given.items()]
        pools.admin_update_user_attributes(**person, UserAttributes=entries)
    return event


def organisation_id(pool_id: str, sub: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"cognito:{pool_id}/{sub}"))


# As IAM tells an HTTP API how somebody signed in: the user pool's address, and the person's id in it.
_SIGNED_IN = re.compile(r"cognito-idp\.[a-z0-9-]+\.amazonaws\.com/([\w-]+):CognitoSignIn:([0-9a-f-]{36})", re.ASCII)


def profile(event: dict, _context: object) -> dict:
    """`GET /<org>/profile`: who the caller is in the organisation whose path this is.

    IAM has matched the path with the caller's tag `org` before. Tags do not reach a function, so the organisation is
    looked up by the caller's id and compared again: nothing here rests on how a path was normalised on its way.
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
    """None for credentials that no member of this stack's user pool signed in for."""
    methods = (iam.get("cognitoIdentity") or {}).get("amr") or []
    found = [match for method in methods if (match := _SIGNED_IN.fullmatch(method))]
    if len(found) != 1 or found[0][1] != os.environ["USER_POOL_ID"]:
        return None
    pools = boto3.client("cognito-idp")
    try:
        # The username of this pool's people is their sub. ListUsers would be eventually consistent.
        user = pools.admin_get_user(UserPoolId=found[0][1], Username=found[0][2])
    except pools.exceptions.UserNotFoundException:
        return None
    if not user["Enabled"]:
        return None
    known = {entry["Name"]: entry["Value"] for entry in user["UserAttributes"]}
    return {"org": known.get("custom:org", ""), "role": known.get("custom:role", ""), "sub": known["sub"]}


def _answer(status: int, body: dict) -> dict:
    headers = {"content-type": "application/json", "cache-control": "no-store"}
    return {"statusCode": status, "headers": headers, "body": json.dumps(body)}
