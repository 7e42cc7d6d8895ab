"""A worker that writes the suspension list and does nothing else, with the settings in its environment.

To be stopped in a call to IAM: `python -m tests.world.list_writer`. On SQLite a whole worker would
be stopped in the middle of some other write now and then, and nobody else could write.
"""

from __future__ import annotations

import time

import django


def main() -> None:
    django.setup()
    from tenants.lifecycle.suspension_list import ThirdRing
    from tenants.provisioning import wiring
    from tenants.provisioning.worker import new_name

    ring = ThirdRing(wiring.tools(threads=1).policy, new_name())
    while True:
        ring.tick()
        time.sleep(0.5)


if __name__ == "__main__":
    main()
