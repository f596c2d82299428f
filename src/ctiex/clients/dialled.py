"""Links that an exchange opens to a service's own address, each for one Connection [0054]."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IAddress, IDelayedCall, IReactorTime
from twisted.internet.protocol import Factory
from twisted.logger import Logger

from ctiex.clients.own_ports import OwnPorts
from ctiex.errors import Status
from ctiex.interfaces import ICodec
from ctiex.limits import SessionLimits
from ctiex.links import rules
from ctiex.links.ports import GuardedFactory, PortBounds
from ctiex.links.protocol import LinkProtocol
from ctiex.links.session import Session
from ctiex.messages import Connection, ConnectionReply, Message

_log = Logger()

Take = Callable[[Connection], ConnectionReply]
"""Accepts a customer, or refuses."""
Home = Callable[[], str | None]
"""The address of the exchange that the service is bound to; None while it isn't bound."""

MOST_LINKS = 1_000
"""How many of these links may be open at the same time: anybody who reaches the port can open one."""


class _IncomingLink(LinkProtocol):
    """One of them."""

    def __init__(self, dialled: DialledLinks) -> None:
        super().__init__(dialled.clock)
        self._dialled = dialled
        self._deadline: IDelayedCall | None = None

    def make_session(self) -> Session:
        """A session that takes nothing but a Connection."""
        return Session(self._dialled.codec, SessionLimits(), self, self.clock.seconds(), bound_by=rules.DIALLED)

    def link_opened(self) -> None:
        """Known to those who end it when the service stops. Its Connection has to come soon."""
        self._dialled.links[self] = None
        self._deadline = self.clock.callLater(
            SessionLimits().login_deadline, self.cut, "timed out waiting for a Connection"
        )

    def link_closed(self, reason: str) -> None:
        """Gone, as it should be once its Connection was answered."""
        self._dialled.links.pop(self, None)
        self._in_time()

    def request_received(self, message: Message, invoke_id: int) -> None:
        """Answer the Connection, and close: there is one on each link."""
        if isinstance(message, Connection):
            self._in_time()
            self.session.reply(self._dialled.take(message), invoke_id)
            self.session.end("answered")

    def _in_time(self) -> None:
        if self._deadline is not None and self._deadline.active():
            self._deadline.cancel()


class DialledLinks(Factory):
    """Listens for exchanges that dial, and takes their customers where the way back is known."""

    noisy = False

    def __init__(
        self, clock: IReactorTime, codec: ICodec, take: Take, home: Home, most_links: int = MOST_LINKS
    ) -> None:
        self.clock = clock
        self.codec = codec
        # A dictionary, since a set would be walked in another order in every run.
        self.links: dict[_IncomingLink, None] = {}
        self._take = take
        self._home = home
        self._most_links = most_links
        bounds = PortBounds("the service", lambda: self._most_links, lambda: max(1, self._most_links // 2))
        self.ports = OwnPorts(lambda: GuardedFactory(self, bounds, clock))

    def buildProtocol(self, addr: IAddress | None) -> _IncomingLink | None:
        """A link that an exchange has opened; None, which closes it, when there are as many as may be."""
        if len(self.links) >= self._most_links:
            _log.warn("a link from {address} is refused: {count} are open", address=addr, count=len(self.links))
            return None
        return _IncomingLink(self)

    def cut_all(self) -> None:
        """End those that are left."""
        for link in list(self.links):
            link.cut("the service is stopping")

    def take(self, connection: Connection) -> ConnectionReply:
        """Take the customer of the exchange that this service is bound to; refuse any other's (26).

        An empty address is refused too: the caller has to say which exchange the service should ask for the data.
        """
        home = self._home()
        if not home or connection.exchange_address != home:
            return ConnectionReply(Status.OTHER_EXCHANGE, "this service isn't bound to that exchange")
        return self._take(connection)
