"""The Lambda functions of `template.yaml`. Standard library and boto3 only: just this folder is uploaded."""

import json
import os
import re
import unicodedata
import uuid
from html import escape

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

_FIRST_ROLE = "owner"
# Cognito waits five seconds and asks again twice. botocore alone would wait a minute for one answer.
_SHORT_WAITS = Config(connect_timeout=1, read_timeout=2, retries={"mode": "standard", "total_max_attempts": 4})


def post_confirmation(event: dict, _context: object) -> dict:
    """Assigns a new organisation, once, to a person who has confirmed their sign-up.

    Cognito also calls it after a forgotten password: then it writes nothing. If an answer is late, Cognito calls it
    again: the id follows from the person's, so it is the same organisation.
    """
    if event["triggerSource"] != "PostConfirmation_ConfirmSignUp":
        return event
    try:
        _assign_organisation(event["userPoolId"], event["userName"])
    except (BotoCoreError, ClientError) as failure:
        print(json.dumps({"level": "error", "trigger": event["triggerSource"], "error": type(failure).__name__}))
        # The text reaches the browser's address bar.
        raise RuntimeError("The organisation could not be assigned.") from None
    return event


def _assign_organisation(pool_id: str, username: str) -> None:
    pools = boto3.client("cognito-idp", config=_SHORT_WAITS)
    person = {"UserPoolId": pool_id, "Username": username}
    # The attributes in the event may be older than the write of a first attempt. ListUsers may be, too.
    attributes = pools.admin_get_user(**person)["UserAttributes"]
    current = {entry["Name"]: entry["Value"] for entry in attributes}
    if not current.get("custom:org"):
        assigned = {"custom:org": organisation_id(pool_id, current["sub"]), "custom:role": _FIRST_ROLE}
        entries = [{"Name": name, "Value": value} for name, value in assigned.items()]
        pools.admin_update_user_attributes(**person, UserAttributes=entries)


def organisation_id(pool_id: str, sub: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"cognito:{pool_id}/{sub}"))


# ── Mails ───────────────────────────────────────────────────────────────────────────────────────────────────────────

# As TemporaryPasswordValidityDays of the user pool.
_PASSWORD_DAYS = 7
_MAX_NAME = 80
_MAX_SUBJECT = 140
# Cognito would put the password where a name says `{####}`, and mail programs make a link of an address.
_UNSAFE_IN_NAMES = re.compile(r"[{}<>]|://|www\.", re.IGNORECASE)
_INVISIBLE = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"})
_JOINERS = "\u200c\u200d"

# trigger -> (subject, first line, how long the code works)
_CODES = {
    "CustomMessage_SignUp": ("Your code", "Enter this code to confirm your address", "24 hours"),
    "CustomMessage_ResendCode": ("Your code", "Enter this code to confirm your address", "24 hours"),
    "CustomMessage_UpdateUserAttribute": ("Your code", "Enter this code to confirm your new address", "24 hours"),
    "CustomMessage_VerifyUserAttribute": ("Your code", "Enter this code to confirm your new address", "24 hours"),
    "CustomMessage_ForgotPassword": ("Reset your password", "Enter this code to choose a new password", "one hour"),
}


def custom_message(event: dict, _context: object) -> dict:
    """Words the mails of the user pool. The body is HTML: Cognito sends one body, and sends it as HTML.

    Never raises. Without an answer that Cognito can use, it sends the pool's own text instead.
    """
    try:
        if worded := _worded(event["triggerSource"], event["request"]):
            event["response"].update(emailSubject=worded[0], emailMessage=worded[1])
    except Exception as failure:  # noqa: BLE001 - an invitation in plain words is better than none
        # Only the failure's name: its text could hold personal data.
        print(json.dumps({"level": "error", "trigger": event.get("triggerSource"), "error": type(failure).__name__}))
    return event


def _worded(source: str, request: dict) -> tuple[str, str] | None:
    """Subject and body; None for a mail that has no text here."""
    portal, code = os.environ["PORTAL_URL"], request["codeParameter"]
    if source == "CustomMessage_AdminCreateUser":
        attributes = request["userAttributes"]
        organisation, inviter = (_name(attributes.get(f"custom:{name}", "")) for name in ("org_name", "invited_by"))
        return _invitation(organisation, inviter, f"{portal}/welcome/", request["usernameParameter"], code)
    if source not in _CODES:
        return None
    subject, first, works = _CODES[source]
    lines = [f"{first}:", f"<strong>{code}</strong>", f"It works for {works}.", _link(f"{portal}/")]
    return subject, _body(lines, "If you did not ask for this code, ignore this mail, and give the code to nobody.")


def _invitation(organisation: str, inviter: str, link: str, username: str, code: str) -> tuple[str, str]:
    lines = [
        _first_line(_isolated(organisation), _isolated(inviter)),
        f"Sign in here: {_link(link)}",
        f"Your address: {username}",
        "Your temporary password:",
        f"<strong>{code}</strong>",
        f"The temporary password works for {_PASSWORD_DAYS} days. You then choose a password of your own.",
    ]
    subject = _first_line(organisation, inviter).removesuffix(".")
    # Cognito takes no joiners in a subject.
    plain = subject.translate(dict.fromkeys(map(ord, _JOINERS)))
    return plain[:_MAX_SUBJECT].rstrip(), _body(lines, "If you did not expect this mail, ignore it.")


def _first_line(organisation: str, inviter: str) -> str:
    """Without an inviter it fits people who signed up themselves, too."""
    if not inviter:
        return f"Your account at {organisation} is ready." if organisation else "Your account is ready."
    return f"{inviter} invites you to join {organisation}." if organisation else f"{inviter} invites you."


def _name(value: object) -> str:
    """A name that a mail may show, cut to a sane length; "" for one that is absent or could deceive the reader."""
    given = unicodedata.normalize("NFC", value) if isinstance(value, str) else ""
    visible = all(char in _JOINERS or unicodedata.category(char) not in _INVISIBLE for char in given)
    if not visible or _UNSAFE_IN_NAMES.search(given):
        return ""
    text = " ".join(given.split())
    return text if len(text) <= _MAX_NAME else f"{text[: _MAX_NAME - 1].rstrip()}…"


def _isolated(name: str) -> str:
    """A name written from right to left must not reorder the words around it."""
    return f"<bdi>{escape(name)}</bdi>" if name else ""


def _link(address: str) -> str:
    return f'<a href="{escape(address)}">{escape(address)}</a>'


def _body(lines: list[str], last: str) -> str:
    """`lines` are HTML."""
    paragraphs = "".join(f"<p>{line}</p>" for line in [*lines, f"<small>{last}</small>"])
    return f'<html lang="en"><body style="font-family: sans-serif">{paragraphs}</body></html>'


# ── The HTTP API ────────────────────────────────────────────────────────────────────────────────────────────────────

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
