"""The exchange as a process: started on what the disk holds, crashed at any moment, or told to leave."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from twisted.internet.defer import DeferredList
from twisted.internet.interfaces import IProtocol

from ctiex.interfaces import ICallStore
from ctiex.links.ivr import IvrLink
from ctiex.links.terms import SessionLimits
from ctiex.messages import Connection
from ctiex.processing.settings import Limits, Timeouts
from ctiex.processing.states import SIGNALLED
from ctiex.testing.pairs import MemoryExchange, agents, make_service, services
from ctiex.testing.simulation.clock import ProcessClock, WorldClock
from ctiex.testing.simulation.ledger import Ledger
from ctiex.testing.simulation.network import Network
from ctiex.testing.simulation.store import Disk, SimulatedStore

AGENT_ADDRESS, IVR_ADDRESS = "agents:7300", "services:7301"
TIMEOUTS = Timeouts(signalling=20.0, fetch=40.0, service=90.0, keep_closed=300.0)
MAILBOX_TTL = 7_200.0
_LEAVE_WITHIN = 5.0

SERVICES = {name: make_service(name, TIMEOUTS) for name in ("bill", "password")}
AGENTS = {"platform-1": ("1001", "1002", "1003"), "platform-3": ("3001", "3002")}
"""The agent numbers of each agent-side identity."""
SERVED = {"ivr-a": ("bill",), "ivr-b": ("bill", "password")}
"""The services of each service identity."""

MakeStore = Callable[[Disk, ProcessClock, Random], ICallStore]


class ExchangeProcess:
    """One exchange after the other, all on the same disk."""

    def __init__(
        self,
        clock: WorldClock,
        network: Network,
        ledger: Ledger,
        random: Random,
        mailbox: int,
        make_store: MakeStore = SimulatedStore,
        spoil: Callable[[MemoryExchange], None] = lambda _: None,
    ) -> None:
        """An exchange that isn't started yet.

        :param mailbox: how many events an agent's mailbox holds.
        :param spoil: puts a known fault into each exchange that is started, to see it found.
        """
        self.disk = Disk()
        self.running: MemoryExchange | None = None
        """None while it is down, or reads its disk."""
        self.process: ProcessClock | None = None
        self._clock = clock
        self._network = network
        self._ledger = ledger
        self._random = random
        self._limits = Limits(mailbox=mailbox, mailbox_ttl=MAILBOX_TTL)
        self._make_store = make_store
        self._spoil = spoil
        self._leaving = False

    def start(self) -> None:
        """Start a process; it takes connections once its store is open."""
        if self.process is not None:
            return
        process = self.process = ProcessClock(self._clock)
        store = self._make_store(self.disk, process, self._random)
        opening = store.open(process)
        if opening is None:
            self._opened(store, process)
        else:
            opening.addCallback(lambda _: self._opened(store, process))
            opening.addErrback(lambda failure: self._ledger.break_(f"the exchange doesn't start: {failure}"))

    def _opened(self, store: ICallStore, process: ProcessClock) -> None:
        exchange = self.running = MemoryExchange(
            identities=(*(agents(name, *numbers) for name, numbers in AGENTS.items()),
                        *(services(name, *served) for name, served in SERVED.items())),
            services=SERVICES, limits=self._limits, session_limits=SessionLimits(), store=store, clock=process,
        )  # fmt: skip
        self._spoil(exchange)
        self._network.listen(IVR_ADDRESS, process, lambda: self._observed(exchange.ivr_links.buildProtocol(None)))
        self._network.listen(AGENT_ADDRESS, process, lambda: exchange.agent_links.buildProtocol(None))

    def _observed(self, link: IvrLink) -> IProtocol:
        """The same link; the ledger hears whom calls are offered to."""
        connect = link.connect

        def observed(connection: Connection, *rest: Any) -> None:
            self._ledger.connection_written(link.identity, connection)
            connect(connection, *rest)

        vars(link)["connect"] = observed
        return link

    def crash(self) -> None:
        """The process dies, with everything that isn't on the disk."""
        if self.process is None:
            return
        self._not_listening()
        self.process.alive = False
        self._network.kill(self.process)
        self.process = self.running = None
        self._leaving = False

    def _not_listening(self) -> None:
        self._network.stop_listening(IVR_ADDRESS)
        self._network.stop_listening(AGENT_ADDRESS)

    def leave(self, gone: Callable[[], None]) -> None:
        """As at SIGTERM: take no new calls, say goodbye to all links, close the store, end.

        :param gone: called once it is down, however that came about.
        """
        exchange, process = self.running, self.process
        if exchange is None or process is None or self._leaving:
            return
        self._leaving = True
        exchange.processing.drain()
        self._not_listening()
        _withdraw_offers(exchange)
        factories = (exchange.agent_links, exchange.ivr_links)
        for factory in factories:
            factory.going_away()
        left = DeferredList([factory.when_empty() for factory in factories])
        left.addTimeout(_LEAVE_WITHIN, process)

        def stopped(_: Any) -> None:
            for factory in factories:
                factory.cut_all()
            process.callLater(0, closing)

        def closing() -> None:
            exchange.processing.stop()
            closed = exchange.store.close()
            if closed is None:
                self._ended(process, gone)
            else:
                closed.addBoth(lambda _: self._ended(process, gone))

        left.addBoth(stopped)

    def _ended(self, process: ProcessClock, gone: Callable[[], None]) -> None:
        if self.process is process:
            self.crash()
            gone()


def _withdraw_offers(exchange: MemoryExchange) -> None:
    """Hang up what is being signalled: it is offered again after the restart."""
    life = exchange.processing._life
    for call in exchange.store.calls():
        if call.state in SIGNALLED:
            life.driver(call).withdraw(call.serial)
