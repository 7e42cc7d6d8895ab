"""Where a request comes from, for the audit trail and the log.

Each proxy appends to `X-Forwarded-For` whom it was called by, so what a client made up itself stands to the left of
what our own proxies wrote. How many of those there are only the settings can say; no more of the header is believed.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address


def client_address(*, connection: str, forwarded_for: str, proxies: int) -> str:
    """In its canonical form; the connection's own where the header does not reach that far; "" for none at all."""
    hops = [hop.strip() for hop in forwarded_for.split(",")]
    if 0 < proxies <= len(hops) and (written := _address(hops[-proxies])):
        return written
    return _address(connection)


def _address(text: str) -> str:
    """Without a port, which some proxies add; "" for what is no address."""
    host = text.partition("]")[0].lstrip("[") if text.startswith("[") else text
    if host.count(":") == 1:
        host = host.partition(":")[0]
    try:
        return str(_plain(ip_address(host)))
    except ValueError:
        return ""


def _plain(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """An IPv4 client of a socket that takes both kinds is the same client."""
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address
