"""The ports that a service of several runs listens on: closed when it stops, and opened again when it restarts."""

from __future__ import annotations

from collections.abc import Callable

from attrs import define, field
from twisted.internet.defer import Deferred, ensureDeferred, maybeDeferred, succeed
from twisted.internet.interfaces import IListeningPort, IProtocolFactory, IStreamServerEndpoint
from twisted.logger import Logger

_log = Logger()


@define(eq=False)
class OwnPorts:
    """Where one service listens, in the order in which the ports were added."""

    _make_factory: Callable[[], IProtocolFactory]
    """Makes what takes the connections of one port."""
    _open: list[tuple[IStreamServerEndpoint, IListeningPort]] = field(factory=list, init=False)
    _closed: list[IStreamServerEndpoint] = field(factory=list, init=False)
    """Where it listened in an earlier run."""
    _opening: Deferred[None] = field(factory=lambda: succeed(None), init=False)

    async def listen(self, endpoint: IStreamServerEndpoint) -> IListeningPort:
        """Listen there from now on, while the service runs."""
        port: IListeningPort = await endpoint.listen(self._make_factory())
        self._open.append((endpoint, port))
        return port

    def open_again(self) -> None:
        """Listen where it did in the run before; an endpoint that can't be bound now is tried in the next run."""
        self._opening = ensureDeferred(self._open_closed())

    async def _open_closed(self) -> None:
        closed, self._closed = self._closed, []
        for endpoint in closed:
            try:
                await self.listen(endpoint)
            except Exception as error:  # any error of an endpoint; the others may work
                self._closed.append(endpoint)
                _log.error("can't listen again: {reason}", reason=str(error))

    async def close(self) -> None:
        """Take no more connections in this run."""
        await self._opening
        opened, self._open = self._open, []
        for endpoint, port in opened:
            self._closed.append(endpoint)
            await maybeDeferred(port.stopListening)
