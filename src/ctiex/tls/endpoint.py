"""The server endpoint ``ctiex-tls:PORT:certificate=FILE:key=FILE:clients=FILE:interface=ADDRESS``.

Twisted finds it by its plugin system, so that it can stand wherever a server endpoint's string can.
"""

from __future__ import annotations

from typing import Any

from attrs import frozen
from twisted.internet.defer import Deferred, execute
from twisted.internet.interfaces import (
    IListeningPort,
    IProtocolFactory,
    IStreamServerEndpoint,
    IStreamServerEndpointStringParser,
)
from twisted.plugin import IPlugin
from zope.interface import implementer

from ctiex.extras import need

PREFIX = "ctiex-tls"
"""Not ``tls``, which is a server endpoint of Twisted's own in newer versions, without client certificates."""

_TAKES = (
    f"{PREFIX}:PORT:certificate=FILE, optionally :key=FILE, :clients=FILE, :clients_optional=yes,"
    " :interface=ADDRESS, :backlog=NUMBER"
)
_YES_OR_NO = {"yes": True, "no": False}


@frozen
class TlsFiles:
    """Where the certificates and keys of an endpoint stand, and what is asked of clients."""

    certificate: str
    """The exchange's certificate, with those of the authorities in between behind it."""
    key: str
    """Its private key, without a passphrase."""
    clients: str | None = None
    """The authorities that client certificates are verified against; None: clients show none."""
    clients_optional: bool = False
    """A client may do without a certificate, and has to give a secret then."""

    @property
    def paths(self) -> tuple[str, ...]:
        """Every file, once."""
        return tuple(dict.fromkeys(path for path in (self.certificate, self.key, self.clients) if path))


@implementer(IStreamServerEndpoint)
@frozen(eq=False)
class TlsServerEndpoint:
    """Listens for TLS 1.2 and above with the certificates in files, which are read again when they change."""

    _reactor: Any
    files: TlsFiles
    port: int
    interface: str
    _backlog: int

    def listen(self, protocolFactory: IProtocolFactory) -> Deferred[IListeningPort]:
        """Read the files and listen.

        The Deferred fails with ConfigurationError when the files are invalid, or the extra ``tls`` isn't installed.
        """
        return execute(self._listen, protocolFactory)

    def _listen(self, factory: IProtocolFactory) -> IListeningPort:
        need("tls", "TLS")
        # Imported here, since they need what the extra brings.
        from ctiex.tls.contexts import ServerContexts, behind_tls

        before: dict[TlsFiles, ServerContexts] = getattr(self._reactor, "contexts", {})
        contexts = before.get(self.files) or ServerContexts(self.files, self._reactor)
        port: IListeningPort = self._reactor.listenTCP(
            self.port, behind_tls(contexts, factory, self._reactor), self._backlog, self.interface
        )
        return port


@implementer(IPlugin, IStreamServerEndpointStringParser)
class TlsEndpointParser:
    """Reads the endpoint string."""

    prefix = PREFIX

    def parseStreamServer(self, reactor: Any, *args: Any, **kwargs: Any) -> TlsServerEndpoint:
        """The endpoint; no file is looked at before it listens.

        :raise ValueError: the string says too little, or what isn't known.
        """
        try:
            return _endpoint(reactor, *args, **kwargs)
        except TypeError:
            raise ValueError(f"it takes {_TAKES}") from None


def _endpoint(
    reactor: Any,
    port: str,
    interface: str = "",
    *,
    certificate: str,
    key: str | None = None,
    clients: str | None = None,
    clients_optional: str = "no",
    backlog: str = "50",
) -> TlsServerEndpoint:
    if clients_optional not in _YES_OR_NO:
        raise ValueError(f"clients_optional={clients_optional} is neither yes nor no")
    if clients is None and _YES_OR_NO[clients_optional]:
        raise ValueError("clients_optional=yes needs clients=FILE, the authorities to verify them against")
    files = TlsFiles(certificate, key or certificate, clients, _YES_OR_NO[clients_optional])
    return TlsServerEndpoint(reactor, files, int(port), interface, int(backlog))
