"""The automatic services: most serve as they should; others refuse, fail, hang, or ask for what isn't theirs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from random import Random
from typing import Any, cast

from attrs import define, field
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import deferLater

from ctiex.clients.automatic_service import AutomaticService
from ctiex.clients.link import ClientLink
from ctiex.clients.served_call import ServedCall
from ctiex.errors import CallerHungUp, CallError, CtiexError, LinkError, Status
from ctiex.fields import Fields
from ctiex.interfaces import Signalled
from ctiex.messages import (
    CallEnded,
    Condition,
    Connection,
    ConnectionReply,
    DataChanged,
    DataRequest,
    DataResult,
    Message,
    ServiceEvent,
)
from ctiex.services.outcome import Outcome, failed
from ctiex.testing.simulation.clock import ProcessClock
from ctiex.testing.simulation.notices import Notices
from ctiex.testing.simulation.processes import IVR_ADDRESS, ClientProcess

_TAKES_UP = 0.6
"""How many calls that a process of a service was serving when it died the next one reports as failed."""


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


class _CountedIds(Random):
    """The event_ids of a process that counts the events of each call, and begins at 1 again when it is restarted."""

    def __init__(self) -> None:
        super().__init__(0)
        self.serial = ""
        """The call that is reported on next."""
        self._counts: Counter[str] = Counter()

    def getrandbits(self, k: int, /) -> int:
        """The next number for that call."""
        self._counts[self.serial] += 1
        return self._counts[self.serial]


class _Service(AutomaticService):
    """An automatic service with moods."""

    at: ServiceProcess

    def request_received(self, link: ClientLink, message: Message, invoke_id: int) -> None:
        """Leave some Connections unanswered, and refuse some customers."""
        if isinstance(message, Connection):
            if self.at.takes_no_call():
                return
            if self.at.misbehaves(self.at.moods.refuse, "service refuses"):
                link.reply(ConnectionReply(Status.SERVICE_REFUSED), invoke_id)
                self.ask_all_the_same(message.calling_number.partition("**")[2])
                return
        super().request_received(link, message, invoke_id)

    async def report(self, call: ServedCall, outcome: Outcome, timeout: float = 600.0) -> None:
        """Report, under an event_id that is counted, where they are."""
        if isinstance(self._random, _CountedIds):
            self._random.serial = call.serial
        await super().report(call, outcome, timeout)

    async def take_up(self, serial: str) -> None:
        """Tell that a call of the process before can't be served; event_ids that this one has used are of no use."""
        await deferLater(self.reactor, 1.0)
        fields = self.at.marked()
        while True:
            if isinstance(self._random, _CountedIds):
                self._random.serial = serial
            event = ServiceEvent(self._random.getrandbits(64), serial, "", Condition.FAILED, fields)
            reply = await self.ask(event, 60.0)
            if getattr(reply, "status", None) != Status.EVENT_ID_USED:
                return
            self.at.ledger.happened("event id used again")

    def ask_all_the_same(self, serial: str) -> None:
        """A service that has refused a call asks for it now and again."""
        for wait in (0.5, 4.0, 7.0, 13.0):
            self.reactor.callLater(wait, self.probe, serial)

    def probe(self, serial: str) -> None:
        """Ask for the data of any call, as a hostile service would."""
        self.at.ledger.happened("service asks for a call of others")
        ensureDeferred(self.ask(DataRequest(serial), 5.0)).addErrback(lambda failure: failure.trap(CtiexError))


