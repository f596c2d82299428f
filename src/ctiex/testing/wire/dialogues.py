"""Whole dialogues for the test vectors: what goes over the links, in order."""

from __future__ import annotations

from attrs import frozen

from ctiex import messages as m
from ctiex.errors import Status
from ctiex.fields import EMPTY, Fields
from ctiex.messages import Condition, Message, OpenCall, OpenCallState, Role
from ctiex.testing.wire.good import ADDRESS, CALLER, NOON, REFERENCE

_AGENT, _SERVICE = Role.AGENT, Role.SERVICE
_SERIAL = "007"
_EPOCH = 1_795_000_000_123


@frozen
class DialogueStep:
    """One frame: on which link, from which side."""

    role: Role
    sender: str
    invoke_id: int
    message: Message


@frozen
class Dialogue:
    """Frames on one agent link and one IVR link, in the order in which they are written."""

    name: str
    steps: tuple[DialogueStep, ...]


def asks(role: Role, invoke_id: int, request: Message, reply: Message) -> tuple[DialogueStep, DialogueStep]:
    """A client's request and the exchange's reply."""
    return DialogueStep(role, "client", invoke_id, request), DialogueStep(role, "exchange", invoke_id, reply)


def _told(role: Role, invoke_id: int, request: Message, reply: Message) -> tuple[DialogueStep, DialogueStep]:
    """The exchange's request and the client's reply."""
    return DialogueStep(role, "exchange", invoke_id, request), DialogueStep(role, "client", invoke_id, reply)


def _event(
    sequence: int, condition: Condition, fields: Fields = EMPTY, status: Status = Status.OK
) -> tuple[DialogueStep, DialogueStep]:
    """An event of the call, and that the agent has it."""
    event = m.AgentEvent(sequence, NOON + sequence * 1_000, "1001", _SERIAL, REFERENCE, condition, status, fields)
    return DialogueStep(_AGENT, "exchange", 0, event), DialogueStep(
        _AGENT, "client", 0, m.AgentEventAck("1001", sequence)
    )


_ASKED = Fields({"account": "6222 0011"})
_CORRECTED = Fields({"account": "6222 0012"})

_AGENT_BINDS = asks(
    _AGENT,
    1,
    m.Bind(_AGENT, "platform-1-agents", "demo", software="softphone 2"),
    m.BindReply(0, 2, "s-17", 30, 65_536, 1_024, ADDRESS),
)
_SERVICE_BINDS = asks(
    _SERVICE,
    1,
    m.Bind(_SERVICE, "platform-2-ivr", "demo", software="ivr 7", features="updates"),
    m.BindReply(0, 2, "s-18", 30, 65_536, 1_024, ADDRESS, "updates"),
)
_LOGS_IN = asks(_AGENT, 2, m.AgentLogin("1001"), m.AgentLoginReply(0, _EPOCH, 1, 0))
_HANDS_OVER = asks(
    _AGENT,
    3,
    m.ConnectRequest(_SERIAL, "1001", "bill-broadcast", CALLER, REFERENCE, _ASKED),
    m.ConnectReply(0, _SERIAL),
)
_OFFERED = _told(_SERVICE, 1, m.Connection("7000", f"{CALLER}**{_SERIAL}", ADDRESS), m.ConnectionReply(0))
_START = (*_AGENT_BINDS, *_SERVICE_BINDS, *_LOGS_IN, *_HANDS_OVER)
_CONNECTED = (*_START, *_event(1, Condition.CONNECTING), *_OFFERED, *_event(2, Condition.CONNECTED))


def _fetches(invoke_id: int, fields: Fields) -> tuple[DialogueStep, DialogueStep]:
    request = m.DataRequest(_SERIAL, ADDRESS)
    return asks(_SERVICE, invoke_id, request, m.DataResult(0, _SERIAL, "1001", REFERENCE, fields))


