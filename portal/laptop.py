"""Settings of the two commands that make a laptop's AWS and so cannot have any yet. No pages, no database."""

import secrets

SECRET_KEY = secrets.token_urlsafe(50)
INSTALLED_APPS = ["portal"]
USE_TZ = True
