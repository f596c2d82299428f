"""The bodies of the wire format, declared once in construct. Declarations only.

Everything else reads these declarations: the fast path is derived from them
(:mod:`ctiex.codecs.derived`), the JSON codec and the documentation walk them, and a test runs
them as they are, which has to come to the same (``tests/interpreted.py``). The
attributes of each body have the names and the order of its message in
:mod:`ctiex.messages`; what they are made of stands in :mod:`ctiex.codecs.wire_types`.
"""

from __future__ import annotations

from typing import Any

import construct
from attrs import frozen
from construct import Int8ub, Int16ub, Int32ub, Int64ub, Struct, Terminated

from ctiex import messages
from ctiex.codecs.wire_types import (
    CONDITION,
    FIELDS,
    OPEN_CALLS,
    ROLE,
    SERIAL,
    SERIAL_OR_EMPTY,
    SERVICE_CONDITION,
    STATUS,
    TEXT8,
    TEXT16,
)
from ctiex.messages import Message

Layout = construct.Struct
"""The layout of one body."""


@frozen
class Attribute:
    """An attribute of a body: its layout, and what it means to who reads the documents alone."""

    layout: Any
    meaning: str
    unit: str = ""
    needed: bool = False
    """Whether it is never left out in JSON, though it might be empty."""


@frozen
class Meaning:
    """What an attribute of a record in a list means."""

    meaning: str
    unit: str = ""


def _status(ok: str = "done") -> Attribute:
    return Attribute(STATUS, f"0: {ok}; else why not")


_DETAIL = Attribute(TEXT16, "more than the status says, for people; may be empty, and never tells data of a call")
_AGENT = Attribute(TEXT8, "agent number")
_NEEDED_AGENT = Attribute(TEXT8, "agent number", needed=True)
_SERIAL = Attribute(SERIAL, "call serial number")
_SERIAL_OF_REQUEST = Attribute(SERIAL_OR_EMPTY, "call serial number of the request")
_REFERENCE = Attribute(TEXT8, "what the ConnectRequest said: opaque to the exchange")
_EXCHANGE_ADDRESS = "advertised address of the exchange's IVR link, `host:port`"
_SOFTWARE_FEATURES = "feature words with spaces between"

