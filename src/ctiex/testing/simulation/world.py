"""One world: an exchange on its disk, services, agents' applications, a network, and one clock."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection
from random import Random
from typing import Any

from attrs import frozen
from twisted.logger import ILogObserver, LogLevel, globalLogPublisher
from twisted.python.failure import Failure
from zope.interface import implementer

from ctiex.fields import Fields
from ctiex.testing.pairs import MemoryExchange
from ctiex.testing.simulation.agents import AgentApplication
from ctiex.testing.simulation.clock import WorldClock
from ctiex.testing.simulation.custody import Custody
from ctiex.testing.simulation.debts import Debts
from ctiex.testing.simulation.exchange import AGENTS, MAILBOX_TTL, SERVED, SERVICES, ExchangeProcess, MakeStore
from ctiex.testing.simulation.faults import ALL, Fault, plan
from ctiex.testing.simulation.invariants import check_empty, check_quiet
from ctiex.testing.simulation.ledger import Book, Ledger, Request
from ctiex.testing.simulation.mishaps import CLOCK_WITHIN, Mishaps
from ctiex.testing.simulation.network import Network
from ctiex.testing.simulation.services import Misbehaviour, ServiceFault, ServiceProcess
from ctiex.testing.simulation.store import SimulatedStore
from ctiex.testing.simulation.telephones import Platform
from ctiex.testing.simulation.troubles import WELL
from ctiex.testing.simulation.waits import Waits
from ctiex.testing.simulation.witness import Witness

_START = 3_000_000.0
_BETWEEN_CALLS = 1.0
"""How many seconds pass between two customers, on average."""
_AGENT_IS_AWAY = 0.03
"""How many customers are handed over by agents of whom it doesn't matter whether they are there."""
_THINKS_BETTER = 0.15
"""How many customers are taken back before their request is answered."""
_FAILS_THEN = 0.6
"""Behind how many of those requests, once they are written, the store takes nothing for a moment, or the exchange dies.
"""
_MOMENT = 0.5
"""In seconds."""
_CALM = 900.0
"""Longer than all time-outs of a call together, and than a service takes to give up, in seconds."""
_GOODBYE = 60.0
_LOOK_EVERY = 30.0


@frozen
class WorldOutcome:
    """What became of one world."""

    seed: int
    digest: str
    """Stands for everything that was carried over the network, and when."""
    counts: Counter[str]
    broken: str | None
    """The first promise that was broken; None when all were kept."""


