"""Section 5 from outside: extensions on every kind are skipped, and malformed ones are told."""

from __future__ import annotations

import pytest

from .wire_client import EXTENDED, Kind, Speaker, body, extensions, frame, message
from .wire_memory import Memory
from .wire_requests import AGENT_BIND, CONNECT, GOOD_BODIES, MALFORMED, OF_AGENTS, OF_SERVICES, accepted, fetched

GOOD = [
    extensions(),
    extensions((0, b"")),
    extensions((1, b"one"), (1, b"again"), (0x7FFF, bytes(300))),
    extensions((0x8000, b"private"), (0xFFFF, b"\xff")),
    extensions(*[(number, b"x") for number in range(255)]),
]
BAD = {
    "none at all": b"",
    "one promised, none there": b"\x01",
    "a type cut off": b"\x01\x00",
    "no length": b"\x01\x00\x05",
    "a length cut off": b"\x01\x00\x05\x00",
    "a value cut off": b"\x01\x00\x05\x00\x02x",
    "one promised of two": b"\x01" + extensions((1, b"a"), (2, b"b"))[1:],
    "two promised, one there": b"\x02" + extensions((1, b"a"))[1:],
    "a byte left over": extensions((1, b"a")) + b"\x00",
    "a byte behind none": b"\x00\x00",
}
each_bad = pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
REQUESTS = [Kind.PING, *OF_AGENTS, *OF_SERVICES]
each_request = pytest.mark.parametrize("kind", REQUESTS, ids=lambda kind: kind.name)


def side_of(memory: Memory, kind: Kind) -> Speaker:
    """A bound link on which this request is allowed."""
    return memory.service() if kind in OF_SERVICES else memory.bound_agent()


@each_request
@pytest.mark.parametrize("good", GOOD, ids=range(len(GOOD)))
def test_extensions_are_skipped_on_every_request(memory: Memory, kind: Kind, good: bytes) -> None:
    link = side_of(memory, kind)
    content = GOOD_BODIES.get(kind, b"")
    plain = link.ask_raw(kind, content)
    extended = link.ask_raw(kind, content + good, EXTENDED)
    assert (extended.kind, extended.values) == (plain.kind, plain.values)
    assert extended.kind == kind + 1


@each_request
@each_bad
def test_malformed_extensions_are_told_and_leave_the_link_open(memory: Memory, kind: Kind, bad: bytes) -> None:
    link = side_of(memory, kind)
    got = link.ask_raw(kind, GOOD_BODIES.get(kind, b"") + bad, EXTENDED)
    assert (got.outcome, got["about"]) == (MALFORMED, kind)
    assert link.ask_raw(kind, GOOD_BODIES.get(kind, b"")).kind == kind + 1


def test_extensions_without_their_flag_are_bytes_left_over(memory: Memory) -> None:
    got = memory.bound_agent().ask_raw(Kind.AGENT_LOGOUT, GOOD_BODIES[Kind.AGENT_LOGOUT] + extensions((1, b"a")))
    assert (got.outcome, got["about"]) == (MALFORMED, Kind.AGENT_LOGOUT)


def test_a_request_with_malformed_extensions_does_nothing(memory: Memory) -> None:
    link = memory.agent("1")
    content = body(Kind.CONNECT_REQUEST, **CONNECT)
    assert link.ask_raw(Kind.CONNECT_REQUEST, content + b"\x01", EXTENDED).outcome == MALFORMED
    assert link.query("1")["calls"] == [] and link.taken() == []
    assert link.ask_raw(Kind.CONNECT_REQUEST, content + extensions((9, b"x")), EXTENDED)["status"] == 0
    assert link.event()["condition"] == 10


def test_extensions_stand_behind_a_bind_and_an_unbind_too(memory: Memory) -> None:
    link, content = memory.link(), body(Kind.BIND, **{**AGENT_BIND, "secret": "secret"})
    got = link.ask_raw(Kind.BIND, content + b"\x01", EXTENDED)
    assert (got.outcome, got["about"]) == (MALFORMED, Kind.BIND), "it can still bind"
    assert link.ask_raw(Kind.BIND, content + extensions((1, b"a")), EXTENDED).outcome == (Kind.BIND_REPLY, 0)
    content = body(Kind.UNBIND, status=0, detail="")
    assert link.ask_raw(Kind.UNBIND, content + b"\x01", EXTENDED).outcome == MALFORMED
    assert link.ask_raw(Kind.UNBIND, content + extensions((1, b"a")), EXTENDED).kind is Kind.UNBIND_REPLY


def test_extensions_stand_behind_what_is_not_answered_too(memory: Memory) -> None:
    link = memory.agent("1")
    assert link.connect("1", "", "gamma")["status"] == 0
    assert link.event()["sequence"] == 1
    more = extensions((1, b"a"))
    error = body(Kind.ERROR, status=1, about=5, detail="")
    link.send(frame(Kind.ERROR, error + more, 0, flags=EXTENDED), frame(Kind.ERROR, error + b"\x01", 0, flags=EXTENDED))
    link.send(frame(Kind.PONG, more, 7, flags=EXTENDED))
    acknowledged = body(Kind.AGENT_EVENT_ACK, agent="1", sequence=1)
    link.send(frame(Kind.AGENT_EVENT_ACK, acknowledged + b"\x01", 0, flags=EXTENDED))
    got = link.read()
    assert (got.outcome, got["about"], got.invoke_id) == (MALFORMED, Kind.AGENT_EVENT_ACK, 0)
    assert link.login("1")["first_sequence"] == 1
    link.send(frame(Kind.AGENT_EVENT_ACK, acknowledged + more, 0, flags=EXTENDED))
    assert link.login("1")["first_sequence"] == 2


