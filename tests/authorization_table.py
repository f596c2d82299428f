"""Who may do what, written down from the wire's rules (design section 5.1) and from nothing else.

:func:`expected` says everything that has to come of a cell of the matrix (``authorization_matrix.py``): the answer, and
what changes anywhere. It calls nothing of what it judges.
"""

from __future__ import annotations

from attrs import evolve, frozen

from ctiex import messages as m
from ctiex.fields import EMPTY, Fields
from ctiex.messages import KIND_OF, Condition, Message, OpenCallState, Role

from .authorization_matrix import (
    AGENT,
    CLOSED,
    DATA,
    EPOCH,
    EVENT_ID,
    MAY_ACT,
    OTHER_AGENT,
    REFERENCE,
    RESULT,
    SERIAL,
    SERVES,
    SERVICE,
    UNKNOWN,
    WITH_SERVICE,
    Cell,
    Login,
    Owner,
    Port,
    State,
    Way,
)


@frozen
class Told:
    """One AgentEvent that is made."""

    sequence: int
    condition: Condition
    status: int = 0
    fields: Fields = EMPTY
    agent: str = AGENT
    reference: str = REFERENCE


@frozen
class Outcome:
    """Everything that comes of a message; as it stands, nothing does."""

    answer: Message | None = None
    """What the sender gets under the invoke id of its message; the words in ``detail`` are left out."""
    ends: bool = False
    """Whether the sender's link is closed."""
    hidden: bool = True
    """Whether the answer must be the same, byte for byte, as for a serial that no call ever had."""
    state: State | None = None
    """The call's new state; None: the record of the call is the very same."""
    owner: str | None = None
    """The identity that has the call from now on, where that changes."""
    events: tuple[Told, ...] = ()
    """What the agent is told anew."""
    replayed: tuple[Told, ...] = ()
    """What the sender is told again."""
    login: Login | None = None
    """Where the agent number is now, where that changes."""
    call_ended: Condition | None = None
    """What CallEnded tells the session that has the call."""
    updated: bool = False
    """Whether the call has other data now."""
    data_changed: bool = False
    """Whether DataChanged tells the session that has the call."""
    acknowledged: int = 0
    """The last event that left the mailbox."""


NOTHING = Outcome()

HISTORY: dict[State, tuple[Condition, ...]] = {
    State.NONE: (),
    State.REQUESTED: (Condition.CONNECTING,),
    State.CONNECTING: (Condition.CONNECTING,),
    State.CONNECTED: (Condition.CONNECTING, Condition.CONNECTED),
    State.FETCHED: (Condition.CONNECTING, Condition.CONNECTED, Condition.DATA_FETCHED),
}
for _state in (State.REPORTED, State.FINISHED, State.FORGOTTEN):
    HISTORY[_state] = (*HISTORY[State.FETCHED], Condition.COMPLETED)
HISTORY[State.CANCELLED] = (*HISTORY[State.FETCHED], Condition.CANCELLED)
"""What the agent has been told before; nothing was acknowledged."""

ALWAYS = {m.Ping: Outcome(m.Pong()), m.Pong: NOTHING, m.Error: NOTHING}
"""Ping is allowed before Bind; an Error is never answered; a reply nobody asked for is ignored."""
UNASKED: dict[Port, tuple[type[Message], ...]] = {
    Port.AGENTS: (
        m.BindReply, m.UnbindReply, m.AgentLoginReply, m.AgentLogoutReply, m.ConnectReply, m.CancelReply,
        m.CallQueryReply, m.UpdateReply,
    ),
    Port.SERVICES: (
        m.BindReply, m.UnbindReply, m.ConnectionReply, m.DataResult, m.ServiceEventReply, m.CallEndedReply,
        m.DataChangedReply,
    ),
}  # fmt: skip
"""The replies of each link, which nobody asked for in any cell but one."""
BIND_REFUSED = Outcome(m.BindReply(11), ends=True)


def expected(cell: Cell) -> Outcome:
    """What has to come of a cell."""
    sender, kind = cell.sender, type(cell.ask.message)
    if sender.wrong_port:
        return BIND_REFUSED
    if kind in ALWAYS:
        return ALWAYS[kind]
    if sender.role is None:
        return BIND_REFUSED if kind is m.Bind else _error(10, cell)
    if kind is m.Unbind:
        return _left(cell)
    rule = (_SERVICE_RULES if sender.role is Role.SERVICE else _AGENT_RULES).get(kind)
    if rule is not None:
        return rule(cell)
    return NOTHING if kind in UNASKED[sender.port] else _error(5, cell)


