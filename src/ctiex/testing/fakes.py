"""Stand-ins for what surrounds the exchange: agents, automatic services, their links, a store that waits.

:class:`FakeAgentConnection` and :class:`FakeServiceSession` stand where the links stand, without bytes.
:class:`FakeAgent` and :class:`FakeService` speak the protocol by a codec, over any transport.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import TypeVar, cast

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from ctiex.codecs.binary import BinaryCodec
from ctiex.errors import Status, StoreUnavailable
from ctiex.fields import EMPTY, Fields
from ctiex.interfaces import Frame, ICodec, IServiceSession
from ctiex.messages import (
    DEFAULT_MAX_FRAME,
    KIND_OF,
    AgentEvent,
    AgentEventAck,
    AgentLogin,
    AgentLoginReply,
    AgentLogout,
    Bind,
    CallEnded,
    CallEndedReply,
    CancelRequest,
    Condition,
    Connection,
    ConnectionReply,
    ConnectRequest,
    DataChanged,
    DataRequest,
    Feature,
    Message,
    Ping,
    Pong,
    Role,
    ServiceEvent,
    Unbind,
)
from ctiex.processing.digests import KEY_LABEL, KEY_SIZE
from ctiex.records import EPOCH, Change
from ctiex.stores.call_store import CallStore
from ctiex.stores.index import Undo

AnyMessage = TypeVar("AnyMessage", bound=Message)

# ---------------------------------------------------------------- beside the processing service


@define(eq=False)
class FakeAgentConnection:
    """An agent link as presence and mailboxes see it; keeps what was written to it."""

    writable: bool = True
    codec: ICodec = field(factory=BinaryCodec)
    bodies: list[bytes] = field(factory=list)
    """The AgentEvents, encoded, in the order in which they were written."""
    lost: list[str] = field(factory=list)
    """The agent numbers that another link has taken over."""

    def send_event(self, body: bytes) -> None:
        """An AgentEvent is written."""
        self.bodies.append(body)

    def taken_over(self, agent: str) -> None:
        """Another link has this agent number now."""
        self.lost.append(agent)

    @property
    def events(self) -> Sequence[AgentEvent]:
        """The AgentEvents that were written, decoded."""
        kind = KIND_OF[AgentEvent]
        return [cast(AgentEvent, self.codec.decode_body(Frame(kind, 0, body))) for body in self.bodies]


@implementer(IServiceSession)
@define(eq=False)
class FakeServiceSession:
    """A bound link of an automatic service; a test says how each Connection is answered."""

    identity: str = "services"
    name: str = "1"
    bound: bool = True
    connections: list[Connection] = field(factory=list)
    """Every Connection that was written."""
    ended: list[CallEnded] = field(factory=list)
    """Every CallEnded that was written."""
    changed: list[DataChanged] = field(factory=list)
    """Every DataChanged that was written."""
    features: Collection[str] = (Feature.UPDATES,)
    answers_notices: bool = True
    """Whether it answers a CallEnded or a DataChanged at once; else ``hear`` does."""
    _unheard: list[Callable[[bool], None]] = field(factory=list)
    _unanswered: dict[int, Callable[[int | None], None]] = field(factory=dict)

    def connect(self, connection: Connection, answered: Callable[[int | None], None], deadline: float) -> None:
        """A Connection is written."""
        self._unanswered[len(self.connections)] = answered
        self.connections.append(connection)

    def tell(self, message: CallEnded | DataChanged, answered: Callable[[bool], None]) -> None:
        """A CallEnded or a DataChanged is written."""
        if isinstance(message, CallEnded):
            self.ended.append(message)
        else:
            self.changed.append(message)
        self._unheard.append(answered)
        if self.answers_notices:
            self.hear()

    def hear(self, heard: bool = True) -> None:
        """Answer every CallEnded and DataChanged; False: the link has ended without an answer."""
        unheard, self._unheard = self._unheard, []
        for answered in unheard:
            answered(heard)

    @property
    def unanswered(self) -> Sequence[int]:
        """The places in ``connections`` of those that wait for an answer."""
        return list(self._unanswered)

    def answer(self, status: int, at: int = -1) -> None:
        """Answer a Connection, by its place in ``connections``; the last one unless said otherwise."""
        self._unanswered.pop(at % len(self.connections))(status)

    def accept(self, at: int = -1) -> None:
        """Accept a Connection."""
        self.answer(Status.OK, at)

    def refuse(self, at: int = -1) -> None:
        """Refuse a Connection."""
        self.answer(Status.SERVICE_REFUSED, at)

    def die(self) -> None:
        """The link is lost, with every answer that is still awaited."""
        self.bound = False
        unanswered, self._unanswered = self._unanswered, {}
        for answered in unanswered.values():
            answered(None)
        self.hear(False)


# ---------------------------------------------------------------- a store that takes its time


class WaitingStore(CallStore):
    """A store that shows every change at once, and whose commits complete when a test says so."""

    def __init__(self, new: bool = False) -> None:
        """:param new: it hasn't been used before, so that the first change names an epoch and a key."""
        super().__init__()
        if not new:
            self.apply(Change(metadata=((EPOCH, "1"), (KEY_LABEL, "00" * KEY_SIZE))))
        self._pending: list[tuple[Deferred[None], Undo]] = []
        """Those that wait, and what undoes them."""
        self.waits = True
        """Whether commits wait from now on; those that wait already go on doing so."""
        self.unavailable = False
        """Whether commits are refused at once."""

    @property
    def waiting(self) -> int:
        """How many commits wait."""
        return len(self._pending)

    def fire(self, count: int | None = None) -> None:
        """The oldest ``count`` commits are kept; every one that waits now, unless said otherwise."""
        kept = self._pending[:count]
        del self._pending[: len(kept)]
        for done, _ in kept:
            done.callback(None)

    def fail(self, at: int = 0) -> None:
        """The commit at this place fails: it is undone, and every one made after it."""
        failed = self._pending[at:]
        del self._pending[at:]
        for _, undo in reversed(failed):
            self.undo(undo)
        for done, _ in failed:
            done.errback(StoreUnavailable("the test says so"))

    def commit(self, change: Change) -> Deferred[None] | None:
        """Show a change.

        :raise StoreUnavailable: the test says so.
        """
        if self.unavailable:
            raise StoreUnavailable("the test says so")
        undo = Undo()
        self.remember(change, undo)
        self.apply(change)
        if not self._pending and (change == Change() or not self.waits):
            return None
        done: Deferred[None] = Deferred()
        self._pending.append((done, undo))
        return done


