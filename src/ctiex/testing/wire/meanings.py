"""What the numbers of the wire format mean, in words, once for every document. Texts only.

A word between single backticks is literal, as in the meanings of :mod:`ctiex.codecs.layouts`.
"""

from __future__ import annotations

from attrs import frozen

from ctiex.call_messages import (
    Action,
    AgentStateCode,
    CallChange,
    ConnectionState,
    MonitorSwitch,
    Page,
    PartyRole,
    Recording,
)
from ctiex.codecs.wire_types import FieldType
from ctiex.errors import Status
from ctiex.messages import Condition, Feature, OpenCallState, Role

STATUSES: dict[Status, str] = {
    Status.OK: "done; what was to be kept is kept",
    Status.MALFORMED: "the header, the body, the extensions or the invoke id break a rule of this format",
    Status.UNKNOWN_KIND: "this version has no such kind",
    Status.UNSUPPORTED_VERSION: "the version in a frame's header isn't 2, or the range of a Bind doesn't have 2 in it;"
    " ends the link",
    Status.TOO_LONG: "the length of a frame is over the limit; ends the link",
    Status.NOT_ALLOWED_HERE: "a message of the other role or of a feature that the link doesn't have, a second Bind, or"
    " an agent number that the identity may not use",
    Status.NOT_BOUND: "something other than Bind or Ping came before Bind; repeat it behind the BindReply",
    Status.REFUSED_CREDENTIALS: "identity, secret, role and link don't belong together; in an Unbind: they don't any"
    " more",
    Status.SESSION_TAKEN_OVER: "another link has logged this agent number in; `detail` is the number",
    Status.TOO_BUSY: "too many requests in flight, links, calls or open calls; in a ConnectReply `retry_after` says"
    " when to ask again",
    Status.GOING_AWAY: "the sender is shutting down, or sends this link away, and takes nothing new",
    Status.UNKNOWN_SERIAL: "there is no such call, or it isn't yours: the two aren't told apart",
    Status.NUMBERING_ANEW: "the login holds, and the events of this agent number are numbered in another epoch than"
    " the one that was named",
    Status.DUPLICATE_SERIAL: "the serial belongs to another request: one that is open, one that closed a while ago, or"
    " one whose events still wait; in a CallDataReply: the data is of another version than the one that was named",
    Status.ALREADY_FINISHED: "the call has its final report, or is over",
    Status.EVENT_ID_USED: "another report was kept under this event id: send this one under a new id",
    Status.OTHER_EXCHANGE: "this exchange doesn't advertise that address: ask the exchange that does",
    Status.UNKNOWN_SERVICE: "no such service is configured; from a service: it doesn't know the access code",
    Status.SERVICE_UNREACHABLE: "no session of the service was bound; ask by a new request",
    Status.SERVICE_REFUSED: "the last session that was tried refused; ask by a new request",
    Status.TIMED_OUT: "nothing came in time; ask by a new request",
    Status.SERIAL_DOES_NOT_FIT: "calling number, separator and serial are too long together, or the number has (part"
    " of) the separator in it",
    Status.DATA_TOO_LARGE: "what comes of it would not fit a frame; in a CallQueryReply: not every hand-off did",
    Status.MORE_THAN_ALLOWED: "more fields than are ever allowed in one message (1,024 by default)",
    Status.QUEUED_AGENT_AWAY: "kept; the agent isn't logged in and gets it at the next login",
    Status.QUEUE_FULL: "the agent's mailbox has no room until events are acknowledged",
    Status.AGENT_NOT_LOGGED_IN: "the agent number isn't logged in on this link; repeat it behind an AgentLogin, but"
    " not after an Error 13",
    Status.DUPLICATE_EVENT: "the same report was kept before under this event id: done",
    Status.STORE_UNAVAILABLE: "it could not be kept; nothing was done",
    Status.INTERNAL: "something failed inside the other side; also what an unknown status is treated as",
    Status.NO_SUCH_CALL: "there is no such call or party, or it isn't yours: the two aren't told apart",
    Status.WRONG_STATE: "not in the state that the call, the party or the agent number is in; `actions` of the party"
    " says what may be asked for now",
    Status.NOT_SUPPORTED: "this telephone platform, or this phone, can't do it",
    Status.BUSY: "the destination is busy",
    Status.NO_ANSWER: "the destination didn't answer in time",
    Status.NO_SUCH_DESTINATION: "there is no such destination, or the identity may not call it",
    Status.OUT_OF_SERVICE: "the device can't be reached: its phone isn't registered, or is switched off",
    Status.CALL_BUSY: "somebody else is doing something with this call at the moment: ask again later",
}