def _error(status: int, cell: Cell) -> Outcome:
    """Told about the kind of the message."""
    return Outcome(m.Error(status, KIND_OF[type(cell.ask.message)]))


def _next(cell: Cell, condition: Condition, status: int = 0, fields: Fields = EMPTY) -> tuple[Told, ...]:
    return (Told(len(HISTORY[cell.state]) + 1, condition, status, fields),)


def _left(cell: Cell) -> Outcome:
    """An agent's link takes its logins with it; a session that dies before it accepts loses the call."""
    left = Outcome(m.UnbindReply(), ends=True)
    if cell.sender.role is Role.AGENT and cell.sender.login is Login.HERE:
        return evolve(left, login=Login.NOBODY)
    has_it = cell.sender.owner is Owner.HOLDER and cell.way is Way.LINK
    if has_it and cell.state is State.CONNECTING:  # and no other session is left to try, or to be told of it
        return evolve(left, state=State.CANCELLED, events=_next(cell, Condition.UNREACHABLE, 33))
    return left


# ---------------------------------------------------------------- agents


def _login(cell: Cell) -> Outcome:
    if not MAY_ACT[cell.sender.identity]:
        return Outcome(m.AgentLoginReply(5))
    history = HISTORY[cell.state]
    replayed = tuple(
        Told(at + 1, condition, fields=RESULT if condition is Condition.COMPLETED else EMPTY)
        for at, condition in enumerate(history)
    )
    moves = None if cell.sender.login is Login.HERE else Login.HERE
    return Outcome(m.AgentLoginReply(0, EPOCH, 1, len(history)), replayed=replayed, login=moves)


def _logout(cell: Cell) -> Outcome:
    here = cell.sender.login is Login.HERE
    return Outcome(m.AgentLogoutReply(0), login=Login.NOBODY) if here else Outcome(m.AgentLogoutReply(42))


def _connect(cell: Cell) -> Outcome:
    """In the order 42, then 0, 22 or 24, then 30; a repeat of an open call is 0 and does nothing more."""
    request = cell.ask.message
    assert isinstance(request, m.ConnectRequest)
    outsider = cell.sender.identity == "outside"
    logged_in = outsider if request.agent == OTHER_AGENT else cell.sender.login is Login.HERE
    if not logged_in:
        return Outcome(m.ConnectReply(42, SERIAL))
    if cell.state is State.NONE:
        if request.service != SERVICE:
            return Outcome(m.ConnectReply(30, SERIAL), hidden=False)
        events = (Told(1, Condition.CONNECTING, agent=request.agent, reference=request.reference),)
        return Outcome(m.ConnectReply(0, SERIAL), hidden=False, state=State.REQUESTED, events=events)
    # A serial that is forgotten stands in events that wait: they would be taken for the new call's.
    again = cell.ask.name == "ConnectRequest again" and cell.state is not State.FORGOTTEN
    status = 22 if not again else 24 if cell.state in CLOSED else 0
    return Outcome(m.ConnectReply(status, SERIAL), hidden=False)


def _cancel(cell: Cell) -> Outcome:
    """Any link whose identity may act for the call's agent may cancel it; the agent always hears 16."""
    if not MAY_ACT[cell.sender.identity] or cell.state in UNKNOWN:
        return Outcome(m.CancelReply(20, SERIAL))
    if cell.state in CLOSED or cell.state is State.REPORTED:
        return Outcome(m.CancelReply(24, SERIAL), hidden=False)
    # Of a dialled call that nobody came for yet, nobody can be told.
    has_it = cell.state in WITH_SERVICE and (cell.way is Way.LINK or cell.state is State.FETCHED)
    return Outcome(
        m.CancelReply(0, SERIAL),
        hidden=False,
        state=State.CANCELLED,
        events=_next(cell, Condition.CANCELLED),
        call_ended=Condition.CANCELLED if has_it else None,
    )


