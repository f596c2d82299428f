"""The authorization matrix of call control: every message, every action, from everybody, of a call in every state.

Every cell of the table in ``call_authorization_table.py`` is sent to a whole exchange with a simulated platform. What
is refused must change nothing and give the platform no order; whatever is asked for is in the audit log, with who.
"""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from typing import Any

import pytest
from attrs import define, evolve

from ctiex.call_messages import (
    Action,
    AgentState,
    AgentStateCode,
    AgentStateEvent,
    CallControl,
    CallControlReply,
    CallData,
    CallDataReply,
)
from ctiex.fields import Fields
from ctiex.interfaces.call_platform import LegPlace
from ctiex.limits import Limits
from ctiex.messages import Bind, Error, Message, Role
from ctiex.monitoring.audit_events import AuditEvent
from ctiex.testing.fakes import FakeAgent, FakePeer, FakeService

from . import call_authorization_table as table
from .call_authorization_table import AGENT, ALLOWED, ASKS, CELLS, CONSULTED, WHO, Cell, Outcome, State, Under, expected
from .call_exchange import CUSTOMER, DESK, CallExchange
from .recorded_audit import Recorded

IDENTITIES = tuple({who.identity.name: who.identity for who in WHO if who.identity is not None}.values())
PIN = "4711-pin"
EVERY_REFUSAL = Limits(audited_refusals_per_second=10_000)
"""Has a record of its own; orders that are begun have one in any case."""
AUDITED: Mapping[str, tuple[AuditEvent, AuditEvent]] = {
    "Monitor": (AuditEvent.MONITOR_GRANTED, AuditEvent.MONITOR_REFUSED),
    "AgentState": (AuditEvent.AGENT_STATE_ASKED, AuditEvent.AGENT_STATE_REFUSED),
    "CallControl": (AuditEvent.ORDER_BEGUN, AuditEvent.ORDER_REFUSED),
    "CallData": (AuditEvent.CALL_DATA_KEPT, AuditEvent.CALL_DATA_REFUSED),
}


# ---------------------------------------------------------------- the world of a cell


@define(eq=False)
class World:
    """An exchange with a call in the state of a cell, and the sender's link."""

    exchange: CallExchange
    audit: Recorded
    peer: FakePeer
    call: str
    other: str
    party: str

    def message(self, cell: Cell) -> Message:
        """What is sent: with the ids of this world, under the number that is meant."""
        message: Any = cell.ask.message
        known: dict[str, str] = {}
        if cell.under is Under.OWN:
            known["agent"] = cell.who.own_number
        if isinstance(message, CallData):
            known["call"] = self.call
        if isinstance(message, CallControl):
            known["call"] = "" if message.action is Action.MAKE else self.call
            known["other"] = {table.OTHER_CALL: self.other, table.PARTY: self.party}.get(message.other, message.other)
            known["value"] = cell.who.own_number if message.value == table.OWN_DEVICE else message.value
        sent: Message = evolve(message, **known)
        return sent

    def stands(self) -> tuple[object, ...]:
        """Everything that a refused message must leave as it was."""
        control = self.exchange.control
        return (
            [{name: getattr(leg, name) for name in leg.__slots__ if name != "__weakref__"} for leg in self.legs],
            list(self.exchange.platform.orders),
            [(call.id, call.serial, call.version, call.fields, call.parties, call.in_order) for call in control.calls],
            [control.agents.event(agent) for agent in (AGENT, CONSULTED)],
            len(control.monitors),
            self.exchange.exchange.store.metadata_beginning("data of call "),
        )

    @property
    def legs(self) -> list[Any]:
        """Those of the platform."""
        return list(self.exchange.board.legs.all())


def make_world(cell: Cell) -> World:
    """Everybody is there, and the call stands as the cell says."""
    audit = Recorded()
    exchange = CallExchange(audit=audit, identities=(DESK, *IDENTITIES), limits=EVERY_REFUSAL)
    for who in WHO:
        exchange.board.devices[who.own_number] = evolve(exchange.board.devices[AGENT], agent=who.own_number)
    exchange.exchange.service()
    world = World(exchange, audit, FakeAgent(), "no such call", "no such call", "nobody")
    if cell.state is not State.NONE:
        _bring_call(world, cell.state)
    world.peer = _sender(exchange, cell)
    exchange.pump()
    return world


