"""Everybody and everything in a world: where they are, and who does what for whom."""

from __future__ import annotations

from collections.abc import Callable, Collection
from random import Random

from ctiex.fields import Fields
from ctiex.limits import Limits
from ctiex.testing.pairs import MemoryExchange
from ctiex.testing.simulation.agents import AgentApplication
from ctiex.testing.simulation.book import Book
from ctiex.testing.simulation.call_data import DataOfCalls
from ctiex.testing.simulation.clock import WorldClock
from ctiex.testing.simulation.custody import Custody
from ctiex.testing.simulation.debts import Debts
from ctiex.testing.simulation.exchange import AGENTS, MAILBOX_TTL, SERVED, SERVICES, ExchangeProcess, MakeStore
from ctiex.testing.simulation.faults import Fault
from ctiex.testing.simulation.ledger import Ledger, Request
from ctiex.testing.simulation.network import Network
from ctiex.testing.simulation.notices import Notices
from ctiex.testing.simulation.services import Misbehaviour, ServiceProcess
from ctiex.testing.simulation.store import Disk
from ctiex.testing.simulation.telephones import Platform
from ctiex.testing.simulation.waits import Waits
from ctiex.testing.simulation.witness import Witness

_START = 3_000_000.0
_KNOWN_FOR_LONGER = 60.0
"""By how much longer the exchange knows a closed call's serial than an application repeats its request, in seconds."""


class Cast:
    """An exchange on its disk, services, agents' applications, telephones, a network, and one clock."""

    def __init__(
        self, seed: int, faults: Collection[Fault], make_store: MakeStore, spoil: Callable[[MemoryExchange], None]
    ) -> None:
        """All of them, and none is started yet."""
        self.seed = seed
        self.faults = frozenset(faults)
        self.clock = WorldClock(_START)
        self.ledger = Ledger(self.clock, DataOfCalls())
        self.ledger.books = {number: Book(number) for numbers in AGENTS.values() for number in numbers}
        self.network = Network(self.clock, self._dice("network"), Fault.NETWORK in self.faults)
        self.dice = self._dice("people")
        self.platform = Platform(self.clock, self._dice("telephones"))
        self.disk = Disk()
        self.waits = Waits(self.clock, self.ledger, SERVICES)
        self.notices = Notices(self.clock, self.ledger, self.disk)
        self.witness = Witness(
            self.ledger, Custody(self.ledger, self.disk), Debts(self.clock, self.ledger), self.waits, self.notices
        )
        self.disk.witness = self.witness
        mailbox = self.dice.choice((1_000, 1_000, 30)) if Fault.AGENT in self.faults else 1_000
        if self.faults & {Fault.CRASH, Fault.STORE, Fault.COMMIT}:
            self.disk.usual = self.dice.choice((0.01, 0.05, 0.3))
        self.exchange = ExchangeProcess(
            self.clock, self.network, self.ledger, self._dice("exchange"),
            self.disk, self.witness, self.platform, Limits(mailbox=mailbox, mailbox_ttl=MAILBOX_TTL), make_store, spoil,
        )  # fmt: skip
        self.services = [self._service(f"{name} {number}", name) for number, name in enumerate((*SERVED, "ivr-b"))]
        self.platform.services = self.services
        self.applications = [self._application(number, name) for number, name in enumerate((*AGENTS, "platform-1"))]
        for number in AGENTS["platform-1"]:
            self.applications[2].let_go(number)  # its turn comes with a take-over
        self._serials: list[str] = []
        """Of the application's own; empty for the calls whose serial the exchange is to allocate."""

    def _dice(self, who: str) -> Random:
        return Random(f"{self.seed}/{who}")

    def _service(self, label: str, identity: str) -> ServiceProcess:
        moods = Misbehaviour.faulty() if Fault.SERVICE in self.faults else Misbehaviour()
        dice = self._dice(label)
        return ServiceProcess(
            self.clock, self.network, self.ledger, dice, identity, label, SERVED[identity], moods, self.notices
        )

    def _application(self, number: int, identity: str) -> AgentApplication:
        dice = self._dice(f"{identity} {number}")
        return AgentApplication(self.clock, self.network, self.ledger, dice, identity, AGENTS[identity])

    def _start_all(self) -> None:
        """Start whatever isn't running."""
        for process in (self.exchange, *self.services, *self.applications):
            process.start()

    def _later(self, seconds: float, what: Callable[[], object]) -> None:
        self.clock.network.callLater(seconds, what)

    # ------------------------------------------------------------ agents

    def _hand_over(self, serial: str, number: str, service: str, fields: Fields, use: str) -> None:
        """The application has a customer of an agent served."""
        repeat_until = self.clock.now + SERVICES[service].timeouts.keep_closed - _KNOWN_FOR_LONGER
        request = Request(serial, number, service, fields, repeat_until, use)
        self.ledger.met[use] = "the agent was away"
        self.ledger.asks_for(request)
        self._holder(number).hand_over(request)

    def _holder(self, number: str) -> AgentApplication:
        """The application where an agent is, or would be."""
        here = [application for application in self.applications if number in application.wanted]
        at_home = [application for application in self.applications if number in application.numbers]
        return (here or at_home)[0]
