"""Who may do what with calls, written down from the wire's rules of the feature ``calls``, and from nothing else.

A cell is one message, sent by somebody, of a telephone call in some state, and named under some agent number.
:func:`expected` says what it has to be answered; it calls nothing of what it judges. The hand-offs' cells are in
``authorization_matrix.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import Enum

from attrs import frozen

from ctiex.call_messages import (
    Action,
    AgentState,
    AgentStateCode,
    CallControl,
    CallData,
    FieldName,
    Monitor,
    MonitorSwitch,
)
from ctiex.fields import Fields
from ctiex.identities import AgentNumbers, Identity
from ctiex.messages import Message, Role

AGENT, CONSULTED, COLLEAGUE = "1001", "1002", "2001"
INSIDE, OUTSIDE, QUEUE, FORBIDDEN = "1003", "0301", "sales", "0900123"
SECRET = "pin"


# ---------------------------------------------------------------- who


@frozen
class Who:
    """Who sends, and what the agent number of the call is to them."""

    name: str
    identity: Identity | None
    """None: nobody is bound."""
    owns: bool = False
    supervises: bool = False
    listens: bool = False
    """Whose supervisor it is that listens where one does."""
    calls: bool = True
    """Whether their link has the feature."""

    @property
    def own_number(self) -> str:
        """An agent number of their own; of one without agents, that of the call."""
        return AGENT if self.owns or self.identity is None or not self.identity.agents.exact else self._number

    @property
    def _number(self) -> str:
        assert self.identity is not None
        return next(iter(self.identity.agents.exact))


def _agents(name: str, *numbers: str, supervises: tuple[str, ...] = (), may_dial: tuple[str, ...] = ()) -> Identity:
    return Identity(
        name, Role.AGENT, AgentNumbers.parse(numbers), frozenset(), AgentNumbers.parse(supervises), may_dial
    )


SERVICE = Identity("services", Role.SERVICE, services=frozenset({"bill"}))
_OWNER = _agents("owner", AGENT, "1003")
WHO: tuple[Who, ...] = (
    Who("nobody", None, calls=False),
    Who("a service", SERVICE, calls=False),
    Who("the owner, without the feature", _OWNER, owns=True, calls=False),
    Who("the owner", _OWNER, owns=True),
    Who("the owner, who may dial", _agents("dialler", AGENT, may_dial=("030",)), owns=True),
    Who("an owner who supervises too", _agents("both", AGENT, supervises=(AGENT,)), owns=True, supervises=True),
    Who("a supervisor", _agents("lead", "1900", supervises=("1001-1050",)), supervises=True),
    Who(
        "a supervisor, who may dial and listens",
        _agents("chief", "1901", supervises=(AGENT,), may_dial=("*",)),
        supervises=True,
        listens=True,
    ),
    Who("a colleague", _agents("colleague", COLLEAGUE)),
    Who("a colleague who may dial", _agents("caller", COLLEAGUE, may_dial=("*",))),
    Who("the supervisor of others", _agents("other lead", "1902", supervises=("2000-2999",))),
)


# ---------------------------------------------------------------- of what call


class State(Enum):
    """How the agent's call stands."""

    NONE = "there is none"
    ALERTING = "it rings"
    TALKING = "they talk"
    HELD = "the customer is held"
    HELD_AT_PHONE = "the agent's phone holds"
    CONSULTING = "the customer is held, and the agent talks with another one"
    CONFERENCE = "three talk"
    SUPERVISED = "they talk, and a supervisor listens"
    RECORDED = "they talk, and it is recorded"
    PAUSED = "they talk, and the recording is paused"
    WITH_SERVICE = "the customer was handed over"
    OVER = "it is over"


