"""An exchange without its ports: how its parts are put together, started and stopped.

``twistd ctiex``, the exchange in memory of the tests, and each process of the simulation are made of this one class;
they differ in the clock, the store, and what carries the bytes.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from random import Random, SystemRandom
from typing import Any

from attrs import define, field
from twisted.cred.portal import Portal
from twisted.internet.defer import DeferredList, ensureDeferred, maybeDeferred
from twisted.internet.task import deferLater
from twisted.logger import Logger

from ctiex.call_control.control import CallControlService, ControlSettings
from ctiex.interfaces import ICodec, ISerialCarrier, ISignalling
from ctiex.limits import Limits, SessionLimits
from ctiex.links.admission import Admission
from ctiex.links.agent import AgentLinkFactory
from ctiex.links.exchange import ExchangeLinkFactory, LinkContext
from ctiex.links.ivr import IvrLinkFactory
from ctiex.links.turns import Turns
from ctiex.login.authentication import Authenticator
from ctiex.login.throttle import LoginThrottle
from ctiex.monitoring.audit_events import Audit
from ctiex.monitoring.audit_trail import AuditTrail
from ctiex.monitoring.counters import CounterListener, Counters
from ctiex.monitoring.event_log import EventLog
from ctiex.monitoring.observer import Observer, Observers
from ctiex.processing.context import ProcessingContext, ServiceSettings
from ctiex.processing.service import ProcessingService
from ctiex.processing.service_sessions import ServiceSessions
from ctiex.processing.stored_time import StoredTime
from ctiex.records import Change
from ctiex.serials import SerialAllocator
from ctiex.stores.call_store import CallStore

_log = Logger()

_LEAVE_WITHIN = 5.0
"""How long the links may take to say goodbye when the exchange stops, in seconds."""

MakeDrivers = Callable[[ProcessingContext, ProcessingService], Mapping[str, ISignalling]]
"""Makes the signalling drivers, by name."""


def _session_name() -> str:
    return secrets.token_hex(8)


@define(kw_only=True, eq=False, slots=False)
class ExchangeCore:
    """The parts of an exchange, and its life between the opened store and the closed one."""

    # What it is made of.
    clock: Any
    """For time; the reactor, where it is one."""
    wall: Callable[[], float] = time.time
    """The wall clock, in seconds since the epoch."""
    store: CallStore
    portal: Portal
    """Where Binds are let in."""
    services: Mapping[str, ServiceSettings]
    make_drivers: MakeDrivers
    limits: Limits = field(factory=Limits)
    agent_codec: ICodec
    agent_link: SessionLimits
    ivr_codec: ICodec
    ivr_link: SessionLimits
    carrier: ISerialCarrier
    """To services over links."""
    control_settings: ControlSettings = field(factory=ControlSettings)
    """For the calls of a platform that are controlled."""
    is_agent: Callable[[str], bool] = lambda number: False
    """Whether an identity names this agent number."""
    network: ISerialCarrier | None = None
    """Through the telephone network; None: in the same way."""
    exchange_id: str = "1"
    exchange_address: str
    """The advertised address of the IVR link."""
    counters: Counters = field(factory=Counters)
    audit: Audit | None = None
    admission: Admission = field()
    random: Random = field(factory=SystemRandom)
    """For serials."""
    new_session_name: Callable[[], str] = _session_name

    # How it fares.
    sessions: ServiceSessions = field(factory=ServiceSessions, init=False)
    started: bool = field(default=False, init=False)
    """Whether calls are taken up: the store is open, and its calls are known."""
    driver_failure: str = field(default="", init=False)
    """Why a signalling driver could not start; empty while all did."""
    _running: list[ISignalling] = field(factory=list, init=False)
    """The drivers that were started."""

    @admission.default
    def _admission_of_its_own(self) -> Admission:
        return Admission(self.limits)

    def __attrs_post_init__(self) -> None:
        self.observer = Observers(self._listeners())
        self.throttle = LoginThrottle(self.limits)
        self.context = self._processing_context()
        self.processing = ProcessingService(self.context)
        self.drivers = self.make_drivers(self.context, self.processing)
        self.call_control = self._call_control()
        turns = Turns(self.clock, self.observer, lambda: self.limits.frames_per_second_per_identity)
        self.agent_links = AgentLinkFactory(
            self._link(self.agent_link, self.agent_codec, turns), self.context.presence, self.context.mailboxes
        )
        self.ivr_links = IvrLinkFactory(self._link(self.ivr_link, self.ivr_codec, turns), self.sessions)

    def _call_control(self) -> CallControlService | None:
        """For the first platform whose calls can be controlled; None: there is none."""
        platforms = [getattr(driver, "call_platform", None) for driver in self.drivers.values()]
        platform = next((one for one in platforms if one is not None), None)
        if platform is None:
            return None
        control = CallControlService(self.context, platform, self.control_settings, self.is_agent)
        self.context.agents_calls = control
        return control

    def _listeners(self) -> Iterator[Observer]:
        yield CounterListener(self.counters)
        yield EventLog(self.clock)
        if self.audit is not None:
            yield AuditTrail(self.audit, self.clock, self.limits, self.counters)

    def _processing_context(self) -> ProcessingContext:
        return ProcessingContext(
            clock=StoredTime(self.clock, self.wall),
            store=self.store,
            agent_codec=self.agent_codec,
            agent_link=self.agent_link,
            carrier=self.carrier,
            network=self.network,
            random=self.random,
            allocator=SerialAllocator(self.exchange_id, self.clock.seconds, self.random),
            sessions=self.sessions,
            services=self.services,
            codec=self.ivr_codec,
            ivr_link=self.ivr_link,
            exchange_address=self.exchange_address,
            limits=self.limits,
            observer=self.observer,
        )

    def _link(self, limits: SessionLimits, codec: ICodec, turns: Turns) -> LinkContext:
        return LinkContext(
            clock=self.clock,
            codec=codec,
            limits=limits,
            authenticator=Authenticator(self.clock, self.portal, self.throttle, self.observer, limits),
            processing=self.processing,
            new_session_name=self.new_session_name,
            admission=self.admission,
            observer=self.observer,
            turns=turns,
            call_control=self.call_control,
        )

    # ------------------------------------------------------------ starting

    async def committed(self, change: Change) -> None:
        """Wait until the store has a change, and all before it."""
        await maybeDeferred(self.store.commit, change)

    def start(self) -> None:
        """Go on with the calls of the opened store, and take new ones."""
        self.started = True
        if self.call_control is not None:
            self.call_control.start()
        # A driver that sees calls has to know which ones are waited for before it looks.
        self.processing.start(self.drivers, self._start_drivers)

    def _start_drivers(self) -> None:
        for driver in self.drivers.values():
            self._running.append(driver)
            try:
                driver.start()
            except Exception as error:  # the others go on
                _log.failure("a signalling driver could not start")
                self.driver_failure = f"a signalling driver could not start: {type(error).__name__}"

    # ------------------------------------------------------------ stopping

    async def stop(self, close_ports: Callable[[], Awaitable[object]]) -> None:
        """Take no new calls, let the last replies out, say goodbye to every link, and close the store.

        :param close_ports: ends the listening.
        """
        self.processing.drain()
        self.processing.stop_resuming()  # those are offered by the next start
        await close_ports()
        if self.started:
            await self._let_replies_out()
            # After that: a call that was just kept is being signalled too. A durable store has it offered again after
            # the restart; without this the Unbind to the services would report it as unreachable to its agent.
            self.processing.withdraw_offers()
        await self._say_goodbye()
        running, self._running, self.driver_failure = self._running, [], ""
        await all_in_any_case("stopping a signalling driver", [driver.stop for driver in running])
        if self.call_control is not None:
            self.call_control.stop()
        self.processing.stop()
        self.started = False
        await in_any_case("closing the call store", self.store.close)

    async def _let_replies_out(self) -> None:
        """Replies that wait for the store go out before the goodbye; what it can't take is answered 50."""
        try:
            await self.committed(Change())
        except Exception as error:  # whatever a store fails with, the goodbye is said
            _log.warn("the call store could not commit the last changes: {reason}", reason=str(error))

    async def _say_goodbye(self) -> None:
        factories: tuple[ExchangeLinkFactory, ...] = (self.agent_links, self.ivr_links)
        for factory in factories:
            factory.going_away()
        await DeferredList([factory.when_empty() for factory in factories]).addTimeout(_LEAVE_WITHIN, self.clock)
        for factory in factories:
            factory.cut_all()
        await deferLater(self.clock, 0)


async def in_any_case(what: str, work: Callable[[], object]) -> None:
    """Do a part of a stop: an error is logged, and the other parts are still done."""
    try:
        await maybeDeferred(work)
    except Exception:
        _log.failure("{what} failed", what=what)


async def all_in_any_case(what: str, works: Iterable[Callable[[], object]]) -> None:
    """The same of several at once."""
    await DeferredList([ensureDeferred(in_any_case(what, work)) for work in works])
