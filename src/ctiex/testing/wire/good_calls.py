"""Messages of call control, agent states and call events for the test vectors: at least one of every kind."""

from __future__ import annotations

from ctiex.call_messages import (
    Action,
    AgentState,
    AgentStateCode,
    AgentStateEvent,
    AgentStateReply,
    CallChange,
    CallControl,
    CallControlReply,
    CallData,
    CallDataReply,
    CallEvent,
    CallParty,
    ConnectionState,
    FieldName,
    Monitor,
    MonitorReply,
    MonitorSwitch,
    Page,
    PartyRole,
    Recording,
    Snapshot,
)
from ctiex.errors import Status
from ctiex.fields import Fields
from ctiex.testing.wire.good import CALLER, EVERY_TYPE, NOON, SERIAL, Good

CALL, CONSULTATION = "c-17", "c-18"
"""A call of the agent number 1001, and the one that it makes to consult somebody."""
ACCOUNT = Fields({"account": "6222 0011"})
HALF_PAST = NOON + 30 * 60_000
ALERTED, TALKING, HOLDING = (
    sum(action.bit for action in actions)
    for actions in (
        (Action.ANSWER, Action.REJECT, Action.DEFLECT),
        (Action.HOLD, Action.CONSULT, Action.BLIND_TRANSFER, Action.CLEAR, Action.DIGITS, Action.RECORD_START),
        (Action.RETRIEVE, Action.CONSULT, Action.CLEAR),
    )
)
"""What an agent may ask for while it rings, in a call, and while the other side is held."""
EVERY_ACTION = sum(action.bit for action in Action)


def customer(state: ConnectionState, number: str = CALLER) -> CallParty:
    """The customer."""
    return CallParty("p1", PartyRole.CUSTOMER, number, "", state)


def agent(state: ConnectionState, actions: int = 0) -> CallParty:
    """The agent number 1001."""
    return CallParty("p2", PartyRole.AGENT, "201", "1001", state, actions)


_CONNECTED, _HELD = ConnectionState.CONNECTED, ConnectionState.HELD

_MONITOR = [
    Good("an agent number is monitored", 20, Monitor("1001")),
    Good("it is monitored no more", 21, Monitor("1001", MonitorSwitch.STOP)),
    Good("the snapshot follows", 20, MonitorReply(0)),
    Good("an agent number that may not be monitored", 20, MonitorReply(Status.NOT_ALLOWED_HERE, "not yours")),
]

_AGENT_STATES = [
    Good(
        "an agent logs in at a desk",
        22,
        AgentState("1001", AgentStateCode.READY, device="desk-7", queues="sales support"),
    ),
    Good("an agent goes to lunch", 23, AgentState("1001", AgentStateCode.NOT_READY, "lunch")),
    Good(
        "an agent has work after a call",
        24,
        AgentState("1001", AgentStateCode.AFTER_CALL_WORK, "order", seconds=0xFFFF),
    ),
    Good("the state is taken", 22, AgentStateReply(0)),
    Good("a device that is out of service", 22, AgentStateReply(Status.OUT_OF_SERVICE, "desk-7")),
    Good(
        "an agent has become ready",
        0,
        AgentStateEvent(*("1001", NOON, AgentStateCode.READY), device="desk-7", since=NOON - 5, queues="sales support"),
    ),
    Good(
        "an agent in a call, who is not ready behind it",
        0,
        AgentStateEvent(
            *("1001", NOON, AgentStateCode.BUSY, "", "desk-7", NOON, 0),
            *(AgentStateCode.NOT_READY, "lunch", "platform-1-agents", "sales"),
        ),
    ),
    Good(
        "work after a call that ends by itself",
        0,
        AgentStateEvent("1001", NOON, AgentStateCode.AFTER_CALL_WORK, "order", "desk-7", NOON, HALF_PAST),
    ),
    Good(
        "a state of an agent with the greatest numbers",
        0,
        AgentStateEvent("9" * 255, 2**64 - 1, AgentStateCode.HOLDING, since=2**53, until=2**64 - 1),
    ),
]

