"""The records table with people's own credentials, made from the settings once per process."""

from __future__ import annotations

from django.conf import settings

from tenants.aws.clients import records_client
from tenants.aws.records_api import RecordsApi
from tenants.aws.records_table import RecordsTable
from tenants.domain.once import once
from tenants.records.reading import Records
from tenants.sign_in.wiring import federation, hurried_federation


@once
def records() -> Records:
    client = records_client(
        region=settings.AWS_REGION, endpoint_url=settings.AWS_ENDPOINT_URL, connections=settings.AWS_CONNECTIONS
    )
    return Records(table=RecordsTable(client=client, name=settings.RECORDS_TABLE), federation=federation())


@once
def hurried_records() -> Records:
    """The same rows, for a part of a page that can be left out: AWS gets a second or two to answer, once."""
    client = records_client(
        region=settings.AWS_REGION,
        endpoint_url=settings.AWS_ENDPOINT_URL,
        connections=settings.AWS_CONNECTIONS,
        hurried=True,
    )
    table = RecordsTable(client=client, name=settings.RECORDS_TABLE)
    return Records(table=table, federation=hurried_federation())


@once
def api() -> RecordsApi:
    """Only where RECORDS_API_URL is set."""
    return RecordsApi(settings.RECORDS_API_URL, settings.AWS_REGION)
