"""The automatic services: most serve as they should; others refuse, fail, hang, or ask for what isn't theirs."""

from __future__ import annotations

from collections.abc import Awaitable
from random import Random
from typing import Any, cast

from attrs import define
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import deferLater

from ctiex.clients.account import ExchangeAccount
from ctiex.clients.automatic_service import AutomaticService
from ctiex.clients.link import ClientLink
from ctiex.clients.served_call import ServedCall
from ctiex.codecs.observing import ObservingCodec
from ctiex.errors import CallerHungUp, CallError, CtiexError, LinkError, Status
from ctiex.fields import Fields
from ctiex.interfaces import Signalled
from ctiex.messages import (
    Condition,
    Connection,
    ConnectionReply,
    DataRequest,
    DataResult,
    Message,
    ServiceEvent,
    ServiceEventReply,
)
from ctiex.services.outcome import Outcome, failed
from ctiex.testing.simulation.clock import ProcessClock, WorldClock
from ctiex.testing.simulation.exchange import IVR_ADDRESS, SERVED
from ctiex.testing.simulation.ledger import Ledger
from ctiex.testing.simulation.network import Network, NetworkEndpoint


class ServiceFault(Exception):
    """A fault of a service's own code, put there on purpose."""


@define
class Misbehaviour:
    """How often a service does what it shouldn't, from 0 to 1."""

    refuse: float = 0.0
    silent: float = 0.0
    """Never answer the Connection."""
    raise_: float = 0.0
    hang: float = 0.0
    """Go on for longer than the exchange waits."""
    hung_up: float = 0.05
    """The customer hangs up."""

    @classmethod
    def faulty(cls) -> Misbehaviour:
        """All of it, now and then."""
        return cls(refuse=0.1, silent=0.02, raise_=0.04, hang=0.03)


class _Service(AutomaticService):
    """An automatic service with moods."""

    moods: Misbehaviour
    dice: Random
    ledger: Ledger

    def request_received(self, link: ClientLink, message: Message, invoke_id: int) -> None:
        """Leave some Connections unanswered, and refuse some customers."""
        if not isinstance(message, Connection):
            super().request_received(link, message, invoke_id)
        elif self.dice.random() < self.moods.silent:
            self.ledger.counts["fault: service never answers"] += 1
        elif self.dice.random() < self.moods.refuse:
            self.ledger.counts["fault: service refuses"] += 1
            link.reply(ConnectionReply(Status.SERVICE_REFUSED), invoke_id)
            self.ask_all_the_same(message.calling_number.partition("**")[2])
        else:
            super().request_received(link, message, invoke_id)

    def ask_all_the_same(self, serial: str) -> None:
        """A service that has refused a call asks for it now and again."""
        for wait in (0.5, 4.0, 7.0, 13.0):
            self.reactor.callLater(wait, self.probe, serial)

    def probe(self, serial: str) -> None:
        """Ask for the data of any call, as a hostile service would."""
        self.ledger.counts["fault: service asks for a call of others"] += 1
        ensureDeferred(self.ask(DataRequest(serial), 5.0)).addErrback(lambda failure: failure.trap(CtiexError))


class ServiceProcess:
    """One process of a service identity; a new one knows nothing of the calls of the old one."""

    def __init__(
        self,
        label: str,
        identity: str,
        clock: WorldClock,
        network: Network,
        ledger: Ledger,
        random: Random,
        moods: Misbehaviour,
    ) -> None:
        self.label = label
        self.identity = identity
        self.served = SERVED[identity]
        """The services that may be called here."""
        self.moods = moods
        self.process: ProcessClock | None = None
        self.service: _Service | None = None
        self._name = identity
        self._clock = clock
        self._network = network
        self._ledger = ledger
        self._random = random
        self._started = 0

    def start(self) -> None:
        """Start a process."""
        if self.process is not None:
            return
        process = self.process = ProcessClock(self._clock)
        self._started += 1
        self._name = f"{self.label} {self._started}"
        codec = ObservingCodec(self._said, self._heard)
        endpoint = NetworkEndpoint(self._network, process, IVR_ADDRESS)
        account = ExchangeAccount(
            endpoint, self.identity, "secret", codec, longest_retry=8.0, jitter=self._random.random
        )
        service = _Service(process, account, {"7000": self._serve}, lambda _: cast(Any, None), random=self._random)
        service.moods, service.dice, service.ledger = self.moods, self._random, self._ledger
        self.service = service
        service.startService()

    def crash(self) -> None:
        """The process dies in the middle of serving."""
        if self.process is not None:
            self.process.alive = False
            self._network.kill(self.process)
            self.process = self.service = None

    def stop(self) -> None:
        """Say goodbye."""
        if self.service is not None:
            self.service.stopService()

    # ------------------------------------------------------------ by telephone

    def takes_no_call(self) -> bool:
        """Whether nobody answers its telephone this time."""
        silent = self._random.random() < self.moods.silent
        if silent:
            self._ledger.counts["fault: service never answers"] += 1
        return silent

    def arrived(self, number: str) -> Deferred[None]:
        """A customer has come by telephone: fires when they are let go, fails with CallError if they aren't served."""
        assert self.service is not None
        arriving = self.service.serve_arrival("7000", Signalled(number), cast(Any, None))
        return ensureDeferred(arriving)

    # ------------------------------------------------------------ what it says and hears

    def _said(self, message: Message) -> None:
        if isinstance(message, ServiceEvent):
            self._ledger.report_sent(self._name, message)

    def _heard(self, message: Message) -> None:
        if isinstance(message, DataResult):
            self._ledger.data_arrived(message)
        elif isinstance(message, ServiceEventReply):
            self._ledger.report_answered(message.event_id, message.status)

    # ------------------------------------------------------------ serving

    def _pause(self, seconds: float) -> Awaitable[None]:
        assert self.process is not None
        return deferLater(self.process, seconds, lambda: None)

    def _marked(self) -> Fields:
        """Fields that no other event has."""
        self._ledger.counts["service events"] += 1
        return Fields({"mark": self._ledger.counts["service events"], "result": "ok"})

    async def _serve(self, call: ServedCall) -> Outcome:
        """Serve one customer."""
        dice = self._random
        await self._pause(dice.uniform(0.0, 1.0))
        try:
            await call.data(timeout=dice.choice((3.0, 20.0)))
        except (CallError, LinkError):
            self._ledger.counts["data not had"] += 1
            return failed("the data could not be had")
        await self._told_progress(call)
        fate = dice.random()
        if fate < self.moods.raise_:
            self._ledger.counts["fault: service raises"] += 1
            raise ServiceFault
        if fate < self.moods.raise_ + self.moods.hang:
            self._ledger.counts["fault: service hangs"] += 1
            await self._pause(300.0)
        await self._pause(dice.expovariate(1 / 6))
        if dice.random() < self.moods.hung_up:
            raise CallerHungUp("in the simulation")
        return Outcome(dice.choice((Condition.COMPLETED, Condition.COMPLETED, Condition.FAILED)), self._marked())

    async def _told_progress(self, call: ServedCall) -> None:
        for _ in range(self._random.choice((0, 0, 1, 2))):
            await self._pause(self._random.uniform(0.0, 2.0))
            try:
                await call.progress(self._marked())
            except (CallError, LinkError):
                self._ledger.counts["progress refused"] += 1

    def probe(self, serial: str) -> None:
        """Ask for the data of any call, as a hostile service would."""
        if self.service is not None:
            self.service.probe(serial)
