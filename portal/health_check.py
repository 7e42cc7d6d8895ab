"""The health check of a container: `python -m portal.health_check`. Ends with 0 if the server beside it lives.

It asks `/readyz` too, and ignores the answer: the server then logs what is in its way, and alarms count these lines. A
new container would reach the database no better, so only `/livez` decides. Knows no settings and starts no Django.
"""

import http.client
import sys
from contextlib import suppress

_SECONDS = 4


def status(port: int, path: str) -> int:
    """The status of the answer. Raises OSError or HTTPException if there is none."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_SECONDS)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    finally:
        connection.close()


def main(port: int = 8000) -> int:
    try:
        lives = status(port, "/livez") == 200
    except (OSError, http.client.HTTPException):
        return 1
    with suppress(OSError, http.client.HTTPException):
        status(port, "/readyz")
    return 0 if lives else 1


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