GONE = frozenset({State.NONE, State.OVER})
_ONE = {Action.CLEAR, Action.MARK}
_TALKING = {
    *_ONE, Action.HOLD, Action.CONSULT, Action.BLIND_TRANSFER, Action.ADD_PARTY, Action.DIGITS, Action.RECORD_START,
}  # fmt: skip
_SUPERVISION = {Action.LISTEN, Action.WHISPER, Action.BARGE, Action.INTERCEPT}
ALLOWED: dict[State, set[Action]] = {
    State.ALERTING: {Action.ANSWER, Action.REJECT, Action.DEFLECT},
    State.TALKING: {*_TALKING, *_SUPERVISION},
    State.HELD: {*_ONE, Action.RETRIEVE, Action.BLIND_TRANSFER},
    State.HELD_AT_PHONE: {*_ONE, *_SUPERVISION},
    State.CONSULTING: {*_ONE, Action.ALTERNATE, Action.RECONNECT, Action.TRANSFER, Action.CONFERENCE},
    State.CONFERENCE: {
        *_ONE, *_SUPERVISION, Action.ADD_PARTY, Action.DROP_PARTY, Action.LEAVE, Action.DIGITS, Action.RECORD_START,
    },
    State.SUPERVISED: {*_TALKING, *_SUPERVISION, Action.STOP_SUPERVISION},
    State.RECORDED: {
        *_TALKING - {Action.RECORD_START}, *_SUPERVISION, Action.RECORD_PAUSE, Action.RECORD_STOP,
    },
    State.PAUSED: {
        *_TALKING - {Action.RECORD_START}, *_SUPERVISION, Action.RECORD_RESUME, Action.RECORD_STOP,
    },
    State.WITH_SERVICE: set(),
}  # fmt: skip
"""What may be asked for of the call."""


# ---------------------------------------------------------------- what


class Under(Enum):
    """Which agent number the message names."""

    CALLS = "the agent number of the call"
    OWN = "a number of one's own"


OWN_DEVICE = "own"
"""As a value: stands for an agent number of the sender's."""
OTHER_CALL, PARTY = "other call", "party"
"""As ``other``: stand for the consultation, and for a party of the call."""


@frozen
class Ask:
    """One message that somebody may send; what stands for something else is put in by the world."""

    name: str
    message: Message


_VALUES = {
    Action.DIGITS: "12#",
    Action.MARK: "later",
    **dict.fromkeys(_SUPERVISION, OWN_DEVICE),
}
_DESTINATIONS = (Action.MAKE, Action.DEFLECT, Action.CONSULT, Action.BLIND_TRANSFER, Action.ADD_PARTY)


def _asks() -> Iterator[Ask]:
    yield Ask("Monitor", Monitor(AGENT))
    yield Ask("Monitor stop", Monitor(AGENT, MonitorSwitch.STOP))
    for state in (AgentStateCode.READY, AgentStateCode.NOT_READY, AgentStateCode.LOGGED_OUT, AgentStateCode.BUSY):
        yield Ask(f"AgentState {state.name}", AgentState(AGENT, state))
    for action in Action:
        name = f"CallControl {action.name}"
        if action in _DESTINATIONS:
            for destination in (INSIDE, QUEUE, OUTSIDE, FORBIDDEN, "0301,x", ""):
                yield Ask(f"{name} to {destination!r}", CallControl(action, AGENT, destination=destination))
            continue
        other = PARTY if action is Action.DROP_PARTY else ""
        yield Ask(name, CallControl(action, AGENT, other=other, value=_VALUES.get(action, "")))
        if action in _VALUES:
            yield Ask(f"{name} of nothing", CallControl(action, AGENT))
        if action in _SUPERVISION:
            yield Ask(f"{name} at another's telephone", CallControl(action, AGENT, value=CONSULTED))
    yield Ask("CallControl DROP_PARTY nobody", CallControl(Action.DROP_PARTY, AGENT, other="nobody"))
    yield Ask("CallControl TRANSFER with", CallControl(Action.TRANSFER, AGENT, other=OTHER_CALL))
    yield Ask("CallControl TRANSFER with none", CallControl(Action.TRANSFER, AGENT, other="no such call"))
    yield Ask("CallData", CallData(AGENT, "", 1, Fields({"account": "2"})))
    yield Ask("CallData drop", CallData(AGENT, "", 1, drop=(FieldName("account"),)))
    yield Ask("CallData of another version", CallData(AGENT, "", 7, Fields({"account": "2"})))


