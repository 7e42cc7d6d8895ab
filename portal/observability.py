"""Logs one JSON line per event, with the request id and, when known, the person's sub and org id.

A line never holds a token, a key of a record, an e-mail address or what a person typed. Only values named in `extra=`
are logged, a request is logged by its route, and an exception without its message. Other packages fill such values into
their own messages, so those are logged unfilled.
"""

from __future__ import annotations

import errno
import json
import logging
import logging.config
import re
import time
import traceback
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from portal.client_address import came_through, client_address
from tenants.domain import log_context
from tenants.pages.routes import route_of

_log = logging.getLogger("portal.requests")
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_OURS = ("portal", "tenants", "emulator")
_GIVEN_ID = re.compile(r"[A-Za-z0-9-]{8,64}")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"})


class JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z",
            "level": record.levelname,
            "logger": record.name,
            **(_own_words(record) if record.name.partition(".")[0] in _OURS else _words_of_others(record)),
            **log_context.facts(),
        }
        if record.exc_info and record.exc_info[1]:
            line["exception"] = without_messages(record.exc_info[1])
        return json.dumps(line, default=str)


def _own_words(record: logging.LogRecord) -> dict[str, Any]:
    named = {name: value for name, value in vars(record).items() if name not in _STANDARD and name != "request"}
    return {"message": record.getMessage(), **named}


def _words_of_others(record: logging.LogRecord) -> dict[str, Any]:
    """The message before its values are filled in. One without values may be filled in already: then only its place."""
    place = f"{record.module}.{record.funcName}:{record.lineno}"
    words = {"message": record.msg if record.args and isinstance(record.msg, str) else "", "place": place}
    request = getattr(record, "request", None)
    return {**words, "route": _route(request)} if isinstance(request, HttpRequest) else words


def without_messages(error: BaseException) -> str:
    """The traceback of an exception and of those behind it: types and lines of code, and codes of failures.

    A message can hold anything: the address that a unique column refused, the key that was not found.
    """
    chain: list[BaseException] = []
    following: BaseException | None = error
    while following is not None and following not in chain:
        chain.append(following)
        following = following.__cause__ or (None if following.__suppress_context__ else following.__context__)
    told = ("".join([*traceback.format_tb(one.__traceback__), _kind(one)]) for one in reversed(chain))
    return "\nwhich led to:\n".join(told)


def _kind(error: BaseException) -> str:
    answer = getattr(error, "response", None)
    refused = answer.get("Error", {}).get("Code", "") if isinstance(answer, dict) else ""
    code = getattr(error, "sqlstate", None) or getattr(error, "sqlite_errorname", None) or refused
    number = errno.errorcode.get(error.errno or 0, "") if isinstance(error, OSError) else ""
    return " ".join(filter(None, [f"{type(error).__module__}.{type(error).__qualname__}", code, number]))


def configure(options: Mapping[str, Any]) -> None:
    """The function that LOGGING_CONFIG names. `options` is LOGGING."""
    logging.config.dictConfig(logging_config(options["level"]))


def logging_config(level: str) -> dict[str, Any]:
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": "portal.observability.JsonLines"}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            # Its debug lines hold signatures and bodies, its info lines say where it found credentials.
            "botocore": {"level": "WARNING"},
            "urllib3": {"level": "WARNING"},
            # RequestLog already logs each request. Django would log refusals a second time.
            "django.request": {"level": "ERROR"},
            # Any client can send a wrong Host or too many fields, and each would log a traceback. The page logs a line.
            "django.security": {"level": "CRITICAL"},
            # One line for each request that waits for a thread.
            "waitress.queue": {"level": "ERROR"},
        },
    }


class RequestLog:
    """Gives every request an id, returns it in `X-Request-Id`, and logs one line when the request is done.

    The id of a trusted proxy is kept.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        started = time.perf_counter()
        with log_context.logging_as(_id_of(request), address=_address(request)):
            response = self.get_response(request)
            response["X-Request-Id"] = log_context.request_id()
            facts = {"method": _method(request), "route": _route(request), "status": response.status_code}
            _log.info("request", extra={**facts, "ms": round((time.perf_counter() - started) * 1000, 1)})
        return response


def _method(request: HttpRequest) -> str:
    return request.method if request.method in _METHODS else "other"


def _route(request: HttpRequest) -> str:
    """Names of static files are left out too: anything can be asked for below their address."""
    if request.path_info.startswith(settings.STATIC_URL):
        return settings.STATIC_URL
    return route_of(request) or "unmatched"


def _id_of(request: HttpRequest) -> str:
    """A proxy's own id, or a new one. A client could otherwise give its request the id of another's."""
    given = request.headers.get("X-Request-Id", "")
    is_through_proxies = came_through(request.headers.get("X-Forwarded-For", ""), proxies=settings.TRUSTED_PROXIES)
    return given if is_through_proxies and _GIVEN_ID.fullmatch(given) else uuid.uuid4().hex


def _address(request: HttpRequest) -> str:
    return client_address(
        connection=request.META.get("REMOTE_ADDR", ""),
        forwarded_for=request.headers.get("X-Forwarded-For", ""),
        proxies=settings.TRUSTED_PROXIES,
    )
