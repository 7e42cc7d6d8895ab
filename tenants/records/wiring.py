"""The records table with people's own credentials, made from the settings once per process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from django.utils import timezone

from tenants.aws.clients import records_client
from tenants.aws.records_api import RecordsApi
from tenants.aws.records_table import RecordsTable
from tenants.aws.records_writes import RecordsWrites
from tenants.aws.table_trials import TableTrials
from tenants.domain.keys import KeyNames
from tenants.domain.once import once
from tenants.records.bulk import Bulk
from tenants.records.declaring import Declaring
from tenants.records.deleting import Deleting
from tenants.records.editing import Editing
from tenants.records.reading import Records
from tenants.records.trying import Trials
from tenants.sign_in.wiring import federation, hurried_federation

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@once
def records() -> Records:
    client = records_client(
        region=settings.AWS_REGION, endpoint_url=settings.AWS_ENDPOINT_URL, connections=settings.AWS_CONNECTIONS
    )
    return Records(table=_table(client), federation=federation())


@once
def hurried_records() -> Records:
    """The same rows, for a part of a page that can be left out: AWS gets a second or two to answer, once."""
    client = records_client(
        region=settings.AWS_REGION,
        endpoint_url=settings.AWS_ENDPOINT_URL,
        connections=settings.AWS_CONNECTIONS,
        hurried=True,
    )
    return Records(table=_table(client), federation=hurried_federation())


@once
def editing() -> Editing:
    table = records().table
    return Editing(records(), RecordsWrites(client=table.client, name=table.name, keys=table.keys), timezone.now)


def deleting() -> Deleting:
    return Deleting(editing())


def bulk() -> Bulk:
    return Bulk(editing(), deleting())


@once
def declaring() -> Declaring:
    return Declaring(editing())


@once
def trials() -> Trials:
    table = records().table
    return Trials(records(), TableTrials(client=table.client, table=table.name, keys=table.keys))


def _table(client: DynamoDBClient) -> RecordsTable:
    return RecordsTable(client=client, name=settings.RECORDS_TABLE, keys=KeyNames(*settings.RECORDS_KEYS))


@once
def api() -> RecordsApi:
    """Only where RECORDS_API_URL is set."""
    return RecordsApi(settings.RECORDS_API_URL, settings.AWS_REGION)
