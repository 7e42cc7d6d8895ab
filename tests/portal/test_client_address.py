"""Where a request comes from: what our own proxies wrote is believed, and nothing that a client says of itself."""

from __future__ import annotations

import pytest

from portal.client_address import client_address

CLIENT, PROXY, MADE_UP = "203.0.113.9", "10.0.0.1", "192.0.2.66"


@pytest.mark.parametrize(
    ("proxies", "connection", "forwarded_for", "address"),
    [
        (0, CLIENT, "", CLIENT),
        (0, CLIENT, MADE_UP, CLIENT),
        (1, PROXY, CLIENT, CLIENT),
        (1, PROXY, f"{MADE_UP}, {CLIENT}", CLIENT),
        (2, PROXY, f"{MADE_UP}, {CLIENT}, 10.0.0.2", CLIENT),
        # Somebody got past a proxy, or one does not write.
        (1, CLIENT, "", CLIENT),
        (2, PROXY, CLIENT, PROXY),
        (1, PROXY, "no address", PROXY),
        (1, PROXY, "<script>", PROXY),
        (1, PROXY, f"{CLIENT}:4711", CLIENT),
        (1, PROXY, "[2001:db8::1]:4711", "2001:db8::1"),
        (1, PROXY, "2001:DB8:0::1", "2001:db8::1"),
        (0, f"::ffff:{CLIENT}", "", CLIENT),
        (0, "", "", ""),
        (1, "", MADE_UP, MADE_UP),
    ],
)
def test_as_many_hops_are_believed_as_there_are_proxies(
    proxies: int, connection: str, forwarded_for: str, address: str
) -> None:
    assert client_address(connection=connection, forwarded_for=forwarded_for, proxies=proxies) == address
