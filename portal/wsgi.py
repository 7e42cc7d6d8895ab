"""The WSGI application that gunicorn serves."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
application = get_wsgi_application()

from tenants.connections import connections  # noqa: E402 - needs Django set up

# The AWS clients are made now, so that nobody's first page waits for them.
connections()
