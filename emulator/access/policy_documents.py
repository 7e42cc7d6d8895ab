"""Checks policy documents when they are written: `iam` must be able to evaluate them, and they must fit IAM's quotas.

Whitespace does not count ("IAM and AWS STS quotas" in the IAM User Guide).
"""

import re
from collections.abc import Callable, Mapping

from emulator import engine
from emulator.wire import AwsError
from iam import Policy, UnsupportedPolicy, parse_policy, parse_trust_policy

MANAGED = 6144
TRUST = 2048
INLINE_OF_A_ROLE = 10240
SESSION = 2048

Data = Mapping[str, str]


def check_documents(operation: str, data: Data) -> None:
    """Raises `AwsError`: MalformedPolicyDocument or LimitExceeded."""
    trust = operation == "UpdateAssumeRolePolicy"
    documents: dict[str, Callable[..., Policy]] = {
        "PolicyDocument": parse_trust_policy if trust else parse_policy,
        "AssumeRolePolicyDocument": parse_trust_policy,
    }
    for parameter, parse in documents.items():
        if parameter in data:
            try:
                parse(data[parameter], name=parameter)
            except UnsupportedPolicy as failure:
                raise AwsError("MalformedPolicyDocument", str(failure)) from failure
    _check_length(operation, data)


def _check_length(operation: str, data: Data) -> None:
    document = data.get("AssumeRolePolicyDocument" if operation == "CreateRole" else "PolicyDocument", "")
    if operation in ("CreatePolicy", "CreatePolicyVersion"):
        _check_size(document, MANAGED, f"Cannot exceed quota for PolicySize: {MANAGED}")
    elif operation in ("CreateRole", "UpdateAssumeRolePolicy"):
        _check_size(document, TRUST, f"Cannot exceed quota for ACLSizePerRole: {TRUST}")
    elif operation == "PutRolePolicy":
        name = data.get("RoleName", "")
        others = (engine.iam._roles.get(name) or {"InlinePolicies": {}})["InlinePolicies"]
        kept = "".join(text for other, text in others.items() if other != data.get("PolicyName"))
        text = f"Maximum policy size of {INLINE_OF_A_ROLE} bytes exceeded for role {name}"
        _check_size(kept + document, INLINE_OF_A_ROLE, text)


def _check_size(document: str, most: int, message: str) -> None:
    if len(re.sub(r"\s", "", document)) > most:
        raise AwsError("LimitExceeded", message, 409)
