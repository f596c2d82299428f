"""Call control over agent links of a whole exchange: the feature, snapshots, hand-offs, data, and who may what."""

from __future__ import annotations

import pytest

from ctiex.call_messages import (
    Action,
    AgentState,
    AgentStateCode,
    AgentStateEvent,
    AgentStateReply,
    CallControl,
    CallData,
    CallDataReply,
    CallEvent,
    FieldName,
    Monitor,
    MonitorReply,
    MonitorSwitch,
    Page,
    Snapshot,
)
from ctiex.fields import Fields
from ctiex.interfaces.call_platform import LegPlace
from ctiex.messages import AgentEvent, BindReply, ConnectReply, DataResult, Error, Message
from ctiex.stores.call_store import CallStore
from ctiex.testing.fakes import FakeAgent, FakeService

from .call_exchange import CUSTOMER, CallExchange


@pytest.fixture
def world() -> CallExchange:
    return CallExchange()


def test_the_feature_is_granted_where_there_is_a_platform(world: CallExchange) -> None:
    desk = world.desk("1001")
    assert [reply.features for reply in desk.every(BindReply)] == ["calls"]
    assert [reply.status for reply in desk.every(MonitorReply)] == [0]


@pytest.mark.parametrize(
    "message", [Monitor("1001"), AgentState("1001", AgentStateCode.READY), CallControl(Action.MAKE, "1001")]
)
def test_without_the_feature_it_is_not_allowed(world: CallExchange, message: Message) -> None:
    agent = world.exchange.agent("1001")
    asked = agent.send(message)
    world.pump()
    answer = agent.answer(asked)
    assert isinstance(answer, Error) and answer.status == 5


def test_a_monitor_is_answered_and_then_comes_the_snapshot(world: CallExchange) -> None:
    call = world.talks()
    desk = world.desk("1001")
    told = [message for _, message in desk.received if isinstance(message, (MonitorReply, AgentStateEvent, Snapshot))]
    assert [type(message) for message in told] == [MonitorReply, AgentStateEvent, Snapshot]
    page = told[-1]
    assert isinstance(page, Snapshot) and (page.page, page.call) == (Page.LAST, call)


def test_a_login_anew_brings_a_snapshot(world: CallExchange) -> None:
    desk = world.desk("1001")
    desk.login("1001")
    world.pump()
    assert len(desk.every(Snapshot)) == 2


def test_a_stopped_monitor_and_a_lost_link_are_told_nothing(world: CallExchange) -> None:
    desk, other = world.desk("1001"), world.desk("1001")
    desk.send(Monitor("1001", MonitorSwitch.STOP))
    world.pump()
    world.exchange.pair_of(other).disconnect()
    world.pump()
    world.rings()
    assert desk.every(CallEvent) == []
    assert len(world.control.monitors) == 0


def test_a_call_that_comes_is_told_by_call_events_and_not_twice(world: CallExchange) -> None:
    desk = world.desk("1001")
    call = world.talks()
    assert world.changes(desk, call) == ["alerting", "established"]
    assert desk.every(AgentEvent) == []
    old = world.exchange.agent("1002")
    world.talks("1002")
    assert [(event.condition, event.fields["event"]) for event in old.every(AgentEvent)] == [(0, "call")]


# ---------------------------------------------------------------- hand-offs


def hand_over(world: CallExchange, desk: FakeAgent, call: str, **fields: object) -> str:
    """A hand-off of a call, under its serial."""
    serial = world.last(desk, call).serial
    asked = desk.connect("1001", "bill", serial, CUSTOMER, Fields(fields))
    world.pump()
    reply = desk.answer(asked)
    assert isinstance(reply, ConnectReply) and reply.status == 0, reply
    return serial


def serve(world: CallExchange, service: FakeService, serial: str, **result: object) -> DataResult:
    """The service answers the call, fetches, reports, and hangs up."""
    world.hand_offs.answers(world.service_leg())
    world.pump()
    asked = service.fetch(serial)
    world.pump()
    service.report(serial, fields=Fields(result))
    world.pump()
    world.hangs_up(world.service_leg())
    answer = service.answer(asked)
    assert isinstance(answer, DataResult)
    return answer


