"""Who is at an address, as far as addresses tell clients apart."""

from __future__ import annotations

from ipaddress import IPv4Address, ip_address, ip_network

# What a single IPv6 client is usually given, to choose as many addresses from as it likes (RFC 6177).
_IPV6_CLIENT_BITS = 64


def network_of(address: str) -> str:
    """An IPv4 address itself, the /64 of an IPv6 address; anything else as it is."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv4Address):
        return str(parsed)
    return str(ip_network((int(parsed), _IPV6_CLIENT_BITS), strict=False))