def _sender(world: CallExchange, cell: Cell) -> FakePeer:
    who = cell.who.identity
    if who is None:
        peer, _, _ = world.exchange.link_agent(FakeAgent())
        return peer
    if who.role is Role.SERVICE:
        service, _, _ = world.exchange.link_service(FakeService())
        service.send(Bind(Role.SERVICE, who.name, "secret"))
        return service
    return world.exchange.agent(identity=who.name, features="calls" if cell.who.calls else "")


def _bring_call(world: World, state: State) -> None:
    exchange = world.exchange
    desk = exchange.desk(AGENT, CONSULTED)
    world.call = call = exchange.rings(AGENT)
    world.party = call  # the customer's leg
    if state is State.ALERTING:
        _put(exchange, desk, call)
        return
    exchange.picks_up(AGENT)
    _put(exchange, desk, call)
    match state:
        case State.HELD:
            assert exchange.ask(desk, Action.HOLD, AGENT, call).status == 0
        case State.HELD_AT_PHONE:
            [mine] = exchange.board.legs.of_agent(AGENT)
            exchange.board.press_hold(mine)
        case State.CONSULTING | State.CONFERENCE:
            world.other = exchange.ask(desk, Action.CONSULT, AGENT, call, destination=CONSULTED).call
            exchange.picks_up(CONSULTED)
            if state is State.CONFERENCE:
                assert exchange.ask(desk, Action.CONFERENCE, AGENT, call).status == 0
        case State.SUPERVISED:
            lead = exchange.desk(identity="chief")
            assert exchange.ask(lead, Action.LISTEN, AGENT, call, value="1901").status == 0
            exchange.picks_up("1901")
        case State.RECORDED | State.PAUSED:
            assert exchange.ask(desk, Action.RECORD_START, AGENT, call).status == 0
            if state is State.PAUSED:
                assert exchange.ask(desk, Action.RECORD_PAUSE, AGENT, call).status == 0
        case State.WITH_SERVICE:
            desk.connect(AGENT, "bill", exchange.last(desk, call).serial, CUSTOMER)
        case State.OVER:
            [customer] = [leg for leg in world.legs if not leg.agent]
            exchange.hangs_up(customer)
    exchange.pump()
    if state is State.CONFERENCE:
        [world.party] = [leg.id for leg in world.legs if leg.agent == CONSULTED]


def _put(exchange: CallExchange, desk: FakeAgent, call: str) -> None:
    asked = desk.send(CallData(AGENT, call, 0, Fields({"account": "1", table.SECRET: PIN})))
    exchange.pump()
    reply = desk.answer(asked)
    assert isinstance(reply, CallDataReply) and reply.status == 0, reply


# ---------------------------------------------------------------- one cell

GROUPS: dict[str, list[Cell]] = {}
for _cell in CELLS:
    GROUPS.setdefault(f"{_cell.who.name}, {_cell.state.name}", []).append(_cell)


@pytest.mark.parametrize("cells", GROUPS.values(), ids=GROUPS)
def test_cells(cells: list[Cell]) -> None:
    broken: dict[str, str] = {}
    world: World | None = None
    for cell in cells:
        world = world or make_world(cell)
        try:
            _assert_cell(world, cell)
        except Exception:
            broken[cell.name] = traceback.format_exc(limit=2)
        if cell.name in broken or expected(cell).status == 0:
            world = None
    assert not broken, f"{len(broken)}\n" + "\n".join(f"{name}\n{error}" for name, error in broken.items())


def _assert_cell(world: World, cell: Cell) -> None:
    outcome, sent = expected(cell), world.message(cell)
    before, recorded = world.stands(), len(world.audit.records)
    asked = world.peer.send(sent)
    world.exchange.pump()
    answer: Any = world.peer.answer(asked)
    assert answer is not None
    assert (isinstance(answer, Error), answer.status) == (outcome.error, outcome.status), answer
    _assert_audited(world.audit.records[recorded:], cell, sent, outcome)
    _assert_secret_kept(world, cell, answer, outcome)
    if outcome.status:
        assert world.stands() == before
        assert CUSTOMER not in getattr(answer, "detail", "")
        if outcome.status == 60:
            _assert_like_no_call(world, sent, answer)
    elif isinstance(sent, CallControl) and sent.action is not Action.MARK:
        assert len(world.exchange.platform.orders) > len(before[1]), "the platform was told nothing"  # type: ignore[arg-type]


