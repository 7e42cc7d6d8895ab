"""Which addresses count as one client."""

from __future__ import annotations

from ipaddress import IPv4Address, ip_address, ip_network

# An IPv6 client usually has a whole /64 to choose addresses from (RFC 6177).
_IPV6_CLIENT_BITS = 64
# What one site or one attacker usually has: a /24 of IPv4, a /48 of IPv6.
_WIDE_BITS = {4: 24, 6: 48}


def network_of(address: str) -> str:
    """An IPv4 address itself, the /64 of an IPv6 address; any other text unchanged."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv4Address):
        return str(parsed)
    return str(ip_network((int(parsed), _IPV6_CLIENT_BITS), strict=False))


def wide_network_of(address: str) -> str:
    """The /24 of an IPv4 address, the /48 of an IPv6 address; any other text unchanged."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    return str(ip_network((int(parsed), _WIDE_BITS[parsed.version]), strict=False))
