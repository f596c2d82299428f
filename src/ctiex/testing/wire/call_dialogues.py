"""Dialogues of call control for the test vectors: what follows a Monitor, and what an order brings."""

from __future__ import annotations

from attrs import evolve

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
    ConnectionState,
    Monitor,
    MonitorReply,
    MonitorSwitch,
    Page,
    Snapshot,
)
from ctiex.errors import Status
from ctiex.fields import Fields
from ctiex.messages import Bind, BindReply, Feature, Message, Role
from ctiex.testing.wire.dialogues import Dialogue, DialogueStep, asks
from ctiex.testing.wire.good import ADDRESS, NOON
from ctiex.testing.wire.good_calls import ACCOUNT, ALERTED, CALL, CONSULTATION, HOLDING, TALKING, agent, customer

_ALERTING, _CONNECTED, _HELD = ConnectionState.ALERTING, ConnectionState.CONNECTED, ConnectionState.HELD
_SERIAL = "007"
_LATER = NOON + 1_000
_HIGHER = Fields({"account": "6222 0012"})


def _asks(invoke_id: int, request: Message, reply: Message) -> tuple[DialogueStep, DialogueStep]:
    return asks(Role.AGENT, invoke_id, request, reply)


def _told(*events: Message) -> tuple[DialogueStep, ...]:
    return tuple(DialogueStep(Role.AGENT, "exchange", 0, event) for event in events)


_BINDS = _asks(
    1,
    Bind(Role.AGENT, "platform-1-agents", "demo", software="softphone 2", features=Feature.CALLS.value),
    BindReply(0, 2, "s-17", 30, 65_536, 1_024, ADDRESS, Feature.CALLS.value),
)
_MONITORS = _asks(2, Monitor("1001"), MonitorReply(0))
_READY = AgentStateEvent("1001", NOON, AgentStateCode.READY, device="desk-7", since=NOON - 60_000, queues="sales")
_RINGS = CallEvent(
    *("1001", _LATER, CallChange.ALERTING, 0, 0, "", CALL, _SERIAL),
    queue="sales",
    parties=(customer(_CONNECTED), agent(_ALERTING, ALERTED)),
    version=1,
    fields=ACCOUNT,
)
_TALKS = evolve(
    _RINGS, time=_LATER + 1, event=CallChange.ESTABLISHED, parties=(customer(_CONNECTED), agent(_CONNECTED, TALKING))
)
_HOLDS = evolve(
    _RINGS, time=_LATER + 2, event=CallChange.HELD, by="1001", parties=(customer(_HELD), agent(_CONNECTED, HOLDING))
)


def _page(told: CallEvent, page: Page, time: int) -> Snapshot:
    """A call in a snapshot as an event tells it."""
    return Snapshot(
        *("1001", time, page, told.call, told.serial, told.related, told.queue, told.recording),
        parties=told.parties,
        version=told.version,
        fields=told.fields,
    )


_CONSULTS = evolve(_HOLDS, call=CONSULTATION, serial="008", related=CALL, queue="", version=0, fields=Fields())
_BUSY = evolve(_READY, time=_LATER + 1, agent_state=AgentStateCode.BUSY, since=_LATER + 1)

CALL_DIALOGUES: list[Dialogue] = [
    Dialogue(
        "an agent number is monitored: the state, an empty snapshot, then a call",
        (
            *_BINDS,
            *_MONITORS,
            *_told(_READY, Snapshot("1001", NOON, Page.LAST)),
            *_told(evolve(_READY, time=_LATER, agent_state=AgentStateCode.RESERVED, since=_LATER), _RINGS),
            *_asks(3, Monitor("1001", MonitorSwitch.STOP), MonitorReply(0)),
        ),
    ),
    Dialogue(
        "a snapshot of two calls, in pages",
        (
            *_BINDS,
            *_MONITORS,
            *_told(_BUSY, _page(_HOLDS, Page.MORE, _LATER + 3), _page(_CONSULTS, Page.LAST, _LATER + 3)),
            *_told(evolve(_CONSULTS, time=_LATER + 4, event=CallChange.CLEARED, cause=16, parties=())),
        ),
    ),
    Dialogue(
        "orders for a call: the replies say that they are begun, the events what became of them",
        (
            *_BINDS,
            *_MONITORS,
            *_told(_READY, _page(_RINGS, Page.LAST, _LATER)),
            *_asks(3, CallControl(Action.ANSWER, "1001", CALL), CallControlReply(0, CALL)),
            *_told(_TALKS, _BUSY),
            *_asks(4, CallControl(Action.HOLD, "1001", CALL), CallControlReply(0, CALL)),
            *_asks(5, CallControl(Action.RETRIEVE, "1001", CALL), CallControlReply(Status.CALL_BUSY, CALL)),
            *_told(_HOLDS),
            *_asks(6, CallControl(Action.CLEAR, "1001", "c-99"), CallControlReply(Status.NO_SUCH_CALL, "c-99")),
        ),
    ),
    Dialogue(
        "data of a call that somebody else has changed meanwhile",
        (
            *_BINDS,
            *_MONITORS,
            *_told(_BUSY, _page(_TALKS, Page.LAST, _LATER + 1)),
            *_asks(3, CallData("1001", CALL, 1, _HIGHER), CallDataReply(Status.DUPLICATE_SERIAL, 2, ACCOUNT)),
            *_asks(4, CallData("1001", CALL, 2, _HIGHER), CallDataReply(0, 3, _HIGHER)),
            *_told(evolve(_TALKS, event=CallChange.DATA_CHANGED, by="1001", version=3, fields=_HIGHER)),
        ),
    ),
    Dialogue(
        "a state that is asked for in a call, and comes into force behind it",
        (
            *_BINDS,
            *_MONITORS,
            *_told(_BUSY, _page(_TALKS, Page.LAST, _LATER + 1)),
            *_asks(3, AgentState("1001", AgentStateCode.NOT_READY, "lunch"), AgentStateReply(0)),
            *_told(
                evolve(_BUSY, pending_state=AgentStateCode.NOT_READY, pending_reason="lunch", by="platform-1-agents"),
                evolve(_TALKS, time=_LATER + 5, event=CallChange.CLEARED, cause=16, parties=()),
                evolve(
                    _BUSY, time=_LATER + 5, agent_state=AgentStateCode.NOT_READY, reason="lunch", since=_LATER + 5,
                    by="platform-1-agents",
                ),
            ),
        ),
    ),
]  # fmt: skip
