"""The WSGI application that gunicorn serves."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
application = get_wsgi_application()

from tenants.records.wiring import records  # noqa: E402 - needs Django set up

# Made now, with the AWS clients that signing in needs, so that nobody's first page waits for them.
records()