@define(eq=False)
class ServiceProcess(ClientProcess):
    """One process of a service identity; a new one knows nothing of the calls of the old one."""

    label: str
    served: Collection[str]
    """The services that may be called here."""
    moods: Misbehaviour
    _notices: Notices
    service: _Service | None = field(default=None, init=False)
    _started: int = field(default=0, init=False)
    _under_way: dict[str, None] = field(factory=dict, init=False)
    """The calls that it has begun to serve, and hasn't reported the result of; kept over its restarts."""

    def _begin(self, process: ProcessClock) -> None:
        self._started += 1
        account = self._account(process, IVR_ADDRESS)
        event_ids = _CountedIds() if self.label.endswith("1") else self._random
        service = _Service(process, account, {"7000": self._serve}, lambda _: cast(Any, None), random=event_ids)
        service.at, self.service = self, service
        service.startService()
        left, self._under_way = self._under_way, {}
        for serial in left:
            if self._random.random() < _TAKES_UP:
                ensureDeferred(service.take_up(serial)).addErrback(lambda failure: failure.trap(CtiexError))

    def _forget(self) -> None:
        self.service = None

    def stop(self) -> None:
        """Say goodbye."""
        if self.service is not None:
            self.service.stopService()

    # ------------------------------------------------------------ misbehaving

    def misbehaves(self, chance: float, fault: str) -> bool:
        """Whether it does this time what it shouldn't, which it does with this chance."""
        does = self._random.random() < chance
        if does:
            self.ledger.happened(fault)
        return does

    # ------------------------------------------------------------ by telephone

    def takes_no_call(self) -> bool:
        """Whether nobody answers this time."""
        return self.misbehaves(self.moods.silent, "service never answers")

    def arrived(self, number: str) -> Deferred[None]:
        """A customer has come by telephone: fires when they are let go, fails with CallError if they aren't served."""
        assert self.service is not None
        return ensureDeferred(self.service.serve_arrival("7000", Signalled(number), cast(Any, None)))

    # ------------------------------------------------------------ what it says and hears

    def _said(self, message: Message) -> None:
        if isinstance(message, ServiceEvent):
            if message.condition.final:
                self._under_way.pop(message.serial, None)
            self.ledger.report_sent(f"{self.label} {self._started}", message)

    def _heard(self, message: Message) -> None:
        if isinstance(message, DataResult):
            self.ledger.data_arrived(message)
        elif isinstance(message, (CallEnded, DataChanged)):
            self._notices.heard(type(message), message.serial, self.identity)
            self.ledger.counts[f"heard by services: {type(message).__name__}"] += 1

    # ------------------------------------------------------------ serving

    def marked(self) -> Fields:
        """Fields that no other event has."""
        self.ledger.counts["service events"] += 1
        return Fields({"mark": self.ledger.counts["service events"], "result": "ok"})

    async def _serve(self, call: ServedCall) -> Outcome:
        """Serve one customer."""
        dice = self._random
        self._under_way[call.serial] = None
        call.on_change = lambda: self._fetch_again(call)
        await self._pause(dice.uniform(0.0, 1.0))
        try:
            await call.data(timeout=dice.choice((3.0, 20.0)))
        except (CallError, LinkError):
            self.ledger.counts["data not had"] += 1
            return failed("the data could not be had")
        await self._told_progress(call)
        fate = dice.random()
        if fate < self.moods.raise_:
            self.ledger.happened("service raises")
            raise ServiceFault
        if fate < self.moods.raise_ + self.moods.hang:
            self.ledger.happened("service hangs")
            await self._pause(300.0)
        await self._pause(dice.expovariate(1 / 6))
        if dice.random() < self.moods.hung_up:
            raise CallerHungUp("in the simulation")
        return Outcome(dice.choice((Condition.COMPLETED, Condition.COMPLETED, Condition.FAILED)), self.marked())

    def _fetch_again(self, call: ServedCall) -> None:
        """The data of a customer has changed."""
        self.ledger.counts["data fetched again"] += 1
        ensureDeferred(call.data(timeout=10.0)).addErrback(lambda failure: failure.trap(CtiexError))

    async def _told_progress(self, call: ServedCall) -> None:
        for _ in range(self._random.choice((0, 0, 1, 2))):
            await self._pause(self._random.uniform(0.0, 2.0))
            try:
                await call.progress(self.marked())
            except (CallError, LinkError):
                self.ledger.counts["progress refused"] += 1

    def probe(self, serial: str) -> None:
        """Ask for the data of any call, as a hostile service would."""
        if self.service is not None:
            self.service.probe(serial)
