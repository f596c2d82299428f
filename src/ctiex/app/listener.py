"""Listening at endpoints: what needs the rights of root is done before the process gives them up."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable
from typing import Any

from attrs import define, field
from twisted.internet.abstract import isIPv6Address
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IProtocolFactory, IStreamServerEndpoint

from ctiex.config.endpoints import Listening, make_endpoint, read_endpoint
from ctiex.errors import ConfigurationError

_PRIVILEGED = range(1, 1024)
"""The ports that only root binds."""


@define
class _Reactor:
    """A reactor that has bound some ports before; everything else is the reactor's own."""

    reactor: Any
    bound: dict[tuple[str, int], socket.socket] = field(factory=dict)
    contexts: dict[Any, Any] = field(factory=dict)
    """By the files of a TLS endpoint of ours: what was read of them."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self.reactor, name)

    def listenTCP(self, port: int, factory: Any, backlog: int = 50, interface: str = "") -> Any:
        """Listen at a port, which may be bound already."""
        bound = self.bound.pop((interface, port), None)
        if bound is None:
            return self.reactor.listenTCP(port, factory, backlog, interface)
        with bound:
            bound.listen(backlog)
            return self.reactor.adoptStreamPort(bound.fileno(), bound.family, factory)

    def listenSSL(self, port: int, factory: Any, contextFactory: Any, backlog: int = 50, interface: str = "") -> Any:
        """Likewise, with TLS."""
        from twisted.protocols.tls import TLSMemoryBIOFactory  # needs what the extra brings

        return self.listenTCP(port, TLSMemoryBIOFactory(contextFactory, False, factory), backlog, interface)


class Listener:
    """Listens at the endpoints of one exchange."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = _Reactor(reactor)
        self._endpoints: dict[str, IStreamServerEndpoint] = {}

    def prepare(self, descriptions: Iterable[str]) -> None:
        """Read keys, and bind the ports that only root may bind; connections aren't accepted before ``listen``.

        :param descriptions: endpoint strings.
        :raise ConfigurationError: there is no such endpoint, or its files are invalid.
        :raise CannotListenError: a port can't be bound.
        """
        self.close()
        for description in descriptions:
            self._endpoints[description] = make_endpoint(self._reactor, description)
            where = read_endpoint(description)
            self._bind(where)
            if where.files is not None:
                from ctiex.tls.contexts import ServerContexts  # needs what the extra brings

                self._reactor.contexts[where.files] = ServerContexts(where.files, self._reactor.reactor)

    async def listen(self, description: str, factory: IProtocolFactory) -> IListeningPort:
        """Listen at an endpoint.

        :raise ConfigurationError: there is no such endpoint, or it can't be used.
        :raise CannotListenError: likewise, in Twisted's words.
        """
        endpoint = self._endpoints.pop(description, None) or make_endpoint(self._reactor, description)
        try:
            return await endpoint.listen(factory)
        except OSError as error:  # of what stands in a socket's place
            raise ConfigurationError(
                f'found "{description}", which can\'t be bound: {error.strerror or error}'
            ) from None

    def close(self) -> None:
        """Let go of what was prepared and isn't listened at."""
        for bound in self._reactor.bound.values():
            bound.close()
        self._reactor.bound.clear()
        self._reactor.contexts.clear()
        self._endpoints.clear()

    def _bind(self, where: Listening) -> None:
        """Bind a port that only root binds, where that is to be given up."""
        if where.interface is None or where.port not in _PRIVILEGED or os.geteuid() != 0:
            return
        bound = socket.socket(socket.AF_INET6 if isIPv6Address(where.interface) else socket.AF_INET)
        try:
            bound.setblocking(False)
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind((where.interface, where.port))
        except OSError as error:
            bound.close()
            raise CannotListenError(where.interface, where.port, error) from None
        self._reactor.bound[where.interface, where.port] = bound