# ---------------------------------------------------------------- the other ends of the links


class FakePeer(Protocol):
    """The client's end of a link: writes messages, keeps everything that comes, knows no rules.

    It answers Ping and nothing else by itself.
    """

    def __init__(self, codec: ICodec | None = None, max_frame: int = DEFAULT_MAX_FRAME) -> None:
        self.codec = BinaryCodec() if codec is None else codec
        self.received: list[tuple[int, Message]] = []
        """Every message that came, with its invoke id, in order."""
        self.lost: str | None = None
        """Why the link is gone, in words; None while it is there."""
        self.answers_pings = True
        self._decoder = self.codec.decoder(max_frame)
        self._invoke_id = 0

    def send(self, message: Message, invoke_id: int | None = None) -> int:
        """Write a message, under the next invoke id unless one is given; which is returned."""
        if invoke_id is None:
            self._invoke_id = invoke_id = self._invoke_id + 1
        self.write(self.frame(message, invoke_id))
        return invoke_id

    def frame(self, message: Message, invoke_id: int) -> bytes:
        """The bytes of a message."""
        return self.codec.frame(KIND_OF[type(message)], invoke_id, self.codec.encode_body(message))

    def write(self, data: bytes) -> None:
        """Write any bytes."""
        assert self.transport is not None, "there is no link yet"
        self.transport.write(data)

    def bind(self, identity: str, secret: str = "secret", role: Role = Role.AGENT, features: str = "") -> int:
        """Ask to be bound."""
        return self.send(Bind(role, identity, secret, software="fake", features=features))

    def unbind(self) -> int:
        """Say that this side leaves."""
        return self.send(Unbind())

    def answer(self, invoke_id: int) -> Message | None:
        """The first message that came under this invoke id, or None."""
        return next((message for found, message in self.received if found == invoke_id), None)

    def every(self, kind: type[AnyMessage]) -> list[AnyMessage]:
        """Every message of this class that came."""
        return [message for _, message in self.received if isinstance(message, kind)]

    def dataReceived(self, data: bytes) -> None:
        """Bytes came."""
        self._decoder.receive(data)
        for frame in self._decoder.frames():
            message = self.codec.decode_body(frame)
            self.received.append((frame.invoke_id, message))
            self.message_received(message, frame.invoke_id)

    def message_received(self, message: Message, invoke_id: int) -> None:
        """A message came; for subclasses that answer by themselves."""
        if self.answers_pings and isinstance(message, Ping):
            self.send(Pong(), invoke_id)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The link is gone."""
        self.lost = reason.getErrorMessage()


class FakeAgent(FakePeer):
    """An agent's application, by hand."""

    def login(self, agent: str, resume_after: int = 0, epoch: int | None = None) -> int:
        """Bring an agent number to this link; by the epoch of the last login, unless another is given."""
        return self.send(AgentLogin(agent, self.epoch if epoch is None else epoch, resume_after))

    @property
    def epoch(self) -> int:
        """The epoch that the exchange has told last; 0: none yet."""
        return next((reply.epoch for reply in reversed(self.every(AgentLoginReply)) if reply.epoch), 0)

    def logout(self, agent: str) -> int:
        """Take an agent number from this link."""
        return self.send(AgentLogout(agent))

    def connect(
        self,
        agent: str,
        service: str,
        serial: str = "",
        calling_number: str = "13800138000",
        fields: Fields = EMPTY,
        reference: str = "",
    ) -> int:
        """Ask to connect a customer to a service."""
        return self.send(ConnectRequest(serial, agent, service, calling_number, reference, fields))

    def cancel(self, serial: str) -> int:
        """Take a connection back."""
        return self.send(CancelRequest(serial))

    def acknowledge(self, agent: str, sequence: int) -> None:
        """Acknowledge events."""
        self.send(AgentEventAck(agent, sequence), 0)

    @property
    def events(self) -> list[AgentEvent]:
        """The events that came."""
        return self.every(AgentEvent)


