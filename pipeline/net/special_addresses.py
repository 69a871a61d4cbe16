"""IP address blocks that no public server has, kept here because Python's own tables lag behind and differ by version.

From the IANA IPv4 and IPv6 Special-Purpose Address Registries (RFC 6890, RFC 8190; as of October 2024, entries of
https://www.iana.org/assignments/iana-ipv4-special-registry and .../iana-ipv6-special-registry), with the blocks that
those mark as globally reachable: anycast relays and the like, none of which serves pictures or maps.
"""

import ipaddress

IPV4 = tuple(
    ipaddress.IPv4Network(block)
    for block in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private use
        "100.64.0.0/10",  # shared address space; a cloud's metadata at 100.100.100.200
        "127.0.0.0/8",  # loopback
        "169.254.0.0/16",  # link local; the metadata of most clouds
        "172.16.0.0/12",  # private use
        "192.0.0.0/24",  # IETF protocol assignments; a cloud's metadata at 192.0.0.192
        "192.0.2.0/24",  # documentation
        "192.31.196.0/24",  # AS112
        "192.52.193.0/24",  # AMT
        "192.88.99.0/24",  # 6to4 relays, deprecated
        "192.168.0.0/16",  # private use
        "192.175.48.0/24",  # AS112
        "198.18.0.0/15",  # benchmarking
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast (RFC 5771)
        "240.0.0.0/4",  # reserved; limited broadcast
        # In no registry: Azure's host agent, reachable from every virtual machine there and from nowhere else
        # (https://learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16).
        "168.63.129.16/32",
    )
)
IPV6_UNICAST = ipaddress.IPv6Network("2000::/3")
"""All that is global unicast today (RFC 4291): no loopback, mapped, NAT64, discard-only, unique local, link local,
SRv6 or multicast addresses."""
IPV6 = tuple(
    ipaddress.IPv6Network(block)
    for block in (
        "2001::/23",  # IETF protocol assignments: Teredo, benchmarking, AMT, AS112, ORCHID, drone identifiers
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4: holds an IPv4 address
        "2620:4f:8000::/48",  # AS112
        "3fff::/20",  # documentation
    )
)
"""Networks within `IPV6_UNICAST` that are not public."""


def is_special(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Whether an address lies in a block that no public server has."""
    if isinstance(ip, ipaddress.IPv4Address):
        return any(ip in block for block in IPV4)
    return ip not in IPV6_UNICAST or any(ip in block for block in IPV6)