_CONTROL = [
    Good("a call is made", 30, CallControl(Action.MAKE, "1001", destination="13900139000", seconds=40)),
    Good("a call is answered", 31, CallControl(Action.ANSWER, "1001", CALL)),
    Good(
        "a colleague is consulted, with data",
        32,
        CallControl(Action.CONSULT, "1001", CALL, destination="1002", fields=EVERY_TYPE),
    ),
    Good("a call is transferred", 33, CallControl(Action.TRANSFER, "1001", CALL, CONSULTATION)),
    Good("digits are sent", 34, CallControl(Action.DIGITS, "1001", CALL, value="12#*")),
    Good(
        "a supervisor leaves, with the greatest numbers",
        0xFFFFFFFF,
        CallControl(Action.STOP_SUPERVISION, "1001", CALL, value="1009", seconds=0xFFFF),
    ),
    Good("a call is begun", 30, CallControlReply(0, CALL, SERIAL)),
    Good("an action is begun", 31, CallControlReply(0, CALL)),
    Good("no such call, or not yours", 33, CallControlReply(Status.NO_SUCH_CALL, "c-99")),
    Good("not in this state", 31, CallControlReply(Status.WRONG_STATE, CALL, detail="it rings no more")),
    Good("the call is busy with another order", 33, CallControlReply(Status.CALL_BUSY, CALL)),
    Good("a destination that may not be called", 30, CallControlReply(Status.NO_SUCH_DESTINATION)),
]

_DATA = [
    Good(
        "data of a call is changed",
        40,
        CallData("1001", CALL, 3, ACCOUNT, (FieldName("naïve ☎"), FieldName("n" * 64))),
    ),
    Good("the first data of a call", 41, CallData("1001", CALL, fields=EVERY_TYPE)),
    Good("the data is kept", 40, CallDataReply(0, 4, EVERY_TYPE)),
    Good("the data is of another version", 40, CallDataReply(Status.DUPLICATE_SERIAL, 2**32 - 1, ACCOUNT)),
]

_EVENTS = [
    Good(
        "a call rings at an agent's phone",
        0,
        CallEvent(
            *("1001", NOON, CallChange.ALERTING, 0, 0, "", CALL, SERIAL),
            queue="sales",
            parties=(customer(_CONNECTED), agent(ConnectionState.ALERTING, ALERTED)),
            version=1,
            fields=EVERY_TYPE,
        ),
    ),
    Good(
        "a customer is held",
        0,
        CallEvent(
            *("1001", NOON, CallChange.HELD, 0, 0, "1001", CALL, SERIAL),
            parties=(customer(_HELD), agent(_CONNECTED, HOLDING)),
        ),
    ),
    Good(
        "a consultation call that isn't answered",
        0,
        CallEvent(
            *("1001", NOON, CallChange.FAILED, 19, Status.NO_ANSWER, "1001", CONSULTATION, "7", CALL),
            parties=(
                agent(_CONNECTED, Action.RECONNECT.bit),
                CallParty("p3", PartyRole.OTHER, "1002", "1002", ConnectionState.FAILED),
            ),
        ),
    ),
    Good(
        "a conference that is recorded, with a service and a supervisor",
        0,
        CallEvent(
            *("1001", NOON, CallChange.CONFERENCED, 16, 0, "1001", CALL, SERIAL),
            recording=Recording.PAUSED,
            parties=(
                customer(ConnectionState.HELD_AT_PHONE, ""),
                agent(_CONNECTED, TALKING),
                CallParty("p4", PartyRole.SERVICE, "7000", "", ConnectionState.GONE),
                CallParty("p5", PartyRole.SUPERVISOR, "101", "1009", ConnectionState.INITIATED),
                CallParty("p6", PartyRole.OTHER, "", "", ConnectionState.QUEUED),
            ),
        ),
    ),
    Good("a call is over", 0, CallEvent("1001", NOON, CallChange.CLEARED, 16, 0, "", CALL, SERIAL)),
    Good(
        "a change of a later version",
        0,
        CallEvent("1001", NOON, 0xFF, 0, 0, "", CALL, SERIAL, parties=(agent(_CONNECTED, TALKING),)),
    ),
    Good(
        "an event of a call with the greatest numbers",
        0,
        CallEvent(
            *("1001", 2**64 - 1, 0, 0xFF, 0xFFFF, "s" * 255, "c" * 255, "9" * 20),
            recording=Recording.ON,
            parties=(agent(_CONNECTED, 2**32 - 1), agent(_CONNECTED, EVERY_ACTION)),
            version=2**32 - 1,
            fields=ACCOUNT,
        ),
    ),
]

_SNAPSHOTS = [
    Good(
        "a page of a snapshot",
        0,
        Snapshot(
            *("1001", NOON, Page.MORE, CALL, SERIAL, "", "sales", Recording.ON),
            parties=(customer(_HELD), agent(_CONNECTED, HOLDING)),
            version=4,
            fields=EVERY_TYPE,
        ),
    ),
    Good("the last page of a snapshot", 0, Snapshot("1001", NOON, Page.LAST, CONSULTATION, "8", CALL)),
    Good("a snapshot without calls", 0, Snapshot("1001", NOON, Page.LAST)),
]

GOOD_CALLS: list[Good] = [*_MONITOR, *_AGENT_STATES, *_CONTROL, *_DATA, *_EVENTS, *_SNAPSHOTS]