class FakeService(FakePeer):
    """An automatic service, driven by a test. It accepts Connections by itself unless set not to."""

    accepts: int | None = Status.OK
    """The status that answers each Connection; None: it is left unanswered."""

    def bind(self, identity: str, secret: str = "secret", role: Role = Role.SERVICE, features: str = "") -> int:
        """Ask to be bound."""
        return super().bind(identity, secret, role, features)

    def fetch(self, serial: str, exchange_address: str = "") -> int:
        """Ask for a call's data."""
        return self.send(DataRequest(serial, exchange_address))

    def report(
        self,
        serial: str,
        condition: Condition = Condition.COMPLETED,
        event_id: int = 1,
        fields: Fields = EMPTY,
        agent: str = "",
    ) -> int:
        """Report on a call."""
        return self.send(ServiceEvent(event_id, serial, agent, condition, fields))

    def message_received(self, message: Message, invoke_id: int) -> None:
        """Answer what the exchange asks."""
        super().message_received(message, invoke_id)
        if isinstance(message, Connection) and self.accepts is not None:
            self.send(ConnectionReply(self.accepts), invoke_id)
        elif isinstance(message, CallEnded):
            self.send(CallEndedReply(), invoke_id)

    @property
    def connections(self) -> list[Connection]:
        """The Connections that came."""
        return self.every(Connection)
