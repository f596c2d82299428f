"""Links that an exchange opens to a service's own address, each for one Connection [0054]."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import maybeDeferred
from twisted.internet.interfaces import IAddress, IListeningPort, IReactorTime, IStreamServerEndpoint
from twisted.internet.protocol import Factory

from ctiex.errors import Status
from ctiex.interfaces import ICodec
from ctiex.links import rules
from ctiex.links._protocol import LinkProtocol
from ctiex.links.session import Session, SessionLimits
from ctiex.messages import Bind, Connection, ConnectionReply, Error, Message

Take = Callable[[Connection], ConnectionReply]
"""Accepts a customer, or refuses."""
Home = Callable[[], str | None]
"""The address of the exchange that the service is bound to; None while it isn't bound."""


class _DialledLink(LinkProtocol):
    """One of them."""

    def __init__(self, dialled: DialledLinks) -> None:
        super().__init__(dialled.clock)
        self._dialled = dialled

    def make_session(self) -> Session:
        """A session that takes nothing but a Connection."""
        return Session(self._dialled.codec, SessionLimits(), self, self.clock.seconds(), bound_by=rules.DIALLED)

    def link_opened(self) -> None:
        """Known to those who end it when the service stops."""
        self._dialled.links.add(self)

    def link_closed(self, reason: str) -> None:
        """Gone, as it should be once its Connection was answered."""
        self._dialled.links.discard(self)

    def request_received(self, message: Message, invoke_id: int) -> None:
        """Answer the Connection."""
        if isinstance(message, Connection):
            self.session.reply(self._dialled.take(message), invoke_id)

    def bind_received(self, bind: Bind, invoke_id: int) -> None:
        """The rules of this link let no Bind through."""

    def error_received(self, error: Error) -> None:
        """Nothing was sent that could be complained of."""


class DialledLinks(Factory):
    """Listens for exchanges that dial, and takes their customers where the way back is known."""

    noisy = False

    def __init__(self, clock: IReactorTime, codec: ICodec, take: Take, home: Home) -> None:
        self.clock = clock
        self.codec = codec
        self.links: set[_DialledLink] = set()
        self._take = take
        self._home = home
        self._ports: list[IListeningPort] = []

    def buildProtocol(self, addr: IAddress | None) -> _DialledLink:
        """A link that an exchange has opened."""
        return _DialledLink(self)

    async def listen(self, endpoint: IStreamServerEndpoint) -> IListeningPort:
        """Take links there from now on."""
        port: IListeningPort = await endpoint.listen(self)
        self._ports.append(port)
        return port

    async def stop_listening(self) -> None:
        """Take no more links."""
        ports, self._ports = self._ports, []
        for port in ports:
            await maybeDeferred(port.stopListening)

    def cut_all(self) -> None:
        """End those that are left."""
        for link in list(self.links):
            link.cut("the service stops")

    def take(self, connection: Connection) -> ConnectionReply:
        """Take the customer of the exchange that this service is bound to; refuse any other's (26)."""
        home = self._home()
        if home is None or connection.exchange_address not in ("", home):
            return ConnectionReply(Status.OTHER_EXCHANGE, "this service isn't bound to that exchange")
        return self._take(connection)
