"""The messages that travel on the links, as values. No bytes here.

The attributes of each stand in the order of its body on the wire. What the bytes
look like is declared in :mod:`ctiex.codecs.layouts`, for every message at once.
Paragraph numbers are those of US 2012/0134488 A1.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum

from attrs import field

from ctiex import call_messages
from ctiex.conditions import FINAL_CONDITIONS as FINAL_CONDITIONS
from ctiex.conditions import SERVICE_CONDITIONS as SERVICE_CONDITIONS
from ctiex.conditions import Condition as Condition
from ctiex.errors import Status
from ctiex.fields import EMPTY, Fields
from ctiex.frozen import frozen

VERSION = 2
"""The version of the wire format; version 1 was never released."""
DEFAULT_MAX_FRAME = 65_536
"""The limit on a frame's length where nothing else is configured, in bytes."""
LEAST_MAX_FRAME = 1_024
MOST_MAX_FRAME = 16_777_216
"""Clients agree to no limit beyond these two, in bytes: an exchange that says another one is left by all of them."""


class Role(IntEnum):
    """Who speaks on a link."""

    AGENT = 1
    SERVICE = 2


class Feature(StrEnum):
    """What a link may have beyond the messages that every link has; named at Bind, granted in its reply."""

    UPDATES = "updates"
    """A service takes DataChanged."""
    CALLS = "calls"
    """An agent link has call control, agent states and call events."""


class OpenCallState(IntEnum):
    """Where an open hand-off stands, as a CallQueryReply says it."""

    REQUESTED = 0
    CONNECTING = 1
    CONNECTED = 2
    FETCHED = 3
    REPORTED = 4


@frozen
class OpenCall:
    """One open hand-off of an agent number, in a CallQueryReply."""

    serial: str
    service: str
    reference: str
    state: OpenCallState
    since: int
    """When it came into that state, in milliseconds since 1970-01-01 UTC."""


@frozen
class Bind:
    """Opens a session: who is there, in which role, with which secret."""

    role: Role
    identity: str
    secret: str = field(repr=False)
    min_version: int = VERSION
    max_version: int = VERSION
    software: str = ""
    features: str = ""
    """Those that the client wants: words with spaces between."""


@frozen
class BindReply:
    """Answers Bind; any status but 0 ends the link."""

    status: int
    version: int = VERSION
    session: str = ""
    heartbeat_s: int = 0
    max_frame: int = DEFAULT_MAX_FRAME
    max_in_flight: int = 0
    exchange_address: str = ""
    features: str = ""
    detail: str = ""


@frozen
class Unbind:
    """The sender is about to close the link; status 15 from an exchange that is shutting down."""

    status: int = Status.OK
    detail: str = ""


@frozen
class UnbindReply:
    """Answers Unbind."""


@frozen
class Ping:
    """Asks for a sign of life."""


@frozen
class Pong:
    """Answers Ping."""


@frozen
class Error:
    """Answers what has no reply of its own to answer with; never answered itself.

    ``about`` is the kind of the frame that it is about, 0 where that frame's header could not be used.
    """

    status: int
    about: int = 0
    detail: str = ""


@frozen
class AgentLogin:
    """An agent number comes to this link; events after ``resume_after`` of this ``epoch`` are replayed.

    Epoch 0 says that the client has no position.
    """

    agent: str
    epoch: int = 0
    resume_after: int = 0


@frozen
class AgentLoginReply:
    """Answers AgentLogin with the numbering: its epoch, the last sequence assigned, the first still replayable."""

    status: int
    epoch: int = 0
    first_sequence: int = 0
    last_sequence: int = 0
    detail: str = ""


@frozen
class AgentLogout:
    """An agent number leaves this link."""

    agent: str


@frozen
class AgentLogoutReply:
    """Answers AgentLogout."""

    status: int


@frozen
class ConnectRequest:
    """The agent asks to connect the customer to a service [0044, 0049, 0063].

    An empty ``serial`` asks the exchange to allocate one. ``reference`` is opaque to the exchange, and stands in all
    that is said of the call.
    """

    serial: str
    agent: str
    service: str
    calling_number: str
    reference: str = ""
    fields: Fields = EMPTY


@frozen
class ConnectReply:
    """Answers ConnectRequest; 0 means that the call is committed.

    ``retry_after`` says with status 14 in how many seconds to ask again, 0 where that isn't known.
    """

    status: int
    serial: str = ""
    retry_after: int = 0
    detail: str = ""


@frozen
class CancelRequest:
    """The agent takes the connection back."""

    serial: str


@frozen
class CancelReply:
    """Answers CancelRequest."""

    status: int
    serial: str = ""
    detail: str = ""


@frozen
class AgentEvent:
    """What happened to a call, for its agent [0053]; numbered from 1 for each agent number.

    ``time`` is when it happened, in milliseconds since 1970-01-01 UTC.
    """

    sequence: int
    time: int
    agent: str
    serial: str
    reference: str
    condition: Condition
    status: int = Status.OK
    fields: Fields = EMPTY


@frozen
class AgentEventAck:
    """The agent has this event and every one before it; never answered."""

    agent: str
    sequence: int


@frozen
class CallQuery:
    """Asks which hand-offs of an agent number are open."""

    agent: str


