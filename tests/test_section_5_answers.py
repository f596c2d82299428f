"""Section 5.1 from outside: Error and what it is about, replies that nobody waits for, kinds 30 to 3F."""

from __future__ import annotations

import pytest

from .wire_client import Kind, Message, body, frame
from .wire_memory import Memory, MemoryPeer
from .wire_requests import MALFORMED

REPLIES_OF_AGENTS = [
    Kind.AGENT_LOGIN_REPLY,
    Kind.AGENT_LOGOUT_REPLY,
    Kind.CONNECT_REPLY,
    Kind.CANCEL_REPLY,
    Kind.CALL_QUERY_REPLY,
    Kind.UPDATE_REPLY,
]
REPLIES_OF_SERVICES = [
    Kind.CONNECTION_REPLY,
    Kind.DATA_RESULT,
    Kind.SERVICE_EVENT_REPLY,
    Kind.CALL_ENDED_REPLY,
    Kind.DATA_CHANGED_REPLY,
]
REPLIES_OF_BOTH = [Kind.BIND_REPLY, Kind.UNBIND_REPLY, Kind.PONG]
EMPTY = {Kind.UNBIND_REPLY, Kind.PONG, Kind.CALL_ENDED_REPLY, Kind.DATA_CHANGED_REPLY}
VALUES = {
    "status": 0, "version": 2, "session": "", "heartbeat_s": 30, "max_frame": 65_536, "max_in_flight": 1,
    "exchange_address": "", "features": "", "detail": "", "epoch": 1, "first_sequence": 1, "last_sequence": 0,
    "serial": "5", "retry_after": 0, "calls": (), "agent": "1", "reference": "", "fields": (), "event_id": 1,
}  # fmt: skip


def good(kind: Kind) -> bytes:
    """A good body of a reply."""
    return body(kind, **VALUES)


def about(got: Message) -> tuple[Kind, int, int, int]:
    """All that an Error tells to programs."""
    return *got.outcome, got["about"], got.invoke_id


# ---------------------------------------------------------------- kinds 30 to 3F


@pytest.mark.parametrize("kind", range(0x30, 0x40), ids=hex)
def test_kinds_30_to_3f_are_5_and_10_before_bind(memory: Memory, kind: int) -> None:
    for link, status in ((memory.bound_agent(), 5), (memory.service(), 5), (memory.link(), 10)):
        for invoke_id in (0, 9):
            link.send(frame(kind, b"anything", invoke_id))
            assert about(link.read()) == (Kind.ERROR, status, kind, invoke_id)
        assert link.is_open()


# ---------------------------------------------------------------- replies that nobody waits for


@pytest.mark.parametrize("kind", REPLIES_OF_AGENTS, ids=lambda kind: kind.name)
def test_a_reply_of_the_agents_link_is_5_on_that_of_the_services(memory: Memory, kind: Kind) -> None:
    link = memory.service()
    for content in (good(kind), b"\xff"):
        link.send(frame(kind, content, 6))
        assert about(link.read()) == (Kind.ERROR, 5, kind, 6), "role goes before body"


@pytest.mark.parametrize("kind", REPLIES_OF_SERVICES, ids=lambda kind: kind.name)
def test_a_reply_of_the_services_link_is_5_on_that_of_the_agents(memory: Memory, kind: Kind) -> None:
    link = memory.bound_agent()
    for content in (good(kind), b"\xff"):
        link.send(frame(kind, content, 6))
        assert about(link.read()) == (Kind.ERROR, 5, kind, 6)


@pytest.mark.parametrize(
    "kind", [*REPLIES_OF_AGENTS, *REPLIES_OF_SERVICES, Kind.BIND_REPLY, Kind.UNBIND_REPLY], ids=lambda kind: kind.name
)
def test_before_bind_a_reply_is_10(memory: Memory, kind: Kind) -> None:
    for link in (memory.link(), memory.link(to_services=True)):
        for content in (good(kind), b"\xff"):
            link.send(frame(kind, content, 6))
            assert about(link.read()) == (Kind.ERROR, 10, kind, 6)


def test_before_bind_a_pong_and_an_error_are_ignored(memory: Memory) -> None:
    link = memory.link()
    for content in (b"", b"\xff"):
        link.send(frame(Kind.PONG, content, 6), frame(Kind.ERROR, content, 6))
    assert link.taken() == [] and link.is_open()


def replies() -> list[tuple[bool, Kind]]:
    return [(True, kind) for kind in (*REPLIES_OF_SERVICES, *REPLIES_OF_BOTH)] + [
        (False, kind) for kind in (*REPLIES_OF_AGENTS, *REPLIES_OF_BOTH)
    ]


each_reply = pytest.mark.parametrize(("to_services", "kind"), replies())


@each_reply
def test_a_reply_that_nobody_asked_for_is_ignored(memory: Memory, to_services: bool, kind: Kind) -> None:
    link = memory.service() if to_services else memory.bound_agent()
    link.send(frame(kind, good(kind), 0), frame(kind, good(kind), 6))
    assert link.taken() == [] and link.is_open()


@each_reply
def test_a_malformed_reply_is_answered_error_1_also_where_nobody_asked(
    memory: Memory, to_services: bool, kind: Kind
) -> None:
    link = memory.service() if to_services else memory.bound_agent()
    for content in (good(kind) + b"\x00", b"\xff") if kind not in EMPTY else (b"\x00",):
        for invoke_id in (0, 6):
            link.send(frame(kind, content, invoke_id))
            assert about(link.read()) == (*MALFORMED, kind, invoke_id)
    assert link.is_open()


