"""Which addresses may be called: hosts that the configuration names, and of those only addresses out in the open.

Whoever may name an address for us to call could otherwise have us call what only we can reach: a cloud's metadata, a
database beside us, this machine itself. So the host is one of a list, its name is resolved once, every address that it
has is looked at, and the connection goes to exactly the one that was looked at.
"""

import socket
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final
from urllib.parse import SplitResult, urlsplit

from accounts.configuration import LOOPBACK

HTTPS_PORT: Final = 443
URL_CHARACTERS_MAX: Final = 2_000

Address = IPv4Address | IPv6Address
Resolve = Callable[[str, int], Sequence[str]]

# Beside what is private, local, shared or reserved: addresses that look public and lead inside, or to another one.
_INWARD: Final = tuple(
    map(
        ip_network,
        (
            "168.63.129.16/32",  # a cloud's own wire server
            "100.64.0.0/10",  # shared by a provider's customers, and another cloud's metadata
            "192.0.0.0/24",
            "64:ff9b::/96",  # NAT64, twice
            "64:ff9b:1::/48",
            "2002::/16",  # 6to4
            "2001::/32",  # Teredo
            "::/96",  # IPv4 in IPv6, as it was once written
            "fec0::/10",
        ),
    )
)


class Blocked(Exception):
    """This address is not called. A sentence that names the host and why."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a call goes: one host and port, checked by name."""

    scheme: str
    host: str
    port: int
    is_ours: bool  # this machine, named in the configuration


class Allowed:
    """The hosts of [callbacks] allow: without a port they are called at 443, and this machine at every port."""

    def __init__(self, hosts: Collection[str]) -> None:
        self._hosts = frozenset(map(str.lower, hosts))

    def place(self, url: str) -> Place:
        """Where this address leads, by its name alone. Raises Blocked."""
        parts, port = _parts(url)
        host = (parts.hostname or "").rstrip(".")
        is_ours = host in LOOPBACK and bool({host, f"{_bracketed(host)}:{port}"} & self._hosts)
        if parts.scheme != "https" and not (parts.scheme == "http" and is_ours):
            raise Blocked("A callback goes to an https address.")
        named = f"{host}:{port}" in self._hosts or (port == HTTPS_PORT and host in self._hosts)
        if not is_ours and not named:
            raise Blocked(
                f"The host {host[:100]} (port {port}) is not one that [callbacks] allow names. Add it there, or name "
                "another address."
            )
        return Place(parts.scheme, host, port, is_ours)


def resolved(place: Place, resolve: Resolve) -> str:
    """The one address to connect to. Raises Blocked, or OSError where the name cannot be resolved."""
    found = resolve(place.host, place.port)
    if not found:
        raise OSError(f"{place.host} has no address")
    for each in found:
        address = ip_address(each.partition("%")[0])
        if place.is_ours and _is_this_machine(address):
            continue
        if place.is_ours or leads_inside(address):
            raise Blocked(
                f"The host {place.host[:100]} has the address {address}, which is not a public one. It is not called."
            )
    return found[0]


def leads_inside(address: Address) -> bool:
    """Whether an address is anything but a public one: private, local, shared, reserved, or a disguise of such."""
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return True  # nobody publishes these; they are written to get past a check
    if address.is_multicast or not address.is_global:
        return True
    return any(address.version == each.version and address in each for each in _INWARD)


def by_the_system(host: str, port: int) -> Sequence[str]:
    """Asks as every other program on this machine would."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def _parts(url: str) -> tuple[SplitResult, int]:
    if (
        len(url) > URL_CHARACTERS_MAX
        or not url.isascii()
        or not url.isprintable()
        or " " in url
        or "\\" in url
    ):
        raise Blocked("This is not the address of a callback: plain ASCII without spaces is expected.")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise Blocked("This is not the address of a callback.") from None
    if "@" in parts.netloc:
        raise Blocked("The address of a callback has no user or password in it.")
    return parts, port if port is not None else {"http": 80}.get(parts.scheme, HTTPS_PORT)


def _is_this_machine(address: Address) -> bool:
    return address.is_loopback


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
