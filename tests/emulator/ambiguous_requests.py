"""Ambiguous forms of a call: bodies, headers and addresses that a careless parser could read in two ways."""

import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.emulator.world import GLOBEX


@dataclass(frozen=True)
class Sent:
    """An HTTP request before it is signed. `extra` headers are sent unchanged; a repeated header is sent twice."""

    target: str
    body: bytes
    content_type: str = "application/x-amz-json-1.0"
    method: str = "POST"
    path: str = "/"
    chunked: bool = False
    extra: tuple[tuple[str, str], ...] = field(default=())


_AGAIN = json.dumps({"Key": {"pk": {"S": f"{GLOBEX}#orders"}, "sk": {"S": "0"}}})[1:]
_SCAN = ("x-amz-target", "DynamoDB_20120810.Scan")
_FORM = "application/x-www-form-urlencoded"

AMBIGUOUS_REQUESTS: dict[str, Callable[[str, str], Sent]] = {
    "a name twice": lambda target, text: Sent(target, f"{text[:-1]}, {_AGAIN}".encode()),
    "a name twice, once escaped": lambda target, text: Sent(target, f'{text[:-1]}, "\\u004bey": 1, {_AGAIN}'.encode()),
    "UTF-16": lambda target, text: Sent(target, text.encode("utf-16")),
    "a byte order mark": lambda target, text: Sent(target, b"\xef\xbb\xbf" + text.encode()),
    "JSON called a form": lambda target, text: Sent(target, text.encode(), content_type=_FORM),
    "JSON called text": lambda target, text: Sent(target, text.encode(), content_type="text/plain"),
    "another charset": lambda target, text: Sent(
        target, text.encode(), content_type="application/x-amz-json-1.0; charset=utf-7"
    ),
    "an action in the query": lambda target, text: Sent(target, text.encode(), path="/?Action=Scan&Version=2012-08-10"),
    "a target in the query": lambda target, text: Sent(target, text.encode(), path="/?X-Amz-Target=" + _SCAN[1]),
    "another path": lambda target, text: Sent(target, text.encode(), path="//"),
    "PUT": lambda target, text: Sent(target, text.encode(), method="PUT"),
    "GET": lambda target, text: Sent(target, text.encode(), method="GET"),
    "chunked": lambda target, text: Sent(target, text.encode(), chunked=True),
    "a second target": lambda target, text: Sent(target, text.encode(), extra=(_SCAN,)),
    "two lengths": lambda target, text: Sent(target, text.encode(), chunked=True, extra=(("content-length", "2"),)),
    "compressed": lambda target, text: Sent(
        target, gzip.compress(text.encode(), mtime=0), extra=(("content-encoding", "gzip"),)
    ),
    "a target in small letters": lambda target, text: Sent(target.lower(), text.encode()),
    "two targets in one": lambda target, text: Sent(f"{_SCAN[1]},{target}", text.encode()),
    "a form": lambda target, text: Sent("", b"Action=Scan&TableName=x", content_type=_FORM),
    "half a character": lambda target, text: Sent(target, text.replace("orders", "\\ud800").encode()),
    "very deep": lambda target, text: Sent(target, f'{text[:-1]}, "More": {"[" * 600}{"]" * 600}}}'.encode()),
    "null first": lambda target, text: Sent(target, text.replace('"S"', '"X": null, "S"').encode()),
    "something after it": lambda target, text: Sent(target, text.encode() + b"\x00" + text.encode()),
}
