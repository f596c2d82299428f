"""Sections 5 and 5.1 from outside: frames, bad frames, what ends a link, answers that never come."""

from __future__ import annotations

import struct

import pytest

from .wire_client import AGENT_ROLE, Ended, Kind, Peer, all_fields, body, counted, frame, message
from .wire_exchange import Clients, new_number
from .wire_requests import AGENT_BIND, CONNECT, GOOD_BODIES, LIMIT, MALFORMED, OF_AGENTS, OF_SERVICES, REPORT


def side_of(clients: Clients, kind: Kind) -> Peer:
    """A bound link on which this request is allowed."""
    return clients.service() if kind in OF_SERVICES else clients.bound_agent()


def ending(link: Peer) -> tuple[Kind, int, int, int]:
    """What a link got last before it ended: kind, status, what it is about, invoke id."""
    got = link.until_end()[-1]
    return *got.outcome, got["about"], got.invoke_id


# Frames


def test_a_reply_has_the_invoke_id_of_its_request_and_the_next_kind(clients: Clients) -> None:
    link = clients.link()
    link.send(message(Kind.PING, 0xFFFFFFFF))
    got = link.read()
    assert (got.kind, got.invoke_id, got.length) == (Kind.PONG, 0xFFFFFFFF, 8)


def test_frames_come_byte_by_byte_as_well_as_whole(clients: Clients) -> None:
    link = clients.link(byte_by_byte=True)
    assert link.bind(AGENT_ROLE, "desk", "desk-secret")["status"] == 0
    assert link.login(new_number())["status"] == 0


def test_many_frames_in_one_segment_are_all_answered(clients: Clients) -> None:
    link = clients.bound_agent()
    link.send(*(message(Kind.PING, number) for number in range(1, 301)))
    assert {link.read().invoke_id for _ in range(300)} == set(range(1, 301))


@pytest.mark.parametrize("bound", [False, True])
@pytest.mark.parametrize(
    ("start", "status"),
    [
        (struct.pack(">IBBHI", 8, 1, Kind.PING, 0, 5), 3),
        (struct.pack(">IBBHI", 8, 0, Kind.PING, 0, 5), 3),
        (struct.pack(">IBBHI", 8, 3, Kind.PING, 0, 5), 3),
        (struct.pack(">IB", 8, 255), 3),
        (struct.pack(">IBBHI", LIMIT + 1, 2, Kind.PING, 0, 5), 4),
        (struct.pack(">IBBHI", 0xFFFFFFFF, 2, Kind.PING, 0, 5), 4),
        (struct.pack(">I", LIMIT + 1), 4),
        (struct.pack(">IBBHI", 7, 2, Kind.PING, 0, 5), 1),
        (struct.pack(">I", 0), 1),
    ],
)
def test_a_bad_version_or_length_ends_the_link_with_an_error(
    clients: Clients, start: bytes, status: int, bound: bool
) -> None:
    link = clients.bound_agent() if bound else clients.link()
    link.send(start)
    assert ending(link) == (Kind.ERROR, status, 0, 0)


def test_frames_before_a_bad_length_are_answered_and_frames_behind_it_are_not(clients: Clients) -> None:
    link = clients.bound_agent()
    link.send(message(Kind.PING, 8), struct.pack(">I", 3), message(Kind.PING, 9))
    assert [got.kind for got in link.until_end()] == [Kind.PONG, Kind.ERROR]


def test_the_limit_is_on_the_value_of_length(clients: Clients) -> None:
    link = clients.bound_agent()
    assert link.ask_raw(Kind.PING, bytes(LIMIT - 8)).outcome == MALFORMED
    assert link.is_open()


@pytest.mark.parametrize("kind", [0x00, 0x08, 0x0F, 0x1E, 0x2A, 0x2F, 0x40, 0x7F, 0xFF])
@pytest.mark.parametrize("bound", [False, True])
def test_an_unknown_kind_is_told_and_leaves_the_link_open(clients: Clients, kind: int, bound: bool) -> None:
    link = clients.bound_agent() if bound else clients.link()
    got = link.ask_raw(kind, b"anything")
    assert (got.outcome, got["about"]) == ((Kind.ERROR, 2), kind)
    assert link.is_open()


@pytest.mark.parametrize("bound", [False, True])
def test_flags_are_malformed_before_all_else(clients: Clients, bound: bool) -> None:
    link = clients.bound_agent() if bound else clients.link()
    for flags in (2, 3, 0x100, 0x8000, 0xFFFF):
        for kind in (Kind.PING, Kind.PONG, Kind.AGENT_LOGIN, Kind.DATA_REQUEST, 0x35, 0x7F):
            got = link.ask_raw(kind, b"anything", flags)
            assert (got.outcome, got["about"]) == (MALFORMED, kind)
    assert link.is_open()