BODIES: dict[type[Message], dict[str, Attribute]] = {
    messages.Bind: {
        "role": Attribute(ROLE, "who speaks: 1 agent, 2 automatic service"),
        "identity": Attribute(TEXT8, "the name under which the client is configured at the exchange"),
        "secret": Attribute(TEXT16, "its secret, or a token; empty if the client's certificate says who it is"),
        "min_version": Attribute(Int8ub, "lowest version of the wire format that the client speaks"),
        "max_version": Attribute(Int8ub, "highest version that it speaks"),
        "software": Attribute(TEXT8, "name and version of the client's software, for the exchange's log"),
        "features": Attribute(TEXT16, f"those that the client wants: {_SOFTWARE_FEATURES}; unknown ones are ignored"),
    },
    messages.BindReply: {
        "status": Attribute(STATUS, "0: bound; any other says why not, and ends the link"),
        "version": Attribute(Int8ub, "version that is spoken; with status 3 the highest one supported"),
        "session": Attribute(TEXT8, "name of this session in the exchange's log"),
        "heartbeat_s": Attribute(Int16ub, "silence after which the exchange pings", "seconds"),
        "max_frame": Attribute(Int32ub, "greatest value of a frame's length, in both directions", "bytes"),
        "max_in_flight": Attribute(Int16ub, "most requests of the client that may wait for their answers", "requests"),
        "exchange_address": Attribute(TEXT8, _EXCHANGE_ADDRESS),
        "features": Attribute(TEXT16, f"those that the link has: {_SOFTWARE_FEATURES}"),
        "detail": _DETAIL,
    },
    messages.Unbind: {
        "status": Attribute(STATUS, "why the sender leaves; 0: it is done"),
        "detail": _DETAIL,
    },
    messages.UnbindReply: {},
    messages.Ping: {},
    messages.Pong: {},
    messages.Error: {
        "status": Attribute(STATUS, "what is wrong"),
        "about": Attribute(Int8ub, "kind of the frame that it is about; 0 where its header could not be used"),
        "detail": _DETAIL,
    },
    messages.AgentLogin: {
        "agent": _NEEDED_AGENT,
        "epoch": Attribute(Int64ub, "epoch of resume_after; 0: the client has no position"),
        "resume_after": Attribute(Int64ub, "last event that the client has; those after it are sent again"),
    },
    messages.AgentLoginReply: {
        "status": _status("logged in; 21: logged in, and the numbering is another one"),
        "epoch": Attribute(Int64ub, "which numbering the sequences belong to; 0 in a refusal"),
        "first_sequence": Attribute(Int64ub, "first event that can still be sent again; last_sequence + 1 if none"),
        "last_sequence": Attribute(Int64ub, "last event that was numbered; 0: none yet"),
        "detail": _DETAIL,
    },
    messages.AgentLogout: {"agent": _NEEDED_AGENT},
    messages.AgentLogoutReply: {"status": _status("logged out")},
    messages.ConnectRequest: {
        "serial": Attribute(SERIAL_OR_EMPTY, "call serial number; empty: the exchange allocates one"),
        "agent": Attribute(TEXT8, "agent number, logged in on this link"),
        "service": Attribute(TEXT8, "name of the automatic service, as the exchange configures it"),
        "calling_number": Attribute(TEXT8, "the customer's number, without a serial"),
        "reference": Attribute(
            TEXT8, "the client's own name for the call: opaque, it stands in all that is said of it"
        ),
        "fields": Attribute(FIELDS, "channel associated data for the service"),
    },
    messages.ConnectReply: {
        "status": _status("the call is kept"),
        # A refusal repeats the serial that was asked for, and a refused ConnectRequest may have had none.
        "serial": Attribute(SERIAL_OR_EMPTY, "call serial number, allocated where none was asked for"),
        "retry_after": Attribute(Int16ub, "with status 14: when to ask again; 0: not known", "seconds"),
        "detail": _DETAIL,
    },
    messages.CancelRequest: {"serial": _SERIAL},
    messages.CancelReply: {
        "status": _status("cancelled; the agent hears 16"),
        "serial": _SERIAL_OF_REQUEST,
        "detail": _DETAIL,
    },
    messages.AgentEvent: {
        "sequence": Attribute(Int64ub, "number of the event, from 1 for each agent number in each epoch"),
        "time": Attribute(Int64ub, "when it happened", "milliseconds since 1970-01-01 UTC"),
        "agent": _AGENT,
        "serial": _SERIAL,
        "reference": _REFERENCE,
        "condition": Attribute(
            CONDITION, "what happened; one that a reader doesn't know is progress, from 128 on final"
        ),
        "status": Attribute(STATUS, "0; with condition 14 why: 31, 32 or 33; with condition 15: 33"),
        "fields": Attribute(FIELDS, "the service's result, organized for the agent"),
    },
    messages.AgentEventAck: {
        "agent": _NEEDED_AGENT,
        "sequence": Attribute(Int64ub, "the client has this event, and every one before it"),
    },
    messages.CallQuery: {"agent": Attribute(TEXT8, "agent number whose open hand-offs are asked for", needed=True)},
    messages.CallQueryReply: {
        "status": _status("all of them; 35: the first ones that fit a frame"),
        "calls": Attribute(OPEN_CALLS, "the open hand-offs, the oldest first"),
    },
    messages.UpdateRequest: {
        "serial": _SERIAL,
        "fields": Attribute(FIELDS, "put over the fields of the call; none can be removed"),
    },
    messages.UpdateReply: {
        "status": _status("kept"),
        "serial": _SERIAL_OF_REQUEST,
        "detail": _DETAIL,
    },
    messages.Connection: {
        "access_code": Attribute(TEXT8, "says which service is wanted, as the exchange configures it"),
        "calling_number": Attribute(TEXT8, "the customer's number, the separator `**`, and the call serial number"),
        "exchange_address": Attribute(TEXT8, _EXCHANGE_ADDRESS),
    },
    messages.ConnectionReply: {
        "status": _status("the service takes the customer"),
        "detail": _DETAIL,
    },
    messages.DataRequest: {
        "serial": _SERIAL,
        "exchange_address": Attribute(TEXT8, "the one of the Connection, or empty"),
    },
    messages.DataResult: {
        "status": _status("here is the data"),
        "serial": _SERIAL_OF_REQUEST,
        "agent": Attribute(TEXT8, "agent number who handed the customer over"),
        "reference": _REFERENCE,
        "fields": Attribute(FIELDS, "the call's data, organized for the service"),
    },
    messages.ServiceEvent: {
        "event_id": Attribute(Int64ub, "the service's number for this report, unique within the serial"),
        "serial": _SERIAL,
        "agent": Attribute(TEXT8, "the call's agent number, or empty"),
        "condition": Attribute(
            SERVICE_CONDITION, "0 progress; final: 1 completed, 2 failed, 3 abandoned by the customer"
        ),
        "fields": Attribute(FIELDS, "the service's result"),
    },
    messages.ServiceEventReply: {
        "event_id": Attribute(Int64ub, "that of the report"),
        "status": _status("kept, and the agent is logged in; 40: kept; 43: it was kept before"),
    },
    messages.CallEnded: {
        "serial": _SERIAL,
        "condition": Attribute(CONDITION, "what the agent was told: 3, 14, 15 or 16"),
    },
    messages.CallEndedReply: {},
    messages.DataChanged: {"serial": _SERIAL},
    messages.DataChangedReply: {},
}
"""The attributes of each message's body, in order."""

RECORDS: dict[type, dict[str, Meaning]] = {
    messages.OpenCall: {
        "serial": Meaning("call serial number"),
        "service": Meaning("name of the automatic service, as the ConnectRequest said it"),
        "reference": Meaning("what the ConnectRequest said: opaque to the exchange"),
        "state": Meaning("where the hand-off stands"),
        "since": Meaning("when it came into that state", "milliseconds since 1970-01-01 UTC"),
    },
}
"""The attributes of each record that stands in a list, in order; their layouts are in the record's own."""

LAYOUTS: dict[type[Message], Layout] = {
    message: Struct(*(name / attribute.layout for name, attribute in attributes.items()), Terminated)
    for message, attributes in BODIES.items()
}
"""The body of each message."""

HEADER = Struct(
    "length" / Int32ub,
    "version" / Int8ub,
    "kind" / Int8ub,
    "flags" / Int16ub,
    "invoke_id" / Int32ub,
)
"""Stands before each body; ``length`` counts the bytes after itself."""
