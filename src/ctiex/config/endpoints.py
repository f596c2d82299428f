"""What an endpoint string would open: read by Twisted itself, without opening it."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from typing import Any

from attrs import define, evolve, frozen
from twisted.internet.endpoints import _parse as split_endpoint
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IListeningPort, IStreamServerEndpoint
from twisted.internet.protocol import Factory
from twisted.python.failure import Failure

from ctiex.errors import ConfigurationError
from ctiex.extras import need
from ctiex.links.peers import is_loopback
from ctiex.tls.endpoint import PREFIX as TLS_PREFIX
from ctiex.tls.endpoint import TlsFiles, TlsServerEndpoint

EXPECTED = 'an endpoint such as "tcp:7300:interface=127.0.0.1"'
_BEHIND_PROXY = "haproxy"
"""Wraps another endpoint, whose string stands behind it."""
_NEED_TLS = frozenset({TLS_PREFIX, "ssl", "tls"})
_TWISTED_S_OWN = frozenset({"tcp", "tcp6", "unix", "ssl", "tls"})
"""Endpoints that need nothing but the reactor."""
_LONGEST_SOCKET = 107
"""The most bytes of a socket's name in the file system, on Linux."""
_FAMILIES = ("INET", "INET6", "UNIX")
_EVERYWHERE = frozenset({"", "0.0.0.0", "::"})


@frozen
class Listening:
    """Where an endpoint listens."""

    description: str
    interface: str | None = None
    """The interface's address, empty for all; None where it is no TCP port or can't be known."""
    port: int = 0
    local: bool = False
    """Only this machine can reach it."""
    plain: bool = False
    """Other machines reach it over TCP that anyone on the network path can read."""
    files: TlsFiles | None = None
    """The certificates of an endpoint of ours."""
    path: str | None = None
    """The socket in the file system; None if it isn't one."""
    folder: str | None = None
    """The certificates of Twisted's ``tls:``."""


@define
class _Recorder:
    """Stands in for a reactor that only servers use, and writes down what it is asked to open."""

    asked: Listening

    def listenTCP(self, port: int, factory: Any, backlog: int = 50, interface: str = "") -> None:
        """Write a TCP port down; where Twisted puts TLS around it, the factory alone tells."""
        local = is_loopback(interface)
        plain = not local and type(factory) is Factory
        self.asked = Listening(self.asked.description, interface, port, local, plain)

    def listenSSL(self, port: int, factory: Any, contextFactory: Any, backlog: int = 50, interface: str = "") -> None:
        """Write a TLS port down."""
        self.asked = Listening(self.asked.description, interface, port, is_loopback(interface))

    def listenUNIX(self, address: str, factory: Any, **options: Any) -> None:
        """Write a socket in the file system down.

        :raise ValueError: no system takes its name.
        """
        if not 0 < len(os.fsencode(address)) <= _LONGEST_SOCKET:
            raise ValueError(f"the name of a socket has from 1 to {_LONGEST_SOCKET} bytes")
        self.asked = Listening(self.asked.description, local=True, path=address)


def read_endpoint(description: str) -> Listening:
    """Where an endpoint string would listen. No file is read for it but those of Twisted's ``ssl:``.

    :raise ConfigurationError: there is no such endpoint, it isn't one that others connect to, or it needs an extra that
        isn't installed.
    """
    kind, _, rest = description.partition(":")
    if "\\" in kind:  # Twisted would take it away, and listen at what isn't looked at here
        raise ConfigurationError(f'found "{description}", expected {EXPECTED}')
    if kind == _BEHIND_PROXY and rest:
        return evolve(read_endpoint(rest), description=description)
    if kind in _NEED_TLS:
        need("tls", f'"{description}"')
    if kind == "systemd":
        return _handed_over(description)
    if kind == "stdio":
        raise ConfigurationError(f'found "{description}", one conversation over standard input, expected {EXPECTED}')
    listening = _tried(description) if kind in _TWISTED_S_OWN else _parsed(description)
    if not 0 <= listening.port <= 0xFFFF:
        raise ConfigurationError(f'found "{description}", expected a port from 0 to 65535')
    return listening


def make_endpoint(reactor: Any, description: str) -> IStreamServerEndpoint:
    """The endpoint of an endpoint string, to listen at.

    :raise ConfigurationError: there is no such endpoint, or it can't be used.
    """
    read_endpoint(description)
    try:
        endpoint: IStreamServerEndpoint = serverFromString(reactor, description)
    except (KeyError, IndexError):  # Twisted's word for it
        raise ConfigurationError(f'found "{description}", but systemd has passed no such socket') from None
    except Exception as error:  # whatever the parsers of plugins raise
        raise _no_endpoint(description, error) from None
    return endpoint


def _no_endpoint(description: str, error: Exception) -> ConfigurationError:
    return ConfigurationError(f'found "{description}", expected {EXPECTED} ({error})')


def _handed_over(description: str) -> Listening:
    """A socket that systemd opens. Where, only systemd knows."""
    (_, *words), named = split_endpoint(description)
    try:
        is_unix = _family(*words, **named) == "UNIX"
    except (TypeError, ValueError):
        raise ConfigurationError(
            f'found "{description}", expected systemd:domain=FAMILY:name=NAME, or :index=NUMBER, of the family'
            f" {', '.join(_FAMILIES)}"
        ) from None
    return Listening(description, local=is_unix, plain=not is_unix)


def _family(domain: str, index: str | None = None, name: str | None = None) -> str:
    """The family of a socket, out of the arguments that Twisted takes."""
    if domain not in _FAMILIES or (index is None) == (name is None):
        raise ValueError(domain)
    int(index or 0)
    return domain


def _parsed(description: str) -> Listening:
    """An endpoint of a plugin, as far as its string tells."""
    try:
        endpoint = serverFromString(_Recorder(Listening(description)), description)
    except AttributeError:  # it asks more of a reactor than to listen
        return Listening(description)
    except Exception as error:  # whatever the parsers of plugins raise
        raise _no_endpoint(description, error) from None
    if isinstance(endpoint, TlsServerEndpoint):
        return Listening(
            description, endpoint.interface, endpoint.port, is_loopback(endpoint.interface), files=endpoint.files
        )
    return Listening(description)


def _tried(description: str) -> Listening:
    """An endpoint of Twisted's: it is asked to listen, without a reactor that would do it."""
    recorder = _Recorder(Listening(description))
    failed: list[Failure] = []
    try:
        (kind, *words), named = split_endpoint(description)
        folder = (words[0] if words else named.get("path")) if kind == "tls" else None
        if folder == "":  # Twisted would look for certificates in all that is below the working directory
            raise ValueError("no folder of certificates")
        serverFromString(recorder, description).listen(Factory()).addErrback(failed.append)
        for failure in failed:
            failure.raiseException()
        recorder.asked = evolve(recorder.asked, folder=folder)
    except Exception as error:  # whatever the parsers raise
        raise _no_endpoint(description, error) from None
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
