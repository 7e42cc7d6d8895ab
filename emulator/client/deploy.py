"""Deploys a CloudFormation template over HTTP with the root key and boto3."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from emulator.client.process import RootKey

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient

_POLL_SECONDS = 0.05
_WAIT_SECONDS = 60.0
_UNCHANGED = "No updates are to be performed."


class DeployFailed(Exception):
    """The stack was not created. The message names the resource that failed and gives AWS's reason."""


def deploy(
    endpoint_url: str,
    root: RootKey,
    *,
    template: Path | str,
    stack_name: str = "portal",
    parameters: Mapping[str, str] | None = None,
    region: str = "eu-west-1",
) -> dict[str, str]:
    """Creates the stack, or updates an existing one, and returns its outputs.

    `template` is a file, or the template's text.
    """
    client = _client(endpoint_url, root, region)
    text = template.read_text("utf-8") if isinstance(template, Path) else template
    _submit(client, stack_name, text, parameters or {})
    return _outputs(client, stack_name)


def _client(endpoint_url: str, root: RootKey, region: str) -> "CloudFormationClient":
    return boto3.client(
        "cloudformation",
        endpoint_url=endpoint_url,
        region_name=region,
        aws_access_key_id=root.access_key_id,
        aws_secret_access_key=root.secret_access_key,
        config=Config(retries={"total_max_attempts": 1}),
    )


def _submit(client: "CloudFormationClient", stack_name: str, template: str, parameters: Mapping[str, str]) -> None:
    given = [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()]
    request = {
        "StackName": stack_name,
        "TemplateBody": template,
        "Parameters": given,
        "Capabilities": ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"],
    }
    try:
        client.create_stack(**request)  # type: ignore[arg-type]
    except client.exceptions.AlreadyExistsException:
        _update(client, request)
    except ClientError as failure:
        raise DeployFailed(str(failure)) from failure


def _update(client: "CloudFormationClient", request: Mapping[str, object]) -> None:
    try:
        client.update_stack(**request)  # type: ignore[arg-type]
    except ClientError as failure:
        if _UNCHANGED not in str(failure):
            raise DeployFailed(str(failure)) from failure


def _outputs(client: "CloudFormationClient", stack_name: str) -> dict[str, str]:
    """Waits until the stack is complete."""
    deadline = time.monotonic() + _WAIT_SECONDS
    while time.monotonic() < deadline:
        stack = client.describe_stacks(StackName=stack_name)["Stacks"][0]
        if stack["StackStatus"] in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
            return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}
        if not stack["StackStatus"].endswith("IN_PROGRESS"):
            raise DeployFailed(f"{stack_name} is {stack['StackStatus']}: {_reason(client, stack_name)}")
        time.sleep(_POLL_SECONDS)
    raise DeployFailed(f"{stack_name} was not complete after {_WAIT_SECONDS:.0f} seconds.")


def _reason(client: "CloudFormationClient", stack_name: str) -> str:
    """Returns the first failure. Later failures usually follow from it."""
    events = client.describe_stack_events(StackName=stack_name)["StackEvents"]
    failed = [event for event in events if event.get("ResourceStatus", "").endswith("_FAILED")]
    if not failed:
        return "no resource gives a reason."
    first = failed[-1]
    return f"{first.get('LogicalResourceId')}: {first.get('ResourceStatusReason', 'no reason is given')}"
