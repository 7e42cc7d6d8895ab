"""The client's address: entries of our own proxies are trusted, and nothing that a client invents."""

from __future__ import annotations

import pytest

from portal.client_address import client_address

CLIENT, PROXY, INVENTED = "203.0.113.9", "10.0.0.1", "192.0.2.66"


@pytest.mark.parametrize(
    ("proxies", "connection", "forwarded_for", "address"),
    [
        (0, CLIENT, "", CLIENT),
        (0, CLIENT, INVENTED, CLIENT),
        (1, PROXY, CLIENT, CLIENT),
        (1, PROXY, f"{INVENTED}, {CLIENT}", CLIENT),
        (2, PROXY, f"{INVENTED}, {CLIENT}, 10.0.0.2", CLIENT),
        # The request did not pass all proxies, or one of them adds no entry.
        (1, CLIENT, "", CLIENT),
        (2, PROXY, CLIENT, PROXY),
        (1, PROXY, "no address", PROXY),
        (1, PROXY, "<script>", PROXY),
        (1, PROXY, f"{CLIENT}:4711", CLIENT),
        (1, PROXY, "[2001:db8::1]:4711", "2001:db8::1"),
        (1, PROXY, "2001:DB8:0::1", "2001:db8::1"),
        (0, f"::ffff:{CLIENT}", "", CLIENT),
        (0, "", "", ""),
        (1, "", INVENTED, INVENTED),
    ],
)
def test_only_entries_of_our_own_proxies_are_trusted(
    proxies: int, connection: str, forwarded_for: str, address: str
) -> None:
    assert client_address(connection=connection, forwarded_for=forwarded_for, proxies=proxies) == address
