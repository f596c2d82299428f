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

from ctiex import call_messages, messages
from ctiex.codecs.wire_types import (
    ACTION,
    AGENT_STATE,
    CALL_CHANGE,
    CALL_PARTIES,
    CONDITION,
    FIELD_NAMES,
    FIELDS,
    MONITOR_SWITCH,
    OPEN_CALLS,
    PAGE,
    RECORDING,
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
_MOMENT = "milliseconds since 1970-01-01 UTC"
_CALL: dict[str, Attribute] = {
    "call": Attribute(TEXT8, "id of the call, the same for its whole life; empty on a page without a call"),
    "serial": Attribute(SERIAL_OR_EMPTY, "call serial number that the next ConnectRequest for this call names"),
    "related": Attribute(TEXT8, "of a consultation: id of the call that it is for"),
    "queue": Attribute(TEXT8, "name of the queue that the call came through; maybe empty"),
    "recording": Attribute(RECORDING, "0 not recorded, 1 recorded, 2 paused"),
    "parties": Attribute(CALL_PARTIES, "everybody in the call now"),
    "version": Attribute(Int32ub, "version of the data"),
    "fields": Attribute(FIELDS, "data of the call; what is secret is masked for all but the agent who has the call"),
}

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
    call_messages.Monitor: {
        "agent": Attribute(TEXT8, "agent number that the identity acts for or supervises", needed=True),
        "mode": Attribute(MONITOR_SWITCH, "1 starts, and a snapshot follows the reply; 0 stops"),
    },
    call_messages.MonitorReply: {"status": _status(), "detail": _DETAIL},
    call_messages.AgentState: {
        "agent": _NEEDED_AGENT,
        "agent_state": Attribute(
            AGENT_STATE, "0 logged out, 1 not ready, 2 ready, 3 after-call work; any other is refused by 1", needed=True
        ),
        "reason": Attribute(TEXT8, "of not ready, or the wrap-up code of after-call work: one of those configured"),
        "device": Attribute(
            TEXT8,
            "at a login: empty or the agent number: the agent's telephone; off-hook: it is called once and stays off "
            "the hook; any other is 65",
        ),
        "queues": Attribute(TEXT16, "at a login: names of queues with spaces between; empty: those configured"),
        "seconds": Attribute(Int16ub, "how long the after-call work may take; 0: as configured", "seconds"),
    },
    call_messages.AgentStateReply: {"status": _status("taken"), "detail": _DETAIL},
    call_messages.CallControl: {
        "action": Attribute(ACTION, "what is to be done"),
        "agent": Attribute(TEXT8, "agent number who does it, or whom a supervisor means", needed=True),
        "call": Attribute(TEXT8, "id of the call; empty with make"),
        "other": Attribute(TEXT8, "id of the other call, or of the party that is meant"),
        "destination": Attribute(TEXT8, "a number, an agent number, or the name of a queue"),
        "value": Attribute(
            TEXT8, "the digits to send; the word to mark the call with; agent number at the supervisor's own telephone"
        ),
        "seconds": Attribute(Int16ub, "how long a destination may ring; 0: as configured", "seconds"),
        "fields": Attribute(FIELDS, "put over the data of the call, or of the new one"),
    },
    call_messages.CallControlReply: {
        "status": _status("begun"),
        "call": Attribute(TEXT8, "id of the call, or of the new one"),
        "serial": Attribute(SERIAL_OR_EMPTY, "call serial number of a new call"),
        "detail": _DETAIL,
    },
    call_messages.CallData: {
        "agent": _NEEDED_AGENT,
        "call": Attribute(TEXT8, "id of the call", needed=True),
        "version": Attribute(Int32ub, "version of the data that the client knows; 0 before the first"),
        "fields": Attribute(FIELDS, "put over the data"),
        "drop": Attribute(FIELD_NAMES, "names of the fields to remove"),
    },
    call_messages.CallDataReply: {
        "status": _status("kept; 22: nothing was changed, the data is of another version"),
        "version": Attribute(Int32ub, "version of the data now"),
        "fields": Attribute(FIELDS, "the data now"),
        "detail": _DETAIL,
    },
    call_messages.AgentStateEvent: {
        "agent": _AGENT,
        "time": Attribute(Int64ub, "when it was told", _MOMENT),
        "agent_state": Attribute(AGENT_STATE, "the state now; 4 reserved, 5 busy and 6 holding come of the calls"),
        "reason": Attribute(TEXT8, "of not ready, or the wrap-up code; maybe empty"),
        "device": Attribute(TEXT8, "where the agent is logged in"),
        "since": Attribute(Int64ub, "when it came into that state", _MOMENT),
        "until": Attribute(Int64ub, "when after-call work ends by itself; 0: not by itself", _MOMENT),
        "pending_state": Attribute(AGENT_STATE, "what comes into force when the calls are over; 255: nothing"),
        "pending_reason": Attribute(TEXT8, "the reason of that"),
        "by": Attribute(TEXT8, "identity that asked for it; empty: it came of itself"),
        "queues": Attribute(TEXT16, "names of the queues that the agent is a member of, with spaces between"),
    },
    call_messages.CallEvent: {
        "agent": Attribute(TEXT8, "agent number whose call it is, and who is monitored"),
        "time": Attribute(Int64ub, "when it happened", _MOMENT),
        "event": Attribute(CALL_CHANGE, "what happened; the rest is how the call stands now"),
        "cause": Attribute(Int8ub, "cause value of ITU-T Q.850 where the network gave one; else 0"),
        "status": Attribute(STATUS, "with failed: why, 62 to 66 or 33; else 0"),
        "by": Attribute(TEXT8, "agent number who asked for it; empty: nobody did, or at the phone"),
        **_CALL,
    },
    call_messages.Snapshot: {
        "agent": Attribute(TEXT8, "agent number whose call it is, and who is monitored"),
        "time": Attribute(Int64ub, "when it was so", _MOMENT),
        "page": Attribute(PAGE, "1 on the last page of the snapshot; else 0"),
        **_CALL,
    },
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
    call_messages.CallParty: {
        "id": Meaning("the party's own, the same as long as it is there"),
        "party_role": Meaning("who it is"),
        "number": Meaning("the number of who is there; empty where it isn't known"),
        "agent": Meaning("agent number; empty where it is no agent"),
        "connection_state": Meaning("how it is connected"),
        "actions": Meaning("what the agent may ask for now: bit n stands for action n"),
    },
    call_messages.FieldName: {"name": Meaning("name of a field")},
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