# ---------------------------------------------------------------- what ends a request, and what doesn't


def offered(memory: Memory) -> tuple[MemoryPeer, MemoryPeer, int]:
    """An agent, a service with a Connection that waits for its answer, and that one's invoke id."""
    agent, service = memory.agent("1"), memory.service()
    assert agent.connect("1", "77")["status"] == 0
    got = service.wait(Kind.CONNECTION)
    assert agent.conditions(1) == [10]
    return agent, service, got.invoke_id


def ends_of(agent: MemoryPeer) -> list[tuple[int, int]]:
    return [(got["condition"], got["status"]) for got in agent.taken()]


@pytest.mark.parametrize("status", [1, 2, 5, 14, 51, 999, 0])
def test_an_error_about_the_connection_is_a_refusal(memory: Memory, status: int) -> None:
    agent, service, invoke_id = offered(memory)
    service.say(Kind.ERROR, invoke_id, status=status, about=Kind.CONNECTION, detail="no")
    memory.advance(3)
    assert ends_of(agent) == [(14, 32)]
    assert service.taken() == [], "an Error is never answered, and who refused hears of no end"


@pytest.mark.parametrize(
    "other", [0, Kind.CONNECTION_REPLY, Kind.DATA_RESULT, Kind.DATA_REQUEST, Kind.PING, Kind.CALL_ENDED, 0x30, 0xFF]
)
def test_an_error_about_anything_else_changes_nothing(memory: Memory, other: int) -> None:
    agent, service, invoke_id = offered(memory)
    service.say(Kind.ERROR, invoke_id, status=51, about=other, detail="")
    service.say(Kind.ERROR, invoke_id + 1, status=51, about=Kind.CONNECTION, detail="")
    service.say(Kind.ERROR, 0, status=51, about=Kind.CONNECTION, detail="")
    memory.advance(5)
    assert ends_of(agent) == [] and service.taken() == []
    service.say(Kind.CONNECTION_REPLY, invoke_id, status=0, detail="")
    assert agent.conditions(1) == [11]


@pytest.mark.parametrize("content", [b"", b"\x00\x33", b"\x00\x33\x20\x00", b"\x00\x33\x20\x00\x01\xff"])
def test_an_error_that_is_malformed_itself_changes_nothing(memory: Memory, content: bytes) -> None:
    agent, service, invoke_id = offered(memory)
    service.send(frame(Kind.ERROR, content, invoke_id))
    service.send(frame(Kind.ERROR, body(Kind.ERROR, status=51, about=Kind.CONNECTION, detail=""), invoke_id, flags=2))
    memory.advance(5)
    assert ends_of(agent) == [] and service.taken() == []
    service.say(Kind.CONNECTION_REPLY, invoke_id, status=0, detail="")
    assert agent.conditions(1) == [11]


@pytest.mark.parametrize("kind", [Kind.PONG, Kind.CALL_ENDED_REPLY, Kind.DATA_CHANGED_REPLY, Kind.DATA_RESULT])
def test_a_reply_of_another_kind_than_the_awaited_is_ignored(memory: Memory, kind: Kind) -> None:
    agent, service, invoke_id = offered(memory)
    service.send(frame(kind, good(kind), invoke_id))
    assert service.taken() == []
    memory.advance(5)
    assert ends_of(agent) == []
    service.say(Kind.CONNECTION_REPLY, invoke_id, status=0, detail="")
    assert agent.conditions(1) == [11]


def test_a_malformed_reply_of_another_kind_is_told_and_ends_nothing(memory: Memory) -> None:
    agent, service, invoke_id = offered(memory)
    service.send(frame(Kind.PONG, b"\x00", invoke_id))
    assert about(service.read()) == (*MALFORMED, Kind.PONG, invoke_id)
    memory.advance(5)
    assert ends_of(agent) == []
    service.say(Kind.CONNECTION_REPLY, invoke_id, status=0, detail="")
    assert agent.conditions(1) == [11]


@pytest.mark.parametrize("content", [b"", b"\x00\x00", b"\x00\x00\x00\x00\x00", b"\x00\x00\x00\x01\xff"])
def test_a_malformed_reply_of_the_awaited_kind_is_told_and_is_a_refusal(memory: Memory, content: bytes) -> None:
    agent, service, invoke_id = offered(memory)
    service.send(frame(Kind.CONNECTION_REPLY, content, invoke_id))
    assert about(service.read()) == (*MALFORMED, Kind.CONNECTION_REPLY, invoke_id)
    service.say(Kind.CONNECTION_REPLY, invoke_id, status=0, detail="")
    memory.advance(3)
    assert ends_of(agent) == [(14, 32)]
    assert service.taken() == []


def test_the_two_directions_number_independently(memory: Memory) -> None:
    """An Error about the exchange's reply under a number that the exchange uses, too."""
    agent, service, invoke_id = offered(memory)
    service.say(Kind.DATA_REQUEST, invoke_id, serial="77", exchange_address="")
    assert service.wait(Kind.DATA_RESULT).outcome == (Kind.DATA_RESULT, 0)
    service.say(Kind.ERROR, invoke_id, status=1, about=Kind.DATA_RESULT, detail="I can't read it")
    memory.advance(5)
    assert ends_of(agent) == [(12, 0)]
    service.say(Kind.CONNECTION_REPLY, invoke_id, status=0, detail="")
    assert agent.conditions(1) == [11]