def _assert_audited(records: list[Any], cell: Cell, sent: Any, outcome: Outcome) -> None:
    """One record of whatever is asked for: who, what, of which call, and what was answered."""
    if outcome.error:
        return
    kind = type(sent).__name__
    granted, refused = AUDITED[kind]
    told = [about for event, about in records if event is (refused if outcome.status else granted)]
    assert len(told) == 1 and cell.who.identity is not None, records
    [about] = told
    assert (about["identity"], about["agent"], about["status"]) == (
        cell.who.identity.name, sent.agent, outcome.status,
    )  # fmt: skip
    if isinstance(sent, CallControl):
        assert (about["action"], about["call_id"]) == (sent.action.name.lower(), sent.call)
    assert not any(CUSTOMER in str(value) or PIN in str(value) for value in about.values())


def _assert_secret_kept(world: World, cell: Cell, answer: Any, outcome: Outcome) -> None:
    """A secret of the call's data is shown to the agent who has the call, and to nobody else."""
    if isinstance(answer, CallDataReply) and answer.status in (0, 22):
        assert answer.fields[table.SECRET] == ("***" if outcome.masked else PIN)
    told = [fields for _, one in world.peer.received if isinstance(fields := getattr(one, "fields", None), Fields)]
    has_it = cell.who.owns and cell.state is not State.ALERTING
    assert has_it or not any(PIN in map(str, fields.values()) for fields in told)


def _assert_like_no_call(world: World, sent: Any, answer: Any) -> None:
    """A call that isn't theirs is answered like one that never was."""
    asked = world.peer.send(evolve(sent, call="never was"))
    world.exchange.pump()
    told: Any = world.peer.answer(asked)
    assert told == (evolve(answer, call="never was") if isinstance(told, CallControlReply) else answer)


# ---------------------------------------------------------------- the table


def test_the_table_has_every_action_and_every_message() -> None:
    actions = {ask.message.action for ask in ASKS if isinstance(ask.message, CallControl)}
    assert actions == set(Action)
    assert {type(ask.message).__name__ for ask in ASKS} == set(AUDITED)
    assert len({cell.name for cell in CELLS}) == len(CELLS)
    assert set(ALLOWED) == set(State) - table.GONE
    print(f"{len(CELLS)} cells: {len(ASKS)} messages, {len(WHO)} senders, {len(State)} states")


def test_every_action_is_begun_for_somebody_and_refused_to_somebody() -> None:
    answered: dict[Action, set[int]] = {}
    for cell in CELLS:
        if isinstance(cell.ask.message, CallControl):
            answered.setdefault(cell.ask.message.action, set()).add(expected(cell).status)
    for action, statuses in answered.items():
        assert {0, 5, 10, 60} <= statuses, action


def test_only_supervisors_supervise_and_force() -> None:
    granted = {
        (type(cell.ask.message).__name__, cell.who.name)
        for cell in CELLS
        if cell.under is Under.CALLS and not (cell.who.owns or cell.who.supervises) and not expected(cell).status
    }
    assert granted == set()


def test_a_state_that_a_supervisor_forces_is_told_with_who() -> None:
    world = CallExchange()
    desk, lead = world.desk(AGENT), world.desk(identity="lead")
    lead.send(AgentState(AGENT, AgentStateCode.READY))
    world.pump()
    assert desk.every(AgentStateEvent)[-1].by == "lead"


@pytest.mark.parametrize("forbidden", [table.FORBIDDEN, "+44", "030\r\nAction: Logoff"])
def test_nothing_goes_out_where_it_may_not(forbidden: str) -> None:
    world = CallExchange()
    desk = world.desk(AGENT)
    call = world.talks()
    for action in (Action.MAKE, Action.CONSULT, Action.BLIND_TRANSFER, Action.ADD_PARTY):
        assert world.ask(desk, action, AGENT, call, destination=forbidden).status == 65
    assert [leg.place for leg in world.board.legs.all()] == [LegPlace.BRIDGE] * 2
