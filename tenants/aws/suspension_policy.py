"""The managed policy SuspendedTenants, which denies everything to the organisations in its list.

There must be one writer at a time: a list replaces the previous one.
https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_managed-versioning.html
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from tenants.aws.failures import POLICIES, aws_error, translate_errors
from tenants.domain import suspension_policy

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient

# IAM keeps at most so many versions of a policy and refuses another.
MOST_VERSIONS = 5


@dataclass(frozen=True, slots=True)
class SuspensionPolicy:
    client: IAMClient
    arn: str

    def listed(self) -> frozenset[str]:
        """The organisations denied now. Raises Misconfigured if the policy was edited by hand."""
        with translate_errors(POLICIES):
            default = self.client.get_policy(PolicyArn=self.arn)["Policy"]["DefaultVersionId"]
            version = self.client.get_policy_version(PolicyArn=self.arn, VersionId=default)["PolicyVersion"]
        # botocore has decoded the text already.
        return suspension_policy.orgs_in(json.dumps(version["Document"]))

    def write(self, orgs: Iterable[str]) -> None:
        """Denies these organisations and no others. Raises NotNow if they are too many.

        Raises Throttled if others write versions at the same time, Unreachable, Misconfigured.
        """
        document = suspension_policy.document(orgs)
        with translate_errors(POLICIES):
            self._make_room()
            try:
                self._add(document)
            except ClientError as error:
                if aws_error(error, POLICIES).code != "LimitExceeded":
                    raise
                self._make_room()
                self._add(document)

    def _add(self, document: str) -> None:
        self.client.create_policy_version(PolicyArn=self.arn, PolicyDocument=document, SetAsDefault=True)

    def _make_room(self) -> None:
        versions = self.client.list_policy_versions(PolicyArn=self.arn)["Versions"]
        if len(versions) < MOST_VERSIONS:
            return
        oldest = min(
            (version for version in versions if not version["IsDefaultVersion"]),
            key=lambda version: int(version["VersionId"].removeprefix("v")),
        )
        try:
            self.client.delete_policy_version(PolicyArn=self.arn, VersionId=oldest["VersionId"])
        except ClientError as error:
            # Another writer has just deleted it: there is room.
            if aws_error(error, POLICIES).code != "NoSuchEntity":
                raise
