"""Logs one JSON line per event, with the request id and, when known, the person's sub and org id. Never a token.

Only values named in `extra=` are logged. Addresses are logged without their query, which can hold a sign-in code, and
without the key of a link from a mail.
"""

from __future__ import annotations

import json
import logging
import logging.config
import re
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from portal.client_address import client_address
from tenants.domain import log_context

_log = logging.getLogger("portal.requests")
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
# The link in the mail about an owner recovery stops it. Django too logs addresses, where a form is stale.
_KEY_IN_PATH = re.compile(r"""(?<=/recovery/)[^/\s"'\\]+""")
_GIVEN_ID = re.compile(r"[A-Za-z0-9-]{8,64}")


class JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z",
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **log_context.facts(),
        }
        line |= {name: value for name, value in vars(record).items() if name not in _STANDARD and name != "request"}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return _KEY_IN_PATH.sub("(key)", json.dumps(line, default=str))


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
            # Any client can send a wrong Host, and each would log a traceback.
            "django.security.DisallowedHost": {"level": "CRITICAL"},
            "gunicorn.error": {"level": "INFO", "handlers": [], "propagate": True},
        },
    }


class RequestLog:
    """Gives every request an id, returns it in `X-Request-Id`, and logs one line when the request is done."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.headers.get("X-Request-Id", "")
        started = time.perf_counter()
        request_id = given if _GIVEN_ID.fullmatch(given) else uuid.uuid4().hex
        with log_context.logging_as(request_id, address=_address(request)):
            response = self.get_response(request)
            response["X-Request-Id"] = log_context.request_id()
            facts = {"method": request.method, "path": request.path, "status": response.status_code}
            _log.info("request", extra={**facts, "ms": round((time.perf_counter() - started) * 1000, 1)})
        return response


def _address(request: HttpRequest) -> str:
    return client_address(
        connection=request.META.get("REMOTE_ADDR", ""),
        forwarded_for=request.headers.get("X-Forwarded-For", ""),
        proxies=settings.TRUSTED_PROXIES,
    )
