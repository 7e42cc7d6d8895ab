"""What does a Query of 26 rows cost, compared with stock botocore?

Prints the median milliseconds of CPU time per Query, and the median of the ratios within each round. Each round runs
every variant. A fake AWS runs in another process, and its time does not count. All variants sign with the credentials
that are bound, and must return the same items.

    .venv/bin/python benchmarks/record_query.py [--rounds N] [--calls N] [--json] [--check]
"""

from __future__ import annotations

import argparse
import gc
import json
import random
import sys
from collections.abc import Mapping, Sequence
from statistics import median
from time import process_time
from typing import Any

import _project  # noqa: F401 - before any module of the project
import botocore.session
from _fake_aws import RECORDS, REGION, ROWS, fake_aws
from _people import credentials_of, partition_of
from botocore.config import Config

from tenants.aws.attribute_values import AttributeValueParserFactory
from tenants.aws.clients import records_client
from tenants.aws.signing import PersonsCredentialsProvider, signing_as

PORTAL, PARSER, STOCK = "the portal's client", "botocore with the portal's parser", "stock botocore"
AT_MOST = {"must": 0.55, "stretch": 0.27}

# Seconds of CPU time per Query, by variant. The same index in each list is the same round.
Measured = Mapping[str, Sequence[float]]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=31)
    parser.add_argument("--calls", type=int, default=100, help="Queries per variant and round")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--check", action="store_true", help="exit 1 when a required goal is not met")
    options = parser.parse_args()
    with fake_aws() as aws, signing_as(credentials_of(1)):
        measured = measure(variants(aws.endpoint_url), rounds=options.rounds, calls=options.calls)
    print(json.dumps(as_json(measured), indent=2) if options.json else as_text(measured))
    return 1 if options.check and ratio(measured, PORTAL) > AT_MOST["must"] else 0


def variants(endpoint_url: str) -> dict[str, Any]:
    return {
        PORTAL: records_client(region=REGION, endpoint_url=endpoint_url, connections=1),
        PARSER: _botocore_client(endpoint_url, response_parser_factory=AttributeValueParserFactory()),
        STOCK: _botocore_client(endpoint_url),
    }


def _botocore_client(endpoint_url: str, **components: Any) -> Any:
    session = botocore.session.Session()
    session.register_component("credential_provider", PersonsCredentialsProvider())
    for name, component in components.items():
        session.register_component(name, component)
    config = Config(account_id_endpoint_mode="disabled", retries={"mode": "standard"})
    return session.create_client("dynamodb", REGION, endpoint_url=endpoint_url, config=config)


def measure(clients: Mapping[str, Any], *, rounds: int, calls: int) -> Measured:
    query = {
        "TableName": RECORDS,
        "Limit": ROWS,
        "KeyConditionExpression": "#pk = :pk",
        "ExpressionAttributeNames": {"#pk": "pk"},
        "ExpressionAttributeValues": {":pk": {"S": partition_of(1)}},
    }
    items = {name: client.query(**query)["Items"] for name, client in clients.items()}
    if len(items[PORTAL]) != ROWS or any(found != items[PORTAL] for found in items.values()):
        raise ValueError("the variants do not return the same items")
    measured: dict[str, list[float]] = {name: [] for name in clients}
    order = list(clients)
    for _ in range(rounds):
        random.shuffle(order)
        for name in order:
            # So that a variant does not pay for the garbage of the previous one.
            gc.collect()
            start = process_time()
            for _ in range(calls):
                clients[name].query(**query)
            measured[name].append((process_time() - start) / calls)
    return measured


def ratio(measured: Measured, variant: str) -> float:
    return median(one / other for one, other in zip(measured[variant], measured[STOCK], strict=True))


def as_json(measured: Measured) -> dict[str, object]:
    found = {
        variant: {"cpu_ms": round(median(seconds) * 1000, 3), "of_stock": round(ratio(measured, variant), 4)}
        for variant, seconds in measured.items()
    }
    is_now = ratio(measured, PORTAL)
    goals = [{"goal": name, "at_most": limit, "met": is_now <= limit} for name, limit in AT_MOST.items()]
    return {"rounds": len(measured[PORTAL]), "variants": found, "goals": goals}


def as_text(measured: Measured) -> str:
    lines = [f"{'':36}{'CPU ms':>9}{'of stock':>11}"]
    for variant, seconds in measured.items():
        lines.append(f"{variant:36}{median(seconds) * 1000:9.3f}{ratio(measured, variant):11.3f}")
    for name, limit in AT_MOST.items():
        is_now = ratio(measured, PORTAL)
        lines.append(f"goal ({name}): at most {limit:.2f}: {is_now:.3f}, {'met' if is_now <= limit else 'not met'}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