CONDITIONS: dict[Condition, str] = {
    Condition.PROGRESS: "how far the service has come; any number of times. From the exchange, with the field `event`"
    " = `call`: a customer has come to the agent (for as long as the feature `calls` isn't there)",
    Condition.COMPLETED: "the service is done; the fields are its result",
    Condition.FAILED: "the service could not do it; the fields may say why",
    Condition.ABANDONED: "the customer hung up",
    Condition.CONNECTING: "signalling has begun, whether a session of the service is bound or not yet",
    Condition.CONNECTED: "the service has accepted the Connection",
    Condition.DATA_FETCHED: "the service has fetched the data for the first time",
    Condition.RETURNED: "a signalling driver that sees the call saw the customer return to the agent",
    Condition.UNREACHABLE: "nobody took the call; status 31: no session was bound, 32: the last one tried refused,"
    " 33: the last one tried didn't answer in time, or died",
    Condition.TIMED_OUT: "the service took the call, and then didn't fetch or didn't finish in time; status 33",
    Condition.CANCELLED: "the hand-off was cancelled",
}

ROLES: dict[Role, str] = {
    Role.AGENT: "an agent's application, on the agent link",
    Role.SERVICE: "an automatic service, on the IVR link",
}

OPEN_CALL_STATES: dict[OpenCallState, str] = {
    OpenCallState.REQUESTED: "kept, and not offered to a service yet",
    OpenCallState.CONNECTING: "offered to a service",
    OpenCallState.CONNECTED: "the service has accepted it",
    OpenCallState.FETCHED: "the service has fetched its data",
    OpenCallState.REPORTED: "the service has reported its result, and the customer isn't known to be back yet",
}

ACTIONS: dict[Action, str] = {
    Action.MAKE: "call `destination` from the agent's device; `call` is empty",
    Action.ANSWER: "take the call that rings",
    Action.REJECT: "don't take the call that rings",
    Action.DEFLECT: "send the call that rings to `destination`",
    Action.HOLD: "hold the other side",
    Action.RETRIEVE: "take back what an order of a desk holds",
    Action.CONSULT: "hold the call, and call `destination` beside it",
    Action.ALTERNATE: "hold this call, and go on with `other`, which is held",
    Action.RECONNECT: "end the consultation call, and go on with the call that it is for",
    Action.TRANSFER: "join the other sides of this call and of `other`, and leave them",
    Action.BLIND_TRANSFER: "send the other side to `destination`, without a consultation",
    Action.CONFERENCE: "join this call and `other`, and stay",
    Action.ADD_PARTY: "call `destination` into this call",
    Action.DROP_PARTY: "take the party `other` out of the call",
    Action.LEAVE: "leave the call to the others",
    Action.CLEAR: "end the call for everybody",
    Action.DIGITS: "send the digits in `value`",
    Action.RECORD_START: "record the call",
    Action.RECORD_PAUSE: "record nothing for a while",
    Action.RECORD_RESUME: "go on with the recording",
    Action.RECORD_STOP: "end the recording",
    Action.MARK: "mark the call with the word in `value`",
    Action.LISTEN: "a supervisor, at the telephone of the agent number in `value`, hears both sides, and is heard by"
    " nobody",
    Action.WHISPER: "the same, heard by the agent alone",
    Action.BARGE: "the same, heard by everybody",
    Action.INTERCEPT: "a supervisor, at that telephone, takes the call over from the agent",
    Action.STOP_SUPERVISION: "the supervisor at the telephone of `value` leaves; without it the only one of your own",
}

PARTY_ROLES: dict[PartyRole, str] = {
    PartyRole.CUSTOMER: "who called, or was called, from outside",
    PartyRole.AGENT: "an agent, with the number in `agent`",
    PartyRole.SERVICE: "an automatic service",
    PartyRole.SUPERVISOR: "a supervisor who listens, whispers or has barged in",
    PartyRole.OTHER: "somebody else: a colleague without an agent number, a number that was consulted",
}

CONNECTION_STATES: dict[ConnectionState, str] = {
    ConnectionState.INITIATED: "a call is being made from this device",
    ConnectionState.ALERTING: "it rings",
    ConnectionState.CONNECTED: "it is connected",
    ConnectionState.QUEUED: "it waits in a queue",
    ConnectionState.FAILED: "it could not be connected",
    ConnectionState.GONE: "it has left the call",
    ConnectionState.HELD: "it is held by the server: an order of a desk holds it, and can take it back",
    ConnectionState.HELD_AT_PHONE: "it is held by the hold key of its own phone, and only that takes it back",
}

