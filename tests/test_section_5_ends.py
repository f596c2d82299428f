"""Section 5.1 from outside: CallEnded tells a service that its call is over, until one session has answered."""

from __future__ import annotations

import pytest

from ctiex.limits import Timeouts

from .wire_client import Kind, frame
from .wire_exchange import new_number
from .wire_memory import Memory, MemoryPeer
from .wire_requests import Call, accepted, fetched, finished, requested

ENDED = Kind.CALL_ENDED


def cancelled(call: Call[MemoryPeer]) -> Call[MemoryPeer]:
    assert call.agent.cancel(call.serial) == 0
    return call


def away(memory: Memory) -> Call[MemoryPeer]:
    """A call that was cancelled while its service was away."""
    call = fetched(memory)
    call.service.close()
    return cancelled(call)


# ---------------------------------------------------------------- to whom


def test_the_session_that_accepted_hears_it_at_once_and_nobody_else(memory: Memory) -> None:
    call = fetched(memory)
    others = [memory.service(), memory.service("other-ivr")]
    cancelled(call)
    assert call.service.answer_end() == (call.serial, 16)
    assert [link.taken() for link in (call.service, *others, memory.service())] == [[], [], [], []]


def test_else_the_one_that_it_was_offered_to_last(memory: Memory) -> None:
    number, serial = new_number(), new_number()
    agent, first, second = memory.agent(number), memory.service(), memory.service()
    assert agent.connect(number, serial)["status"] == 0
    first.answer_connection(32)
    second.wait(Kind.CONNECTION)
    assert agent.cancel(serial) == 0
    assert second.answer_end() == (serial, 16)
    assert first.taken() == second.taken() == []


def test_else_another_session_of_the_identity_that_is_bound(memory: Memory) -> None:
    call = fetched(memory)
    other, stranger = memory.service(), memory.service("other-ivr")
    call.service.close()
    cancelled(call)
    assert other.answer_end() == (call.serial, 16)
    assert stranger.taken() == memory.service().taken() == []


def test_else_the_next_that_binds(memory: Memory) -> None:
    call = away(memory)
    assert memory.service("other-ivr").taken() == []
    memory.advance(300)
    service = memory.service()
    assert service.answer_end() == (call.serial, 16)
    assert memory.service().taken() == service.taken() == []


def test_it_needs_no_feature(memory: Memory) -> None:
    for features in ("", "updates"):
        call = cancelled(fetched(memory, features=features))
        assert call.service.answer_end() == (call.serial, 16)


# ---------------------------------------------------------------- until it is answered


def test_each_that_binds_hears_it_until_one_has_answered(memory: Memory) -> None:
    call = cancelled(fetched(memory))
    service = call.service
    for _ in range(4):
        assert service.gets(ENDED) == [(ENDED, call.serial)]
        service.close()
        service = memory.service()
    assert service.answer_end() == (call.serial, 16)
    assert memory.service().taken() == []


def test_an_error_about_it_is_an_answer(memory: Memory) -> None:
    call = away(memory)
    service = memory.service()
    told = service.wait(ENDED)
    service.say(Kind.ERROR, told.invoke_id, status=20, about=ENDED, detail="I know nothing of it")
    service.close()
    assert memory.service().taken() == []
    assert call.agent.event()["condition"] == 16


def test_a_malformed_reply_is_an_answer(memory: Memory) -> None:
    away(memory)
    service = memory.service()
    service.send(frame(Kind.CALL_ENDED_REPLY, b"\x00", service.wait(ENDED).invoke_id))
    got = service.read()
    assert (got.outcome, got["about"]) == ((Kind.ERROR, 1), Kind.CALL_ENDED_REPLY)
    service.close()
    assert memory.service().taken() == []


@pytest.mark.parametrize("about", [0, Kind.CALL_ENDED_REPLY, Kind.CONNECTION, Kind.DATA_RESULT])
def test_an_error_about_something_else_is_none(memory: Memory, about: int) -> None:
    call = away(memory)
    service = memory.service()
    service.say(Kind.ERROR, service.wait(ENDED).invoke_id, status=1, about=about, detail="")
    service.say(Kind.PONG, 1)
    service.close()
    assert memory.service().gets() == [(ENDED, call.serial)]


def test_it_is_told_after_a_restart_too(memory: Memory) -> None:
    call = away(memory)
    memory = memory.restarted()
    service = memory.service()
    assert service.answer_end() == (call.serial, 16)
    memory = memory.restarted()
    assert memory.service().taken() == []


def test_it_is_told_while_the_record_is_kept_and_no_longer() -> None:
    memory = Memory(Timeouts(keep_closed=50))
    call = away(memory)
    memory.advance(49)
    service = memory.service()
    assert service.gets() == [(ENDED, call.serial)]
    service.close()
    memory.advance(2)
    assert memory.service().taken() == []


def test_all_calls_that_ended_meanwhile_are_told(memory: Memory) -> None:
    call = accepted(memory)
    serials = [call.serial]
    for _ in range(9):
        serials.append(new_number())
        assert call.agent.connect(call.number, serials[-1])["status"] == 0
        call.service.answer_connection()
    call.service.close()
    for serial in serials:
        assert call.agent.cancel(serial) == 0
    service = memory.service()
    assert sorted(service.answer_end() for _ in serials) == [(serial, 16) for serial in sorted(serials)]
    assert service.taken() == []


