"""The operators' lists as somebody narrows them, on a database of one size, in a process of their own.

Run as a file, it is that process: it fills the database that is given, then prints the milliseconds of each list whose
address it reads from standard input. So databases of two sizes can be asked in turns.
"""

from __future__ import annotations

import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from time import perf_counter
from typing import IO, Any, cast

import _database

# One person of this address acted in the past. There is no such person any more.
GONE = "gone@departed.example"
_ENTRIES_OF_GONE = 60
# One of so many members is disabled.
_ONE_DISABLED_IN = 50
_MEMBERS_A_TENANT = 10

LISTS = {
    "members, beginning of an address": "/operators/members/?q=p77",
    "members, a whole address": "/operators/members/?q=p77%40org77.example",
    "members, disabled": "/operators/members/?enabled=no",
    "members, owners": "/operators/members/?role=owner",
    "members, newest": "/operators/members/",
    "audit, address of nobody": f"/operators/audit/?actor={GONE.replace('@', '%40')}",
    "audit, newest": "/operators/audit/",
    "tenants, due": "/operators/tenants/?provisioning=due",
    "tenants, newest": "/operators/tenants/",
}


@dataclass(frozen=True, slots=True)
class Filled:
    """A process with a database of one size."""

    asked: IO[bytes]
    answered: IO[bytes]

    def milliseconds(self, name: str) -> float:
        self.asked.write(f"{name}\n".encode())
        self.asked.flush()
        return float(self.answered.readline())


@contextmanager
def filled(database_url: str, members: int) -> Iterator[Filled]:
    """Returns once it is filled."""
    command = [sys.executable, __file__, database_url, str(members)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    asked, answered = cast(IO[bytes], process.stdin), cast(IO[bytes], process.stdout)
    try:
        if answered.readline() != b"filled\n":
            raise RuntimeError("the database could not be filled")
        yield Filled(asked, answered)
    finally:
        asked.close()
        answered.close()
        process.wait()


def answer(database_url: str, members: int) -> None:
    _database.use(database_url)
    _database.fill_if_empty(max(1, members // _MEMBERS_A_TENANT), members)
    add_departed()
    print("filled", flush=True)
    for name in sys.stdin:
        began = perf_counter()
        open_list(LISTS[name.strip()])
        print((perf_counter() - began) * 1000, flush=True)


def add_departed() -> None:
    """An audit entry for each member, entries of somebody who is gone, and members who are disabled."""
    from django.db import connection, transaction
    from django.db.models import F

    from tenants.models import AuditEvent, Member

    if AuditEvent.objects.exists():
        return
    members = Member.objects.count()
    with transaction.atomic():
        _database._insert(AuditEvent, (_entry(number, members) for number in range(1, members + 1)))
        some = Member.objects.exclude(role="owner").alias(place=F("pk") % _ONE_DISABLED_IN).filter(place=0)
        some.update(enabled=False)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("VACUUM ANALYZE")


def _entry(number: int, members: int) -> dict[str, Any]:
    """Somebody who is gone acted at even distances in the older half."""
    step = max(1, members // 2 // _ENTRIES_OF_GONE)
    is_of_gone = number <= members // 2 and number % step == 0
    name = GONE if is_of_gone else f"p{number}@org{number}.example"
    return {
        "seq": number,
        "at": datetime.now(UTC) - timedelta(seconds=members - number),
        "actor": str(uuid.UUID(int=0 if is_of_gone else number, version=4)),
        "actor_name": name,
        "action": "member.added",
        "previous_hash": "",
        "hash": "",
        "before": {},
        "after": {},
    }


def open_list(address: str) -> bytes:
    import _operators

    from tenants.operators import audit, members, tenant_list

    pages = {"members": members.list_page, "audit": audit.list_page, "tenants": tenant_list.list_page}
    return bytes(pages[address.split("/")[2]](_operators.ask(address)).content)


if __name__ == "__main__":
    answer(sys.argv[1], int(sys.argv[2]))
