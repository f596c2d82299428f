"""Linked pairs in memory: the exchange's links and their clients, with every byte under a test's control.

:class:`LinkedPair` links two protocols; nothing flows until a test asks for it. :class:`MemoryExchange`
is a whole exchange on a clock that stands still until it is advanced.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping
from random import Random
from typing import Any, TypeVar

from attrs import define, field
from twisted.cred.portal import Portal
from twisted.internet.address import IPv4Address
from twisted.internet.defer import execute
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IAddress, IConsumer, IProtocol, IPushProducer, ITransport
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from zope.interface import implementer

from ctiex.call_control.control import ControlSettings
from ctiex.carriers.calling_number import CallingNumberSerialCarrier
from ctiex.codecs.binary import BinaryCodec
from ctiex.core import ExchangeCore
from ctiex.identities import AgentNumbers, Identity
from ctiex.interfaces import ICodec, ISerialCarrier, ISignalling
from ctiex.limits import Limits, SessionLimits, Timeouts
from ctiex.links.agent import AgentLink, AgentLinkFactory
from ctiex.links.ivr import IvrLink, IvrLinkFactory
from ctiex.login.credentials import KnownIdentity, configured_portal
from ctiex.messages import Role
from ctiex.monitoring.audit_events import Audit
from ctiex.monitoring.counters import Counters
from ctiex.processing.context import ProcessingContext, ServiceSettings
from ctiex.processing.field_rules import RuleOrganizer
from ctiex.processing.mailboxes import Mailboxes
from ctiex.processing.presence import AgentPresence
from ctiex.processing.service import ProcessingService
from ctiex.processing.service_sessions import ServiceSessions
from ctiex.signalling.link import LinkSignalling
from ctiex.stores.call_store import CallStore
from ctiex.testing.fakes import FakeAgent, FakePeer, FakeService

AnyPeer = TypeVar("AnyPeer", bound=FakePeer)
AnyLink = TypeVar("AnyLink", AgentLink, IvrLink)

BUFFER = 65_536
"""Bytes on their way beyond which a transport tells its producer to pause."""


@implementer(ITransport, IConsumer, IPushProducer)
class MemoryTransport:
    """One end of a link in memory; what is written stays here until the pair carries it over."""

    def __init__(self, port: int) -> None:
        self._address = IPv4Address("TCP", "127.0.0.1", port)
        self.under_way = bytearray()
        """Written here and not carried over yet."""
        self.reading = True
        """Whether this end takes bytes now."""
        self.closing = False
        self.aborted = False
        self._producer: Any = None
        self._producer_paused = False

    def write(self, data: bytes) -> None:
        """Put bytes on their way."""
        if self.closing or self.aborted:
            return
        self.under_way += data
        if self._producer is not None and len(self.under_way) > BUFFER and not self._producer_paused:
            self._producer_paused = True
            self._producer.pauseProducing()

    def writeSequence(self, data: Iterable[bytes]) -> None:
        """Put several pieces on their way."""
        self.write(b"".join(data))

    def take(self, count: int | None) -> bytes:
        """Carry bytes over: up to ``count`` of them, all there are if that is None."""
        taken = bytes(self.under_way[:count])
        del self.under_way[: len(taken)]
        return taken

    def let_the_producer_go_on(self) -> None:
        """Tell it when the buffer is empty again."""
        if self._producer_paused and not self.under_way:
            self._producer_paused = False
            self._producer.resumeProducing()

    def loseConnection(self) -> None:
        """Close once everything written is carried over."""
        self.closing = True

    def abortConnection(self) -> None:
        """Close at once."""
        self.aborted = True
        self.under_way.clear()

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Tell this one when the buffer is full."""
        self._producer = producer

    def unregisterProducer(self) -> None:
        """Notify no one any more."""
        self._producer = None
        self._producer_paused = False

    def pauseProducing(self) -> None:
        """Take no bytes for now."""
        self.reading = False

    def resumeProducing(self) -> None:
        """Take bytes again."""
        self.reading = True

    def stopProducing(self) -> None:
        """As loseConnection."""
        self.loseConnection()

    def getPeer(self) -> IAddress:
        """A made-up address."""
        return self._address

    def getHost(self) -> IAddress:
        """A made-up address."""
        return self._address


