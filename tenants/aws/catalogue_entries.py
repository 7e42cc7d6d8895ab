"""Writes entries of a catalogue of collections with a person's credentials. Which catalogue, IAM decides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from tenants.aws.failures import RECORDS, aws_error, translate_errors
from tenants.aws.signing import signing_as
from tenants.domain.credentials import Credentials
from tenants.domain.keys import USUAL_KEYS, KeyNames
from tenants.domain.values import Item

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@dataclass(frozen=True, slots=True)
class CatalogueEntries:
    client: DynamoDBClient
    table: str
    keys: KeyNames = USUAL_KEYS

    def add(self, credentials: Credentials, catalogue: str, name: str, attributes: Item) -> bool:
        """False if the catalogue has the name already; then nothing is changed.

        Raises DeniedByAws, CredentialsExpired, Throttled, Unreachable, InvalidInput or Misconfigured.
        """
        entry: Any = {**attributes, **self.keys.key(catalogue, name)}
        with translate_errors(RECORDS), signing_as(credentials):
            try:
                self.client.put_item(
                    TableName=self.table,
                    Item=entry,
                    ConditionExpression="attribute_not_exists(#pk)",
                    ExpressionAttributeNames={"#pk": self.keys.partition},
                )
            except ClientError as error:
                if aws_error(error, RECORDS).code != "ConditionalCheckFailedException":
                    raise
                return False
        return True