_FETCHED = (*_CONNECTED, *_fetches(2, _ASKED), *_event(3, Condition.DATA_FETCHED))
_RESULT = Fields({"read out": True})


def _report(invoke_id: int) -> tuple[DialogueStep, DialogueStep]:
    report = m.ServiceEvent(9_001, _SERIAL, "", Condition.COMPLETED, _RESULT)
    return asks(_SERVICE, invoke_id, report, m.ServiceEventReply(9_001, 0))


DIALOGUES: list[Dialogue] = [
    Dialogue(
        "login and hand-off, end to end",
        (
            *_FETCHED,
            *_report(3),
            *_event(4, Condition.COMPLETED, _RESULT),
            *asks(_AGENT, 4, m.AgentLogout("1001"), m.AgentLogoutReply(0)),
            *asks(_AGENT, 5, m.Unbind(), m.UnbindReply()),
        ),
    ),
    Dialogue(
        "a hand-off that is cancelled",
        (
            *_FETCHED,
            *asks(_AGENT, 4, m.CancelRequest(_SERIAL), m.CancelReply(0, _SERIAL)),
            *_event(4, Condition.CANCELLED),
            *_told(_SERVICE, 2, m.CallEnded(_SERIAL, Condition.CANCELLED), m.CallEndedReply()),
            *asks(
                _SERVICE,
                3,
                m.ServiceEvent(9_001, _SERIAL, "", Condition.FAILED),
                m.ServiceEventReply(9_001, Status.ALREADY_FINISHED),
            ),
            *asks(_AGENT, 5, m.CancelRequest(_SERIAL), m.CancelReply(Status.ALREADY_FINISHED, _SERIAL)),
        ),
    ),
    Dialogue(
        "data that is corrected after it was fetched",
        (
            *_FETCHED,
            *asks(_AGENT, 4, m.UpdateRequest(_SERIAL, _CORRECTED), m.UpdateReply(0, _SERIAL)),
            *_told(_SERVICE, 2, m.DataChanged(_SERIAL), m.DataChangedReply()),
            *_fetches(3, _CORRECTED),
            *_report(4),
            *asks(
                _AGENT,
                5,
                m.UpdateRequest(_SERIAL, _ASKED),
                m.UpdateReply(Status.ALREADY_FINISHED, _SERIAL),
            ),
        ),
    ),
    Dialogue(
        "the open hand-offs of an agent",
        (
            *_START,
            *asks(
                _AGENT,
                4,
                m.CallQuery("1001"),
                m.CallQueryReply(
                    0, (OpenCall(_SERIAL, "bill-broadcast", REFERENCE, OpenCallState.CONNECTING, NOON + 1_000),)
                ),
            ),
            *asks(_AGENT, 5, m.CallQuery("9999"), m.CallQueryReply(Status.NOT_ALLOWED_HERE)),
        ),
    ),
    Dialogue(
        "a login to a numbering that began anew",
        (
            *_AGENT_BINDS,
            *asks(
                _AGENT,
                2,
                m.AgentLogin("1001", _EPOCH, 9),
                m.AgentLoginReply(Status.NUMBERING_ANEW, _EPOCH + 1, 1, 1),
            ),
            *_event(1, Condition.UNREACHABLE, status=Status.SERVICE_UNREACHABLE),
            *asks(_AGENT, 3, m.AgentLogin("1001", _EPOCH + 1, 1), m.AgentLoginReply(0, _EPOCH + 1, 2, 1)),
        ),
    ),
    Dialogue(
        "a ConnectRequest whose reply was lost with the link, repeated on a new one",
        (
            *_AGENT_BINDS,
            *_LOGS_IN,
            _HANDS_OVER[0],
            *_AGENT_BINDS,
            *asks(_AGENT, 2, m.AgentLogin("1001", _EPOCH, 0), m.AgentLoginReply(0, _EPOCH, 1, 0)),
            *_HANDS_OVER,
        ),
    ),
]