class LinkedPair:
    """Two protocols with a link in memory between them.

    The end that is made first sends first. Only ``deliver`` and ``pump`` carry bytes over.
    """

    def __init__(self, first: IProtocol, second: IProtocol) -> None:
        self.first, self.second = first, second
        self.first_transport, self.second_transport = MemoryTransport(7300), MemoryTransport(49152)
        self.open = True
        """Whether neither end has lost the link yet."""
        first.makeConnection(self.first_transport)
        second.makeConnection(self.second_transport)

    def deliver(self, *, to_first: bool, count: int | None = None) -> int:
        """Carry over up to ``count`` bytes to one end, if it reads; how many they were."""
        sender, receiver = self.second_transport, self.first_transport
        protocol = self.first
        if not to_first:
            sender, receiver, protocol = receiver, sender, self.second
        if not (self.open and receiver.reading) or receiver.aborted:
            return 0
        data = sender.take(count)
        sender.let_the_producer_go_on()
        if data and not receiver.closing:
            protocol.dataReceived(data)
        return len(data)

    def pump(self, count: int | None = None, first_speaks: bool = True) -> int:
        """Carry over, in turns, until nothing moves; how many bytes went, an end counting as one.

        :param count: how many bytes go at a time; all there are unless said otherwise.
        :param first_speaks: whose bytes are carried over first.
        """
        total, moved = 0, -1
        while moved:
            moved = self.deliver(to_first=not first_speaks, count=count)
            moved += self.deliver(to_first=first_speaks, count=count)
            total += moved
            total += self._close_if_done()
        return total

    def disconnect(self, clean: bool = True) -> None:
        """Cut the link; both ends lose it, with what is under way."""
        if not self.open:
            return
        self.open = False
        reason = Failure(ConnectionDone() if clean else ConnectionLost())
        self.first.connectionLost(reason)
        self.second.connectionLost(reason)

    def _close_if_done(self) -> bool:
        """Whether the link has ended now, once what an end had written was carried over."""
        was_open = self.open
        ends = (self.first_transport, self.second_transport)
        if any(end.aborted for end in ends):
            self.disconnect(clean=False)
        elif any(end.closing and not end.under_way for end in ends):
            self.disconnect()
        return was_open and not self.open


def pump_all(pairs: list[LinkedPair], clock: Clock) -> None:
    """Carry over what is under way on every link, and do what is due now, until nothing moves."""
    while any([pair.pump() for pair in pairs]) or _due(clock):
        clock.advance(0)


def _due(clock: Clock) -> bool:
    return any(call.getTime() <= clock.seconds() for call in clock.getDelayedCalls())


def make_service(name: str, timeouts: Timeouts | None = None, signalling: str = "link") -> ServiceSettings:
    """An automatic service that passes all fields unchanged."""
    return ServiceSettings(name, "7000", signalling, RuleOrganizer(), RuleOrganizer(), timeouts or Timeouts())


def agents(name: str = "agents", *patterns: str) -> Identity:
    """An identity for these agent numbers, for every one unless some are named."""
    return Identity(name, Role.AGENT, agents=AgentNumbers.parse(patterns or ("*",)))


def services(name: str = "services", *served: str) -> Identity:
    """An identity that serves these services, ``bill`` unless some are named."""
    return Identity(name, Role.SERVICE, services=frozenset(served or ("bill",)))