ASKS = tuple(_asks())


@frozen
class Cell:
    """One cell of the matrix."""

    ask: Ask
    who: Who
    state: State
    under: Under

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.ask.name} | {self.who.name} | {self.state.value} | {self.under.value}"

    @property
    def named(self) -> bool:
        """Whether the message names the agent of the call."""
        return self.under is Under.CALLS or self.who.own_number == AGENT


def _cells() -> Iterator[Cell]:
    for who in WHO:
        for state in State:
            for ask in ASKS:
                yield Cell(ask, who, state, Under.CALLS)
                if who.own_number != AGENT:
                    yield Cell(ask, who, state, Under.OWN)


CELLS = tuple(_cells())


# ---------------------------------------------------------------- what has to come of it


@frozen
class Outcome:
    """What a cell is answered."""

    status: int
    error: bool = False
    """Whether it is answered by Error, and not by its own reply."""
    masked: bool = False
    """Whether data that the answer has is without its secrets."""


def expected(cell: Cell) -> Outcome:
    """What has to come of a cell."""
    if cell.who.identity is None:
        return Outcome(10, error=True)
    if not cell.who.calls:
        return Outcome(5, error=True)
    return _CALL_RULES[type(cell.ask.message)](cell)


def _may_see(cell: Cell) -> bool:
    return cell.under is Under.OWN or cell.who.owns or cell.who.supervises


def _monitor(cell: Cell) -> Outcome:
    return Outcome(0 if _may_see(cell) else 5)


def _state(cell: Cell) -> Outcome:
    message = cell.ask.message
    assert isinstance(message, AgentState)
    if not _may_see(cell):
        return Outcome(5)
    return Outcome(1 if message.agent_state is AgentStateCode.BUSY else 0)


def _control(cell: Cell) -> Outcome:
    """In the order 60 for what isn't theirs, 61, 65 and 1."""
    message = cell.ask.message
    assert isinstance(message, CallControl)
    action = message.action
    if not _may_see(cell):
        return Outcome(60)
    supervising = action in _SUPERVISION or action is Action.STOP_SUPERVISION
    if supervising and not (cell.who.supervises and cell.named):
        return Outcome(60)
    if action is not Action.MAKE:
        there = cell.named and cell.state not in GONE
        if not there or not _other_is_there(cell, message):
            return Outcome(60)
        if action not in ALLOWED[cell.state]:
            return Outcome(61)
    if action in _DESTINATIONS:
        return Outcome(0 if _may_go(cell.who, message.destination) else 65)
    if action in _SUPERVISION:
        return Outcome(0 if message.value == OWN_DEVICE else 65)
    if action is Action.STOP_SUPERVISION and not cell.who.listens:
        return Outcome(61)  # another identity's supervisor stays
    return Outcome(1 if action in _VALUES and not message.value else 0)


def _other_is_there(cell: Cell, message: CallControl) -> bool:
    """A party, or another call, has to be one that the agent has."""
    if message.other == OTHER_CALL:
        return cell.state is State.CONSULTING
    return message.other in ("", PARTY)


def _may_go(who: Who, destination: str) -> bool:
    """Agents and queues always; outside what ``may_dial`` says."""
    assert who.identity is not None
    if destination in (INSIDE, QUEUE):
        return True
    return destination in (OUTSIDE, FORBIDDEN) and any(
        start == "*" or destination.startswith(start) for start in who.identity.may_dial
    )


def _data(cell: Cell) -> Outcome:
    message = cell.ask.message
    assert isinstance(message, CallData)
    if not _may_see(cell) or not cell.named or cell.state in GONE:
        return Outcome(60)
    masked = not cell.who.owns or cell.state is State.ALERTING
    return Outcome(0 if message.version == 1 else 22, masked=masked)


_CALL_RULES: dict[type[Message], Callable[[Cell], Outcome]] = {
    Monitor: _monitor,
    AgentState: _state,
    CallControl: _control,
    CallData: _data,
}
"""What comes of the messages of the feature ``calls`` on a link that has it."""
