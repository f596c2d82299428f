"""The whole exchange in memory, on a clock that stands still, and byte-level links to it for one test."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress

from attrs import define, evolve, field
from twisted.internet.interfaces import IProtocol, IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from ctiex.codecs.binary import BinaryCodec
from ctiex.codecs.json import JsonCodec
from ctiex.interfaces import ICodec, IOrganizer, IServiceSessions, ISignalling, ISignallingListener
from ctiex.limits import Limits, SessionLimits, Timeouts
from ctiex.processing.context import ProcessingContext
from ctiex.processing.field_rules import RuleOrganizer
from ctiex.processing.service import ProcessingService
from ctiex.signalling.link import LinkSignalling
from ctiex.stores.call_store import CallStore
from ctiex.testing.pairs import LinkedPair, MemoryExchange, agents, make_service, services

from .wire_client import AGENT_ROLE, SERVICE_ROLE, Kind, Message, Silent, Speaker

CODECS: dict[str, ICodec] = {"binary": BinaryCodec(), "json": JsonCodec()}
IDENTITIES = (
    agents("desk"),
    agents("small-desk", "1001", "1100-1199"),
    services("ivr", "alpha", "shared", "x"),
    services("other-ivr", "gamma", "shared"),
)
SERVICES = ("alpha", "shared", "gamma", "x")
MakeDriver = Callable[[ISignallingListener, IServiceSessions, IReactorTime], ISignalling]


class _Received(Protocol):
    """Keeps the bytes that come."""

    def __init__(self) -> None:
        self.data = b""
        self.lost = False

    def dataReceived(self, data: bytes) -> None:
        """Bytes came."""
        self.data += data

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The link is gone."""
        self.lost = True


class MemoryPeer(Speaker):
    """A link in memory: what doesn't come now doesn't come before the clock goes on."""

    def __init__(self, exchange: MemoryExchange, link: IProtocol, codec: str) -> None:
        super().__init__(codec)
        self._exchange = exchange
        self._received = _Received()
        self._pair = LinkedPair(link, self._received)
        exchange.pairs.append(self._pair)

    def send(self, *frames: bytes) -> None:
        """All frames in one segment, which is carried over at once."""
        assert self._received.transport is not None
        self._received.transport.write(b"".join(frames))
        self._exchange.pump()

    def more(self, deadline: float) -> bytes:
        """What has come."""
        self._exchange.pump()
        data, self._received.data = self._received.data, b""
        if not data and not self._received.lost:
            raise Silent
        return data

    def close(self) -> None:
        """Cut the link."""
        self._pair.disconnect()
        self._exchange.pump()

    def taken(self) -> list[Message]:
        """Everything that came and nobody waited for; nothing is sent for it."""
        with suppress(Silent):
            while True:
                self.inbox.append(self.read())
        taken, self.inbox = self.inbox, []
        return taken

    def gets(self, *kinds: Kind) -> list[tuple[Kind, str]]:
        """The messages about calls that came, each with its serial, in order."""
        return [(got.kind, got["serial"]) for got in self.taken() if not kinds or got.kind in kinds]


@define(eq=False)
class Memory:
    """Opens links to an exchange of its own."""

    timeouts: Timeouts = field(factory=Timeouts)
    limits: Limits = field(factory=Limits)
    session_limits: SessionLimits = field(factory=lambda: SessionLimits(heartbeat=30_000, login_deadline=10_000))
    codec: str = "binary"
    store: CallStore = field(factory=CallStore)
    clock: Clock = field(factory=Clock)
    organizer: IOrganizer = field(factory=RuleOrganizer)
    """Organizes the agents' fields for every service."""
    driver: MakeDriver = LinkSignalling
    """Makes what signals the calls of every service."""
    exchange: MemoryExchange = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.exchange = MemoryExchange(
            identities=IDENTITIES,
            services={name: evolve(make_service(name, self.timeouts), request=self.organizer) for name in SERVICES},
            limits=self.limits,
            session_limits=self.session_limits,
            codec=CODECS[self.codec],
            store=self.store,
            clock=self.clock,
            make_drivers=self._drivers,
        )

    def _drivers(self, context: ProcessingContext, processing: ProcessingService) -> Mapping[str, ISignalling]:
        return {"link": self.driver(processing.listener, context.sessions, context.clock)}

    def link(self, to_services: bool = False) -> MemoryPeer:
        """A link that isn't bound yet."""
        factory = self.exchange.ivr_links if to_services else self.exchange.agent_links
        return MemoryPeer(self.exchange, factory.buildProtocol(None), self.codec)

    def bound_agent(self, identity: str = "desk") -> MemoryPeer:
        """A bound agent link."""
        link = self.link()
        assert link.bind(AGENT_ROLE, identity, "secret")["status"] == 0
        return link

    def agent(self, number: str) -> MemoryPeer:
        """An agent link with this number logged in."""
        link = self.bound_agent()
        assert link.login(number)["status"] == 0
        return link

    def service(self, identity: str = "ivr", features: str = "") -> MemoryPeer:
        """A bound service's link."""
        link = self.link(to_services=True)
        assert link.bind(SERVICE_ROLE, identity, "secret", features=features)["status"] == 0
        return link

    def advance(self, seconds: float, step: float = 1.0) -> None:
        """Let time pass, a step at a time."""
        self.exchange.advance(seconds, step)

    def restarted(self) -> Memory:
        """The exchange that comes after this one has died, with the records that a durable store has kept."""
        self.exchange.processing.stop_resuming()
        for driver in self.exchange.core.drivers.values():
            driver.stop()
        self.exchange.processing.stop()
        return evolve(self)
