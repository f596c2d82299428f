"""Who may connect to a port that asks for no secret: the addresses of one's own Asterisks."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, ip_network

from attrs import frozen
from twisted.internet.interfaces import IAddress

from ctiex.errors import ConfigurationError
from ctiex.links.peers import internet_address

LOOPBACK = ("127.0.0.0/8", "::1")
SOURCE_EXPECTED = 'an address or a network such as "192.0.2.7" or "192.0.2.0/24"'


def parse_source(text: str) -> IPv4Network | IPv6Network:
    """An address, or a network.

    :raise ConfigurationError: it is neither.
    """
    try:
        return ip_network(text, strict=False)
    except ValueError:
        raise ConfigurationError(f"found {text!r}, expected {SOURCE_EXPECTED}") from None


@frozen
class Sources:
    """The networks that are let in."""

    networks: tuple[IPv4Network | IPv6Network, ...]

    @classmethod
    def of(cls, texts: Iterable[str] = LOOPBACK) -> Sources:
        """Those in the texts; this machine alone where none are given.

        :raise ConfigurationError: one is no address and no network.
        """
        return cls(tuple(map(parse_source, texts)))

    def let_in(self, address: IAddress | None) -> bool:
        """Whether a connection from there is taken; one without an address that is known isn't."""
        host = internet_address(getattr(address, "host", None))
        return host is not None and any(host in network for network in self.networks)
