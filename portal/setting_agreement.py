"""Settings that have to agree with each other: one region, one account, one host. Each problem is told at one of them.

It looks only at settings that are fine by themselves.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from django.http.request import validate_host

from portal.setting_checks import REGION, allowed_hosts, earlier_secret_keys

_ARNS = ("TENANT_ROLE_ARN", "SUSPENSION_POLICY_ARN", "CLOSING_ROLE_ARN")
# Addresses that AWS gives have their region in the name. A domain of your own has none.
_REGIONAL_HOSTS = {
    "COGNITO_DOMAIN": rf".+\.auth(?:-fips)?\.({REGION})\.amazoncognito\.com",
    "RECORDS_API_URL": rf".+\.execute-api\.({REGION})\.amazonaws\.com(?:\.cn)?",
}
Problem = tuple[str, str]


def disagreements(text: Mapping[str, str]) -> Iterator[Problem]:
    """The name of a setting and what is wrong with it. `text` has the settings by name, without malformed ones."""
    yield from _regions(text)
    yield from _accounts(text)
    yield from _hosts(text)
    yield from _clients(text)
    yield from _debugging(text)
    yield from _earlier_keys(text)


def _regions(text: Mapping[str, str]) -> Iterator[Problem]:
    wanted = text.get("AWS_REGION")
    if not wanted:
        return
    found = {
        "COGNITO_USER_POOL_ID": text.get("COGNITO_USER_POOL_ID", "").partition("_")[0],
        "COGNITO_IDENTITY_POOL_ID": text.get("COGNITO_IDENTITY_POOL_ID", "").partition(":")[0],
        **{name: _region_of_host(text.get(name, ""), host) for name, host in _REGIONAL_HOSTS.items()},
    }
    for name, region in found.items():
        if region and region != wanted:
            yield name, f"is in {region}, but AWS_REGION is {wanted}"
    for name in _ARNS:
        partition = text.get(name, "").split(":")[1:2]
        if partition and partition != [_partition_of(wanted)]:
            yield name, f"belongs to the partition {partition[0]}, but AWS_REGION is {wanted}"


def _region_of_host(url: str, pattern: str) -> str:
    match = re.fullmatch(pattern, urlsplit(url).hostname or "")
    return match[1] if match else ""


def _partition_of(region: str) -> str:
    known = {"cn-": "aws-cn", "us-gov-": "aws-us-gov", "us-iso-": "aws-iso", "us-isob-": "aws-iso-b"}
    return next((partition for begin, partition in known.items() if region.startswith(begin)), "aws")


def _accounts(text: Mapping[str, str]) -> Iterator[Problem]:
    accounts = {name: text[name].split(":")[4] for name in _ARNS if text.get(name)}
    first = next(iter(accounts), "")
    for name, account in accounts.items():
        if account != accounts[first]:
            yield name, f"is in another AWS account than {first}"


def _hosts(text: Mapping[str, str]) -> Iterator[Problem]:
    host, hosts = urlsplit(text.get("PORTAL_URL", "")).hostname, allowed_hosts(text.get("DJANGO_ALLOWED_HOSTS", ""))
    if host and hosts and not validate_host(f"[{host}]" if ":" in host else host, hosts):
        yield "DJANGO_ALLOWED_HOSTS", "lacks the host of PORTAL_URL"


def _clients(text: Mapping[str, str]) -> Iterator[Problem]:
    browser = text.get("COGNITO_BROWSER_CLIENT_ID")
    if browser and browser == text.get("COGNITO_CLIENT_ID"):
        yield "COGNITO_BROWSER_CLIENT_ID", "is the login client, which has a secret; it must be the other client"


def _debugging(text: Mapping[str, str]) -> Iterator[Problem]:
    """The error pages show code, settings and what people sent. https means that others use the portal."""
    if text.get("DJANGO_DEBUG", "").lower() == "true" and text.get("PORTAL_URL", "").startswith("https://"):
        yield "DJANGO_DEBUG", "is true, and PORTAL_URL begins with https://; error pages are for localhost only"


def _earlier_keys(text: Mapping[str, str]) -> Iterator[Problem]:
    key, earlier = text.get("DJANGO_SECRET_KEY"), text.get("DJANGO_SECRET_KEY_FALLBACKS")
    if key and earlier and key in earlier_secret_keys(earlier):
        yield "DJANGO_SECRET_KEY_FALLBACKS", "has DJANGO_SECRET_KEY itself, and is for the values before it"