def test_a_customer_is_handed_over_any_number_of_times_in_one_call(world: CallExchange) -> None:
    desk, service = world.desk("1001"), world.exchange.service()
    call = world.talks()
    serials = []
    for number in range(3):
        serials.append(hand_over(world, desk, call))
        assert serve(world, service, serials[-1], number=number).status == 0
        assert world.changes(desk, call).count("returned") == number + 1
        assert world.last(desk, call).fields["number"] == number
    assert len({*serials, world.last(desk, call).serial}) == 4
    assert [event.condition for event in desk.every(AgentEvent)].count(1) == 3


def test_while_the_customer_is_with_a_service_nothing_is_done_with_the_call(world: CallExchange) -> None:
    desk = world.desk("1001")
    world.exchange.service()
    call = world.talks()
    hand_over(world, desk, call)
    assert "handed over" in world.changes(desk, call)
    [mine] = [party for party in world.last(desk, call).parties if party.agent == "1001"]
    assert (mine.actions, mine.connection_state.name) == (0, "HELD")
    assert world.ask(desk, Action.HOLD, "1001", call).status == 61


def test_whoever_hears_that_the_customer_is_back_may_go_on_with_them(world: CallExchange) -> None:
    """Each of the two is told of by itself, on the way and where they come to."""
    desk = world.desk("1001")
    call = world.talks()
    hand_over(world, desk, call)
    [customer, agent] = [leg for leg in world.board.legs.of_call(call) if leg.place is LegPlace.SERVICE]
    for leg in (customer, agent):
        leg.place, leg.service = LegPlace.NOWHERE, ""
        world.board.put(leg)
        world.pump()
    assert "returned" not in world.changes(desk, call)
    world.hand_offs.of_customer.clear()  # what becomes of the two is played here
    world.board.hang_up(world.service_leg())
    world.board.together(customer, agent)
    world.pump()
    assert world.changes(desk, call)[-1] == "returned"
    assert world.ask(desk, Action.HOLD, "1001", call).status == 0


@pytest.mark.parametrize("before", ["", "hold", "consult"])
def test_every_function_works_behind_a_hand_off(world: CallExchange, before: str) -> None:
    desk, service = world.desk("1001", "1002"), world.exchange.service()
    call = world.talks()
    if before:
        assert world.ask(desk, Action.HOLD, "1001", call).status == 0
        assert world.ask(desk, Action.RETRIEVE, "1001", call).status == 0
    if before == "consult":
        other = world.ask(desk, Action.CONSULT, "1001", call, destination="1002").call
        world.picks_up("1002")
        assert world.ask(desk, Action.RECONNECT, "1001", other).status == 0
    serve(world, service, hand_over(world, desk, call))
    assert world.ask(desk, Action.HOLD, "1001", call).status == 0
    other = world.ask(desk, Action.CONSULT, "1001", call, destination="1002")
    assert other.status == 61, "the customer is held already"
    assert world.ask(desk, Action.RETRIEVE, "1001", call).status == 0
    other = world.ask(desk, Action.CONSULT, "1001", call, destination="1002", fields=Fields({"why": "bill"}))
    world.picks_up("1002")
    assert world.ask(desk, Action.TRANSFER, "1001", other.call).status == 0
    assert {party.agent or party.number for party in world.last(desk, call).parties} == {CUSTOMER, "1002"}
    assert world.last(desk, call).fields["why"] == "bill"
    serial = world.last(desk, call).serial
    asked = desk.connect("1002", "bill", serial, CUSTOMER)
    world.pump()
    assert desk.answer(asked).status == 0  # type: ignore[union-attr]
    assert serve(world, service, serial).status == 0
    world.hangs_up(world.board.legs.leg(call))  # type: ignore[arg-type]
    world.wait(3)
    assert len(world.control) == 0


# ---------------------------------------------------------------- data


def put(world: CallExchange, desk: FakeAgent, call: str, version: int, **values: object) -> CallDataReply:
    asked = desk.send(CallData("1001", call, version, Fields(values)))
    world.pump()
    reply = desk.answer(asked)
    assert isinstance(reply, CallDataReply)
    return reply


