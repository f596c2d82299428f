"""Section 5.1 from outside: DataChanged tells a service that has fetched a call's data that it is another now."""

from __future__ import annotations

import pytest

from ctiex.limits import Timeouts
from ctiex.testing.fakes import WaitingStore

from .wire_client import Kind
from .wire_exchange import new_number
from .wire_memory import Memory, MemoryPeer
from .wire_requests import Call, fetched

CHANGED, ENDED = Kind.DATA_CHANGED, Kind.CALL_ENDED


def correct(call: Call[MemoryPeer], area: str = "Bonn") -> None:
    assert call.agent.update(call.serial, [("area", area)]) == 0


def with_updates(memory: Memory) -> Call[MemoryPeer]:
    """A call that was fetched over a session with the feature."""
    return fetched(memory, features="updates")


def area(service: MemoryPeer, serial: str) -> str:
    return str(dict(service.data(serial)["fields"])["area"])


# ---------------------------------------------------------------- which session


def test_the_session_that_accepted_gets_it_and_fetches_again(memory: Memory) -> None:
    call = with_updates(memory)
    earlier, later = memory.service(features="updates"), memory.service(features="updates")
    correct(call)
    assert call.service.answer_change() == call.serial
    assert area(call.service, call.serial) == "Bonn"
    memory.advance(100)
    assert call.service.taken() == earlier.taken() == later.taken() == [], "once is enough"


@pytest.mark.parametrize("features", ["", "calls"])
def test_a_session_without_the_feature_never_gets_it(memory: Memory, features: str) -> None:
    call = fetched(memory, features=features)
    correct(call)
    memory.advance(100)
    assert call.service.taken() == []


def test_another_session_gets_it_where_the_one_that_accepted_lacks_the_feature(memory: Memory) -> None:
    call = fetched(memory)
    other, stranger = memory.service(features="updates"), memory.service("other-ivr", features="updates")
    correct(call)
    assert other.gets() == [(CHANGED, call.serial)]
    assert call.service.taken() == stranger.taken() == []


def test_else_the_next_that_binds_with_it(memory: Memory) -> None:
    call = fetched(memory)
    correct(call)
    plain, stranger = memory.service(), memory.service("other-ivr", features="updates")
    first = memory.service(features="updates")
    assert first.answer_change() == call.serial
    second = memory.service(features="updates")
    assert [link.taken() for link in (call.service, plain, stranger, second)] == [[], [], [], []]


def test_the_one_that_it_was_offered_to_last_gets_it_before_it_has_accepted(memory: Memory) -> None:
    number, serial = new_number(), new_number()
    agent, first, second = memory.agent(number), memory.service(features="updates"), memory.service(features="updates")
    assert agent.connect(number, serial, fields=[("area", "Köln")])["status"] == 0
    first.answer_connection(32)
    second.wait(Kind.CONNECTION)
    assert area(first, serial) == "Köln", "the other session of the identity has fetched it"
    assert agent.update(serial, [("area", "Bonn")]) == 0
    assert second.answer_change() == serial
    assert first.taken() == []


# ---------------------------------------------------------------- when, and when not


def test_a_service_that_hasnt_fetched_gets_none(memory: Memory) -> None:
    number, serial = new_number(), new_number()
    agent, service = memory.agent(number), memory.service(features="updates")
    assert agent.connect(number, serial)["status"] == 0
    service.answer_connection()
    assert agent.update(serial, [("area", "Bonn")]) == 0
    memory.advance(10)
    assert service.taken() == []
    assert area(service, serial) == "Bonn"
    assert service.taken() == []


def quick_store() -> tuple[Memory, WaitingStore]:
    """An exchange whose store may be told to take its time."""
    store = WaitingStore()
    store.waits = False
    return Memory(store=store), store


def test_a_service_whose_fetch_was_under_way_gets_it() -> None:
    memory, store = quick_store()
    number, serial = new_number(), new_number()
    agent, service = memory.agent(number), memory.service(features="updates")
    assert agent.connect(number, serial, fields=[("area", "Köln")])["status"] == 0
    service.answer_connection()
    store.waits = True
    assert area(service, serial) == "Köln"
    agent.say(Kind.UPDATE_REQUEST, 70, serial=serial, fields=[("area", "Bonn")])
    assert service.taken() == [], "the update isn't kept yet"
    while store.waiting:
        store.fire()
    assert agent.wait(Kind.UPDATE_REPLY).outcome == (Kind.UPDATE_REPLY, 0)
    assert service.answer_change() == serial
    while store.waiting:
        store.fire()
    assert area(service, serial) == "Bonn"


def test_it_goes_out_only_once_the_update_is_kept() -> None:
    memory, store = quick_store()
    call = with_updates(memory)
    store.waits = True
    call.agent.say(Kind.UPDATE_REQUEST, 70, serial=call.serial, fields=[("area", "Bonn")])
    assert call.service.taken() == []
    store.fail()
    assert call.agent.wait(Kind.UPDATE_REPLY)["status"] == 50
    store.waits = False
    memory.advance(60)
    assert call.service.taken() == []
    assert area(call.service, call.serial) == "Köln"


def test_one_at_a_time_and_once_more_for_what_has_changed_meanwhile(memory: Memory) -> None:
    call = with_updates(memory)
    correct(call, "one")
    told = call.service.wait(CHANGED)
    for new in ("two", "three", "four"):
        correct(call, new)
    memory.advance(10)
    assert call.service.taken() == []
    call.service.say(Kind.DATA_CHANGED_REPLY, told.invoke_id)
    assert call.service.answer_change() == call.serial
    assert area(call.service, call.serial) == "four"
    memory.advance(10)
    assert call.service.taken() == []
    correct(call, "five")
    assert call.service.answer_change() == call.serial