# ---------------------------------------------------------------- what it says


@pytest.mark.parametrize(
    ("state", "seconds", "condition"), [("offered", 30, 14), ("accepted", 20, 15), ("fetched", 40, 15)]
)
def test_it_says_what_the_agent_was_told(state: str, seconds: int, condition: int) -> None:
    memory = Memory(Timeouts(signalling_timeout=30, fetch_timeout=20, service_timeout=40))
    call = {"offered": requested, "accepted": accepted, "fetched": fetched}[state](memory)
    memory.advance(seconds)
    assert (Kind.AGENT_EVENT, condition, 33) in {
        (got.kind, got["condition"], got["status"]) for got in call.agent.taken()
    }
    if state == "offered":
        call.service.wait(Kind.CONNECTION)
    assert call.service.answer_end() == (call.serial, condition)
    assert call.service.taken() == []


def test_a_session_that_died_before_it_answered_hears_14_when_it_comes_back(memory: Memory) -> None:
    call = requested(memory)
    call.service.close()
    memory.advance(3)
    assert [(got["condition"], got["status"]) for got in call.agent.taken()] == [(10, 0), (14, 33)]
    assert memory.service().answer_end() == (call.serial, 14)


# ---------------------------------------------------------------- and when not


def test_a_call_that_was_never_offered_is_told_to_nobody(memory: Memory) -> None:
    number, serial = new_number(), new_number()
    agent = memory.agent(number)
    assert agent.connect(number, serial)["status"] == 0
    assert agent.cancel(serial) == 0
    assert memory.service().taken() == []


@pytest.mark.parametrize("by_error", [False, True])
def test_who_refused_last_hears_nothing(memory: Memory, by_error: bool) -> None:
    call = requested(memory)
    offered = call.service.wait(Kind.CONNECTION)
    if by_error:
        call.service.say(Kind.ERROR, offered.invoke_id, status=51, about=Kind.CONNECTION, detail="")
    else:
        call.service.say(Kind.CONNECTION_REPLY, offered.invoke_id, status=14, detail="")
    memory.advance(3)
    assert [got["condition"] for got in call.agent.taken()] == [10, 14]
    assert call.service.taken() == memory.service().taken() == []


def test_nor_where_it_is_cancelled_while_another_session_is_awaited(memory: Memory) -> None:
    call = requested(memory)
    call.service.answer_connection(32)
    cancelled(call)
    assert call.service.taken() == memory.service().taken() == []


def test_nor_where_it_ends_behind_a_restart(memory: Memory) -> None:
    call = requested(memory)
    call.service.answer_connection(32)
    memory = memory.restarted()
    agent = memory.agent(call.number)
    assert agent.cancel(call.serial) == 0
    assert memory.service().taken() == []


def test_who_refused_and_was_asked_again_behind_a_restart_hears_it(memory: Memory) -> None:
    call = requested(memory)
    call.service.answer_connection(32)
    memory = memory.restarted()
    agent, service = memory.agent(call.number), memory.service()
    memory.advance(0.5)
    service.wait(Kind.CONNECTION)
    assert agent.cancel(call.serial) == 0
    assert service.answer_end() == (call.serial, 16)


@pytest.mark.parametrize("restarted", [True, False])
def test_a_fetch_behind_a_refusal_is_a_word(memory: Memory, restarted: bool) -> None:
    call = requested(memory)
    assert call.service.data(call.serial)["status"] == 0
    call.service.answer_connection(32)
    assert call.service.data(call.serial)["status"] == 0
    if restarted:
        memory = memory.restarted()
    agent = memory.agent(call.number)
    assert agent.cancel(call.serial) == 0
    service = memory.service() if restarted else call.service
    assert service.answer_end() == (call.serial, 16)


def test_who_refused_hears_nothing_where_another_identity_had_it_then(memory: Memory) -> None:
    number, serial = new_number(), new_number()
    agent, first = memory.agent(number), memory.service()
    assert agent.connect(number, serial, "shared")["status"] == 0
    second = memory.service("other-ivr")
    first.answer_connection(32)
    second.answer_connection()
    assert agent.cancel(serial) == 0
    assert second.answer_end() == (serial, 16)
    assert first.taken() == memory.service().taken() == []


def test_who_had_it_hears_it_where_the_identity_refused_once_and_was_asked_again(memory: Memory) -> None:
    number, serial = new_number(), new_number()
    agent, first, second = memory.agent(number), memory.service(), memory.service()
    assert agent.connect(number, serial)["status"] == 0
    first.answer_connection(32)
    second.wait(Kind.CONNECTION)
    second.close()
    memory.advance(3)
    assert [(got["condition"], got["status"]) for got in agent.taken()] == [(10, 0), (14, 33)]
    assert first.gets() == [(ENDED, serial)], "its last word was none"


@pytest.mark.parametrize("is_there", [True, False])
def test_nothing_is_told_after_a_final_result(memory: Memory, is_there: bool) -> None:
    call = finished(memory)
    if not is_there:
        call.service.close()
    assert call.agent.cancel(call.serial) == 24
    memory.advance(100)
    assert memory.service().taken() == []
    if is_there:
        assert call.service.taken() == []


def test_progress_is_no_result(memory: Memory) -> None:
    call = fetched(memory)
    assert call.service.report(call.serial, 1, 0) == 0
    cancelled(call)
    assert call.service.answer_end() == (call.serial, 16)
