"""One world: what becomes of its people as time passes, and whether what was promised holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection
from typing import Any

from attrs import frozen
from twisted.logger import ILogObserver, LogLevel, globalLogPublisher
from twisted.python.failure import Failure
from zope.interface import implementer

from ctiex.fields import Fields
from ctiex.testing.pairs import MemoryExchange
from ctiex.testing.simulation.exchange import MAILBOX_TTL, SERVICES, MakeStore
from ctiex.testing.simulation.faults import ALL, WELL, Fault, plan
from ctiex.testing.simulation.invariants import check_empty, check_quiet
from ctiex.testing.simulation.mishaps import CLOCK_WITHIN, Mishaps
from ctiex.testing.simulation.services import ServiceFault
from ctiex.testing.simulation.store import SimulatedStore

_BETWEEN_CALLS = 1.0
"""How many seconds pass between two customers, on average."""
_AGENT_IS_AWAY = 0.03
"""How many customers are handed over by agents of whom it doesn't matter whether they are there."""
_THINKS_BETTER = 0.15
"""How many customers are taken back before their request is answered."""
_CORRECTED = 0.25
"""Of how many customers the data is corrected, while they are served or before."""
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
        super().__init__(seed, faults, make_store, spoil)
        self.healed = False
        """Whether nothing goes wrong from now on."""
        self._settled = False
        self._start_all()
        self._look_at_waits()

    def _look_at_waits(self) -> None:
        """Now and again, as long as there are calls."""
        if self.exchange.running is not None:
            self.waits.look(self.exchange.running.store.calls())
        if not self._settled:
            self._later(_LOOK_EVERY, self._look_at_waits)

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
        self.ledger.counts.update({f"fault: {name}": count for name, count in self.disk.happened.items()})
        self.ledger.counts["customers"] += calls
        self.ledger.counts["bytes carried"] += self.network.bytes_carried
        self.ledger.counts["calls acknowledged"] += len(self.ledger.acknowledged)
        self.ledger.counts["service events acknowledged"] += len(self.ledger.kept)
        return WorldOutcome(self.seed, self.network.digest, self.ledger.counts, self.ledger.broken)

    def heal(self) -> None:
        """Everything works from now on, and comes back."""
        self.healed = True
        self.disk.failing = False
        self.disk.slow = 0.0
        self.disk.troubles = WELL
        for service in self.services:
            service.moods.refuse = service.moods.silent = service.moods.raise_ = service.moods.hang = 0.0
        self._start_all()
        for number in self.ledger.books:
            self._holder(number).take(number)

    def settle(self) -> None:
        """Wait until everything must be over, and check that it is."""
        self.advance(_CALM)
        for _ in range(50):  # a sign of life may be on its way
            if self.network.left_over:
                self.advance(0.1)
        self._settled = True
        if self.ledger.broken is None:
            check_quiet(self)
        for client in (*self.applications, *self.services):
            client.stop()
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
        self._hand_over(serial, number, service, fields, use)
        if serial and Fault.AGENT in self.faults and not self.healed and self.dice.random() < _THINKS_BETTER:
            self._take_back(serial)
        if serial and self.dice.random() < _CORRECTED:
            for _ in range(self.dice.choice((1, 1, 2))):
                self._later(self.dice.expovariate(1 / 5), lambda: self._update(serial))

    def _take_back(self, serial: str) -> None:
        """An agent thinks better of it, mostly before anything is kept; what was begun may be cut short."""
        wait = self.dice.uniform(0.0, self.dice.choice((2 * self.disk.usual, 0.4)))
        self._later(wait, lambda: self._cancel(serial))
        if self.dice.random() < _FAILS_THEN:
            fails = [lambda: self.fill_disk(_MOMENT)] * 3 if Fault.STORE in self.faults else []
            fails += [lambda: self.crash_exchange(0.0)] if Fault.CRASH in self.faults else []
            if fails:
                what = self.dice.choice(fails)
                self.disk.once_written[serial] = lambda: self._later(0.0, what)

    def _some_agent(self) -> str:
        """One who is there, as a rule: agents who aren't have no customers."""
        numbers = list(self.ledger.books)
        here = [number for number in numbers if any(one.has(number) for one in self.applications)]
        return self.dice.choice(numbers if not here or self.dice.random() < _AGENT_IS_AWAY else here)


def _is_expected(failure: Failure) -> bool:
    # Python throws away what a process that has died was about to do: that wakes up others of it.
    thrown_away = failure.check(RuntimeError) and "already awaited coroutine" in failure.getErrorMessage()
    return bool(thrown_away or failure.check(ServiceFault))