def test_an_error_about_it_is_an_answer_too(memory: Memory) -> None:
    call = with_updates(memory)
    correct(call)
    told = call.service.wait(CHANGED)
    call.service.say(Kind.ERROR, told.invoke_id, status=2, about=CHANGED, detail="")
    call.service.close()
    assert memory.service(features="updates").taken() == []


def test_a_session_that_ends_without_an_answer_leaves_it_to_another_or_the_next_that_binds(memory: Memory) -> None:
    call = with_updates(memory)
    correct(call)
    call.service.wait(CHANGED)
    call.service.close()
    next_one = memory.service(features="updates")
    assert next_one.gets() == [(CHANGED, call.serial)]
    next_one.close()
    last = memory.service(features="updates")
    assert last.answer_change() == call.serial
    assert area(last, call.serial) == "Bonn"


def test_it_is_told_at_the_next_bind_after_a_restart_too(memory: Memory) -> None:
    call = with_updates(memory)
    call.service.close()
    correct(call)
    memory = memory.restarted()
    assert memory.service().taken() == []
    service = memory.service(features="updates")
    assert service.answer_change() == call.serial
    memory = memory.restarted()
    assert memory.service(features="updates").taken() == []


def test_calls_of_one_service_are_told_apart(memory: Memory) -> None:
    first = with_updates(memory)
    second = new_number()
    assert first.agent.connect(first.number, second)["status"] == 0
    first.service.answer_connection()
    assert first.service.data(second)["status"] == 0
    for serial in (first.serial, second):
        assert first.agent.update(serial, [("area", "Bonn")]) == 0
    assert first.service.gets() == [(CHANGED, first.serial), (CHANGED, second)]


# ---------------------------------------------------------------- and the call's end


def test_nothing_of_a_change_is_told_once_the_call_is_over(memory: Memory) -> None:
    call = with_updates(memory)
    call.service.close()
    correct(call)
    assert call.agent.cancel(call.serial) == 0
    service = memory.service(features="updates")
    assert service.answer_end() == (call.serial, 16)
    assert service.taken() == memory.service(features="updates").taken() == []


def test_nothing_of_a_change_is_told_once_it_has_reported(memory: Memory) -> None:
    call = with_updates(memory)
    call.service.close()
    correct(call)
    plain = memory.service()
    assert plain.report(call.serial, 1) == 0
    assert memory.service(features="updates").taken() == plain.taken() == []


def test_an_end_is_told_at_once_also_while_a_change_is_not_answered(memory: Memory) -> None:
    call = with_updates(memory)
    correct(call)
    change = call.service.wait(CHANGED)
    assert call.agent.cancel(call.serial) == 0
    end = call.service.wait(ENDED)
    assert (end["serial"], end["condition"]) == (call.serial, 16)
    call.service.say(Kind.DATA_CHANGED_REPLY, change.invoke_id)
    memory.advance(10)
    assert call.service.taken() == []
    call.service.close()
    service = memory.service()
    assert service.answer_end() == (call.serial, 16), "the end wasn't answered"


def test_a_change_that_was_never_answered_keeps_no_end_from_being_told(memory: Memory) -> None:
    call = with_updates(memory)
    correct(call)
    call.service.wait(CHANGED)
    assert call.agent.cancel(call.serial) == 0
    assert call.service.answer_end() == (call.serial, 16)
    memory.advance(100)
    call.service.close()
    assert memory.service(features="updates").taken() == []


def test_a_call_that_has_moved_on_is_told_to_nobody_who_had_it_before(memory: Memory) -> None:
    """The new one fetches what is there now; a change before that is none to it."""
    number, serial = new_number(), new_number()
    agent, first = memory.agent(number), memory.service(features="updates")
    assert agent.connect(number, serial, "shared", fields=[("area", "Köln")])["status"] == 0
    assert first.data(serial)["status"] == 0
    second = memory.service("other-ivr", features="updates")
    plain = memory.service("other-ivr")
    assert agent.update(serial, [("area", "Bonn")]) == 0
    offered = first.wait(Kind.CONNECTION)
    first.wait(CHANGED)
    first.say(Kind.CONNECTION_REPLY, offered.invoke_id, status=32, detail="")
    first.close()
    assert area(second, serial) == "Bonn"
    again = memory.service(features="updates")
    assert again.taken() == [] and again.data(serial)["status"] == 20
    assert CHANGED not in {got.kind for got in (*second.taken(), *plain.taken())}
    assert agent.update(serial, [("area", "Trier")]) == 0
    assert CHANGED in {got.kind for got in (*second.taken(), *plain.taken())}, "it has fetched it now"
    assert again.taken() == []


def test_the_next_update_is_told_also_where_the_first_one_was_left_unanswered() -> None:
    memory = Memory(Timeouts(service_timeout=100_000))
    call = with_updates(memory)
    correct(call, "one")
    first = call.service.wait(CHANGED)
    memory.advance(29_999, step=29_999)
    correct(call, "two")
    assert call.service.taken() == [], "one at a time"
    memory.advance(29_999, step=29_999)
    assert call.service.taken() == [], "it is owed until it is answered, however long that takes"
    call.service.say(Kind.DATA_CHANGED_REPLY, first.invoke_id)
    assert call.service.answer_change() == call.serial
    memory.advance(29_999, step=29_999)
    assert call.service.taken() == [], "it was answered"
