"""Who does something, as the audit trail and the rules about who may do what need to know it."""

from __future__ import annotations

import getpass
import socket
from dataclasses import dataclass
from enum import StrEnum

_MOST_NAME = 254


class ActorKind(StrEnum):
    MEMBER = "member"
    OPERATOR = "operator"
    BREAK_GLASS = "break-glass"
    TERMINAL = "terminal"
    WORKER = "worker"
    VISITOR = "visitor"


@dataclass(frozen=True, slots=True)
class Actor:
    """`id` is a person's sub or the name of a program; `name` is what people call them.

    `role` is that of a member in their organisation, "" for all others.
    """

    id: str
    name: str
    kind: ActorKind
    role: str = ""


WORKER = Actor("worker", "provisioning", ActorKind.WORKER)
VISITOR = Actor("visitor", "nobody signed in", ActorKind.VISITOR)


def at_the_terminal() -> Actor:
    """The person who typed a command, as far as this machine knows them."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = "somebody"
    return Actor("command", f"{user}@{socket.gethostname()}"[:_MOST_NAME], ActorKind.TERMINAL)