def test_data_is_changed_by_compare_and_set(world: CallExchange) -> None:
    desk = world.desk("1001")
    call = world.talks()
    assert put(world, desk, call, 0, account="1", old=True).version == 1
    assert (world.changes(desk, call)[-1], world.last(desk, call).version) == ("data changed", 1)
    refused = put(world, desk, call, 0, account="2")
    assert (refused.status, refused.version, refused.fields) == (22, 1, Fields({"account": "1", "old": True}))
    desk.send(CallData("1001", call, 1, Fields({"account": "3"}), (FieldName("old"),)))
    world.pump()
    assert world.last(desk, call).fields == Fields({"account": "3"})


def test_data_goes_into_a_hand_off_where_the_service_takes_it_from_there(world: CallExchange) -> None:
    desk, service = world.desk("1001"), world.exchange.service()
    call = world.talks()
    put(world, desk, call, 0, account="1", other="not taken")
    data = serve(world, service, hand_over(world, desk, call, reason="bill"))
    assert data.fields == Fields({"account": "1", "reason": "bill"})
    data = serve(world, service, hand_over(world, desk, call, account="of the request"))
    assert data.fields == Fields({"account": "of the request"})


def test_a_secret_is_shown_to_who_has_the_call_alone(world: CallExchange) -> None:
    desk, lead = world.desk("1001"), world.desk(identity="lead")
    lead.send(Monitor("1001"))
    world.pump()
    call = world.talks()
    put(world, desk, call, 0, pin="0000", account="1")
    assert world.last(desk, call).fields["pin"] == "0000"
    assert world.last(lead, call).fields == Fields({"pin": "***", "account": "1"})


def test_data_and_serial_are_the_same_behind_a_restart() -> None:
    store = CallStore()
    world = CallExchange(store)
    desk = world.desk("1001")
    call = world.talks()
    put(world, desk, call, 0, account="1")
    serial = world.last(desk, call).serial
    again = CallExchange(store, legs=world.board.legs.all())
    late = again.desk("1001")
    [page] = late.every(Snapshot)
    assert (page.call, page.serial, page.version, page.fields) == (call, serial, 1, Fields({"account": "1"}))
    for leg in list(again.board.legs.all()):
        again.board.hang_up(leg)
    again.pump()
    assert store.metadata_beginning("data of call ") == []


# ---------------------------------------------------------------- who may


def test_a_stranger_is_told_that_there_is_no_such_call(world: CallExchange) -> None:
    world.desk("1001")
    stranger = world.desk("2001", identity="others")
    call = world.talks()
    for action in Action:
        for agent in ("1001", "2001"):
            if (action, agent) != (Action.MAKE, "2001"):
                asked = world.ask(stranger, action, agent, call, destination="1002", value="1")
                assert asked.status == 60, action
    assert put(world, stranger, call, 0, a="b").status == 60
    for message in (Monitor("1001"), AgentState("1001", AgentStateCode.READY)):
        asked = stranger.send(message)
        world.pump()
        reply = stranger.answer(asked)
        assert isinstance(reply, (MonitorReply, AgentStateReply)) and reply.status == 5


@pytest.mark.parametrize(
    "destination", ["0900123", "+44", "1234567", "sales/x", "0301,x", "0301\r\nAction: Logoff", "${X}", "", "030" * 11]
)
def test_a_destination_that_may_not_be_dialled_is_65(world: CallExchange, destination: str) -> None:
    desk = world.desk("1001")
    call = world.talks()
    for action in (Action.MAKE, Action.CONSULT, Action.BLIND_TRANSFER, Action.ADD_PARTY):
        assert world.ask(desk, action, "1001", call, destination=destination).status == 65
    assert world.platform.orders == []


def test_outside_numbers_are_called_as_the_identity_may(world: CallExchange) -> None:
    desk = world.desk("1001")
    call = world.talks()
    assert world.ask(desk, Action.CONSULT, "1001", call, destination="0301").status == 0
    world.wait(2)
    assert world.changes(desk, call)[-2:] == ["held", "actions changed"]
