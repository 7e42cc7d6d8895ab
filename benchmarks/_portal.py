"""The portal in this process, on a temporary database and a fake AWS, with invented people signed in.

Call `set_up` first, and import modules that need Django after it. Requests go to the WSGI application directly, so
they cost the same as in a server, without the server itself.
"""

from __future__ import annotations

import logging
import os
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import _project  # noqa: F401 - before any module of the project
import django
from _fake_aws import RECORDS, REGION
from _people import org_of

_BASE = Path(__file__).resolve().parent.parent
_HOST = "localhost:8000"


def set_up(*, endpoint_url: str, scratch: Path, cache_url: str, database_url: str = "") -> None:
    """Call once per process. Log lines are formatted as usual and written to the null device."""
    os.environ |= settings_for(endpoint_url, database_url or f"sqlite:///{scratch}/portal.sqlite3", cache_url)
    django.setup()
    from django.core.management import call_command

    import portal.wsgi  # noqa: F401 - makes the clients, as a server's start does

    _write_logs_to_nowhere()
    call_command("migrate", verbosity=0)


def settings_for(endpoint_url: str, database_url: str, cache_url: str) -> dict[str, str]:
    """The environment of a process of the portal."""
    placeholders = (_BASE / ".ci" / "deploy.env").read_text().splitlines()
    return {
        **dict(line.split("=", 1) for line in placeholders if "=" in line and not line.startswith("#")),
        "DJANGO_SETTINGS_MODULE": "portal.settings",
        "PORTAL_URL": f"http://{_HOST}",
        "DATABASE_URL": database_url,
        "CACHE_URL": cache_url,
        "AWS_REGION": REGION,
        "AWS_ENDPOINT_URL": endpoint_url,
        "RECORDS_TABLE": RECORDS,
    }


def _write_logs_to_nowhere() -> None:
    nowhere = Path(os.devnull).open("w")  # noqa: SIM115 - for as long as the process lasts
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.StreamHandler):
            handler.setStream(nowhere)


@dataclass(frozen=True, slots=True)
class Browser:
    """One person's cookies. `get` raises RuntimeError if the status is not 200."""

    cookie: str

    def get(self, address: str) -> bytes:
        from portal.wsgi import application

        statuses: list[str] = []

        def start(status: str, _headers: list[tuple[str, str]], _problem: object = None, /) -> Callable[[bytes], None]:
            statuses.append(status)
            return lambda _: None

        response = application(_environ(address, self.cookie), start)
        page = b"".join(response)
        response.close()
        if statuses != ["200 OK"]:
            raise RuntimeError(f"{address} answered {statuses}")
        return page


def _environ(address: str, cookie: str) -> dict[str, Any]:
    return {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": address,
        "QUERY_STRING": "",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "8000",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": _HOST,
        "HTTP_COOKIE": cookie,
        "HTTP_ACCEPT": "text/html",
        "HTTP_USER_AGENT": "benchmark",
        "wsgi.url_scheme": "http",
        "wsgi.input": BytesIO(),
    }


def sign_in(number: int, *, role: str = "owner") -> Browser:
    """Creates a member, a sign-in with its tokens and a session, as the callback does after Cognito's answer."""
    from django.contrib.auth import login
    from django.http import HttpRequest

    from portal.sessions import SessionStore
    from tenants.aws.token_endpoint import Tokens
    from tenants.domain.actor import at_the_terminal
    from tenants.domain.claims import Claims
    from tenants.domain.roles import Role
    from tenants.lifecycle.transitions import activate
    from tenants.models import Member, Person, Tenant
    from tenants.sign_in.access import remember
    from tenants.sign_in.wiring import sessions

    tenant = Tenant.objects.create(org_id=org_of(number), name=f"Organisation {number}")
    person = Person.objects.create(sub=uuid.uuid4(), email=f"owner{number}@example.com", name=f"Owner {number}")
    Member.objects.create(person=person, tenant=tenant, role=Role.OWNER)
    activate(tenant, by=at_the_terminal())
    if role != Role.OWNER:
        person = Person.objects.create(sub=uuid.uuid4(), email=f"{role}{number}@example.com", name=f"Member {number}")
        Member.objects.create(person=person, tenant=tenant, role=Role(role))
    claims = Claims(
        sub=str(person.sub),
        email=person.email,
        name=person.name,
        org=org_of(number),
        role=Role(role),
        expires_at=int(time.time()) + 60 * 60,
    )
    request = HttpRequest()
    request.session = SessionStore()
    login(request, person)
    sign_in_id = sessions().begin(person, Tokens(id_token=str(number), refresh_token="refresh"), claims)
    remember(request, sign_in_id=sign_in_id, person_id=person.pk, claims=claims, endings=person.endings)
    request.session.save()
    return Browser(f"session={request.session.session_key}; csrf={request.META['CSRF_COOKIE']}")
