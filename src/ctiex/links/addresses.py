"""Addresses to connect to, as the configuration has them: endpoint strings of Twisted, read without connecting."""

from __future__ import annotations

from typing import Any

from twisted.internet.endpoints import clientFromString
from twisted.internet.interfaces import IHostnameResolver, IReactorPluggableNameResolver
from twisted.internet.protocol import Factory
from zope.interface import implementer

from ctiex.extras import need
from ctiex.links.endpoints import client_endpoint, read_destination


@implementer(IReactorPluggableNameResolver)
class _NoReactor:
    """Stands in for a reactor while an address is only read, and writes down where plain TCP would go."""

    nameResolver: Any = None
    plain_host = ""

    def installNameResolver(self, resolver: IHostnameResolver) -> IHostnameResolver:
        """Nothing resolves names here."""
        return resolver

    def connectTCP(self, host: str, port: int, factory: Any, **options: Any) -> None:
        """Write a host down."""
        self.plain_host = host


def check_address(address: str) -> None:
    """See that an endpoint string can be connected to, as far as that can be seen without doing it.

    :raise ConfigurationError: it isn't valid, or needs an extra that isn't installed.
    """
    if read_destination(address).kind in ("ssl", "tls"):
        need("tls", repr(address))
    client_endpoint(_NoReactor(), address)


def plain_host(address: object) -> str:
    """The host to which an endpoint string connects by plain TCP; empty if it does otherwise, or is invalid."""
    if not isinstance(address, str):
        return ""
    reactor = _NoReactor()
    try:
        if read_destination(address).kind.lower() != "tcp":
            return ""
        clientFromString(reactor, address).connect(Factory())
    except Exception:  # every endpoint parser raises what it likes
        return ""
    return reactor.plain_host