def _update(cell: Cell) -> Outcome:
    """Any link whose identity may act for the call's agent may; a service that has fetched the data hears of it."""
    if not MAY_ACT[cell.sender.identity] or cell.state in UNKNOWN:
        return Outcome(m.UpdateReply(20, SERIAL))
    if cell.state in CLOSED or cell.state is State.REPORTED:
        return Outcome(m.UpdateReply(24, SERIAL), hidden=False)
    fetched = cell.state is State.FETCHED
    return Outcome(m.UpdateReply(0, SERIAL), hidden=False, state=cell.state, updated=True, data_changed=fetched)


_OPEN_STATES = {
    State.REQUESTED: OpenCallState.REQUESTED,
    State.CONNECTING: OpenCallState.CONNECTING,
    State.CONNECTED: OpenCallState.CONNECTED,
    State.FETCHED: OpenCallState.FETCHED,
    State.REPORTED: OpenCallState.REPORTED,
}


def _query(cell: Cell) -> Outcome:
    """It needs no login."""
    if not MAY_ACT[cell.sender.identity]:
        return Outcome(m.CallQueryReply(5))
    state = _OPEN_STATES.get(cell.state)
    calls = () if state is None else (m.OpenCall(SERIAL, SERVICE, REFERENCE, state, 0),)
    return Outcome(m.CallQueryReply(0, calls), hidden=False)


def _acknowledge(cell: Cell) -> Outcome:
    if cell.ask.invoke_id:
        return _error(1, cell)
    counts = cell.sender.login is Login.HERE and HISTORY[cell.state]
    return Outcome(acknowledged=1) if counts else NOTHING


_AGENT_RULES = {
    m.AgentLogin: _login,
    m.AgentLogout: _logout,
    m.ConnectRequest: _connect,
    m.CancelRequest: _cancel,
    m.CallQuery: _query,
    m.UpdateRequest: _update,
    m.AgentEventAck: _acknowledge,
}


# ---------------------------------------------------------------- services


def _owns(cell: Cell) -> bool:
    """A call belongs to the identity that it was offered to, from Connection on; a dialled one to the first to come."""
    if cell.state in UNKNOWN or cell.state is State.REQUESTED:
        return False
    identity = cell.sender.identity
    if cell.way is Way.DIAL and cell.state in (State.CONNECTING, State.CONNECTED):
        return SERVES[identity] == SERVICE
    return identity == "ivr"


def _data(cell: Cell) -> Outcome:
    request = cell.ask.message
    assert isinstance(request, m.DataRequest)
    if request.exchange_address:
        return Outcome(m.DataResult(26, SERIAL))
    if not _owns(cell) or cell.state not in WITH_SERVICE:
        return Outcome(m.DataResult(20, SERIAL))
    given = Outcome(m.DataResult(0, SERIAL, AGENT, REFERENCE, DATA), hidden=False)
    if cell.state is State.FETCHED:
        return given
    return evolve(given, state=State.FETCHED, owner=cell.sender.identity, events=_next(cell, Condition.DATA_FETCHED))


def _report(cell: Cell) -> Outcome:
    """20 for what isn't its own, then 43 or 25, then 24."""
    event = cell.ask.message
    assert isinstance(event, m.ServiceEvent)

    def answered(status: int) -> Outcome:
        return Outcome(m.ServiceEventReply(event.event_id, status), hidden=status == 20)

    if not _owns(cell) or event.agent == OTHER_AGENT:
        return answered(20)
    if event.event_id == EVENT_ID and cell.state in (State.REPORTED, State.FINISHED):
        return answered(43 if event.fields == RESULT else 25)
    if cell.state not in WITH_SERVICE:
        return answered(24)
    state = cell.state if event.condition is Condition.PROGRESS else State.FINISHED
    events = _next(cell, event.condition, fields=event.fields)
    return evolve(answered(0), state=state, owner=cell.sender.identity, events=events)


def _connection_answered(cell: Cell) -> Outcome:
    """Only the session that was asked last can accept."""
    asked = cell.way is Way.LINK and cell.sender.owner is Owner.HOLDER and cell.state is State.CONNECTING
    return Outcome(state=State.CONNECTED, events=_next(cell, Condition.CONNECTED)) if asked else NOTHING


_SERVICE_RULES = {m.DataRequest: _data, m.ServiceEvent: _report, m.ConnectionReply: _connection_answered}