@implementer(ILogObserver)
class World(Mishaps):
    """One simulated world; the same seed gives the same world, to the last byte."""

    def __init__(
        self,
        seed: int,
        faults: Collection[Fault] = ALL,
        make_store: MakeStore = SimulatedStore,
        spoil: Callable[[MemoryExchange], None] = lambda _: None,
    ) -> None:
        """A world in which everything has just been started.

        :param make_store: makes the store of each exchange process.
        :param spoil: puts a known fault into each exchange process.
        """
        self.seed = seed
        self.faults = frozenset(faults)
        self.clock = WorldClock(_START)
        self.ledger = Ledger(self.clock)
        self.network = Network(self.clock, self._dice("network"), Fault.NETWORK in self.faults)
        self.dice = self._dice("people")
        mailbox = self.dice.choice((1_000, 1_000, 30)) if Fault.AGENT in self.faults else 1_000
        self.platform = Platform(self.clock, self._dice("telephones"))
        self.exchange = ExchangeProcess(
            self.clock, self.network, self.ledger, self._dice("exchange"), mailbox, self.platform, make_store, spoil
        )
        self.waits = Waits(self.clock, self.ledger, SERVICES)
        custody, debts = Custody(self.ledger, self.exchange.disk), Debts(self.clock, self.ledger)
        self.witness = self.exchange.witness = Witness(custody, debts, self.waits)
        self.exchange.disk.witness = self.witness
        if self.faults & {Fault.CRASH, Fault.STORE, Fault.COMMIT}:
            self.exchange.disk.usual = self.dice.choice((0.01, 0.05, 0.3))
        self.healed = False
        """Whether nothing goes wrong from now on."""
        self.services = [self._service(number, name) for number, name in enumerate((*SERVED, "ivr-b"))]
        self.platform.services = self.services
        self.applications = [self._application(number, name) for number, name in enumerate((*AGENTS, "platform-1"))]
        for number in AGENTS["platform-1"]:
            self.applications[2].let_go(number)  # its turn comes with a take-over
        self._settled = False
        self._serials: list[str] = []
        """Of the application's own; empty for the calls whose serial the exchange is to allocate."""
        self.ledger.books = {number: Book(number) for numbers in AGENTS.values() for number in numbers}
        self._start_all()
        self._look_at_waits()

    def _look_at_waits(self) -> None:
        """Now and again, as long as there are calls."""
        if self.exchange.running is not None:
            self.waits.look(self.exchange.running.store.calls())
        if not self._settled:
            self._later(_LOOK_EVERY, self._look_at_waits)

    def _dice(self, who: str) -> Random:
        return Random(f"{self.seed}/{who}")

    def _service(self, number: int, identity: str) -> ServiceProcess:
        moods = Misbehaviour.faulty() if Fault.SERVICE in self.faults else Misbehaviour()
        label = f"{identity} {number}"
        return ServiceProcess(label, identity, self.clock, self.network, self.ledger, self._dice(label), moods)

    def _application(self, number: int, identity: str) -> AgentApplication:
        dice = self._dice(f"{identity} {number}")
        return AgentApplication(identity, AGENTS[identity], self.clock, self.network, self.ledger, dice)

    # ------------------------------------------------------------ time

    def advance(self, seconds: float) -> None:
        """Let time pass; stops at the first promise that is broken."""
        until = self.clock.now + seconds
        globalLogPublisher.addObserver(self)
        try:
            while self.ledger.broken is None and self.clock.step(until):
                pass
        except Exception:
            self.ledger.break_(f"a timer's work failed: {Failure().getTraceback()}")
        finally:
            globalLogPublisher.removeObserver(self)

    def __call__(self, event: dict[str, Any]) -> None:
        """Watch the log: failures that the code catches are faults of it, but for those that are put there."""
        failure = event.get("log_failure")
        if event["log_level"] is LogLevel.critical and failure is not None and not _is_expected(failure):
            self.ledger.break_(f"a failure was logged: {event.get('log_format')}: {failure.getTraceback()}")

    def run(self, calls: int) -> WorldOutcome:
        """So many customers, then a long calm, and everything held against what was promised."""
        plan(self, self.faults, self._dice("faults"))
        for _ in range(calls):
            self.advance(self.dice.expovariate(1 / _BETWEEN_CALLS))
            self.customer()
        self.heal()
        self.settle()
        self.ledger.counts.update(f"outcome: {outcome}" for outcome in self.ledger.outcomes())
        self.ledger.counts.update(f"not acknowledged: {why}" for why in self.ledger.not_acknowledged())
        self.ledger.counts.update({f"fault: {name}": count for name, count in self.exchange.disk.happened.items()})
        self.ledger.counts["customers"] += calls
        self.ledger.counts["bytes carried"] += self.network.bytes_carried
        self.ledger.counts["calls acknowledged"] += len(self.ledger.acknowledged)
        self.ledger.counts["service events acknowledged"] += len(self.ledger.kept)
        return WorldOutcome(self.seed, self.network.digest, self.ledger.counts, self.ledger.broken)

    def heal(self) -> None:
        """Everything works from now on, and comes back."""
        self.healed = True
        self.exchange.disk.failing = False
        self.exchange.disk.slow = 0.0
        self.exchange.disk.troubles = WELL
        for service in self.services:
            service.moods.refuse = service.moods.silent = service.moods.raise_ = service.moods.hang = 0.0
        self._start_all()
        for number in self.ledger.books:
            if not any(number in application.wanted for application in self.applications):
                self._at_home(number).take(number)

    def _start_all(self) -> None:
        """Start whatever isn't running."""
        self.exchange.start()
        for service in self.services:
            service.start()
        for application in self.applications:
            application.start()

    def settle(self) -> None:
        """Wait until everything must be over, and check that it is."""
        self.advance(_CALM)
        for _ in range(50):  # a sign of life may be on its way
            if self.network.left_over:
                self.advance(0.1)
        self._settled = True
        if self.ledger.broken is None:
            check_quiet(self)
        for application in self.applications:
            application.stop()
        for service in self.services:
            service.stop()
        self.advance(_GOODBYE)
        self.advance(MAILBOX_TTL + 2 * CLOCK_WITHIN)  # what was stored by another wall clock is over too
        if self.ledger.broken is None:
            check_empty(self)

    # ------------------------------------------------------------ people

    def customer(self) -> None:
        """A customer is to be served; the application hands them over."""
        number = self._some_agent()
        serial = "" if self.dice.random() < 0.1 else f"9{self.dice.getrandbits(20):07d}{len(self._serials):07d}"
        fields = Fields({"account": f"{number}-{len(self._serials)}", "vip": self.dice.random() < 0.5})
        service = self.dice.choice(list(SERVICES))
        use = serial or f"without serial {len(self._serials)}"
        self._serials.append(serial)
        self._hand_over(Request(serial, number, service, fields, self._repeat_until(service), use))
        if serial and Fault.AGENT in self.faults and not self.healed and self.dice.random() < _THINKS_BETTER:
            self._take_back(serial)

    def _take_back(self, serial: str) -> None:
        """An agent thinks better of it, mostly before anything is kept; what was begun may be cut short."""
        wait = self.dice.uniform(0.0, self.dice.choice((2 * self.exchange.disk.usual, 0.4)))
        self._later(wait, lambda: self._cancel(serial))
        if self.dice.random() < _FAILS_THEN:
            fails = [lambda: self.fill_disk(_MOMENT)] * 3 if Fault.STORE in self.faults else []
            fails += [lambda: self.crash_exchange(0.0)] if Fault.CRASH in self.faults else []
            if fails:
                what = self.dice.choice(fails)
                self.exchange.disk.once_written[serial] = lambda: self._later(0.0, what)

    def _some_agent(self) -> str:
        """One who is there, as a rule: agents who aren't have no customers."""
        numbers = list(self.ledger.books)
        here = [number for number in numbers if any(one.has(number) for one in self.applications)]
        return self.dice.choice(numbers if not here or self.dice.random() < _AGENT_IS_AWAY else here)


def _is_expected(failure: Failure) -> bool:
    if failure.check(ServiceFault):
        return True
    # Python throws away what a process that has died was about to do: that wakes up others of it.
    return bool(failure.check(RuntimeError)) and "already awaited coroutine" in failure.getErrorMessage()
