"""Members that AWS leaves out of an answer because nothing was set. The engine sends them empty.

Without this, what a describe operation answers could not be sent back by an update, which refuses an empty text.
"""

import json
from typing import Any

from emulator.wire import Reply

_DESCRIPTIONS = frozenset(
    f"{verb}{kind}"
    for verb in ("Create", "Describe", "Update")
    for kind in ("UserPool", "UserPoolClient", "IdentityPool", "ResourceServer", "IdentityProvider")
) | {"CreateGroup", "GetGroup", "ListGroups", "AdminListGroupsForUser", "ListResourceServers"}
# AWS sends these even if they are empty.
_ALWAYS = frozenset({"LambdaConfig", "UserPoolTags", "IdentityPoolTags", "PrincipalTags", "Groups", "ResourceServers"})


def leave_out_empty(operation: str, reply: Reply) -> Reply:
    if operation not in _DESCRIPTIONS or reply.status != 200:
        return reply
    body = json.dumps(_filled(json.loads(reply.body)), ensure_ascii=False).encode()
    return Reply(reply.status, body, tuple(one for one in reply.headers if one[0].lower() != "content-length"))


def _filled(value: Any) -> Any:
    if isinstance(value, list):
        return [_filled(part) for part in value]
    if not isinstance(value, dict):
        return value
    parts = {name: _filled(part) for name, part in value.items()}
    return {name: part for name, part in parts.items() if name in _ALWAYS or part not in ("", None, [], {})}
