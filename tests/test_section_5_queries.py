"""Section 5.1 from outside: CallQuery lists the open hand-offs of an agent number."""

from __future__ import annotations

import pytest

from ctiex.limits import SessionLimits, Timeouts

from .wire_client import Kind
from .wire_exchange import new_number
from .wire_memory import Memory, MemoryPeer
from .wire_requests import accepted, fetched

REQUESTED, CONNECTING, CONNECTED, FETCHED = range(4)
RECORD = 1 + 8 + 1 + 5 + 1 + 1 + 8
"""A hand-off to service alpha without a reference, under a serial of 8 digits, in bytes."""


def stands(link: MemoryPeer, number: str) -> tuple[int, int]:
    """State of the only open hand-off, and when it came into that, in seconds."""
    got = link.query(number)
    assert got["status"] == 0
    (call,) = got["calls"]
    return call["state"], call["since"] / 1_000


@pytest.mark.parametrize("number", ["", "1000", "1200", "11000", "01001"])
def test_a_number_that_the_identity_may_not_act_for_is_5(memory: Memory, number: str) -> None:
    link = memory.bound_agent("small-desk")
    got = link.query(number)
    assert (got.outcome, got["calls"]) == ((Kind.CALL_QUERY_REPLY, 5), [])
    assert link.query("1001").outcome == (Kind.CALL_QUERY_REPLY, 0)


def test_a_number_without_hand_offs_has_none_and_needs_no_login(memory: Memory) -> None:
    got = memory.bound_agent().query("1001")
    assert (got["status"], got["calls"]) == (0, [])


def test_each_state_is_told_with_the_time_when_the_call_came_into_it(memory: Memory) -> None:
    number, serial = new_number(), new_number()
    agent = memory.agent(number)
    memory.advance(10)
    assert agent.connect(number, serial, reference="case 9")["status"] == 0
    (call,) = agent.query(number)["calls"]
    assert call == {"serial": serial, "service": "alpha", "reference": "case 9", "state": REQUESTED, "since": 10_000}
    memory.advance(1)
    service = memory.service()
    assert stands(agent, number) == (CONNECTING, 11)
    memory.advance(1)
    service.answer_connection()
    assert stands(agent, number) == (CONNECTED, 12)
    memory.advance(20)
    assert service.data(serial)["status"] == 0
    assert stands(agent, number) == (FETCHED, 32)


def test_what_doesnt_change_the_state_doesnt_change_the_time(memory: Memory) -> None:
    call = fetched(memory)
    memory.advance(5)
    assert call.service.data(call.serial)["status"] == 0
    assert call.service.report(call.serial, 1, 0) == 0
    assert call.agent.update(call.serial, [("area", "Bonn")]) == 0
    assert stands(call.agent, call.number) == (FETCHED, 0)


def test_an_offer_that_moves_on_after_a_fetch_is_connecting_again(memory: Memory) -> None:
    number, serial = new_number(), new_number()
    agent, first, second = memory.agent(number), memory.service(), memory.service()
    assert agent.connect(number, serial)["status"] == 0
    offered = first.wait(Kind.CONNECTION)
    assert first.data(serial)["status"] == 0
    assert stands(agent, number) == (FETCHED, 0)
    memory.advance(7)
    first.say(Kind.CONNECTION_REPLY, offered.invoke_id, status=32, detail="")
    second.wait(Kind.CONNECTION)
    assert stands(agent, number) == (CONNECTING, 7)


@pytest.mark.parametrize("end", ["result", "cancel", "time-out"])
def test_a_hand_off_that_is_over_is_not_listed(end: str) -> None:
    memory = Memory(Timeouts(service_timeout=50))
    call = fetched(memory)
    if end == "result":
        assert call.service.report(call.serial, 1) == 0
    elif end == "cancel":
        assert call.agent.cancel(call.serial) == 0
    else:
        memory.advance(50)
    assert call.agent.query(call.number)["calls"] == []


def test_the_oldest_is_first_and_only_those_of_the_number_are_there(memory: Memory) -> None:
    number, other = new_number(), new_number()
    link = memory.agent(number)
    assert link.login(other)["status"] == 0
    serials = ["9", "10", "2", "1", "03"]
    for serial in serials:
        assert link.connect(number, serial)["status"] == 0
        assert link.connect(other, "8" + serial)["status"] == 0
    assert link.cancel("2") == 0
    assert [call["serial"] for call in link.query(number)["calls"]] == ["9", "10", "1", "03"]
    assert [call["serial"] for call in memory.bound_agent().query(other)["calls"]] == ["89", "810", "82", "81", "803"]


def test_it_is_the_same_after_a_restart(memory: Memory) -> None:
    call = fetched(memory)
    memory.advance(3)
    second = new_number()
    assert call.agent.connect(call.number, second)["status"] == 0
    call.service.answer_connection()
    before = call.agent.query(call.number)
    memory.advance(3)
    memory = memory.restarted()
    after = memory.bound_agent().query(call.number)
    assert (after["status"], after["calls"]) == (0, before["calls"])
    assert [found["serial"] for found in after["calls"]] == [call.serial, second]


@pytest.mark.parametrize("more", [0, 1, 2, 17, 50])
def test_where_not_all_fit_the_status_is_35_and_as_many_of_the_first_as_fit_are_there(more: int) -> None:
    most = (1_024 - 8 - 2 - 2) // RECORD
    memory = Memory(session_limits=SessionLimits(heartbeat=30_000, login_deadline=10_000, max_frame=1_024))
    number = new_number()
    link, serials = memory.agent(number), [new_number() for _ in range(most + more)]
    for serial in serials:
        assert link.connect(number, serial)["status"] == 0
    got = link.query(number)
    assert got["status"] == (35 if more else 0)
    assert [call["serial"] for call in got["calls"]] == serials[:most]
    assert got.length == 12 + most * RECORD
    for serial in serials[most:]:
        assert link.cancel(serial) == 0
    assert link.query(number)["status"] == 0


def test_times_and_states_are_those_of_the_events(memory: Memory) -> None:
    memory.advance(1_000)
    call = accepted(memory)
    (open_call,) = call.agent.query(call.number)["calls"]
    assert (open_call["state"], open_call["since"]) == (CONNECTED, 1_000_000)
