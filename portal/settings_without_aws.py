"""Settings for `demo`, `emulator` and `stack_env`, which run before there is a stack. No pages, no database."""

import secrets

from portal.hidden import HiddenText

SECRET_KEY = HiddenText(secrets.token_urlsafe(50))
INSTALLED_APPS = ["portal"]
USE_TZ = True
