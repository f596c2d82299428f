"""What the numbers of the wire format mean, in words, once for every document. Texts only.

A word between single backticks is literal, as in the meanings of :mod:`ctiex.codecs.layouts`.
"""

from __future__ import annotations

from attrs import frozen

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
    " one whose events still wait",
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


@frozen
class FeatureMeaning:
    """A word that may stand in the features of a Bind."""

    role: Role
    meaning: str


FEATURES: dict[str, FeatureMeaning] = {
    Feature.UPDATES.value: FeatureMeaning(Role.SERVICE, "the service takes DataChanged"),
    "calls": FeatureMeaning(
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
