"""Section 5.1 from outside: how many requests of a client may be in flight on a link, and what doesn't count."""

from __future__ import annotations

import pytest

from ctiex.limits import SessionLimits
from ctiex.testing.fakes import WaitingStore

from .wire_client import AGENT_ROLE, Kind, body, frame
from .wire_memory import Memory, MemoryPeer
from .wire_requests import AGENT_BIND, CONNECT, GOOD_BODIES, MALFORMED, fetched

MOST = 3


def slow(most: int = MOST) -> tuple[Memory, WaitingStore]:
    """An exchange whose commits wait, so that replies do."""
    store = WaitingStore()
    limits = SessionLimits(heartbeat=30_000, login_deadline=10_000, max_in_flight=most)
    memory = Memory(session_limits=limits, store=store)
    store.fire()
    return memory, store


def full(memory: Memory, most: int = MOST) -> MemoryPeer:
    """A link with as many requests in flight as may be, under the invoke ids from 101 on."""
    link = memory.agent("1")
    for at in range(most):
        link.say(Kind.CONNECT_REQUEST, 101 + at, **{**CONNECT, "serial": str(1000 + at)})
    assert link.taken() == []
    return link


@pytest.mark.parametrize(("most", "told"), [(1, 1), (3, 3), (65_535, 65_535), (65_536, 65_535), (10_000_000, 65_535)])
def test_the_bind_reply_tells_how_many_requests_may_be_in_flight(most: int, told: int) -> None:
    memory, _ = slow(most)
    assert memory.link().bind(AGENT_ROLE, "desk", "secret")["max_in_flight"] == told


def test_it_bounds_the_clients_requests_alone() -> None:
    """Every Connection is written at once, and so is the end of a call, however many haven't been answered."""
    memory = Memory(session_limits=SessionLimits(heartbeat=30_000, login_deadline=10_000, max_in_flight=2))
    service, agent = memory.service(), memory.agent("1")
    serials = ["901", "902", "903", "904"]
    for serial in serials:
        assert agent.connect("1", serial, "alpha")["status"] == 0
    offered = [got["calling_number"] for got in service.taken() if got.kind is Kind.CONNECTION]
    assert offered == [f"555**{serial}" for serial in serials]
    for serial in serials:
        assert agent.cancel(serial) == 0
    assert [got["serial"] for got in service.taken() if got.kind is Kind.CALL_ENDED] == serials


@pytest.mark.parametrize("kind", [kind for kind in GOOD_BODIES if kind < 0x20], ids=lambda kind: kind.name)
def test_one_beyond_it_is_answered_14_by_its_own_reply(kind: Kind) -> None:
    memory, store = slow()
    link = full(memory)
    got = link.ask_raw(kind, GOOD_BODIES[kind])
    assert got.outcome == (kind + 1, 14)
    told = {name: value for name, value in got.values.items() if name not in ("status", "detail", "serial")}
    assert not any(told.values()), "nothing else is told"
    store.fire()
    assert [(got.invoke_id, got["status"]) for got in link.taken() if got.kind is Kind.CONNECT_REPLY] == [
        (101 + at, 0) for at in range(MOST)
    ]


def test_the_same_on_the_link_of_the_services() -> None:
    memory, store = slow()
    store.waits = False
    call = fetched(memory)
    store.waits = True
    for at in range(MOST):
        report = {"event_id": at, "serial": call.serial, "agent": "", "condition": 0, "fields": ()}
        call.service.say(Kind.SERVICE_EVENT, 101 + at, **report)
    assert call.service.taken() == []
    assert call.service.data(call.serial)["status"] == 14, "also what is in memory"
    assert call.service.report(call.serial, 9, 1) == 14
    store.fire()
    assert [got["status"] for got in call.service.taken()] == [0] * MOST
    store.waits = False
    assert call.service.report(call.serial, 9, 1) == 0, "the refused one wasn't kept"


