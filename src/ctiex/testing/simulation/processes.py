"""What all processes of a world have in common: they are started, die at any moment, and are started again."""

from __future__ import annotations

from random import Random

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from ctiex.clients.account import ExchangeAccount
from ctiex.codecs.observing import ObservingCodec
from ctiex.messages import Message
from ctiex.testing.simulation.clock import ProcessClock, WorldClock
from ctiex.testing.simulation.ledger import Ledger
from ctiex.testing.simulation.network import Network, NetworkEndpoint

AGENT_ADDRESS, IVR_ADDRESS = "agents:7300", "services:7301"
"""Where clients reach the exchange."""


@define(eq=False)
class SimulatedProcess:
    """One process after the other of the same program."""

    _clock: WorldClock
    _network: Network
    ledger: Ledger
    _random: Random
    process: ProcessClock | None = field(default=None, init=False)
    """The clock of the one that runs; None while none does."""

    def start(self) -> None:
        """Start a process, unless one runs."""
        if self.process is None:
            self.process = ProcessClock(self._clock, self._begins_at())
            self._begin(self.process)

    def _begins_at(self) -> float:
        """What its clock shows when it starts, in seconds."""
        return self._clock.now

    def _begin(self, process: ProcessClock) -> None:
        """A process has been started."""

    def crash(self) -> None:
        """The process dies."""
        if self.process is not None:
            self.process.alive = False
            self._network.kill(self.process)
            self.process = None
            self._forget()

    def _forget(self) -> None:
        """What the process had only in its memory is lost."""


@define(eq=False)
class ClientProcess(SimulatedProcess):
    """One that is a client of the exchange."""

    identity: str

    def _account(self, process: ProcessClock, address: str) -> ExchangeAccount:
        """Where it reaches the exchange, and how it makes itself known."""
        endpoint, codec = NetworkEndpoint(self._network, process, address), ObservingCodec(self._said, self._heard)
        return ExchangeAccount(endpoint, self.identity, "secret", codec, longest_retry=8.0, jitter=self._random.random)

    def _pause(self, seconds: float) -> Deferred[None]:
        """Goes on after so many seconds, unless the process that runs now dies before."""
        assert self.process is not None
        return deferLater(self.process, seconds)

    def stop(self) -> None:
        """Say goodbye."""

    def _said(self, message: Message) -> None:
        """It sends a message."""

    def _heard(self, message: Message) -> None:
        """A message has come to it."""
