"""One exchange in memory for one cell of the authorization matrix: its links, its call, and what changes in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import define, field, frozen
from zope.interface import implementer

from ctiex.errors import Status
from ctiex.identities import Identity
from ctiex.interfaces import BaseSignalling, ISignalling, Offer
from ctiex.limits import SessionLimits, Timeouts
from ctiex.links.exchange import ExchangeLink
from ctiex.messages import Bind, Condition, ConnectionReply, Feature, Message, Role
from ctiex.records import Call, CallState, StoredEvent
from ctiex.signalling.link import LinkSignalling
from ctiex.testing.fakes import FakeAgent, FakePeer, FakeService
from ctiex.testing.pairs import LinkedPair, MemoryExchange, agents, make_service, services

from . import authorization_matrix as matrix
from .authorization_matrix import AGENT, EVENT_ID, OTHER_AGENT, SECRET, SERIAL, Cell, Login, Owner, Port, State, Way

IDENTITIES: tuple[Identity, ...] = (
    *(agents(name, *patterns) for name, patterns in matrix.NUMBERS.items()),
    *(services(name, served) for name, served in matrix.SERVES.items()),
)
TIMEOUTS = Timeouts(
    signalling_timeout=3_000.0,
    fetch_timeout=3_000.0,
    service_timeout=3_000.0,
    return_timeout=3_000.0,
    keep_closed=600.0,
    rebind_grace=0.0,
)
LIMITS = SessionLimits(heartbeat=60_000.0, login_deadline=60_000.0)
CALL_STATES: Mapping[State, CallState | None] = {
    State.NONE: None,
    State.REQUESTED: CallState.REQUESTED,
    State.CONNECTING: CallState.CONNECTING,
    State.CONNECTED: CallState.CONNECTED,
    State.FETCHED: CallState.FETCHED,
    State.REPORTED: CallState.REPORTED,
    State.FINISHED: CallState.CLOSED,
    State.CANCELLED: CallState.CLOSED,
    State.FORGOTTEN: None,
}


class _Recorded(FakePeer):
    """A peer that keeps the bytes that came, too."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.data = b""

    def dataReceived(self, data: bytes) -> None:
        """Bytes came."""
        self.data += data
        super().dataReceived(data)


class RecordedAgent(_Recorded, FakeAgent):
    """An agent's application whose bytes are kept."""


class RecordedService(_Recorded, FakeService):
    """A service whose bytes are kept."""


@implementer(ISignalling)
class HeldSignalling(BaseSignalling):
    """Signals a call when it is told to: over a link, or as if the service had been dialled."""

    def __init__(self, sees_return: bool) -> None:
        self.sees_return = sees_return
        self._exchange: MemoryExchange | None = None
        self._by_link: LinkSignalling | None = None
        self._held: dict[str, Offer] = {}

    def attach(self, exchange: MemoryExchange) -> None:
        """Work for this exchange."""
        self._exchange = exchange
        self._by_link = LinkSignalling(exchange.processing.listener, exchange.sessions, exchange.clock)

    def offer(self, offer: Offer) -> None:
        """Keep it."""
        self._held[offer.serial] = offer

    def withdraw(self, serial: str) -> int:
        """Forget it."""
        self._held.pop(serial, None)
        return Status.SERVICE_UNREACHABLE if self._by_link is None else self._by_link.withdraw(serial)

    def release(self, way: Way) -> None:
        """Signal what is held."""
        assert self._exchange is not None and self._by_link is not None
        offer = self._held.pop(SERIAL)
        if way is Way.LINK:
            self._by_link.offer(offer)
        else:
            self._exchange.processing.listener.offered(SERIAL, None, lambda: None)

    def accept(self) -> None:
        """A dialled service accepts."""
        assert self._exchange is not None
        self._exchange.processing.listener.accepted(SERIAL)