def test_exactly_as_many_as_were_told_are_taken_and_each_reply_makes_room() -> None:
    memory, store = slow()
    link = full(memory)
    assert link.connect("1", "")["status"] == 14
    store.fire(1)
    link.say(Kind.CONNECT_REQUEST, 200, **{**CONNECT, "serial": "2000"})
    assert [got.invoke_id for got in link.taken() if got.kind is Kind.CONNECT_REPLY] == [101]
    assert link.connect("1", "")["status"] == 14
    while store.waiting:
        store.fire()
    assert {got.invoke_id for got in link.taken() if got.kind is Kind.CONNECT_REPLY} == {102, 103, 200}


def test_bind_ping_and_what_is_not_answered_dont_count() -> None:
    memory, store = slow()
    link = full(memory, MOST - 1)
    for _ in range(5):
        assert link.ask(Kind.PING).kind is Kind.PONG
    for _ in range(5):
        link.acknowledge("1", 1)
        link.say(Kind.PONG, 9)
        link.say(Kind.ERROR, 9, status=1, about=1, detail="")
    assert link.logout("2") == 42, "there is room for one"
    link.say(Kind.CONNECT_REQUEST, 300, **{**CONNECT, "serial": "3000"})
    assert link.logout("2") == 14
    assert link.ask(Kind.PING).kind is Kind.PONG
    assert link.ask(Kind.BIND, **AGENT_BIND).outcome == (Kind.ERROR, 5)
    store.fire()


def test_frames_behind_a_bind_have_all_the_room() -> None:
    memory, _ = slow(1)
    link = memory.link()
    link.say(Kind.BIND, 1, **{**AGENT_BIND, "secret": "secret"})
    link.say(Kind.AGENT_LOGIN, 2, agent="1", epoch=0, resume_after=0)
    assert [got.outcome for got in link.taken()] == [(Kind.BIND_REPLY, 0), (Kind.AGENT_LOGIN_REPLY, 0)]


def test_an_unbind_doesnt_count_and_is_answered_behind_the_replies_that_are_owed() -> None:
    memory, store = slow()
    link = full(memory)
    link.say(Kind.UNBIND, 500, status=0, detail="")
    assert link.taken() == []
    store.fire()
    got = link.until_end()
    replies = [each for each in got if each.kind is not Kind.AGENT_EVENT]
    assert [(each.invoke_id, each["status"]) for each in replies[:-1]] == [(101, 0), (102, 0), (103, 0)]
    assert (replies[-1].kind, replies[-1].invoke_id) == (Kind.UNBIND_REPLY, 500)


def test_all_that_is_checked_up_to_the_invoke_id_goes_before_it() -> None:
    memory, store = slow()
    link = full(memory)
    assert link.ask_raw(Kind.CALL_QUERY, GOOD_BODIES[Kind.CALL_QUERY], flags=2).outcome == MALFORMED
    assert link.ask_raw(0x7F).outcome == (Kind.ERROR, 2)
    assert link.ask_raw(0x30).outcome == (Kind.ERROR, 5)
    assert link.ask_raw(Kind.DATA_REQUEST, GOOD_BODIES[Kind.DATA_REQUEST]).outcome == (Kind.ERROR, 5)
    assert link.ask_raw(Kind.CALL_QUERY, b"").outcome == MALFORMED
    assert link.ask_raw(Kind.CALL_QUERY, GOOD_BODIES[Kind.CALL_QUERY] + b"\x01", flags=1).outcome == MALFORMED
    link.send(frame(Kind.CALL_QUERY, GOOD_BODIES[Kind.CALL_QUERY], 0))
    got = link.wait(Kind.ERROR)
    assert (got.outcome, got.invoke_id) == (MALFORMED, 0)
    store.fire()


def test_it_goes_before_all_that_a_request_asks_for() -> None:
    memory, store = slow()
    link = full(memory)
    for wrong in ({"agent": "nobody"}, {"service": "unheard-of"}, {"calling_number": "**"}, {"serial": "1000"}):
        assert link.ask_raw(Kind.CONNECT_REQUEST, body(Kind.CONNECT_REQUEST, **{**CONNECT, **wrong}))["status"] == 14
    assert link.cancel("404") == 14
    store.fire()
