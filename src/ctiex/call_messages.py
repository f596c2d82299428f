"""The messages of call control, agent states and call events, as values: kinds 30 to 3F.

The words are those of ECMA-269 (CSTA) where it has one. A call of an agent keeps its ``call`` for its whole life; its
``serial`` is the call serial number [0049] that the next ConnectRequest names, and is another one behind each hand-off.
"""

from __future__ import annotations

from enum import IntEnum

from attrs import field

from ctiex.fields import EMPTY, Fields
from ctiex.frozen import frozen


class Action(IntEnum):
    """What a CallControl asks for; what a party's ``actions`` allow has the bit of this number set."""

    MAKE = 1
    ANSWER = 2
    REJECT = 3
    DEFLECT = 4
    HOLD = 5
    RETRIEVE = 6
    CONSULT = 7
    ALTERNATE = 8
    RECONNECT = 9
    TRANSFER = 10
    BLIND_TRANSFER = 11
    CONFERENCE = 12
    ADD_PARTY = 13
    DROP_PARTY = 14
    LEAVE = 15
    CLEAR = 16
    DIGITS = 17
    RECORD_START = 18
    RECORD_PAUSE = 19
    RECORD_RESUME = 20
    RECORD_STOP = 21
    MARK = 22
    LISTEN = 23
    WHISPER = 24
    BARGE = 25
    INTERCEPT = 26
    STOP_SUPERVISION = 27

    @property
    def bit(self) -> int:
        """This action in a set of actions."""
        return 1 << self


class PartyRole(IntEnum):
    """Who is a party of a call."""

    CUSTOMER = 0
    AGENT = 1
    SERVICE = 2
    SUPERVISOR = 3
    OTHER = 4


class ConnectionState(IntEnum):
    """The state of a connection, in ECMA-269's words; the last two both mean held, and are told apart."""

    INITIATED = 0
    ALERTING = 1
    CONNECTED = 2
    QUEUED = 3
    FAILED = 4
    GONE = 5
    HELD = 6
    """By the server: an order of a desk holds the other side."""
    HELD_AT_PHONE = 7
    """By the hold key of the party's own phone: only that takes it back."""


class CallChange(IntEnum):
    """What a CallEvent tells; a reader takes one that it doesn't know as a change of the call like any other."""

    QUEUED = 1
    ALERTING = 2
    ORIGINATED = 3
    ESTABLISHED = 4
    HELD = 5
    RETRIEVED = 6
    DIVERTED = 7
    TRANSFERRED = 8
    CONFERENCED = 9
    PARTY_DROPPED = 10
    FAILED = 11
    CLEARED = 12
    DATA_CHANGED = 13
    RECORDING_CHANGED = 14
    SUPERVISION_CHANGED = 15
    HANDED_OVER = 16
    RETURNED = 17
    ACTIONS_CHANGED = 18


class MonitorSwitch(IntEnum):
    """What a Monitor asks for."""

    STOP = 0
    START = 1


class Page(IntEnum):
    """Whether pages of a snapshot follow."""

    MORE = 0
    LAST = 1


class Recording(IntEnum):
    """Whether a call is recorded."""

    OFF = 0
    ON = 1
    PAUSED = 2


class AgentStateCode(IntEnum):
    """The state of an agent number; the first four are asked for, the others come of its calls."""

    LOGGED_OUT = 0
    NOT_READY = 1
    READY = 2
    AFTER_CALL_WORK = 3
    RESERVED = 4
    BUSY = 5
    HOLDING = 6
    NONE = 255
    """As what is pending: nothing is."""


@frozen
class CallParty:
    """One party of a call: a device, and the state of its connection."""

    id: str
    party_role: PartyRole
    number: str = field(repr=False)
    agent: str
    """The agent number; empty where it is no agent."""
    connection_state: ConnectionState
    actions: int = 0
    """What the agent at this device may ask for now: the bits of the actions."""

    def allows(self, action: Action) -> bool:
        """Whether this may be asked for now."""
        return bool(self.actions & action.bit)


@frozen
class FieldName:
    """The name of a field that is to go."""

    name: str


@frozen
class Monitor:
    """Starts or stops to tell of an agent number's state and calls on this link; a start is followed by a snapshot."""

    agent: str
    mode: MonitorSwitch = MonitorSwitch.START


@frozen
class MonitorReply:
    """Answers Monitor."""

    status: int
    detail: str = ""


@frozen
class AgentState:
    """Asks for a state of an agent number; during a call it is pending until that is over."""

    agent: str
    agent_state: AgentStateCode
    reason: str = ""
    device: str = ""
    queues: str = ""
    seconds: int = 0


@frozen
class AgentStateReply:
    """Answers AgentState: 0 means that it is taken; what becomes of it is told by AgentStateEvent."""

    status: int
    detail: str = ""


@frozen
class CallControl:
    """Asks for an action on a call of an agent."""

    action: Action
    agent: str
    call: str = ""
    other: str = ""
    destination: str = ""
    value: str = field(default="", repr=False)
    seconds: int = 0
    fields: Fields = EMPTY


@frozen
class CallControlReply:
    """Answers CallControl: 0 means that it is begun; what becomes of it is told by CallEvent."""

    status: int
    call: str = ""
    serial: str = ""
    detail: str = ""


@frozen
class CallData:
    """Changes the data of a call, if it is still of the version that the client knows."""

    agent: str
    call: str
    version: int = 0
    fields: Fields = EMPTY
    drop: tuple[FieldName, ...] = ()


@frozen
class CallDataReply:
    """Answers CallData: 0 means that the data is kept; with 22 the data is of this other version."""

    status: int
    version: int = 0
    fields: Fields = EMPTY
    detail: str = ""


@frozen
class AgentStateEvent:
    """The state of an agent number has changed, or is told anew at the beginning of a snapshot; never answered."""

    agent: str
    time: int
    agent_state: AgentStateCode
    reason: str = ""
    device: str = ""
    since: int = 0
    until: int = 0
    pending_state: AgentStateCode = AgentStateCode.NONE
    pending_reason: str = ""
    by: str = ""
    queues: str = ""


@frozen
class CallEvent:
    """Something has happened to a call of an agent: what, and how the call stands now; never answered."""

    agent: str
    time: int
    event: int
    """A :class:`CallChange`, or one of a later version."""
    cause: int
    status: int
    by: str
    call: str
    serial: str
    related: str = ""
    queue: str = ""
    recording: Recording = Recording.OFF
    parties: tuple[CallParty, ...] = ()
    version: int = 0
    fields: Fields = EMPTY


@frozen
class Snapshot:
    """A page of a snapshot: one call of an agent as it stands now; the last page may have none. Never answered."""

    agent: str
    time: int
    page: Page
    call: str = ""
    serial: str = ""
    related: str = ""
    queue: str = ""
    recording: Recording = Recording.OFF
    parties: tuple[CallParty, ...] = ()
    version: int = 0
    fields: Fields = EMPTY