@frozen
class CallQueryReply:
    """Answers CallQuery, the oldest first; with status 35 the first ones that fit a frame."""

    status: int
    calls: tuple[OpenCall, ...] = ()


@frozen
class UpdateRequest:
    """The agent corrects a call's data: these fields are put over those that it has."""

    serial: str
    fields: Fields = EMPTY


@frozen
class UpdateReply:
    """Answers UpdateRequest; 0 means that the data is committed as it is now."""

    status: int
    serial: str = ""
    detail: str = ""


@frozen
class Connection:
    """The customer is on the way to the service [0039, 0074].

    ``calling_number`` carries the serial, ``access_code`` names the service.
    """

    access_code: str
    calling_number: str
    exchange_address: str = ""


@frozen
class ConnectionReply:
    """The service accepts the connection (0) or refuses it."""

    status: int
    detail: str = ""


@frozen
class DataRequest:
    """The service asks for a call's data by its serial [0050]."""

    serial: str
    exchange_address: str = ""


@frozen
class DataResult:
    """The data of the call, organized for the service [0051]."""

    status: int
    serial: str
    agent: str = ""
    reference: str = ""
    fields: Fields = EMPTY


@frozen
class ServiceEvent:
    """The service reports: progress any number of times, one final condition [0052, 0078].

    ``event_id`` is unique within the serial, so that a repeat is known as one.
    """

    event_id: int
    serial: str
    agent: str
    condition: Condition
    fields: Fields = EMPTY


@frozen
class ServiceEventReply:
    """Answers ServiceEvent: 0 and 40 mean committed, 43 that it had been committed before."""

    event_id: int
    status: int


@frozen
class CallEnded:
    """The exchange tells the service that its call is over."""

    serial: str
    condition: Condition


@frozen
class CallEndedReply:
    """Answers CallEnded."""


@frozen
class DataChanged:
    """The exchange tells the service that the data of its call has changed since it was fetched."""

    serial: str


@frozen
class DataChangedReply:
    """Answers DataChanged."""


Message = (
    Bind | BindReply | Unbind | UnbindReply | Ping | Pong | Error
    | AgentLogin | AgentLoginReply | AgentLogout | AgentLogoutReply
    | ConnectRequest | ConnectReply | CancelRequest | CancelReply
    | AgentEvent | AgentEventAck
    | CallQuery | CallQueryReply | UpdateRequest | UpdateReply
    | Connection | ConnectionReply | DataRequest | DataResult
    | ServiceEvent | ServiceEventReply | CallEnded | CallEndedReply
    | DataChanged | DataChangedReply
    | call_messages.Monitor | call_messages.MonitorReply | call_messages.AgentState | call_messages.AgentStateReply
    | call_messages.CallControl | call_messages.CallControlReply | call_messages.CallData | call_messages.CallDataReply
    | call_messages.AgentStateEvent | call_messages.CallEvent | call_messages.Snapshot
)  # fmt: skip

KINDS: dict[int, type[Message]] = {
    0x01: Bind, 0x02: BindReply, 0x03: Unbind, 0x04: UnbindReply, 0x05: Ping, 0x06: Pong, 0x07: Error,
    0x10: AgentLogin, 0x11: AgentLoginReply, 0x12: AgentLogout, 0x13: AgentLogoutReply,
    0x14: ConnectRequest, 0x15: ConnectReply, 0x16: CancelRequest, 0x17: CancelReply,
    0x18: AgentEvent, 0x19: AgentEventAck,
    0x1A: CallQuery, 0x1B: CallQueryReply, 0x1C: UpdateRequest, 0x1D: UpdateReply,
    0x20: Connection, 0x21: ConnectionReply, 0x22: DataRequest, 0x23: DataResult,
    0x24: ServiceEvent, 0x25: ServiceEventReply, 0x26: CallEnded, 0x27: CallEndedReply,
    0x28: DataChanged, 0x29: DataChangedReply,
    0x30: call_messages.Monitor, 0x31: call_messages.MonitorReply,
    0x32: call_messages.AgentState, 0x33: call_messages.AgentStateReply,
    0x34: call_messages.CallControl, 0x35: call_messages.CallControlReply,
    0x36: call_messages.CallData, 0x37: call_messages.CallDataReply,
    0x38: call_messages.AgentStateEvent, 0x3A: call_messages.CallEvent, 0x3C: call_messages.Snapshot,
}  # fmt: skip
"""The kind of each message on the wire; a reply's is its request's + 1."""

CALL_CONTROL_KINDS = range(0x30, 0x40)
"""For call control: known, whether assigned or not, and not allowed on a link without that feature."""

KIND_OF: dict[type[Message], int] = {message: kind for kind, message in KINDS.items()}

REPLY_OF: dict[type[Message], type[Message]] = {
    KINDS[kind]: KINDS[kind + 1]
    for kind in (0x01, 0x03, 0x05, 0x10, 0x12, 0x14, 0x16, 0x1A, 0x1C, 0x20, 0x22, 0x24, 0x26, 0x28,
                 0x30, 0x32, 0x34, 0x36)
}  # fmt: skip
"""Each request with the reply that answers it (events are acknowledged, not answered)."""
