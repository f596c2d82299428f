"""Section 5.1 from outside: how long an offer waits for a session where none is left to try."""

from __future__ import annotations

import pytest

from ctiex.limits import Timeouts

from .wire_client import Kind
from .wire_exchange import new_number
from .wire_memory import Memory, MemoryPeer
from .wire_requests import fetched

STEP = 0.25
Ends = list[tuple[int, int]]


def asked_for(memory: Memory, service: str = "alpha") -> tuple[MemoryPeer, str]:
    """An agent whose call was just asked for, and its serial."""
    number, serial = new_number(), new_number()
    agent = memory.agent(number)
    assert agent.connect(number, serial, service)["status"] == 0
    assert agent.event()["condition"] == 10, "whether a session is there or not"
    return agent, serial


def told(agent: MemoryPeer) -> Ends:
    return [(got["condition"], got["status"]) for got in agent.taken()]


def told_after(memory: Memory, agent: MemoryPeer, seconds: float) -> Ends:
    """What the agent hears when exactly so much time has gone by, and that it hears nothing before."""
    memory.advance(seconds - STEP, STEP)
    assert told(agent) == []
    memory.advance(STEP)
    return told(agent)


def is_offered(service: MemoryPeer, serial: str) -> bool:
    """Whether it has got a Connection for this call; which is accepted."""
    got = [each for each in service.taken() if each.kind is Kind.CONNECTION]
    for each in got:
        assert each["calling_number"] == f"555**{serial}"
        service.say(Kind.CONNECTION_REPLY, each.invoke_id, status=0, detail="")
    return bool(got)


def refuses(memory: Memory, identity: str = "ivr") -> MemoryPeer:
    """A session that binds and refuses the Connection that it gets."""
    service = memory.service(identity)
    service.answer_connection(32)
    return service


def dies(memory: Memory) -> None:
    service = memory.service()
    service.wait(Kind.CONNECTION)
    service.close()


# ---------------------------------------------------------------- 3 seconds, unless said otherwise


def test_where_none_is_bound_at_the_start_it_is_14_with_31_after_3_seconds(memory: Memory) -> None:
    agent, _ = asked_for(memory)
    assert told_after(memory, agent, 3) == [(14, 31)]


def test_a_session_that_binds_before_is_tried(memory: Memory) -> None:
    agent, serial = asked_for(memory)
    memory.advance(2.75, STEP)
    assert is_offered(memory.service(), serial)
    assert told(agent) == [(11, 0)]
    memory.advance(10)
    assert told(agent) == []


def test_a_session_that_binds_later_is_not(memory: Memory) -> None:
    agent, _ = asked_for(memory)
    memory.advance(3)
    assert memory.service().taken() == []
    assert told(agent) == [(14, 31)]


def test_a_session_that_doesnt_serve_the_service_is_not(memory: Memory) -> None:
    agent, _ = asked_for(memory)
    memory.advance(1)
    assert memory.service("other-ivr").taken() == []
    assert told_after(memory, agent, 2) == [(14, 31)]


def test_a_service_that_restarts_doesnt_lose_the_call_that_it_was_offered(memory: Memory) -> None:
    service = memory.service()
    agent, serial = asked_for(memory)
    service.wait(Kind.CONNECTION)
    service.close()
    memory.advance(1)
    assert is_offered(memory.service(), serial)
    assert told(agent) == [(11, 0)]


def test_after_the_death_of_the_last_one_it_is_14_with_33_after_3_seconds(memory: Memory) -> None:
    service = memory.service()
    agent, _ = asked_for(memory)
    memory.advance(5)
    service.close()
    assert told_after(memory, agent, 3) == [(14, 33)]


def test_after_a_refusal_it_is_14_with_32_after_3_seconds_and_who_refused_isnt_asked_again(memory: Memory) -> None:
    service = memory.service()
    agent, _ = asked_for(memory)
    service.answer_connection(32)
    assert told_after(memory, agent, 3) == [(14, 32)]
    assert service.taken() == []


def test_after_a_refusal_one_that_binds_is_tried_too(memory: Memory) -> None:
    service = memory.service()
    agent, serial = asked_for(memory)
    service.answer_connection(32)
    memory.advance(2.75, STEP)
    assert is_offered(memory.service(), serial)
    assert (told(agent), service.taken()) == ([(11, 0)], [])


def test_the_status_is_that_of_the_last_one_tried(memory: Memory) -> None:
    service = memory.service()
    agent, _ = asked_for(memory)
    service.answer_connection(32)
    memory.advance(1)
    dies(memory)
    assert told_after(memory, agent, 3) == [(14, 33)]
    service.close()
    agent, _ = asked_for(memory)
    dies(memory)
    refuses(memory)
    assert told_after(memory, agent, 3) == [(14, 32)]


def test_one_that_was_fetched_and_never_accepted_waits_as_well(memory: Memory) -> None:
    service = memory.service()
    agent, serial = asked_for(memory)
    assert service.data(serial)["status"] == 0
    assert service.report(serial, 1, 0) == 0
    service.close()
    memory.advance(2)
    assert is_offered(memory.service(), serial)
    assert told(agent) == [(12, 0), (0, 0), (11, 0)]


# ---------------------------------------------------------------- 0, and other times


def test_with_0_the_end_comes_at_once() -> None:
    memory = Memory(Timeouts(rebind_grace=0))
    agent, _ = asked_for(memory)
    assert told(agent) == [(14, 31)]
    service = memory.service()
    agent, _ = asked_for(memory)
    service.answer_connection(32)
    assert told(agent) == [(14, 32)]
    agent, _ = asked_for(memory)
    service.close()
    assert told(agent) == [(14, 33)]


