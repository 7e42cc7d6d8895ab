"""Invented people, by number. A benchmark and the fake AWS derive the same ones, so one can check the other."""

from __future__ import annotations

import base64
import random
import uuid
from functools import cache

from tenants.domain.credentials import Credentials
from tenants.domain.keys import own_space
from tenants.domain.org_id import OrgId

# AWS documents no length. This one is usual, and most of the memory that a person takes.
TOKEN_CHARACTERS = 1200
_NEVER = 4e9


def org_of(number: int) -> str:
    return str(uuid.UUID(int=number, version=4))


def partition_of(number: int) -> str:
    return own_space(OrgId(org_of(number))).collection("orders")


def number_of(partition_key: str) -> int:
    """The reverse of `partition_of`: the number of the person who owns the partition. Raises ValueError."""
    org = partition_key.partition("#")[0]
    number = int(org[-12:], 16)
    if org_of(number) != org:
        raise ValueError("nobody's partition")
    return number


@cache
def credentials_of(number: int) -> Credentials:
    return make_credentials(number)


def make_credentials(number: int) -> Credentials:
    """The same values every time, in new objects."""
    chance = random.Random(number)
    secret = base64.b64encode(chance.randbytes(30)).decode()
    token = base64.b64encode(chance.randbytes(TOKEN_CHARACTERS * 3 // 4)).decode()
    return Credentials(f"ASIA{number:016}", secret, token, _NEVER)