@frozen
class Snapshot:
    """Everything that a message could change."""

    calls: Mapping[str, Call]
    mailboxes: Mapping[str, Sequence[StoredEvent]]
    logins: Mapping[str, str | None]
    """By agent number: the name of the link that it is logged in on."""
    received: Mapping[str, int]
    """By link: how many messages have come."""
    open: Mapping[str, bool]
    fetched: int
    """How many calls count as fetched."""


@define(eq=False)
class World:
    """The links of one cell, by name: ``sender``, and those around it."""

    cell: Cell
    driver: HeldSignalling
    exchange: MemoryExchange
    peers: dict[str, RecordedAgent | RecordedService] = field(factory=dict)
    pairs: dict[str, LinkedPair] = field(factory=dict)
    links: dict[str, ExchangeLink] = field(factory=dict)

    @property
    def sender(self) -> RecordedAgent | RecordedService:
        """Whoever sends the cell's message."""
        return self.peers["sender"]

    def pump(self) -> None:
        """Carry over what is under way."""
        self.exchange.pump()

    # ------------------------------------------------------------ links

    def open_agent(self, name: str, identity: str, *numbers: str) -> RecordedAgent:
        """An agent link; bound where an identity is named."""
        peer, self.pairs[name], self.links[name] = self.exchange.link_agent(RecordedAgent())
        self.peers[name] = peer
        if identity:
            peer.send(Bind(Role.AGENT, identity, SECRET))
        for number in numbers:
            peer.login(number)
        self.pump()
        return peer

    def open_service(self, name: str, identity: str, accepts: int | None = None) -> RecordedService:
        """A service's link; bound where an identity is named."""
        peer, self.pairs[name], self.links[name] = self.exchange.link_service(RecordedService())
        self.peers[name] = peer
        peer.accepts = accepts
        if identity:
            peer.send(Bind(Role.SERVICE, identity, SECRET, features=Feature.UPDATES))
        self.pump()
        return peer

    def name_of(self, owner: Owner) -> str:
        """The link that stands in this relation to the call."""
        return "sender" if self.cell.sender.owner is owner and self._is_service else owner.name.lower()

    @property
    def _is_service(self) -> bool:
        return self.cell.sender.role is Role.SERVICE and not self.cell.sender.wrong_port

    @property
    def asker(self) -> str:
        """The link that asked for the call."""
        here = self.cell.sender.login in (Login.HERE, Login.TAKEN_OVER)
        return "sender" if here and self.cell.sender.role is Role.AGENT else "desk"

    def open_links(self) -> None:
        """Everybody, the refuser and the holder first: calls are offered to them in this order."""
        sender = self.cell.sender
        self.open_service(self.name_of(Owner.REFUSER), "refuser", Status.SERVICE_REFUSED)
        self.open_service(self.name_of(Owner.HOLDER), "ivr")
        if self.asker == "sender":
            self.open_agent("sender", sender.identity, AGENT)
        else:
            self.open_agent(self.asker, "any", AGENT)
        if "sender" in self.peers:
            return
        identity = "" if sender.wrong_port else sender.identity
        if sender.port is Port.SERVICES:
            self.open_service("sender", identity)
        else:
            numbers = [OTHER_AGENT] if identity == "outside" else []
            self.open_agent("sender", identity, *numbers)

    # ------------------------------------------------------------ the call

    def bring_call(self) -> None:
        """Bring the call to the state of the cell, by what is sent over the links."""
        for step in _STEPS[self.cell.state]:
            getattr(self, step)()
            self.pump()
        if self.cell.sender.login is Login.TAKEN_OVER:
            self.open_agent("desk", self.cell.sender.identity, AGENT)
        assert self.call_state == CALL_STATES[self.cell.state], self.call_state

    @property
    def call_state(self) -> CallState | None:
        """The state of the call in the store; None when there is none."""
        call = self.exchange.store.get(SERIAL)
        return None if call is None else call.state

    @property
    def _holder(self) -> RecordedService:
        holder = self.peers[self.name_of(Owner.HOLDER)]
        assert isinstance(holder, RecordedService)
        return holder

    @property
    def _asker(self) -> RecordedAgent:
        asker = self.peers[self.asker]
        assert isinstance(asker, RecordedAgent)
        return asker

    def request(self) -> None:
        """The agent asks for the call."""
        self._asker.connect(AGENT, matrix.SERVICE, SERIAL, matrix.CALLING_NUMBER, matrix.DATA, matrix.REFERENCE)

    def offer(self) -> None:
        """The Connection is written."""
        self.driver.release(self.cell.way)

    def accept(self) -> None:
        """The service accepts."""
        if self.cell.way is Way.LINK:
            self._holder.send(ConnectionReply(0), matrix.CONNECTION_ID)
        else:
            self.driver.accept()

    def fetch(self) -> None:
        """The service fetches the data."""
        self._holder.fetch(SERIAL)

    def report(self) -> None:
        """The service reports its result."""
        self._holder.report(SERIAL, Condition.COMPLETED, EVENT_ID, matrix.RESULT)

    def cancel(self) -> None:
        """The agent takes the call back."""
        self._asker.cancel(SERIAL)

    def forget(self) -> None:
        """``keep_closed`` goes by."""
        self.exchange.clock.advance(TIMEOUTS.keep_closed + 1)

    # ------------------------------------------------------------ the cell

    def send(self, message: Message, invoke_id: int) -> bytes:
        """Send a message as the cell's sender; the bytes that come back."""
        before = len(self.sender.data)
        sent = self.sender.frame(message, invoke_id)
        if self.cell.sender.wrong_port:
            who = Bind(self.cell.sender.role or Role.AGENT, self.cell.sender.identity, SECRET)
            sent = self.sender.frame(who, matrix.INVOKE_ID) + sent
        self.sender.write(sent)
        self.pump()
        return self.sender.data[before:]

    def snapshot(self) -> Snapshot:
        """How everything stands now."""
        store = self.exchange.store
        return Snapshot(
            calls={call.serial: call for call in store.calls()},
            mailboxes={agent: list(store.events(agent)) for agent in (AGENT, OTHER_AGENT)},
            logins={agent: self._login_of(agent) for agent in (AGENT, OTHER_AGENT)},
            received={name: len(peer.received) for name, peer in self.peers.items()},
            open={name: pair.open for name, pair in self.pairs.items()},
            fetched=self.exchange.counters.calls_fetched,
        )

    def _login_of(self, agent: str) -> str | None:
        presence = self.exchange.presence
        return next((name for name, link in self.links.items() if presence.is_on(agent, link)), None)  # type: ignore[arg-type]


_FETCHED = ("request", "offer", "accept", "fetch")
_STEPS: Mapping[State, tuple[str, ...]] = {
    State.NONE: (),
    State.REQUESTED: _FETCHED[:1],
    State.CONNECTING: _FETCHED[:2],
    State.CONNECTED: _FETCHED[:3],
    State.FETCHED: _FETCHED,
    State.REPORTED: (*_FETCHED, "report"),
    State.FINISHED: (*_FETCHED, "report"),
    State.CANCELLED: (*_FETCHED, "cancel"),
    State.FORGOTTEN: (*_FETCHED, "report", "forget"),
}


def make_world(cell: Cell) -> World:
    """An exchange with the call and the links of a cell."""
    driver = HeldSignalling(sees_return=cell.state is State.REPORTED)
    exchange = MemoryExchange(
        identities=IDENTITIES,
        services={name: make_service(name, TIMEOUTS) for name in (matrix.SERVICE, matrix.OTHER_SERVICE)},
        session_limits=LIMITS,
        drivers={"link": driver},
    )
    driver.attach(exchange)
    world = World(cell, driver, exchange)
    world.open_links()
    world.bring_call()
    return world
