"""Section 5.1 from outside: neither a DataRequest nor progress is acceptance, so neither ends signalling."""

from __future__ import annotations

from ctiex.limits import Timeouts

from .wire_client import Kind
from .wire_exchange import new_number
from .wire_memory import Memory, MemoryPeer

TIMES = Timeouts(signalling_timeout=10, fetch_timeout=50, service_timeout=100, rebind_grace=5)


def offered(memory: Memory) -> tuple[MemoryPeer, MemoryPeer, str, int]:
    """An agent, a service that has got the Connection, the serial, and its invoke id."""
    service = memory.service()
    number, serial = new_number(), new_number()
    agent = memory.agent(number)
    assert agent.connect(number, serial, "alpha")["status"] == 0
    return agent, service, serial, service.wait(Kind.CONNECTION).invoke_id


def told(agent: MemoryPeer) -> list[tuple[int, int]]:
    return [(got["condition"], got["status"]) for got in agent.taken() if got.kind is Kind.AGENT_EVENT]


def test_a_service_that_fetches_and_never_accepts_is_given_up_at_the_signalling_timeout() -> None:
    memory = Memory(TIMES)
    agent, service, serial, _ = offered(memory)
    assert service.data(serial)["status"] == 0
    memory.advance(9.75)
    assert told(agent) == [(10, 0), (12, 0)]
    memory.advance(0.5)
    assert told(agent) == [(14, 33)]
    assert service.answer_end() == (serial, 14)


def test_progress_makes_no_difference() -> None:
    memory = Memory(TIMES)
    agent, service, serial, _ = offered(memory)
    assert service.data(serial)["status"] == 0
    assert service.report(serial, 1, condition=0) == 0
    memory.advance(10.25)
    assert told(agent)[-1] == (14, 33)


def test_nor_do_sessions_that_fetch_and_die_one_after_the_other() -> None:
    memory = Memory(TIMES)
    agent, service, serial, _ = offered(memory)
    for _ in range(4):
        assert service.data(serial)["status"] == 0
        memory.advance(2)
        service.close()
        service = memory.service()
        service.wait(Kind.CONNECTION)
    assert (14, 33) not in told(agent)
    memory.advance(2.25)
    assert told(agent) == [(14, 33)]


def test_an_answer_that_comes_too_late_changes_nothing() -> None:
    memory = Memory(TIMES)
    agent, service, serial, invoke_id = offered(memory)
    service.data(serial)
    memory.advance(10.25)
    service.say(Kind.CONNECTION_REPLY, invoke_id, status=0, detail="")
    memory.advance(1)
    assert told(agent) == [(10, 0), (12, 0), (14, 33)]


def test_from_the_acceptance_on_the_service_has_its_whole_time() -> None:
    memory = Memory(TIMES)
    agent, service, serial, invoke_id = offered(memory)
    service.data(serial)
    memory.advance(9)
    service.say(Kind.CONNECTION_REPLY, invoke_id, status=0, detail="")
    memory.advance(99)
    assert told(agent) == [(10, 0), (12, 0), (11, 0)]
    memory.advance(1.25)
    assert told(agent) == [(15, 33)]


def test_a_final_report_needs_no_acceptance() -> None:
    memory = Memory(TIMES)
    agent, service, serial, _ = offered(memory)
    assert service.report(serial, 1, condition=1) == 0
    memory.advance(200)
    assert told(agent) == [(10, 0), (1, 0)]
