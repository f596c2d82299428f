"""The authorization matrix: its axes and its cells.

A cell is one message, sent by somebody, of a call in some state, brought to its service in some way.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum

from attrs import evolve, frozen

from ctiex import call_messages as c
from ctiex import messages as m
from ctiex.fields import Fields
from ctiex.messages import Condition, Message, Role

SERIAL, NO_SERIAL = "00112345678965432197", "00112345678965432294"
AGENT, OTHER_AGENT = "1005", "2005"
SERVICE, OTHER_SERVICE = "bill", "number"
CALLING_NUMBER = "13800138000"
DATA = Fields({"account": "62220011"})
RESULT = Fields({"paid": True})
CORRECTION = Fields({"account": "62220012"})
REFERENCE = "case 9"
EPOCH = 1
"""Stands for the one that the exchange has."""
SECRET = "secret"
EVENT_ID, OTHER_EVENT_ID = 7, 8
INVOKE_ID = 77
CONNECTION_ID = 1
"""The invoke id of the Connection to the service that has the call, and of the one to the service that refused it."""


# ---------------------------------------------------------------- the four axes


class Port(Enum):
    """Where the exchange listens."""

    AGENTS = "agent link"
    SERVICES = "service link"


class Login(Enum):
    """Where the call's agent number is logged in, seen from the sender's link."""

    HERE = "here"
    ELSEWHERE = "on another link"
    TAKEN_OVER = "taken over by another link of the same identity"
    NOBODY = "nowhere"


class Owner(Enum):
    """Whose call it is, seen from a service."""

    HOLDER = "the session that has it"
    COLLEAGUE = "another session of the identity that has it"
    RIVAL = "an identity that serves the same service"
    REFUSER = "an identity that it was offered to first, and that refused it"
    STRANGER = "an identity that serves another service"


@frozen
class Sender:
    """Who sends: on which link, bound as what, and what the call is to them."""

    name: str
    port: Port
    role: Role | None = None
    """None: nobody is bound yet."""
    identity: str = ""
    login: Login = Login.ELSEWHERE
    owner: Owner = Owner.STRANGER

    @property
    def wrong_port(self) -> bool:
        """An identity bound on the other link is 11."""
        return self.role is not None and (self.role is Role.AGENT) is not (self.port is Port.AGENTS)


NUMBERS: dict[str, tuple[str, ...]] = {
    "any": ("*",),
    "exact": ("2001", AGENT),
    "range": ("1000-1099",),
    "outside": ("2000-2999", "105", "10050", "01005"),
}
"""The agent-side identities with the numbers that they may act for."""
MAY_ACT = {"any": True, "exact": True, "range": True, "outside": False}
"""Whether that is so for the agent number of the call."""
SERVES: dict[str, str] = {"ivr": SERVICE, "rival": SERVICE, "refuser": SERVICE, "stranger": OTHER_SERVICE}
"""The service-side identities with what they serve."""
IDENTITY_OF = {
    Owner.HOLDER: "ivr",
    Owner.COLLEAGUE: "ivr",
    Owner.RIVAL: "rival",
    Owner.REFUSER: "refuser",
    Owner.STRANGER: "stranger",
}


def _senders() -> Iterator[Sender]:
    for port in Port:
        yield Sender(f"nobody on the {port.value}", port)
    yield Sender("a service on the agent link", Port.AGENTS, Role.SERVICE, "ivr")
    yield Sender("an agent on the service link", Port.SERVICES, Role.AGENT, "any")
    for identity, may_act in MAY_ACT.items():
        logins = (Login.HERE, Login.ELSEWHERE, Login.TAKEN_OVER) if may_act else (Login.ELSEWHERE,)
        for login in logins:
            yield Sender(f"agent {identity}, login {login.value}", Port.AGENTS, Role.AGENT, identity, login)
    for owner in Owner:
        name = f"service {owner.name.lower()}"
        yield Sender(name, Port.SERVICES, Role.SERVICE, IDENTITY_OF[owner], owner=owner)


SENDERS = tuple(_senders())


class State(Enum):
    """Where the call stands."""

    NONE = "no such call"
    REQUESTED = "requested"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    FETCHED = "fetched"
    REPORTED = "reported"
    FINISHED = "closed by a result"
    CANCELLED = "closed by a cancel"
    FORGOTTEN = "forgotten"


UNKNOWN = frozenset({State.NONE, State.FORGOTTEN})
CLOSED = frozenset({State.FINISHED, State.CANCELLED})
WITH_SERVICE = frozenset({State.CONNECTING, State.CONNECTED, State.FETCHED})


class Way(Enum):
    """How a call gets to its service."""

    LINK = "offered over a link"
    DIAL = "dialled"


@frozen
class Ask:
    """One message that somebody may send."""

    name: str
    message: Message
    invoke_id: int = INVOKE_ID


_CONNECT = m.ConnectRequest(SERIAL, AGENT, SERVICE, CALLING_NUMBER, REFERENCE, DATA)
_EVENT = m.ServiceEvent(OTHER_EVENT_ID, SERIAL, "", Condition.COMPLETED, RESULT)

_CALL = "c-17"
CALL_ASKS: tuple[Ask, ...] = (
    Ask("Monitor", c.Monitor(AGENT)),
    Ask("MonitorReply", c.MonitorReply(0)),
    Ask("AgentState", c.AgentState(AGENT, c.AgentStateCode.READY)),
    Ask("AgentStateReply", c.AgentStateReply(0)),
    Ask("CallControl", c.CallControl(c.Action.ANSWER, AGENT, _CALL)),
    Ask("CallControlReply", c.CallControlReply(0, _CALL, SERIAL)),
    Ask("CallData", c.CallData(AGENT, _CALL, 1, CORRECTION)),
    Ask("CallDataReply", c.CallDataReply(0, 1)),
    Ask("AgentStateEvent", c.AgentStateEvent(AGENT, 0, c.AgentStateCode.READY), 0),
    Ask("CallEvent", c.CallEvent(AGENT, 0, c.CallChange.CLEARED, 0, 0, "", _CALL, SERIAL), 0),
    Ask("Snapshot", c.Snapshot(AGENT, 0, c.Page.LAST, _CALL, SERIAL), 0),
)
"""What needs the feature ``calls``, which no sender of this matrix has; for those who have it the cells are in
``call_authorization_table.py``."""

ASKS: tuple[Ask, ...] = (
    Ask("Bind", m.Bind(Role.AGENT, "nobody of that name", SECRET)),
    Ask("BindReply", m.BindReply(0)),
    Ask("Unbind", m.Unbind()),
    Ask("UnbindReply", m.UnbindReply()),
    Ask("Ping", m.Ping()),
    Ask("Pong", m.Pong()),
    Ask("Error", m.Error(20, detail=SERIAL), 0),
    Ask("AgentLogin", m.AgentLogin(AGENT)),
    Ask("AgentLoginReply", m.AgentLoginReply(0)),
    Ask("AgentLogout", m.AgentLogout(AGENT)),
    Ask("AgentLogoutReply", m.AgentLogoutReply(0)),
    Ask("ConnectRequest again", _CONNECT),
    Ask("ConnectRequest of other data", evolve(_CONNECT, fields=RESULT)),
    Ask("ConnectRequest for another agent", evolve(_CONNECT, agent=OTHER_AGENT)),
    Ask("ConnectRequest of another reference", evolve(_CONNECT, reference="")),
    Ask("ConnectRequest to an unknown service", evolve(_CONNECT, service="none")),
    Ask("ConnectReply", m.ConnectReply(0, SERIAL)),
    Ask("CancelRequest", m.CancelRequest(SERIAL)),
    Ask("CancelReply", m.CancelReply(0, SERIAL)),
    Ask("AgentEvent", m.AgentEvent(1, 0, AGENT, SERIAL, "", Condition.COMPLETED), 0),
    Ask("AgentEventAck", m.AgentEventAck(AGENT, 1), 0),
    Ask("AgentEventAck under an invoke id", m.AgentEventAck(AGENT, 1)),
    Ask("CallQuery", m.CallQuery(AGENT)),
    Ask("CallQueryReply", m.CallQueryReply(0)),
    Ask("UpdateRequest", m.UpdateRequest(SERIAL, CORRECTION)),
    Ask("UpdateReply", m.UpdateReply(0, SERIAL)),
    Ask("Connection", m.Connection("7000", f"{CALLING_NUMBER}**{SERIAL}")),
    Ask("ConnectionReply", m.ConnectionReply(0), CONNECTION_ID),
    Ask("DataRequest", m.DataRequest(SERIAL)),
    Ask("DataRequest to another exchange", m.DataRequest(SERIAL, "elsewhere:7301")),
    Ask("DataResult", m.DataResult(0, SERIAL)),
    Ask("ServiceEvent final", _EVENT),
    Ask("ServiceEvent progress", evolve(_EVENT, condition=Condition.PROGRESS)),
    Ask("ServiceEvent again", evolve(_EVENT, event_id=EVENT_ID)),
    Ask("ServiceEvent of other fields", evolve(_EVENT, event_id=EVENT_ID, fields=DATA)),
    Ask("ServiceEvent for another agent", evolve(_EVENT, agent=OTHER_AGENT)),
    Ask("ServiceEventReply", m.ServiceEventReply(EVENT_ID, 0)),
    Ask("CallEnded", m.CallEnded(SERIAL, Condition.CANCELLED)),
    Ask("CallEndedReply", m.CallEndedReply()),
    Ask("DataChanged", m.DataChanged(SERIAL)),
    Ask("DataChangedReply", m.DataChangedReply()),
    *CALL_ASKS,
)


@frozen
class Cell:
    """One cell of the matrix."""

    ask: Ask
    sender: Sender
    state: State
    way: Way

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.ask.name} | {self.sender.name} | {self.state.value} | {self.way.value}"


def ways(state: State) -> tuple[Way, ...]:
    """The ways that a call may have taken; before it is offered there is no difference."""
    return (Way.LINK,) if state in (State.NONE, State.REQUESTED) else tuple(Way)


CELLS: tuple[Cell, ...] = tuple(
    Cell(ask, sender, state, way) for ask in ASKS for sender in SENDERS for state in State for way in ways(state)
)