CALL_CHANGES: dict[CallChange, str] = {
    CallChange.QUEUED: "the call waits in a queue",
    CallChange.ALERTING: "a party is being rung",
    CallChange.ORIGINATED: "a call is made from the agent's device",
    CallChange.ESTABLISHED: "a party has answered",
    CallChange.HELD: "a party is held",
    CallChange.RETRIEVED: "a party isn't held any more",
    CallChange.DIVERTED: "the call was sent to another destination",
    CallChange.TRANSFERRED: "the call was transferred",
    CallChange.CONFERENCED: "calls were joined, or a party was added",
    CallChange.PARTY_DROPPED: "a party has left, and the call goes on",
    CallChange.FAILED: "what was asked for didn't come about; `status` says why",
    CallChange.CLEARED: "the call is over, for this agent at least",
    CallChange.DATA_CHANGED: "the data of the call is another one",
    CallChange.RECORDING_CHANGED: "recording has begun, paused, gone on or ended",
    CallChange.SUPERVISION_CHANGED: "a supervisor has come, changed how they take part, or left",
    CallChange.HANDED_OVER: "the customer is on the way to an automatic service",
    CallChange.RETURNED: "the customer is back from it; `serial` is another one from now on",
    CallChange.ACTIONS_CHANGED: "something else may be asked for now, since the agent's other call has changed",
}

RECORDINGS: dict[Recording, str] = {
    Recording.OFF: "the call isn't recorded",
    Recording.ON: "it is recorded",
    Recording.PAUSED: "the recording is paused",
}

AGENT_STATES: dict[AgentStateCode, str] = {
    AgentStateCode.LOGGED_OUT: "logged in at no device",
    AgentStateCode.NOT_READY: "logged in, and takes no calls of queues, for the reason in `reason`",
    AgentStateCode.READY: "waits for a call",
    AgentStateCode.AFTER_CALL_WORK: "works on a call that is over; `reason` is its wrap-up code",
    AgentStateCode.RESERVED: "a call rings at the agent's device; never asked for",
    AgentStateCode.BUSY: "in a call; never asked for",
    AgentStateCode.HOLDING: "in a call whose other side is held; never asked for",
    AgentStateCode.NONE: "nothing is pending; in `pending_state` alone",
}

MONITOR_SWITCHES: dict[MonitorSwitch, str] = {
    MonitorSwitch.STOP: "nothing more is told of the agent number on this link",
    MonitorSwitch.START: "its state and its calls are told: first all of them as they stand, then what changes",
}

PAGES: dict[Page, str] = {
    Page.MORE: "another page follows",
    Page.LAST: "the last page; what comes next are changes",
}


@frozen
class FeatureMeaning:
    """A word that may stand in the features of a Bind."""

    role: Role
    meaning: str


FEATURES: dict[str, FeatureMeaning] = {
    Feature.UPDATES.value: FeatureMeaning(Role.SERVICE, "the service takes DataChanged"),
    Feature.CALLS.value: FeatureMeaning(
        Role.AGENT, "the link takes kinds 30 to 3F (call control, agent states, call events); without it they are 5"
    ),
}


@frozen
class ValueType:
    """What the value of a field is made of."""

    binary: str
    json: str
    meaning: str


FIELD_TYPES: dict[FieldType, ValueType] = {
    FieldType.TEXT: ValueType("UTF-8", '`"..."`', "text, up to 65,535 bytes; may be empty"),
    FieldType.INTEGER: ValueType("i64", '`-3`, `{"int":"-3"}`', "integer of 64 bits, signed"),
    FieldType.BOOLEAN: ValueType("u8: 0 or 1", "`true`, `false`", "yes or no"),
    FieldType.BYTES: ValueType(
        "as they are",
        '`{"bytes":"AP8="}`',
        "bytes; in JSON as base64, with the padding and the last bits that they need and no others",
    ),
    FieldType.DECIMAL: ValueType(
        "ASCII",
        '`{"decimal":"12.50"}`',
        "decimal: `-?[0-9]{1,18}(\\.[0-9]{1,9})?`; kept as it is written, also `012.50`",
    ),
    FieldType.TIME: ValueType(
        "i64",
        '`{"time":"2026-11-26T18:00:00.000Z"}`',
        "time: milliseconds since 1970-01-01 UTC, in the years 1 to 9999; in JSON with three digits behind the point"
        " or without a point, always with Z",
    ),
}

HEADER: dict[str, str] = {
    "length": "how many bytes come after this field",
    "version": "2",
    "kind": "which message this is",
    "flags": "1: extensions stand behind the body; 0: none do; any other is malformed",
    "invoke_id": "pairs a reply with its request",
}

FIELD: dict[str, tuple[str, str]] = {
    "count": ("u16", "how many fields follow; of each:"),
    "name": ("text8", "1 to 64 bytes; no two of one message are the same, compared byte by byte"),
    "type": ("u8", "which of the types below"),
    "length": ("u16", "of the value, in bytes"),
    "value": ("", "so many bytes, which the value has to fill"),
}

EXTENSION: dict[str, tuple[str, str]] = {
    "count": ("u8", "how many extensions follow; of each:"),
    "type": ("u16", "which extension; none is assigned yet, those from 8000 (hexadecimal) on are for private use"),
    "length": ("u16", "of the value, in bytes"),
    "value": ("", "so many bytes"),
}