@define(eq=False)
class MemoryExchange:
    """A whole exchange in memory. Every identity's secret is ``secret``; its address is ``exchange:7301``.

    Use its parts as they are, or open links to it by ``agent`` and ``service``.
    """

    identities: Iterable[Identity] = field(factory=lambda: (agents(), services()))
    services: Mapping[str, ServiceSettings] = field(factory=lambda: {"bill": make_service("bill")})
    limits: Limits = field(factory=Limits)
    session_limits: SessionLimits = field(factory=SessionLimits)
    store: CallStore = field(factory=CallStore)
    clock: Clock = field(factory=Clock)
    wall: Callable[[], float] | None = None
    """The wall clock; shows what ``clock`` does unless given."""
    codec: ICodec = field(factory=BinaryCodec)
    portal: Portal | None = None
    """Where Binds are let in; by the secret ``secret`` unless given."""
    drivers: Mapping[str, ISignalling] | None = None
    """By name; signalling by link alone, under ``link``, unless given."""
    make_drivers: Callable[[ProcessingContext, ProcessingService], Mapping[str, ISignalling]] | None = None
    """Makes them instead, where they need parts of the exchange."""
    control_settings: ControlSettings = field(factory=ControlSettings)
    """For the calls of a driver's platform."""
    network: ISerialCarrier | None = None
    """Takes serials through the telephone network; in the calling number unless given."""
    random: Random = field(factory=lambda: Random(1))
    """For serials, the epoch, and the key of digests."""
    counters: Counters = field(factory=Counters)
    audit: Audit | None = None
    pairs: list[LinkedPair] = field(factory=list, init=False)
    """Every link that was opened."""
    core: ExchangeCore = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.identities = list(self.identities)
        known = [KnownIdentity(identity, "secret") for identity in self.identities]
        self.core = ExchangeCore(
            clock=self.clock,
            wall=self.wall or self.clock.seconds,
            store=self.store,
            portal=self.portal or configured_portal(known, execute),
            services=self.services,
            make_drivers=self.make_drivers or self._drivers,
            limits=self.limits,
            agent_codec=self.codec,
            agent_link=self.session_limits,
            ivr_codec=self.codec,
            ivr_link=self.session_limits,
            carrier=CallingNumberSerialCarrier(),
            network=self.network,
            control_settings=self.control_settings,
            is_agent=lambda number: any(identity.names_agent(number) for identity in self.identities),
            exchange_address="exchange:7301",
            counters=self.counters,
            audit=self.audit,
            random=self.random,
            new_session_name=map(str, itertools.count(1)).__next__,
        )
        self.core.start()

    def _drivers(self, context: ProcessingContext, processing: ProcessingService) -> Mapping[str, ISignalling]:
        if self.drivers is not None:
            return self.drivers
        return {"link": LinkSignalling(processing.listener, context.sessions, context.clock)}

    @property
    def context(self) -> ProcessingContext:
        """What its processing works with."""
        return self.core.context

    @property
    def processing(self) -> ProcessingService:
        """Its calls."""
        return self.core.processing

    @property
    def sessions(self) -> ServiceSessions:
        """The bound services."""
        return self.core.sessions

    @property
    def agent_links(self) -> AgentLinkFactory:
        """Makes agent links."""
        return self.core.agent_links

    @property
    def ivr_links(self) -> IvrLinkFactory:
        """Makes IVR links."""
        return self.core.ivr_links

    @property
    def presence(self) -> AgentPresence:
        """Where the agents are."""
        return self.context.presence

    @property
    def mailboxes(self) -> Mailboxes:
        """The agents' events."""
        return self.context.mailboxes

    # ------------------------------------------------------------ links

    def link_agent(self, peer: AnyPeer) -> tuple[AnyPeer, LinkedPair, AgentLink]:
        """Open an agent link; nothing is bound yet."""
        return self._linked(self.agent_links.buildProtocol(None), peer)

    def link_service(self, peer: AnyPeer) -> tuple[AnyPeer, LinkedPair, IvrLink]:
        """Open an IVR link; nothing is bound yet."""
        return self._linked(self.ivr_links.buildProtocol(None), peer)

    def _linked(self, link: AnyLink, peer: AnyPeer) -> tuple[AnyPeer, LinkedPair, AnyLink]:
        pair = LinkedPair(link, peer)
        self.pairs.append(pair)
        return peer, pair, link

    def agent(self, *numbers: str, identity: str = "agents", features: str = "") -> FakeAgent:
        """An agent's application that is bound, with these agent numbers logged in."""
        peer, _, _ = self.link_agent(FakeAgent(self.codec))
        peer.bind(identity, features=features)
        for number in numbers:
            peer.login(number)
        self.pump()
        return peer

    def service(self, identity: str = "services") -> FakeService:
        """An automatic service that is bound."""
        peer, _, _ = self.link_service(FakeService(self.codec))
        peer.bind(identity)
        self.pump()
        return peer

    def pair_of(self, peer: FakePeer) -> LinkedPair:
        """The link of one of the peers."""
        return next(pair for pair in self.pairs if pair.second is peer)

    def pump(self) -> None:
        """Carry over what is under way on every link, and do what is due now, until nothing moves."""
        pump_all(self.pairs, self.clock)

    def advance(self, seconds: float, step: float = 1.0) -> None:
        """Let time pass, a step at a time, and carry over the resulting bytes."""
        while seconds > 0:
            self.clock.advance(min(step, seconds))
            self.pump()
            seconds -= step
