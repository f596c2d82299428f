"""What an endpoint string would open: read by Twisted itself, without opening it."""

from __future__ import annotations

import socket
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any

from attrs import define, frozen
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IListeningPort, IStreamServerEndpointStringParser
from twisted.internet.protocol import Factory
from twisted.plugin import getPlugins
from twisted.python.failure import Failure

from ctiex.app.tls.endpoint import PREFIX as TLS_PREFIX
from ctiex.app.tls.endpoint import TlsFiles, TlsServerEndpoint
from ctiex.errors import ConfigurationError

EXPECTED = 'an endpoint such as "tcp:7300:interface=127.0.0.1"'
_READABLE = frozenset({"tcp", "tcp6", "ssl", "unix", "haproxy"})
_EVERYWHERE = frozenset({"", "0.0.0.0", "::"})


@frozen
class Listening:
    """Where an endpoint listens."""

    description: str
    interface: str | None = None
    """The interface's address, empty for all; None where it is no TCP port or can't be known."""
    port: int = 0
    local: bool = False
    """Nobody but this machine reaches it."""
    plain: bool = False
    """Other machines reach it over TCP that whoever stands on the way can read."""
    files: TlsFiles | None = None
    """The certificates of an endpoint of ours."""


@define
class _Recorder:
    """Stands in for a reactor that only servers use, and writes down what it is asked to open."""

    asked: Listening

    def listenTCP(self, port: int, factory: Any, backlog: int = 50, interface: str = "") -> None:
        """Write a TCP port down."""
        local = is_loopback(interface)
        self.asked = Listening(self.asked.description, interface, port, local, plain=not local)

    def listenSSL(self, port: int, factory: Any, contextFactory: Any, backlog: int = 50, interface: str = "") -> None:
        """Write a TLS port down."""
        self.asked = Listening(self.asked.description, interface, port, is_loopback(interface))

    def listenUNIX(self, address: str, factory: Any, **options: Any) -> None:
        """Write a socket in the file system down."""
        self.asked = Listening(self.asked.description, local=True)


def is_loopback(interface: str) -> bool:
    """Whether the name or address of an interface, or of a host, is this machine's own loopback."""
    try:
        return interface == "localhost" or ip_address(interface).is_loopback
    except ValueError:
        return False


def read_endpoint(description: str) -> Listening:
    """Where an endpoint string would listen. No file is read for it but those of Twisted's ``ssl:``.

    :raise ConfigurationError: Twisted knows no such endpoint.
    """
    kind = description.partition(":")[0]
    if kind == "systemd":
        is_unix = "domain=UNIX" in description
        return Listening(description, local=is_unix, plain=not is_unix)
    if kind != TLS_PREFIX and kind not in _READABLE:
        if kind in {parser.prefix for parser in getPlugins(IStreamServerEndpointStringParser)}:
            return Listening(description)
        raise ConfigurationError(f'found "{description}", expected {EXPECTED}')
    listening = _tried(description)
    if not 0 <= listening.port <= 0xFFFF:
        raise ConfigurationError(f'found "{description}", expected a port from 0 to 65535')
    return listening


def _tried(description: str) -> Listening:
    recorder = _Recorder(Listening(description))
    try:
        endpoint = serverFromString(recorder, description)
        if isinstance(endpoint, TlsServerEndpoint):
            local = is_loopback(endpoint.interface)
            return Listening(description, endpoint.interface, endpoint.port, local, files=endpoint.files)
        failed: list[Failure] = []
        endpoint.listen(Factory()).addErrback(failed.append)
        for failure in failed:
            failure.raiseException()
    except Exception as error:  # whatever the parsers of Twisted and of its plugins raise
        raise ConfigurationError(f'found "{description}", expected {EXPECTED} ({error})') from None
    return recorder.asked


def advertised_address(description: str, host_name: Callable[[], str] = socket.gethostname) -> str:
    """The address to give to others for an endpoint: ``host:port``, or the endpoint string itself.

    :param host_name: the name that this machine goes by, where the endpoint listens on every interface.
    :raise ConfigurationError: Twisted knows no such endpoint.
    """
    listening = read_endpoint(description)
    if listening.interface is None:
        return description
    host = host_name() if listening.interface in _EVERYWHERE else listening.interface
    return f"[{host}]:{listening.port}" if ":" in host else f"{host}:{listening.port}"


def address_of(description: str, port: IListeningPort) -> str:
    """The address to give to others for an endpoint that listens now: port 0 has become a real one."""
    advertised = advertised_address(description)
    actual = getattr(port.getHost(), "port", None)
    return f"{advertised[:-1]}{actual}" if actual is not None and advertised.endswith(":0") else advertised
