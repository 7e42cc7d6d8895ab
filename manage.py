#!/usr/bin/env python
"""Django's command line. Some commands run before there are settings, and need none."""

import os
import sys

WITHOUT_SETTINGS = {"demo", "emulator", "stack_env"}


def main() -> None:
    module = "portal.settings_without_aws" if sys.argv[1:2] and sys.argv[1] in WITHOUT_SETTINGS else "portal.settings"
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", module)
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
