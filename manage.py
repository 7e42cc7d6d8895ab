#!/usr/bin/env python
"""Django's command line. Some commands run before there are settings, and need none."""

import os
import sys

WITHOUT_SETTINGS = {"demo", "emulator", "stack_env"}
# 128 and the number of SIGPIPE, as shells count.
_PIPE_CLOSED = 141
_HELP = {"help", "--help", "-h", "version", "--version"}


def main() -> None:
    """Ends in one line, not in a traceback, where settings, database or cache are missing: Django's commands too."""
    command = sys.argv[1] if len(sys.argv) > 1 else "help"
    module = "portal.settings_without_aws" if command in WITHOUT_SETTINGS else "portal.settings"
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", module)
    try:
        _run(needs_settings=not _HELP & {command, *sys.argv[2:]})
    except BrokenPipeError:
        # As after `| head`. Nobody reads on, and Python would complain when it writes the rest at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(_PIPE_CLOSED)
    except Exception as error:
        from tenants.management.errors import one_line

        line = one_line(error)
        if not line or "--traceback" in sys.argv:
            raise
        sys.exit(f"CommandError: {line}")
    except KeyboardInterrupt:
        sys.exit(130)


def _run(*, needs_settings: bool) -> None:
    from django.conf import settings
    from django.core.management import execute_from_command_line

    if needs_settings:
        # Read now. Django goes on without them for a while, and some of its commands then fail for another reason.
        _ = settings.INSTALLED_APPS
    if sys.argv[1:] in ([], *([word] for word in ("help", "--help", "-h"))):
        from portal.command_help import command_help

        print(command_help())
    try:
        execute_from_command_line(sys.argv)
    finally:
        # Here, where a reader that has gone is no error; at Python's own end it would be.
        if sys.stdout:
            sys.stdout.flush()


if __name__ == "__main__":
    main()
