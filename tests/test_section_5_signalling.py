"""Section 5.1 from outside: signalling by link, and how a call ends without a result."""

from __future__ import annotations

from contextlib import suppress

import pytest

from .wire_client import Kind, Message, Silent
from .wire_exchange import new_number
from .wire_memory import Memory, MemoryPeer
from .wire_requests import FIELDS, accepted, fetched, finished


def last_event(link: MemoryPeer) -> tuple[int, int]:
    """Condition and status of the first event at the end of a call."""
    while True:
        got = link.event()
        if got["condition"] not in (10, 11, 12):
            return got["condition"], got["status"]


# Signalling by link


def wait_offer(*links: MemoryPeer) -> tuple[MemoryPeer, Message]:
    """Who gets the next Connection."""
    for link in links:
        with suppress(Silent):
            return link, link.wait(Kind.CONNECTION)
    raise AssertionError("nobody gets it")


def test_a_call_that_moved_on_to_another_identity_is_not_the_first_ones_any_more(memory: Memory) -> None:
    number, serial = new_number(), new_number()
    agent, first, second = memory.agent(number), memory.service(), memory.service("other-ivr")
    assert agent.connect(number, serial, "shared")["status"] == 0
    refusing, offered = wait_offer(first, second)
    refusing.say(Kind.CONNECTION_REPLY, offered.invoke_id, status=14, detail="")
    other = second if refusing is first else first
    other.answer_connection()
    assert refusing.data(serial)["status"] == 20
    assert other.data(serial)["status"] == 0


@pytest.mark.parametrize("status", [1, 14, 32, 999])
def test_a_refused_connection_is_offered_to_the_next_session_in_turn(memory: Memory, status: int) -> None:
    number, serial = new_number(), new_number()
    agent, first, second = memory.agent(number), memory.service(), memory.service()
    assert agent.connect(number, serial)["status"] == 0
    refusing, offered = wait_offer(first, second)
    other = second if refusing is first else first
    assert other.taken() == [], "one session at a time"
    refusing.say(Kind.CONNECTION_REPLY, offered.invoke_id, status=status, detail="no")
    assert other.answer_connection().values == offered.values
    assert agent.conditions(2) == [10, 11]
    assert other.data(serial)["status"] == 0


def test_a_connection_moves_on_when_its_session_dies(memory: Memory) -> None:
    number, serial = new_number(), new_number()
    agent, first, second = memory.agent(number), memory.service(), memory.service()
    assert agent.connect(number, serial)["status"] == 0
    dying, _ = wait_offer(first, second)
    dying.close()
    other = second if dying is first else first
    other.answer_connection()
    assert agent.conditions(2) == [10, 11]


def test_calls_go_to_the_sessions_in_turn(memory: Memory) -> None:
    number = new_number()
    agent, links = memory.agent(number), [memory.service(), memory.service(), memory.service()]
    seen = []
    for _ in range(3):
        assert agent.connect(number, new_number())["status"] == 0
        taker, offered = wait_offer(*links)
        taker.say(Kind.CONNECTION_REPLY, offered.invoke_id, status=0, detail="")
        seen.append(links.index(taker))
    assert sorted(seen) == [0, 1, 2]


def test_refused_by_every_session_is_14_with_32_once_the_grace_is_over(memory: Memory) -> None:
    number = new_number()
    agent, links = memory.agent(number), [memory.service(), memory.service()]
    assert agent.connect(number, "")["status"] == 0
    for _ in links:
        link, offered = wait_offer(*links)
        link.say(Kind.CONNECTION_REPLY, offered.invoke_id, status=14, detail="")
    memory.advance(3)
    assert last_event(agent) == (14, 32)
    assert [link.taken() for link in links] == [[], []], "who refused has no call that could end"


def test_a_session_that_never_answers_is_14_with_33_and_is_told(memory: Memory) -> None:
    number, serial = new_number(), new_number()
    agent, service = memory.agent(number), memory.service()
    assert agent.connect(number, serial)["status"] == 0
    offered = service.wait(Kind.CONNECTION)
    memory.advance(30)
    assert last_event(agent) == (14, 33)
    assert service.answer_end() == (serial, 14)
    service.say(Kind.CONNECTION_REPLY, offered.invoke_id, status=0, detail="")
    assert service.data(serial)["status"] == 20
    assert service.report(serial, 1) == 24


# Ends


def test_data_that_is_not_fetched_in_time_is_15_with_33(memory: Memory) -> None:
    call = accepted(memory)
    memory.advance(120)
    assert last_event(call.agent) == (15, 33)
    assert call.service.answer_end() == (call.serial, 15)
    assert call.service.data(call.serial)["status"] == 20


def test_a_result_that_does_not_come_in_time_is_15_with_33(memory: Memory) -> None:
    call = fetched(memory)
    memory.advance(3_600, step=60)
    assert last_event(call.agent) == (15, 33)
    assert call.service.answer_end() == (call.serial, 15)
    assert call.service.report(call.serial, 1) == 24


def test_cancel_is_heard_by_the_agent_and_by_the_service(memory: Memory) -> None:
    call = fetched(memory)
    assert call.agent.cancel(call.serial) == 0
    got = call.agent.event()
    assert (got["condition"], got["serial"]) == (16, call.serial)
    assert call.service.answer_end() == (call.serial, 16)
    assert call.agent.cancel(call.serial) == 24
    assert call.service.report(call.serial, 1) == 24
    assert call.service.data(call.serial)["status"] == 20
    assert call.agent.connect(call.number, call.serial, fields=FIELDS)["status"] == 24
    memory.advance(600, step=60)
    assert call.agent.cancel(call.serial) == 20


def test_cancel_after_a_final_result_is_24_and_the_service_hears_nothing(memory: Memory) -> None:
    call = finished(memory)
    assert call.agent.cancel(call.serial) == 24
    assert call.service.taken() == call.agent.taken() == []


def test_any_link_that_may_act_for_the_agent_may_cancel_and_no_other(memory: Memory) -> None:
    call = fetched(memory)
    assert memory.bound_agent("small-desk").cancel(call.serial) == 20
    assert memory.bound_agent().cancel(call.serial) == 0
    assert call.agent.event()["condition"] == 16, "the agent hears it"
    assert memory.bound_agent("small-desk").cancel(call.serial) == 20
