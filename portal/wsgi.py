"""The WSGI application that portal/server.py serves."""

import os

from django.conf import settings
from django.core.wsgi import get_wsgi_application

from portal import environment, secret_files

secret_files.hide_memory()
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
environment.refuse_missing(environment.Process.WEB, settings.MISSING_SETTINGS)
application = get_wsgi_application()
secret_files.forget(os.environ)

from tenants.records.wiring import records  # noqa: E402 - needs Django set up

# Made now, with the AWS clients that signing in needs, so that nobody's first page waits for them.
records()