@pytest.mark.parametrize("grace", [0.5, 1, 10.25])
def test_it_is_as_long_as_is_configured(grace: float) -> None:
    memory = Memory(Timeouts(rebind_grace=grace))
    agent, _ = asked_for(memory)
    assert told_after(memory, agent, grace) == [(14, 31)]


def test_it_counts_anew_each_time_that_none_is_left(memory: Memory) -> None:
    agent, serial = asked_for(memory)
    for _ in range(3):
        memory.advance(2.75, STEP)
        refuses(memory).close()
        memory.advance(2.75, STEP)
        dies(memory)
        assert told(agent) == []
    memory.advance(2.75, STEP)
    assert is_offered(memory.service(), serial)
    assert told(agent) == [(11, 0)]


def test_and_its_end_is_3_seconds_after_the_last_time(memory: Memory) -> None:
    agent, _ = asked_for(memory)
    memory.advance(2)
    refuses(memory)
    memory.advance(2)
    refuses(memory)
    assert told_after(memory, agent, 3) == [(14, 32)]


@pytest.mark.parametrize(("last", "status"), [("none", 31), ("refuses", 32), ("dies", 33)])
def test_it_never_goes_beyond_the_signalling_time_out(last: str, status: int) -> None:
    memory = Memory(Timeouts(signalling_timeout=4, rebind_grace=3))
    agent, _ = asked_for(memory)
    if last == "none":
        memory = Memory(Timeouts(signalling_timeout=4, rebind_grace=60))
        agent, _ = asked_for(memory)
        assert told_after(memory, agent, 4) == [(14, status)]
        return
    memory.advance(2)
    refuses(memory) if last == "refuses" else dies(memory)
    assert told_after(memory, agent, 2) == [(14, status)], "and not 3 seconds later"
    memory.advance(10)
    assert told(agent) == []


def test_one_that_binds_in_time_has_until_the_time_out_to_answer() -> None:
    memory = Memory(Timeouts(signalling_timeout=10))
    agent, serial = asked_for(memory)
    memory.advance(2)
    service = memory.service()
    service.wait(Kind.CONNECTION)
    assert told_after(memory, agent, 8) == [(14, 33)]
    assert service.answer_end() == (serial, 14)


# ---------------------------------------------------------------- what else happens meanwhile


def test_a_call_that_is_cancelled_meanwhile_is_offered_to_nobody(memory: Memory) -> None:
    agent, serial = asked_for(memory)
    memory.advance(1)
    assert agent.cancel(serial) == 0
    assert memory.service().taken() == []
    memory.advance(10)
    assert told(agent) == [(16, 0)]


def test_a_repeat_meanwhile_is_0_and_changes_nothing(memory: Memory) -> None:
    agent, serial = asked_for(memory)
    memory.advance(2)
    assert agent.connect(memory.store.get(serial).agent, serial)["status"] == 0  # type: ignore[union-attr]
    assert told_after(memory, agent, 1) == [(14, 31)]


def test_all_that_wait_are_offered_to_the_one_that_binds(memory: Memory) -> None:
    asked = [asked_for(memory) for _ in range(5)]
    memory.advance(1)
    service = memory.service()
    numbers = [got["calling_number"] for got in service.taken()]
    assert numbers == [f"555**{serial}" for _, serial in asked], "the oldest first"


def test_who_serves_the_service_alone_is_tried_of_those_that_bind(memory: Memory) -> None:
    agent, serial = asked_for(memory, "shared")
    memory.advance(1)
    refuses(memory, "other-ivr")
    memory.advance(1)
    assert is_offered(memory.service(), serial)
    assert told(agent) == [(11, 0)]


# ---------------------------------------------------------------- after a restart


def test_after_a_restart_it_is_offered_to_one_that_binds_within_the_time_out(memory: Memory) -> None:
    service = memory.service()
    agent, serial = asked_for(memory)
    service.wait(Kind.CONNECTION)
    memory.advance(20)
    memory = memory.restarted()
    memory.advance(29)
    service = memory.service()
    memory.advance(0.5)
    assert is_offered(service, serial)
    agent = memory.agent(memory.store.get(serial).agent)  # type: ignore[union-attr]
    assert [got["condition"] for got in agent.taken()] == [10], "11 while the agent was away, and no second 10"


def test_else_it_is_14_with_31_then(memory: Memory) -> None:
    agent, serial = asked_for(memory)
    number = memory.store.get(serial).agent  # type: ignore[union-attr]
    memory.advance(2)
    memory = memory.restarted()
    agent = memory.agent(number)
    assert told(agent) == [(10, 0)]
    assert told_after(memory, agent, 30) == [(14, 31)]


def test_after_a_restart_and_a_refusal_it_waits_as_ever(memory: Memory) -> None:
    agent, serial = asked_for(memory)
    number = memory.store.get(serial).agent  # type: ignore[union-attr]
    memory = memory.restarted()
    agent = memory.agent(number)
    assert told(agent) == [(10, 0)]
    memory.advance(10)
    service = memory.service()
    memory.advance(0.5)
    service.answer_connection(32)
    assert told_after(memory, agent, 3) == [(14, 32)]


def test_a_call_that_went_on_goes_on_after_a_restart(memory: Memory) -> None:
    call = fetched(memory)
    memory = memory.restarted()
    service = memory.service()
    memory.advance(5)
    assert service.taken() == []
    assert service.data(call.serial)["status"] == 0
    assert service.report(call.serial, 1) == 40
