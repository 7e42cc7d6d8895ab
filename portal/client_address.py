"""The client's address, for the audit trail and the log.

Each proxy appends its caller's address to `X-Forwarded-For`. Entries that a client invents are therefore to the left
of the entries that our own proxies wrote. The settings say how many proxies we run, and we trust that many entries.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address


def came_through(forwarded_for: str, *, proxies: int) -> bool:
    """Whether the header has an address from each of our proxies. Without proxies of ours it never has."""
    hops = forwarded_for.split(",")
    return 0 < proxies <= len(hops) and all(_address(hop.strip()) for hop in hops[-proxies:])


def client_address(*, connection: str, forwarded_for: str, proxies: int) -> str:
    """In canonical form. The connection's own address if the header has too few entries; "" if there is no address."""
    hops = [hop.strip() for hop in forwarded_for.split(",")]
    if 0 < proxies <= len(hops) and (trusted := _address(hops[-proxies])):
        return trusted
    return _address(connection)


def _address(text: str) -> str:
    """Without the port that some proxies add; "" if the text is not an address."""
    host = text.partition("]")[0].lstrip("[") if text.startswith("[") else text
    if host.count(":") == 1:
        host = host.partition(":")[0]
    try:
        return str(_unmap(ip_address(host)))
    except ValueError:
        return ""


def _unmap(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """`::ffff:192.0.2.1` as 192.0.2.1: a socket for both versions reports IPv4 clients in the longer form."""
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address