def test_extensions_stand_behind_the_reply_to_a_connection(memory: Memory) -> None:
    number = "1"
    agent, service = memory.agent(number), memory.service()
    assert agent.connect(number, "")["status"] == 0
    offered = service.wait(Kind.CONNECTION)
    reply = body(Kind.CONNECTION_REPLY, status=0, detail="") + extensions((1, b"a"))
    service.send(frame(Kind.CONNECTION_REPLY, reply, offered.invoke_id, flags=EXTENDED))
    assert agent.conditions(2) == [10, 11]


@each_bad
def test_a_reply_with_malformed_extensions_is_a_refusal(memory: Memory, bad: bytes) -> None:
    agent, service = memory.agent("1"), memory.service()
    assert agent.connect("1", "")["status"] == 0
    offered = service.wait(Kind.CONNECTION)
    reply = body(Kind.CONNECTION_REPLY, status=0, detail="") + bad
    service.send(frame(Kind.CONNECTION_REPLY, reply, offered.invoke_id, flags=EXTENDED))
    got = service.read()
    assert (got.outcome, got["about"], got.invoke_id) == (MALFORMED, Kind.CONNECTION_REPLY, offered.invoke_id)
    memory.advance(3)
    assert [(got["condition"], got["status"]) for got in agent.taken()] == [(10, 0), (14, 32)]


def test_data_that_is_in_memory_is_given_to_a_request_with_extensions_too(memory: Memory) -> None:
    call = fetched(memory)
    content = body(Kind.DATA_REQUEST, serial=call.serial, exchange_address="")
    plain = call.service.data(call.serial)
    first, second = call.service.next_id(), call.service.next_id()
    more = extensions((5, b"x"))
    call.service.send(
        frame(Kind.DATA_REQUEST, content + more, first, flags=EXTENDED), frame(Kind.DATA_REQUEST, content, second)
    )
    assert [call.service.wait(Kind.DATA_RESULT, invoke_id=one).values for one in (first, second)] == [plain.values] * 2
    assert call.service.ask_raw(Kind.DATA_REQUEST, content + b"\x01", EXTENDED).outcome == MALFORMED


def test_the_exchange_passes_no_extensions_on(memory: Memory) -> None:
    agent, service = memory.agent("1"), memory.service()
    more = extensions((0x8001, b"private"))
    assert agent.ask_raw(Kind.CONNECT_REQUEST, body(Kind.CONNECT_REQUEST, **CONNECT) + more, EXTENDED)["status"] == 0
    offered = service.answer_connection()
    assert offered.length == len(message(Kind.CONNECTION, 1, **offered.values)) - 4
    data = service.data("1")
    assert data.length == len(message(Kind.DATA_RESULT, 1, **data.values)) - 4
    report = body(Kind.SERVICE_EVENT, event_id=1, serial="1", agent="", condition=1, fields=())
    assert service.ask_raw(Kind.SERVICE_EVENT, report + more, EXTENDED)["status"] == 0
    for event in agent.taken():
        assert event.length == len(message(Kind.AGENT_EVENT, 0, **event.values)) - 4


def test_flags_kind_bound_and_role_are_looked_at_before_extensions(memory: Memory) -> None:
    agent, unbound = memory.bound_agent(), memory.link()
    for link, kind, status in (
        (agent, 0x7F, 2),
        (agent, 0x30, 5),
        (agent, Kind.DATA_REQUEST, 5),
        (agent, Kind.BIND, 5),
        (unbound, Kind.AGENT_LOGIN, 10),
        (unbound, 0x3F, 10),
        (unbound, 0x7F, 2),
    ):
        got = link.ask_raw(kind, b"\xff", EXTENDED)
        assert (got.outcome, got["about"]) == ((Kind.ERROR, status), kind)


def test_extensions_count_for_the_length_of_a_frame(memory: Memory) -> None:
    link = memory.bound_agent()
    most = 65_536 - 8 - 1 - 4
    assert link.ask_raw(Kind.PING, extensions((1, bytes(most))), EXTENDED).kind is Kind.PONG
    link.send(frame(Kind.PING, extensions((1, bytes(most + 1))), 5, flags=EXTENDED))
    assert link.until_end()[-1].outcome == (Kind.ERROR, 4)


def test_an_accepted_call_goes_on_with_extensions_on_all_its_messages(memory: Memory) -> None:
    call, more = accepted(memory), extensions((0x9000, b"x"), (0x9000, b"y"))
    update = body(Kind.UPDATE_REQUEST, serial=call.serial, fields=[("area", "Bonn")])
    assert call.agent.ask_raw(Kind.UPDATE_REQUEST, update + more, EXTENDED)["status"] == 0
    assert dict(call.service.data(call.serial)["fields"])["area"] == "Bonn"
    cancel = body(Kind.CANCEL_REQUEST, serial=call.serial)
    assert call.agent.ask_raw(Kind.CANCEL_REQUEST, cancel + more, EXTENDED)["status"] == 0
    told = call.service.wait(Kind.CALL_ENDED)
    call.service.send(frame(Kind.CALL_ENDED_REPLY, more, told.invoke_id, flags=EXTENDED))
    memory.service()
    assert call.service.taken() == []
