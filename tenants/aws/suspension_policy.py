"""The managed policy SuspendedTenants, which denies everything to the organisations in its list.

There must be one writer at a time: a list replaces the previous one. IAM has no compare-and-set, but it keeps five
versions at most. All five are taken whenever nobody writes, so a call of a former writer that arrives late is refused
(docs/decisions/0016-the-turn-at-the-policy.md).
https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_managed-versioning.html
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from tenants.aws.failures import POLICIES, aws_error, translate_errors
from tenants.domain import suspension_policy

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_iam.type_defs import PolicyVersionTypeDef

# IAM keeps at most so many versions of a policy and refuses another.
MOST_VERSIONS = 5


def _always() -> None:
    """Where nobody else writes."""


@dataclass(frozen=True, slots=True)
class SuspensionPolicy:
    """`check` is called before each call that changes something. It raises where another writer has had a turn."""

    client: IAMClient
    arn: str
    check: Callable[[], None] = _always

    def listed(self) -> frozenset[str]:
        """The organisations denied now. Raises Misconfigured if the policy was edited by hand."""
        with translate_errors(POLICIES):
            default = self.client.get_policy(PolicyArn=self.arn)["Policy"]["DefaultVersionId"]
            version = self.client.get_policy_version(PolicyArn=self.arn, VersionId=default)["PolicyVersion"]
        # botocore has decoded the text already.
        return suspension_policy.orgs_in(json.dumps(version["Document"]))

    def is_full(self) -> bool:
        """Whether it has as many versions as it may have, so that nobody can add another one."""
        with translate_errors(POLICIES):
            return len(self._versions()) >= MOST_VERSIONS

    def write(self, orgs: Iterable[str]) -> None:
        """Denies these organisations and no others, and leaves the policy full. Raises NotNow if they are too many.

        Raises Throttled if others write versions at the same time, Unreachable, Misconfigured, and what `check` raises.
        """
        document = suspension_policy.document(orgs)
        with translate_errors(POLICIES):
            try:
                self._write(document)
            except ClientError as error:
                if aws_error(error, POLICIES).code != "LimitExceeded":
                    raise
                # Somebody has taken the place. Whether that was another writer, `check` says.
                self._write(document)

    def _write(self, document: str) -> None:
        versions = self._versions()
        if len(versions) >= MOST_VERSIONS:
            self._delete_oldest(versions)
        # The first time there are fewer. They are filled before the list counts, not after.
        for _ in range(MOST_VERSIONS - 1 - len(versions)):
            self._add(document, as_default=False)
        self._add(document, as_default=True)

    def _versions(self) -> list[PolicyVersionTypeDef]:
        return self.client.list_policy_versions(PolicyArn=self.arn)["Versions"]

    def _add(self, document: str, *, as_default: bool) -> None:
        self.check()
        self.client.create_policy_version(PolicyArn=self.arn, PolicyDocument=document, SetAsDefault=as_default)

    def _delete_oldest(self, versions: Iterable[PolicyVersionTypeDef]) -> None:
        self.check()
        oldest = min(
            (version for version in versions if not version["IsDefaultVersion"]),
            key=lambda version: int(version["VersionId"].removeprefix("v")),
        )
        try:
            self.client.delete_policy_version(PolicyArn=self.arn, VersionId=oldest["VersionId"])
        except ClientError as error:
            # Somebody has just deleted it. If that was another writer, the check before the next call says so.
            if aws_error(error, POLICIES).code != "NoSuchEntity":
                raise
