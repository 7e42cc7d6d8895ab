"""Lambda triggers of a user pool: their events, time limit, retries and errors.

Follows "Customizing user pool workflows with Lambda triggers" in the Cognito Developer Guide. A trigger has five
seconds, is tried three times if it does not answer, and must return the event that it was given.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from emulator import engine
from emulator.cognito.pools import Client, Record, attributes_of, region_of
from emulator.functions.lambdas import HandlerFailed, may_invoke, run_handler
from emulator.wire import AwsError

# More than AWS's five seconds help when debugging a function.
SECONDS = float(os.environ.get("EMULATOR_TRIGGER_SECONDS") or 5)
ATTEMPTS = 3
_ENVELOPE = ("version", "triggerSource", "region", "userPoolId", "userName")
_SUPPORTED = frozenset(
    {"PreSignUp", "PostConfirmation", "CustomMessage", "PreTokenGeneration", "PreTokenGenerationConfig"}
)
_NO_CLIENT = "CLIENT_ID_NOT_APPLICABLE"


def check_supported(config: Mapping[str, Any] | None) -> None:
    """Raises ValueError for a trigger that is not emulated, because the pool would then behave unlike AWS."""
    others = sorted(name for name, function in (config or {}).items() if function and name not in _SUPPORTED)
    if others:
        raise ValueError(f"These triggers are not emulated: {', '.join(others)}")


@dataclass(frozen=True, slots=True)
class Event:
    """`source` is AWS's triggerSource; `client` is None if no app client is involved."""

    pool: Record
    source: str
    username: str
    attributes: Mapping[str, str]
    client: Client | None = None
    metadata: Mapping[str, str] | None = None
    request: Mapping[str, Any] = field(default_factory=dict)
    response: Mapping[str, Any] = field(default_factory=dict)
    version: str = "1"


async def run_trigger(name: str, event: Event) -> Mapping[str, Any] | None:
    """The function's response for `PreSignUp`, `PostConfirmation` or `CustomMessage`; None if the pool has no such
    trigger.

    Raises `AwsError` with Cognito's error.
    """
    function = (event.pool.get("LambdaConfig") or {}).get(name)
    return await invoke(name, str(function), event) if function else None


async def invoke(name: str, function_arn: str, event: Event) -> Mapping[str, Any]:
    pool_id = str(event.pool["Id"])
    pool_arn = f"arn:aws:cognito-idp:{region_of(pool_id)}:{engine.ACCOUNT}:userpool/{pool_id}"
    if not may_invoke(function_arn, principal="cognito-idp.amazonaws.com", source_arn=pool_arn):
        raise AwsError("UnexpectedLambdaException", f"{name} invocation failed due to error AccessDeniedException.")
    sent = _event_json(event)
    answer = await _invoke(name, function_arn, sent)
    intact = isinstance(answer, dict) and all(answer.get(member) == sent[member] for member in _ENVELOPE)
    if not intact or not isinstance(answer.get("response"), dict):
        raise AwsError("InvalidLambdaResponseException", "Unrecognizable lambda output")
    response: Mapping[str, Any] = answer["response"]
    return response


async def _invoke(name: str, function_arn: str, sent: Mapping[str, Any]) -> Any:
    for _ in range(ATTEMPTS):
        try:
            return await run_handler(function_arn, sent, seconds=SECONDS)
        except HandlerFailed as failure:
            if failure.kind == "raised":
                text = f"{name} failed with error {failure.message}."
                raise AwsError("UserLambdaValidationException", text) from failure
            if failure.kind == "broken":
                text = f"{name} invocation failed due to error {failure.message}."
                raise AwsError("UnexpectedLambdaException", text) from failure
    text = f"{name} invocation failed due to error Socket timeout while invoking Lambda function."
    raise AwsError("UnexpectedLambdaException", text)


def _event_json(event: Event) -> dict[str, Any]:
    metadata = {"clientMetadata": dict(event.metadata)} if event.metadata else {}
    return {
        "version": event.version,
        "triggerSource": event.source,
        "region": region_of(str(event.pool["Id"])),
        "userPoolId": event.pool["Id"],
        "userName": event.username,
        "callerContext": {
            "awsSdkVersion": "aws-sdk-unknown-unknown",
            "clientId": event.client.id if event.client else _NO_CLIENT,
        },
        "request": {"userAttributes": dict(event.attributes), **event.request, **metadata},
        "response": dict(event.response),
    }


def attributes_in_events(user: Record) -> dict[str, str]:
    return {**attributes_of(user), "cognito:user_status": str(user["UserStatus"])}


# ── One function for each kind ──────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class SignUpDecision:
    confirm: bool = False
    verify_email: bool = False
    verify_phone: bool = False


async def before_sign_up(event: Event, *, validation_data: Mapping[str, str] | None) -> SignUpDecision:
    """PreSignUp. When an administrator creates a user, AWS ignores the decision but not a refusal. So does this."""
    flags = ("autoConfirmUser", "autoVerifyEmail", "autoVerifyPhone")
    sent = _with_details(
        event, request={"validationData": dict(validation_data or {}) or None}, response=dict.fromkeys(flags, False)
    )
    response = await run_trigger("PreSignUp", sent) or {}
    return SignUpDecision(*(response.get(flag) is True for flag in flags))


async def after_confirmation(event: Event) -> None:
    """PostConfirmation. Its response is ignored."""
    await run_trigger("PostConfirmation", event)


@dataclass(frozen=True, slots=True)
class Wording:
    """The text that CustomMessage sets. None keeps the pool's own text, and so does a body without its placeholders."""

    subject: str | None = None
    body: str | None = None


async def wording(event: Event, *, with_username: bool) -> Wording:
    request = {
        "codeParameter": "{####}",
        "linkParameter": "{##Click Here##}",
        "usernameParameter": "{username}" if with_username else None,
    }
    blank = {"smsMessage": None, "emailMessage": None, "emailSubject": None}
    response = await run_trigger("CustomMessage", _with_details(event, request=request, response=blank)) or {}
    body = response.get("emailMessage") or None
    needed = ["{####}", "{username}"] if with_username else ["{####}"]
    if body is not None and not all(placeholder in str(body) for placeholder in needed):
        body = None
    subject = response.get("emailSubject") or None
    return Wording(str(subject) if subject else None, str(body) if body else None)


def _with_details(event: Event, *, request: Mapping[str, Any], response: Mapping[str, Any]) -> Event:
    return Event(
        event.pool, event.source, event.username, event.attributes, event.client, event.metadata, request, response
    )
