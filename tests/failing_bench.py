"""A bench whose store fails when a test says so."""

from __future__ import annotations

from collections.abc import Callable

from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from ctiex.errors import Status, StoreUnavailable
from ctiex.interfaces import BaseSignalling, ISignalling, Offer
from ctiex.records import CallState
from ctiex.testing.fakes import WaitingStore
from tests.processing_bench import Bench


class _Failing(SynchronousTestCase):
    """A bench whose store keeps everything at once, until a test says otherwise."""

    def setUp(self) -> None:
        self.store = WaitingStore()
        self.store.waits = False
        self.bench = self.make_bench()
        self.session = self.bench.session
        self.addCleanup(self.flushLoggedErrors, StoreUnavailable)

    def make_bench(self) -> Bench:
        return Bench(self.store)

    def failing(self, work: Callable[[], object], in_time: bool = False) -> None:
        """Do something while the store takes nothing; it says so at once, or in its own time."""
        if in_time:
            self.store.waits = True
            work()
            while self.store.waiting:
                self.store.fail()
            self.store.waits = False
        else:
            self.store.unavailable = True
            work()
            self.store.unavailable = False

    def well_again(self) -> None:
        """Let the exchange find out that the store takes changes again."""
        self.bench.clock.pump([0.5, 0.5, 1, 2])

    def state(self, serial: str = "007") -> CallState | None:
        call = self.store.get(serial)
        return None if call is None else call.state


@implementer(ISignalling)
class _Seeing(BaseSignalling):
    """A driver that sees the customer; the test tells what it sees."""

    sees_return = True

    def offer(self, offer: Offer) -> None:
        """The test speaks for the driver."""

    def withdraw(self, serial: str) -> int:
        return Status.TIMED_OUT
