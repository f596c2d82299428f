"""Sections 5 and 5.1 from outside: frames, what ends a link, Bind."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import pytest

from .wire_client import AGENT_ROLE, SERVICE_ROLE, Ended, Kind, Peer, all_fields, body, counted, frame, message
from .wire_exchange import SHORT_TIMES, Desk, RunningExchange, new_number

LIMIT = 65_536
BIND = {"min_version": 1, "max_version": 1, "software": "test"}
AGENT_BIND = {"role": AGENT_ROLE, "identity": "desk", "secret": "desk-secret", **BIND}
SERVICE_BIND = {"role": SERVICE_ROLE, "identity": "ivr", "secret": "ivr-secret", **BIND}
CONNECT = {"serial": "1", "agent": "1", "service": "alpha", "calling_number": "5", "fields": ()}
REPORT = {"event_id": 1, "serial": "404", "agent": "", "condition": 1, "fields": ()}
GOOD_BODIES = {
    Kind.AGENT_LOGIN: body(Kind.AGENT_LOGIN, agent="1", resume_after=0),
    Kind.AGENT_LOGOUT: body(Kind.AGENT_LOGOUT, agent="1"),
    Kind.CONNECT_REQUEST: body(Kind.CONNECT_REQUEST, **CONNECT),
    Kind.CANCEL_REQUEST: body(Kind.CANCEL_REQUEST, serial="404"),
    Kind.DATA_REQUEST: body(Kind.DATA_REQUEST, serial="404", exchange_address=""),
    Kind.SERVICE_EVENT: body(Kind.SERVICE_EVENT, **REPORT),
}
OF_AGENTS = [Kind.AGENT_LOGIN, Kind.AGENT_LOGOUT, Kind.CONNECT_REQUEST, Kind.CANCEL_REQUEST]
OF_SERVICES = [Kind.DATA_REQUEST, Kind.SERVICE_EVENT]
MALFORMED = (Kind.ERROR, 1)


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningExchange]:
    running = RunningExchange(tmp_path_factory.mktemp("exchange"), SHORT_TIMES)
    yield running
    running.stop()


@pytest.fixture
def desk(exchange: RunningExchange) -> Iterator[Desk]:
    opened = Desk(exchange)
    yield opened
    opened.close()


def side_of(desk: Desk, kind: Kind) -> Peer:
    """A bound link on which this request is allowed."""
    return desk.service() if kind in OF_SERVICES else desk.bound_agent()


def ending(link: Peer) -> tuple[Kind, int]:
    """What a link got last before it ended."""
    return link.until_end()[-1].outcome


# Frames


def test_a_reply_has_the_invoke_id_of_its_request_and_the_next_kind(desk: Desk) -> None:
    link = desk.link()
    link.send(message(Kind.PING, 0xFFFFFFFF))
    got = link.read()
    assert (got.kind, got.invoke_id, got.length) == (Kind.PONG, 0xFFFFFFFF, 8)


def test_frames_come_byte_by_byte_as_well_as_whole(desk: Desk) -> None:
    link = desk.link(byte_by_byte=True)
    assert link.bind(AGENT_ROLE, "desk", "desk-secret")["status"] == 0
    assert link.login(new_number())["status"] == 0


def test_many_frames_in_one_segment_are_all_answered(desk: Desk) -> None:
    link = desk.bound_agent()
    link.send(*(message(Kind.PING, number) for number in range(1, 301)))
    assert {link.read().invoke_id for _ in range(300)} == set(range(1, 301))


@pytest.mark.parametrize("bound", [False, True])
@pytest.mark.parametrize(
    ("start", "status"),
    [
        (struct.pack(">IBBHI", 8, 2, Kind.PING, 0, 5), 3),
        (struct.pack(">IBBHI", 8, 0, Kind.PING, 0, 5), 3),
        (struct.pack(">IBBHI", LIMIT + 1, 1, Kind.PING, 0, 5), 4),
        (struct.pack(">IBBHI", 0xFFFFFFFF, 1, Kind.PING, 0, 5), 4),
        (struct.pack(">I", LIMIT + 1), 4),
        (struct.pack(">IBBHI", 7, 1, Kind.PING, 0, 5), 1),
        (struct.pack(">I", 0), 1),
    ],
)
def test_a_bad_version_or_length_ends_the_link_with_an_error(
    desk: Desk, start: bytes, status: int, bound: bool
) -> None:
    link = desk.bound_agent() if bound else desk.link()
    link.send(start)
    assert ending(link) == (Kind.ERROR, status)


def test_frames_before_a_bad_length_are_answered_and_frames_behind_it_are_not(desk: Desk) -> None:
    link = desk.bound_agent()
    link.send(message(Kind.PING, 8), struct.pack(">I", 3), message(Kind.PING, 9))
    assert [got.kind for got in link.until_end()] == [Kind.PONG, Kind.ERROR]


def test_the_limit_is_on_the_value_of_length(desk: Desk) -> None:
    link = desk.bound_agent()
    assert link.ask_raw(Kind.PING, bytes(LIMIT - 8)).outcome == MALFORMED
    assert link.is_open()


@pytest.mark.parametrize("kind", [0x00, 0x08, 0x0F, 0x1A, 0x28, 0x7F, 0xFF])
@pytest.mark.parametrize("bound", [False, True])
def test_an_unknown_kind_is_told_and_leaves_the_link_open(desk: Desk, kind: int, bound: bool) -> None:
    link = desk.bound_agent() if bound else desk.link()
    assert link.ask_raw(kind, b"anything").outcome == (Kind.ERROR, 2)
    assert link.is_open()


@pytest.mark.parametrize("bound", [False, True])
def test_flags_are_malformed_before_all_else(desk: Desk, bound: bool) -> None:
    link = desk.bound_agent() if bound else desk.link()
    for kind in (Kind.PING, Kind.AGENT_LOGIN, Kind.DATA_REQUEST, 0x7F):
        assert link.ask_raw(kind, GOOD_BODIES.get(Kind(kind), b"") if kind != 0x7F else b"", 1).outcome == MALFORMED
    assert link.ask_raw(Kind.PING, b"", 0x8000).outcome == MALFORMED
    assert link.is_open()


@pytest.mark.parametrize("kind", [*OF_AGENTS, *OF_SERVICES])
def test_left_over_and_missing_bytes_are_malformed(desk: Desk, kind: Kind) -> None:
    link = side_of(desk, kind)
    assert link.ask_raw(kind, GOOD_BODIES[kind] + b"\x00").outcome == MALFORMED
    assert link.ask_raw(kind, GOOD_BODIES[kind][:-1]).outcome == MALFORMED
    assert link.ask_raw(kind).outcome == MALFORMED
    assert link.ask_raw(kind, GOOD_BODIES[kind]).kind == kind + 1


def test_left_over_bytes_in_ping_and_unbind_are_malformed(desk: Desk) -> None:
    link = desk.bound_agent()
    assert link.ask_raw(Kind.PING, b"\x00").outcome == MALFORMED
    assert link.ask_raw(Kind.UNBIND, body(Kind.UNBIND, status=0, detail="") + b"\x00").outcome == MALFORMED
    assert link.is_open()


@pytest.mark.parametrize("bad", [b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xc0\x80"])
def test_bad_utf_8_is_malformed_wherever_text_stands(desk: Desk, bad: bytes) -> None:
    link = desk.bound_agent()
    assert link.ask(Kind.AGENT_LOGIN, agent=bad, resume_after=0).outcome == MALFORMED
    for name in ("agent", "service", "calling_number"):
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
        raw_field(b"kind", 4, b"") + raw_field(b"b", 0, b""),
        raw_field(b"", 0, b"nameless") + raw_field(b"b", 0, b""),
        raw_field(b"n" * 65, 0, b"long name") + raw_field(b"b", 0, b""),
        raw_field(b"one field, two promised", 0, b""),
    ],
)
def test_bad_fields_are_malformed_from_either_side(desk: Desk, content: bytes) -> None:
    fields = b"\x00\x02" + content
    agent, service = desk.bound_agent(), desk.service()
    assert agent.ask(Kind.CONNECT_REQUEST, **{**CONNECT, "fields": fields}).outcome == MALFORMED
    assert service.ask(Kind.SERVICE_EVENT, **{**REPORT, "fields": fields}).outcome == MALFORMED
    assert agent.is_open() and service.is_open()


def test_names_are_compared_bytewise_and_may_have_64_bytes(desk: Desk) -> None:
    names = ["\u00e9", "e\u0301", "a", "A", "a ", "n" * 64]
    report = {**REPORT, "fields": [(name, True) for name in names]}
    assert desk.service().ask(Kind.SERVICE_EVENT, **report).outcome == (Kind.SERVICE_EVENT_REPLY, 20)


@pytest.mark.parametrize("serial", ["", "1" * 21, "12a", "-1", "1 ", "\u0661"])
def test_a_bad_serial_is_malformed(desk: Desk, serial: str) -> None:
    agent, service = desk.bound_agent(), desk.service()
    assert agent.ask(Kind.CANCEL_REQUEST, serial=serial).outcome == MALFORMED
    assert service.ask(Kind.DATA_REQUEST, serial=serial, exchange_address="").outcome == MALFORMED
    assert service.ask(Kind.SERVICE_EVENT, **{**REPORT, "serial": serial}).outcome == MALFORMED


@pytest.mark.parametrize("condition", [4, 9, 10, 16, 255])
def test_a_condition_outside_0_to_3_is_malformed_from_a_service(desk: Desk, condition: int) -> None:
    link = desk.service()
    assert link.ask(Kind.SERVICE_EVENT, **{**REPORT, "condition": condition}).outcome == MALFORMED
    assert link.is_open()


@pytest.mark.parametrize("kind", [Kind.PING, *OF_AGENTS, *OF_SERVICES])
def test_a_request_under_invoke_id_0_is_malformed(desk: Desk, kind: Kind) -> None:
    link = side_of(desk, kind)
    link.send(frame(kind, GOOD_BODIES.get(kind, b""), 0))
    got = link.read()
    assert (got.outcome, got.invoke_id) == (MALFORMED, 0)
    assert link.is_open()


# Answers that never come


@pytest.mark.parametrize("content", [body(Kind.ERROR, status=1, detail="no"), b"", b"\x00", b"\x00\x01\x00\x01\xff"])
@pytest.mark.parametrize("bound", [False, True])
def test_an_error_is_never_answered(desk: Desk, content: bytes, bound: bool) -> None:
    link = desk.bound_agent() if bound else desk.link()
    link.send(frame(Kind.ERROR, content, 0), frame(Kind.ERROR, content, 77))
    assert link.unread() == []


def test_a_reply_nobody_asked_for_is_ignored(desk: Desk) -> None:
    agent, service = desk.bound_agent(), desk.service()
    agent.send(message(Kind.PONG, 9), message(Kind.PONG, 10), message(Kind.UNBIND_REPLY, 11))
    reply = body(Kind.CONNECTION_REPLY, status=0, detail="")
    service.send(frame(Kind.CONNECTION_REPLY, reply, 9), message(Kind.CALL_ENDED_REPLY, 10))
    assert agent.unread() == service.unread() == []


def test_an_acknowledgement_for_an_agent_that_is_not_logged_in_is_ignored(desk: Desk) -> None:
    link = desk.bound_agent()
    link.acknowledge("nobody", 3)
    assert link.unread() == []


def test_an_acknowledgement_under_another_invoke_id_than_0_is_malformed(desk: Desk) -> None:
    link = desk.bound_agent()
    link.send(message(Kind.AGENT_EVENT_ACK, 6, agent="nobody", sequence=1))
    got = link.read()
    assert (got.outcome, got.invoke_id) == (MALFORMED, 6)


# Bind


@pytest.mark.parametrize("kind", [*OF_AGENTS, *OF_SERVICES, Kind.UNBIND])
def test_before_bind_every_request_but_ping_is_not_bound(desk: Desk, kind: Kind) -> None:
    content = GOOD_BODIES.get(kind, body(Kind.UNBIND, status=0, detail=""))
    for link in (desk.link(), desk.link(to_services=True)):
        assert link.ask_raw(kind, content).outcome == (Kind.ERROR, 10)
        assert link.ask_raw(kind, b"\xff").outcome == (Kind.ERROR, 10)
        assert link.is_open()


def test_a_link_that_was_told_not_bound_can_still_bind(desk: Desk) -> None:
    link = desk.link()
    assert link.ask_raw(Kind.AGENT_LOGIN, GOOD_BODIES[Kind.AGENT_LOGIN]).outcome == (Kind.ERROR, 10)
    assert link.bind(AGENT_ROLE, "desk", "desk-secret")["status"] == 0


def test_a_message_of_the_other_role_is_not_allowed(desk: Desk) -> None:
    agent, service = desk.bound_agent(), desk.service()
    for link, kinds in ((agent, OF_SERVICES), (service, OF_AGENTS)):
        for kind in kinds:
            assert link.ask_raw(kind, GOOD_BODIES[kind]).outcome == (Kind.ERROR, 5)
            assert link.ask_raw(kind, b"\xff").outcome == (Kind.ERROR, 5), "role goes before body"
        assert link.is_open()


def test_what_only_the_exchange_sends_is_not_allowed(desk: Desk) -> None:
    connection = body(Kind.CONNECTION, access_code="1", calling_number="1**1", exchange_address="")
    assert desk.service().ask_raw(Kind.CONNECTION, connection).outcome == (Kind.ERROR, 5)
    assert desk.service().ask(Kind.CALL_ENDED, serial="1", condition=1).outcome == (Kind.ERROR, 5)
    agent = desk.bound_agent()
    event = {"sequence": 1, "agent": "1", "serial": "1", "condition": 1, "status": 0, "fields": ()}
    agent.send(message(Kind.AGENT_EVENT, 0, **event))
    assert agent.read().outcome == (Kind.ERROR, 5)


def test_a_second_bind_is_not_allowed_and_changes_nothing(desk: Desk) -> None:
    link = desk.bound_agent()
    assert link.ask(Kind.BIND, **AGENT_BIND).outcome == (Kind.ERROR, 5)
    assert link.login(new_number())["status"] == 0


def test_the_bind_reply_tells_the_terms_of_the_link(desk: Desk) -> None:
    first = desk.link().bind(AGENT_ROLE, "desk", "desk-secret")
    second = desk.link(to_services=True).bind(SERVICE_ROLE, "ivr", "ivr-secret")
    for got in (first, second):
        assert (got["status"], got["version"], got["heartbeat_s"], got["max_frame"]) == (0, 1, 30, LIMIT)
        assert got["exchange_address"] == "ctiex.test:7301"
    assert first["session"] and second["session"] and first["session"] != second["session"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"secret": "Desk-secret"},
        {"secret": ""},
        {"identity": "unheard-of"},
        {"identity": ""},
        {"role": SERVICE_ROLE},
        {"role": SERVICE_ROLE, "identity": "ivr", "secret": "ivr-secret"},
        {"identity": "ivr", "secret": "ivr-secret"},
    ],
)
def test_bad_credentials_a_foreign_role_or_the_other_link_are_11_and_end_the_link(
    desk: Desk, wrong: dict[str, object]
) -> None:
    link = desk.link()
    link.send(message(Kind.BIND, 3, **{**AGENT_BIND, **wrong}), message(Kind.PING, 4))
    assert [got.outcome for got in link.until_end()] == [(Kind.BIND_REPLY, 11)]


def test_an_agents_identity_on_the_link_of_the_services_is_11(desk: Desk) -> None:
    link = desk.link(to_services=True)
    link.send(message(Kind.BIND, 3, **AGENT_BIND))
    assert [got.outcome for got in link.until_end()] == [(Kind.BIND_REPLY, 11)]


@pytest.mark.parametrize("role", [0, 3, 255])
def test_an_unknown_role_is_malformed_and_the_link_can_still_bind(desk: Desk, role: int) -> None:
    link = desk.link()
    assert link.ask(Kind.BIND, **{**AGENT_BIND, "role": role}).outcome == MALFORMED
    assert link.bind(AGENT_ROLE, "desk", "desk-secret")["status"] == 0


def test_a_bind_with_bytes_left_over_is_malformed_and_the_link_can_still_bind(desk: Desk) -> None:
    link = desk.link()
    assert link.ask_raw(Kind.BIND, body(Kind.BIND, **AGENT_BIND) + b"\x00").outcome == MALFORMED
    link.send(message(Kind.BIND, 0, **AGENT_BIND))
    assert link.read().outcome == MALFORMED
    assert link.bind(AGENT_ROLE, "desk", "desk-secret")["status"] == 0


@pytest.mark.parametrize(("low", "high"), [(1, 1), (0, 1), (1, 2), (0, 255)])
def test_a_range_with_version_1_in_it_gets_version_1(desk: Desk, low: int, high: int) -> None:
    got = desk.link().bind(AGENT_ROLE, "desk", "desk-secret", low, high)
    assert (got["status"], got["version"]) == (0, 1)


@pytest.mark.parametrize(("low", "high"), [(2, 2), (2, 255), (0, 0), (2, 0)])
def test_a_range_without_version_1_is_told_the_highest_and_the_link_ends(desk: Desk, low: int, high: int) -> None:
    link = desk.link()
    link.send(message(Kind.BIND, 1, **{**AGENT_BIND, "min_version": low, "max_version": high}))
    (got,) = link.until_end()
    assert (got.outcome, got["version"]) == ((Kind.BIND_REPLY, 3), 1)


def test_frames_behind_a_bind_are_handled_in_order_after_its_reply(desk: Desk) -> None:
    link, number = desk.link(), new_number()
    login = message(Kind.AGENT_LOGIN, 3, agent=number, resume_after=0)
    request = message(Kind.CONNECT_REQUEST, 4, **{**CONNECT, "agent": number, "service": "unheard-of"})
    again = message(Kind.BIND, 2, **AGENT_BIND)
    link.send(message(Kind.BIND, 1, **AGENT_BIND), again, login, request, message(Kind.PING, 5))
    assert [link.read().outcome for _ in range(5)] == [
        (Kind.BIND_REPLY, 0),
        (Kind.ERROR, 5),
        (Kind.AGENT_LOGIN_REPLY, 0),
        (Kind.CONNECT_REPLY, 30),
        (Kind.PONG, 0),
    ]


def test_unbind_is_answered_also_under_invoke_id_0(desk: Desk) -> None:
    for invoke_id in (0, 5):
        link = desk.bound_agent()
        link.send(message(Kind.UNBIND, invoke_id, status=0, detail=""))
        got = link.read()
        assert (got.kind, got.invoke_id, got.length) == (Kind.UNBIND_REPLY, invoke_id, 8)


def test_a_field_list_is_written_as_the_table_says() -> None:
    fields = all_fields([("a", "b"), ("n", -1), ("t", True), ("r", b"\x00")])
    assert fields.hex() == "0004" "0161" "00" "0001" "62" "016e" "01" "0008" + "ff" * 8 + "0174" "02000101" "0172" "03000100"


def test_a_link_that_closes_midway_in_a_frame_harms_nobody(desk: Desk) -> None:
    link = desk.link()
    link.send(message(Kind.BIND, 1, **AGENT_BIND)[:-3])
    link.close()
    with pytest.raises((Ended, OSError)):
        link.read()
    assert desk.bound_agent().is_open()
