"""The exchange as a process: started on what the disk holds, crashed at any moment, or told to leave."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from random import Random

from attrs import define, evolve, field
from twisted.internet.defer import ensureDeferred

from ctiex.interfaces import ISignalling
from ctiex.limits import Limits, SessionLimits, Timeouts
from ctiex.processing.context import ProcessingContext
from ctiex.processing.service import ProcessingService
from ctiex.processing.stored_time import LABEL
from ctiex.signalling.link import LinkSignalling
from ctiex.stores.call_store import CallStore
from ctiex.testing.pairs import MemoryExchange, agents, make_service, services
from ctiex.testing.simulation.answers import Answers
from ctiex.testing.simulation.clock import ProcessClock
from ctiex.testing.simulation.processes import AGENT_ADDRESS, IVR_ADDRESS, SimulatedProcess
from ctiex.testing.simulation.store import Disk
from ctiex.testing.simulation.telephones import Place, Platform, SeenSignalling
from ctiex.testing.simulation.witness import Witness

_TIMEOUTS = Timeouts(
    signalling_timeout=20.0, fetch_timeout=40.0, service_timeout=90.0, return_timeout=15.0, keep_closed=200.0
)
_SOON_FORGOTTEN = evolve(_TIMEOUTS, keep_closed=90.0)
"""The serials of these calls are free again sooner than an agent who is away for long comes back."""
MAILBOX_TTL = 691_200.0
"""Longer than the wall clock is ever set forward: no event expires while somebody waits for it."""
_HEARTBEAT = 10.0
"""A peer that is cut off learns of it within three of them, in seconds, as all waits here are shorter than usual."""

SERVICES = {
    name: make_service(name, timeouts, signalling)
    for name, timeouts, signalling in (
        ("bill", _SOON_FORGOTTEN, "link"),
        ("password", _SOON_FORGOTTEN, "link"),
        ("voice", _TIMEOUTS, "seen"),
    )
}
"""Customers of ``voice`` go there by telephone, and the driver sees what becomes of them."""
AGENTS = {"platform-1": ("1001", "1002", "1003"), "platform-3": ("3001", "3002")}
"""The agent numbers of each agent-side identity."""
SERVED = {"ivr-a": ("bill", "voice"), "ivr-b": ("bill", "password", "voice")}
"""The services of each service identity."""

IDENTITIES = (
    *(agents(name, *numbers) for name, numbers in AGENTS.items()),
    *(services(name, *served) for name, served in SERVED.items()),
)

MakeStore = Callable[[Disk, ProcessClock, Random], CallStore]


@define(eq=False)
class ExchangeProcess(SimulatedProcess):
    """One exchange after the other, all on the same disk."""

    disk: Disk
    _witness: Witness
    """Hears what it decides."""
    _platform: Platform
    limits: Limits
    _make_store: MakeStore
    _spoil: Callable[[MemoryExchange], None]
    """Puts a known fault into each exchange that is started, to see it found."""
    running: MemoryExchange | None = field(default=None, init=False)
    """None while it is down, or reads its disk."""
    _leaving: bool = field(default=False, init=False)

    def _begins_at(self) -> float:
        """At wall time, as the real one's clock, which never steps either."""
        return self._clock.wall

    def _begin(self, process: ProcessClock) -> None:
        """It takes connections once its store is open."""
        store = self._make_store(self.disk, process, self._random)
        opening = store.open(process)
        opening.addCallback(lambda _: self._opened(store, process))
        opening.addErrback(lambda failure: self.ledger.break_(f"the exchange doesn't start: {failure}"))

    def _opened(self, store: CallStore, process: ProcessClock) -> None:
        witness = self._witness
        answers = Answers(witness, store)
        answers.watch_store({identity.name: identity for identity in IDENTITIES})
        witness.data_found(store.calls())
        witness.process_started(self.disk.calls, lambda serial: self._platform.place_of(serial) is Place.GONE)
        exchange = self.running = MemoryExchange(
            identities=IDENTITIES,
            services=SERVICES,
            limits=self.limits,
            session_limits=SessionLimits(heartbeat=_HEARTBEAT),
            store=store,
            clock=process,
            wall=lambda: self._clock.wall,
            make_drivers=partial(self._drivers, process),
            random=Random(self._random.getrandbits(64)),
        )
        self._spoil(exchange)
        self.ledger.numbers_in(exchange.mailboxes.epoch)
        witness.notices.begin(exchange)
        answers.watch_processing(exchange.processing)
        self._network.listen(IVR_ADDRESS, process, lambda: witness.watch_link(exchange.ivr_links.buildProtocol(None)))
        self._network.listen(AGENT_ADDRESS, process, lambda: exchange.agent_links.buildProtocol(None))

    def _drivers(
        self, process: ProcessClock, context: ProcessingContext, processing: ProcessingService
    ) -> Mapping[str, ISignalling]:
        listener = self._witness.watched(processing.listener)
        return {
            "link": self._witness.watch_driver(LinkSignalling(listener, context.sessions, process)),
            "seen": self._witness.watch_driver(SeenSignalling(listener, self._platform, process)),
        }

    @property
    def sees_the_clock(self) -> bool:
        """Whether a process runs that would notice that the wall clock is set."""
        return self.running is not None and not self._leaving

    @property
    def knows_the_clock(self) -> bool:
        """Whether the disk has what was done to the wall clock, as far as a process has seen it."""
        if self.running is None:
            return True
        return abs(float(self.disk.metadata.get(LABEL, "0")) - self.running.context.commits.time.ahead) < 1.0

    @property
    def backup_knows_the_clock(self) -> bool:
        """Whether the backup has it too: calls of one that doesn't are forgotten by another wall clock's time."""
        if self.disk.backup is None:
            return False
        _, tables = self.disk.backup
        return self.knows_the_clock and tables.metadata.get(LABEL) == self.disk.metadata.get(LABEL)

    def _forget(self) -> None:
        """Everything that isn't on the disk."""
        self._witness.process_died()
        self._not_listening()
        self._witness.notices.end()
        self.running, self._leaving = None, False

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
        self._witness.process_died()
        self._witness.leaving = True
        stopping = ensureDeferred(exchange.core.stop(self._close_ports))
        stopping.addErrback(lambda failure: self.ledger.break_(f"the exchange doesn't stop: {failure}"))
        stopping.addCallback(lambda _: self._ended(process, gone))

    async def _close_ports(self) -> None:
        self._not_listening()

    def _ended(self, process: ProcessClock, gone: Callable[[], None]) -> None:
        if self.process is process:
            self.crash()
            gone()