@pytest.mark.parametrize("kind", [*OF_AGENTS, *OF_SERVICES])
def test_left_over_and_missing_bytes_are_malformed(clients: Clients, kind: Kind) -> None:
    link = side_of(clients, kind)
    assert link.ask_raw(kind, GOOD_BODIES[kind] + b"\x00").outcome == MALFORMED
    assert link.ask_raw(kind, GOOD_BODIES[kind][:-1]).outcome == MALFORMED
    assert link.ask_raw(kind).outcome == MALFORMED
    assert link.ask_raw(kind, GOOD_BODIES[kind]).kind == kind + 1


def test_left_over_bytes_in_ping_and_unbind_are_malformed(clients: Clients) -> None:
    link = clients.bound_agent()
    assert link.ask_raw(Kind.PING, b"\x00").outcome == MALFORMED
    assert link.ask_raw(Kind.UNBIND, body(Kind.UNBIND, status=0, detail="") + b"\x00").outcome == MALFORMED
    assert link.is_open()


@pytest.mark.parametrize("bad", [b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xc0\x80"])
def test_bad_utf_8_is_malformed_wherever_text_stands(clients: Clients, bad: bytes) -> None:
    link = clients.bound_agent()
    assert link.ask(Kind.AGENT_LOGIN, agent=bad, epoch=0, resume_after=0).outcome == MALFORMED
    for name in ("agent", "service", "calling_number", "reference"):
        assert link.ask(Kind.CONNECT_REQUEST, **{**CONNECT, name: bad}).outcome == MALFORMED
    in_value = b"\x00\x01" + counted("u8", b"n") + b"\x00" + counted("u16", bad)
    in_name = b"\x00\x01" + counted("u8", bad) + b"\x00" + counted("u16", b"v")
    for fields in (in_value, in_name):
        assert link.ask(Kind.CONNECT_REQUEST, **{**CONNECT, "fields": fields}).outcome == MALFORMED
    assert link.is_open()


def raw_field(name: bytes, form: int, value: bytes) -> bytes:
    return counted("u8", name) + bytes([form]) + counted("u16", value)


@pytest.mark.parametrize(
    "content",
    [
        raw_field(b"a", 0, b"1") + raw_field(b"a", 1, bytes(8)),
        raw_field(b"flag", 2, b"\x02") + raw_field(b"b", 0, b""),
        raw_field(b"flag", 2, b"") + raw_field(b"b", 0, b""),
        raw_field(b"flag", 2, b"\x00\x01") + raw_field(b"b", 0, b""),
        raw_field(b"number", 1, bytes(7)) + raw_field(b"b", 0, b""),
        raw_field(b"number", 1, bytes(9)) + raw_field(b"b", 0, b""),
        *(
            raw_field(b"bill", 4, text) + raw_field(b"b", 0, b"")
            for text in (b"", b"-", b".5", b"5.", b"+5", b"1e2", b"1" * 19, b"1." + b"1" * 10, b"1,5", b" 1", b"\xb2")
        ),
        *(
            raw_field(b"due", 5, struct.pack(">q", time)) + raw_field(b"b", 0, b"")
            for time in (-62_135_596_800_001, 253_402_300_800_000, -(2**63), 2**63 - 1)
        ),
        raw_field(b"due", 5, bytes(7)) + raw_field(b"b", 0, b""),
        raw_field(b"due", 5, bytes(9)) + raw_field(b"b", 0, b""),
        raw_field(b"kind", 6, b"") + raw_field(b"b", 0, b""),
        raw_field(b"kind", 255, b"") + raw_field(b"b", 0, b""),
        raw_field(b"", 0, b"nameless") + raw_field(b"b", 0, b""),
        raw_field(b"n" * 65, 0, b"long name") + raw_field(b"b", 0, b""),
        raw_field(b"one field, two promised", 0, b""),
    ],
)
def test_bad_fields_are_malformed_from_either_side(clients: Clients, content: bytes) -> None:
    fields = b"\x00\x02" + content
    agent, service = clients.bound_agent(), clients.service()
    assert agent.ask(Kind.CONNECT_REQUEST, **{**CONNECT, "fields": fields}).outcome == MALFORMED
    assert service.ask(Kind.SERVICE_EVENT, **{**REPORT, "fields": fields}).outcome == MALFORMED
    assert agent.is_open() and service.is_open()


def test_names_are_compared_bytewise_and_may_have_64_bytes(clients: Clients) -> None:
    names = ["\u00e9", "e\u0301", "a", "A", "a ", "n" * 64]
    report = {**REPORT, "fields": [(name, True) for name in names]}
    assert clients.service().ask(Kind.SERVICE_EVENT, **report).outcome == (Kind.SERVICE_EVENT_REPLY, 20)


@pytest.mark.parametrize("serial", ["", "1" * 21, "12a", "-1", "1 ", "\u0661"])
def test_a_bad_serial_is_malformed(clients: Clients, serial: str) -> None:
    agent, service = clients.bound_agent(), clients.service()
    assert agent.ask(Kind.CANCEL_REQUEST, serial=serial).outcome == MALFORMED
    assert agent.ask(Kind.UPDATE_REQUEST, serial=serial, fields=()).outcome == MALFORMED
    assert service.ask(Kind.DATA_REQUEST, serial=serial, exchange_address="").outcome == MALFORMED
    assert service.ask(Kind.SERVICE_EVENT, **{**REPORT, "serial": serial}).outcome == MALFORMED


@pytest.mark.parametrize("condition", [4, 9, 10, 16, 255])
def test_a_condition_outside_0_to_3_is_malformed_from_a_service(clients: Clients, condition: int) -> None:
    link = clients.service()
    assert link.ask(Kind.SERVICE_EVENT, **{**REPORT, "condition": condition}).outcome == MALFORMED
    assert link.is_open()


@pytest.mark.parametrize("kind", [Kind.PING, *OF_AGENTS, *OF_SERVICES])
def test_a_request_under_invoke_id_0_is_malformed(clients: Clients, kind: Kind) -> None:
    link = side_of(clients, kind)
    link.send(frame(kind, GOOD_BODIES.get(kind, b""), 0))
    got = link.read()
    assert (got.outcome, got["about"], got.invoke_id) == (MALFORMED, kind, 0)
    assert link.is_open()


# Answers that never come


@pytest.mark.parametrize(
    "content", [body(Kind.ERROR, status=1, about=5, detail="no"), b"", b"\x00", b"\x00\x01\x05\x00\x01\xff"]
)
@pytest.mark.parametrize("bound", [False, True])
def test_an_error_is_never_answered(clients: Clients, content: bytes, bound: bool) -> None:
    link = clients.bound_agent() if bound else clients.link()
    link.send(frame(Kind.ERROR, content, 0), frame(Kind.ERROR, content, 77))
    assert link.unread() == []


def test_a_reply_nobody_asked_for_is_ignored(clients: Clients) -> None:
    agent, service = clients.bound_agent(), clients.service()
    agent.send(message(Kind.PONG, 9), message(Kind.PONG, 10), message(Kind.UNBIND_REPLY, 11))
    reply = body(Kind.CONNECTION_REPLY, status=0, detail="")
    service.send(frame(Kind.CONNECTION_REPLY, reply, 9), message(Kind.CALL_ENDED_REPLY, 10))
    assert agent.unread() == service.unread() == []


def test_an_acknowledgement_for_an_agent_that_is_not_logged_in_is_ignored(clients: Clients) -> None:
    link = clients.bound_agent()
    link.acknowledge("nobody", 3)
    assert link.unread() == []


def test_an_acknowledgement_under_another_invoke_id_than_0_is_malformed(clients: Clients) -> None:
    link = clients.bound_agent()
    link.send(message(Kind.AGENT_EVENT_ACK, 6, agent="nobody", sequence=1))
    got = link.read()
    assert (got.outcome, got["about"], got.invoke_id) == (MALFORMED, Kind.AGENT_EVENT_ACK, 6)


def test_a_field_list_is_written_as_the_table_says() -> None:
    fields = all_fields([("a", "b"), ("n", -1), ("t", True), ("r", b"\x00")])
    assert fields.hex(" ") == "00 04 01 61 00 00 01 62 01 6e 01 00 08" + " ff" * 8 + (
        " 01 74 02 00 01 01 01 72 03 00 01 00"
    )


def test_a_link_that_closes_midway_in_a_frame_harms_nobody(clients: Clients) -> None:
    link = clients.link()
    link.send(message(Kind.BIND, 1, **AGENT_BIND)[:-3])
    link.close()
    with pytest.raises((Ended, OSError)):
        link.read()
    assert clients.bound_agent().is_open()
