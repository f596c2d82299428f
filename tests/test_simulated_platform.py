"""The simulated platform is a platform like any other, calm or in trouble."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from random import Random
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase
from zope.interface import implementer

from ctiex.interfaces.call_platform import ICallPlatformListener, Leg, LegState, PlatformEvent
from ctiex.testing.call_platform_contract import CallPlatformContract, Numbers
from ctiex.testing.simulated_platform.devices import BUSY, Device, Queue
from ctiex.testing.simulated_platform.platform import SimulatedPlatform, Trouble


@implementer(ICallPlatformListener)
class _Listener:
    def __init__(self) -> None:
        self.events: list[PlatformEvent] = []

    def taken_up(self) -> Iterator[None]:
        """A snapshot."""
        yield

    def away(self) -> None:
        """The connection is lost."""

    def changed(self, leg: Leg) -> None:
        """A leg."""

    def happened(self, event: PlatformEvent) -> None:
        """An event."""
        self.events.append(event)


class SimulatedPlatformTests(CallPlatformContract, TestCase):
    """In order, and at once."""

    numbers = Numbers("1001", "1002", "0301", "0302", "0303", "0404", "sales")
    trouble = Trouble()

    def setUp(self) -> None:
        self.clock, self.listener = Clock(), _Listener()
        self.platform: SimulatedPlatform = SimulatedPlatform(self.clock, Random(1), self.trouble)
        board = self.board = self.platform.board
        board.devices = {
            "1001": Device("1001"),
            "1002": Device("1002", answers_after=0.5),
            "0301": Device(answers_after=0.5),
            "0302": Device(fails_with=BUSY),
            "0303": Device(),
        }
        board.queues = {"sales": Queue()}
        self.platform.watch(self.listener)
        self.platform.come()

    async def until(self, ready: Callable[[], Any]) -> None:
        """Let time go on until it is so."""
        for _ in range(400):
            if ready():
                return
            self.clock.advance(0.05)
        raise AssertionError([*self.board.legs.all()])

    def events(self) -> list[PlatformEvent]:
        """Every event that was told."""
        return self.listener.events

    async def customer_calls(self) -> None:
        """A customer calls the agent."""
        self.customer = self.board.calls_in("138", "1001")

    async def customer_hangs_up(self) -> None:
        """The customer hangs up."""
        self.board.hang_up(self.customer)

    def _of_agent(self) -> Leg:
        [leg] = self.board.legs.of_agent("1001")
        return leg

    async def agent_picks_up(self) -> None:
        """The agent answers at the telephone."""
        assert self._of_agent().state is LegState.ALERTING
        self.board.pick_up(self._of_agent())

    async def agent_hangs_up(self) -> None:
        """The agent hangs up at the telephone."""
        self.board.hang_up(self._of_agent())

    async def connection_is_lost(self) -> None:
        """It is lost, and back."""
        self.platform.go()
        self.clock.advance(1)
        self.platform.come()

    async def _take(self, order: Awaitable[None]) -> None:
        """It is carried out in a later turn."""
        taken: list[Any] = []
        order.addBoth(taken.append)  # type: ignore[attr-defined]
        await self.until(lambda: taken)
        if taken[0] is not None:
            taken[0].raiseException()


class LateSimulatedPlatformTests(SimulatedPlatformTests):
    """Late, and in any order."""

    trouble = Trouble(latest=0.3)
