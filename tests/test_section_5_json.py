"""Section 5 from outside: the same messages as lines of JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest

from .wire_client import AGENT_ROLE, Kind, Message
from .wire_exchange import new_number
from .wire_lines import line, name_of
from .wire_memory import Memory, MemoryPeer
from .wire_requests import FIELDS, LIMIT, fetched

BIG = 2**53 - 1


@pytest.fixture
def memory() -> Memory:
    """An exchange in memory that speaks JSON on both links."""
    return Memory(codec="json")


def answer(link: MemoryPeer, sent: bytes | dict[str, Any]) -> Message:
    link.send(line(sent) if isinstance(sent, dict) else sent + b"\n")
    return link.read()


def error(link: MemoryPeer, sent: bytes | dict[str, Any]) -> tuple[int, int, int]:
    """Status, about and invoke id of the Error that answers a line."""
    got = answer(link, sent)
    assert got.kind is Kind.ERROR, got
    assert link.is_open()
    return got["status"], got["about"], got.invoke_id


# ---------------------------------------------------------------- the envelope


def test_an_id_is_a_number_or_a_text_of_32_bits_and_0_where_it_is_left_out(memory: Memory) -> None:
    link = memory.bound_agent()
    for given, read in ((5, 5), ("5", 5), (2**32 - 1, 2**32 - 1), (str(2**32 - 1), 2**32 - 1)):
        got = answer(link, {"kind": "Ping", "id": given})
        assert (got.kind, got.invoke_id) == (Kind.PONG, read)
    assert error(link, {"kind": "Ping"}) == (1, Kind.PING, 0)
    assert error(link, {"kind": "Ping", "id": 0}) == (1, Kind.PING, 0)
    wrong: list[Any] = [-1, 2**32, str(2**32), True, None, "", "x", "5 ", "0x5", [5], {}, "٣"]
    for bad in wrong:
        assert error(link, {"kind": "Ping", "id": bad}) == (1, 0, 0)


def test_keys_may_stand_in_any_order(memory: Memory) -> None:
    got = answer(memory.bound_agent(), b' {"agent":"1001", "id":7, "kind":"CallQuery"}\r')
    assert (got.kind, got.invoke_id, got["status"]) == (Kind.CALL_QUERY_REPLY, 7, 0)


@pytest.mark.parametrize(
    "bad",
    [b"", b" ", b"Ping", b"5", b"null", b'"Ping"', b'[{"kind":"Ping","id":1}]', b'{"kind":"Ping","id":1', b"{}{}",
     b'{"kind":"Ping","id":1} {}', b'{"kind":"Ping","id":1,}', b"{'kind':'Ping','id':1}", b'{"kind":"Ping","id":\xff}',
     b'{"kind":"Ping","id":1.0}', b'{"kind":"Ping","id":1e0}', b'{"kind":"Ping","id":NaN}', b"[" * 5_000],
)  # fmt: skip
def test_a_line_that_cant_be_read_as_far_as_its_id_is_error_1_under_id_0_about_0(memory: Memory, bad: bytes) -> None:
    assert error(memory.bound_agent(), bad) == (1, 0, 0)
    assert error(memory.link(), bad) == (1, 0, 0), "before Bind too"


def test_an_unknown_kind_is_2_and_a_missing_one_1(memory: Memory) -> None:
    for link in (memory.bound_agent(), memory.link()):
        for kind in ("Pin", "ping", "", "Kind39", "Ping "):
            assert error(link, {"kind": kind, "id": 4}) == (2, 0, 4)
        wrong: list[Any] = [None, 5, [], {"kind": "Ping"}, True]
        for no_name in wrong:
            assert error(link, {"kind": no_name, "id": 4}) == (1, 0, 4)
        assert error(link, {"id": 4}) == (1, 0, 4)


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind >= 0x30], ids=lambda kind: kind.name)
def test_a_message_of_call_control_is_5_and_10_before_bind_whatever_else_stands_there(
    memory: Memory, kind: Kind
) -> None:
    for link, status in ((memory.bound_agent(), 5), (memory.service(), 5), (memory.link(), 10)):
        for more in ({}, {"agent": "1001"}, {"x": 1}):
            assert error(link, {"kind": name_of(kind), "id": 4, **more}) == (status, kind, 4)


def test_before_bind_a_line_is_10_and_one_of_the_other_role_5(memory: Memory) -> None:
    assert error(memory.link(), {"kind": "CallQuery", "id": 4, "x": 1}) == (10, Kind.CALL_QUERY, 4)
    assert error(memory.service(), {"kind": "CallQuery", "id": 4, "x": 1}) == (5, Kind.CALL_QUERY, 4)
    assert error(memory.bound_agent(), {"kind": "Bind", "id": 4, "x": 1}) == (5, Kind.BIND, 4)


# ---------------------------------------------------------------- attributes


@pytest.mark.parametrize(
    "bad",
    [
        '"agent":"1","more":0',
        '"agent":"1","Epoch":0',
        '"agent":1',
        '"agent":null',
        '"agent":["1"]',
        '"agent":"\\ud800"',
        '"agent":"\\udc00\\ud800"',
        '"agent":"1","epoch":0.0',
        '"agent":"1","epoch":1e3',
        '"agent":"1","epoch":-1',
        '"agent":"1","epoch":18446744073709551616',
        '"agent":"1","epoch":"18446744073709551616"',
        '"agent":"1","epoch":"1e3"',
        '"agent":"1","epoch":"+1"',
        '"agent":"1","epoch":" 1"',
        '"agent":"1","epoch":""',
        '"agent":"1","epoch":true',
        '"agent":"1","epoch":null',
        '"epoch":0',
        "",
    ],
)
def test_bad_attributes_are_malformed(memory: Memory, bad: str) -> None:
    sent = '{"kind":"AgentLogin","id":4' + (f",{bad}" if bad else "") + "}"
    assert error(memory.bound_agent(), sent.encode()) == (1, Kind.AGENT_LOGIN, 4)


@pytest.mark.parametrize(
    ("doubled", "about", "invoke_id"),
    [
        ('"agent":"1"', Kind.AGENT_LOGIN, 4),
        ('"epoch":0', Kind.AGENT_LOGIN, 4),
        ('"epoch":1', Kind.AGENT_LOGIN, 4),
        ('"more":1,"more":1', Kind.AGENT_LOGIN, 4),
        ('"kind":"AgentLogin"', 0, 4),
        ('"id":4', 0, 0),
    ],
)
def test_a_doubled_key_is_malformed(memory: Memory, doubled: str, about: int, invoke_id: int) -> None:
    sent = f'{{"kind":"AgentLogin","id":4,"agent":"1","epoch":0,{doubled}}}'
    assert error(memory.bound_agent(), sent.encode()) == (1, about, invoke_id)


def test_every_integer_may_be_a_text(memory: Memory) -> None:
    link = memory.link()
    bind = {"kind": "Bind", "id": "1", "role": "1", "identity": "desk", "secret": "secret", "min_version": "2"}
    assert answer(link, {**bind, "max_version": "255"}).outcome == (Kind.BIND_REPLY, 0)
    login = {"kind": "AgentLogin", "id": 2, "agent": "1001", "epoch": "0", "resume_after": "18446744073709551615"}
    assert answer(link, login).outcome == (Kind.AGENT_LOGIN_REPLY, 0)


def test_numbers_beyond_2_to_the_53_minus_1_are_written_as_texts_and_no_others(memory: Memory) -> None:
    call = fetched(memory)
    for event_id in (0, 1, BIG, BIG + 1, 2**63, 2**64 - 1):
        for given in (event_id, str(event_id)):
            report = {"kind": "ServiceEvent", "id": 9, "event_id": given, "serial": call.serial}
            call.service.send(line(report))
            raw = call.service.more(0)
            got = json.loads(raw)
            assert got["event_id"] == (event_id if event_id <= BIG else str(event_id))
    login = json.dumps({"kind": "AgentLogin", "id": 3, "agent": call.number}).encode() + b"\n"
    call.agent.taken()
    call.agent.send(login)
    got = json.loads(call.agent.more(0).split(b"\n")[0])
    assert type(got["epoch"]) is (str if int(got["epoch"]) > BIG else int)
    assert int(got["epoch"]) == call.agent.epoch


def test_what_has_a_default_may_be_left_out(memory: Memory) -> None:
    link = memory.link()
    assert answer(link, {"kind": "Bind", "id": 1, "role": 1, "identity": "desk", "secret": "secret"})["version"] == 2
    assert answer(link, {"kind": "AgentLogin", "id": 2, "agent": "1001"}).outcome == (Kind.AGENT_LOGIN_REPLY, 0)
    got = answer(link, {"kind": "ConnectRequest", "id": 3, "agent": "1001", "service": "alpha"})
    assert got.outcome == (Kind.CONNECT_REPLY, 0)
    service = memory.service()
    offered = service.wait(Kind.CONNECTION)
    assert offered["calling_number"] == f"**{got['serial']}"
    service.send(line({"kind": "ConnectionReply", "id": offered.invoke_id}))
    service.send(line({"kind": "DataRequest", "id": 4, "serial": got["serial"]}))
    data = service.wait(Kind.DATA_RESULT)
    assert (data["status"], data["agent"], data["reference"], data["fields"]) == (0, "1001", "", [])
    assert answer(service, {"kind": "ServiceEvent", "id": 5, "serial": got["serial"]})["event_id"] == 0
    assert [event["condition"] for event in link.taken()] == [10, 11, 12, 0]
    assert answer(link, {"kind": "UpdateRequest", "id": 6, "serial": got["serial"]}).outcome == (Kind.UPDATE_REPLY, 0)
    assert answer(link, {"kind": "Unbind"}).kind is Kind.UNBIND_REPLY


@pytest.mark.parametrize("kind", [Kind.CANCEL_REQUEST, Kind.UPDATE_REQUEST, Kind.DATA_REQUEST, Kind.SERVICE_EVENT])
def test_a_serial_that_is_asked_about_is_never_left_out(memory: Memory, kind: Kind) -> None:
    link = memory.service() if kind >= 0x20 else memory.bound_agent()
    for sent in ({}, {"serial": ""}):
        assert error(link, {"kind": name_of(kind), "id": 4, **sent}) == (1, kind, 4)


@pytest.mark.parametrize("kind", [Kind.AGENT_LOGIN, Kind.AGENT_LOGOUT, Kind.CALL_QUERY])
def test_a_logins_agent_is_never_left_out(memory: Memory, kind: Kind) -> None:
    link = memory.bound_agent()
    assert error(link, {"kind": name_of(kind), "id": 4}) == (1, kind, 4)
    assert answer(link, {"kind": name_of(kind), "id": 4, "agent": ""}).kind == kind + 1, "it may be empty, though"


# ---------------------------------------------------------------- extensions


@pytest.mark.parametrize(
    "good",
    [[], [[1, ""]], [[1, "YQ=="], [1, "YQ=="]], [["32768", "AP8="]], [[65535, "eA=="]], [[0, "eA=="]] * 255],
    ids=range(6),
)
def test_extensions_are_a_list_of_types_and_base64(memory: Memory, good: object) -> None:
    link = memory.bound_agent()
    for kind, more in (("Ping", {}), ("CallQuery", {"agent": "1"}), ("Unbind", {})):
        assert answer(link, {"kind": kind, "id": 4, "ext": good, **more}).invoke_id == 4


@pytest.mark.parametrize(
    "bad",
    [None, {}, "", 0, True, [1], [[]], [[1]], [[1, "", ""]], [["", "x"]], [[1, "a"]], [[1, "YQ"]], [[1, "YQ==\n"]],
     [[1, 5]], [[1, None]], [[-1, ""]], [[65536, ""]], [[1.5, ""]], [[True, ""]], [[0, ""]] * 256, [{"1": ""}], ["1"],
     {"1": "YQ=="}, [{"1": "", "YQ==": ""}], ["1a"]],
    ids=range(25),
)  # fmt: skip
def test_malformed_extensions_are_told(memory: Memory, bad: object) -> None:
    link = memory.bound_agent()
    assert error(link, {"kind": "Ping", "id": 4, "ext": bad}) == (1, Kind.PING, 4)
    assert error(link, {"kind": "CallQuery", "id": 4, "agent": "1", "ext": bad}) == (1, Kind.CALL_QUERY, 4)


# ---------------------------------------------------------------- fields


def asked(memory: Memory, fields: Any) -> dict[str, Any]:
    """The fields of a DataResult, as JSON has them, when these were asked for."""
    number, serial = new_number(), new_number()
    link, service = memory.agent(number), memory.service()
    request = {"kind": "ConnectRequest", "id": 3, "serial": serial, "agent": number, "service": "alpha"}
    assert answer(link, {**request, "fields": fields}).outcome == (Kind.CONNECT_REPLY, 0)
    service.answer_connection()
    service.send(line({"kind": "DataRequest", "id": 4, "serial": serial}))
    got: dict[str, Any] = json.loads(service.more(0))["fields"]
    return got


def test_values_of_every_type_come_as_they_went(memory: Memory) -> None:
    fields = {
        "text": 'Köln "\\\n\u0000 𝄞',
        "number": -3,
        "greatest": BIG,
        "beyond": {"int": str(BIG + 1)},
        "least": {"int": str(-(2**63))},
        "yes": True,
        "no": False,
        "bytes": {"bytes": "AP8="},
        "none": {"bytes": ""},
        "bill": {"decimal": "012.50"},
        "due": {"time": "2026-11-26T18:00:00.123Z"},
        "first": {"time": "0001-01-01T00:00:00.000Z"},
        "last": {"time": "9999-12-31T23:59:59.999Z"},
    }
    assert asked(memory, fields) == fields
    assert asked(memory, {}) == {}


def test_readers_take_what_writers_dont_write(memory: Memory) -> None:
    given = {"small": {"int": "-7"}, "big": 2**62, "due": {"time": "2026-11-26T18:00:00Z"}}
    assert asked(memory, given) == {
        "small": -7, "big": {"int": str(2**62)}, "due": {"time": "2026-11-26T18:00:00.000Z"},
    }  # fmt: skip


@pytest.mark.parametrize(
    "bad",
    [
        "null", "1.5", "1e3", "[]", "[1]", "{}", str(2**63), '{"int":"9223372036854775808"}', '{"int":"1.5"}',
        '{"int":""}', '{"integer":"1"}', '{"int":"1","bytes":""}', '{"bytes":"A"}', '{"bytes":"AP8"}', '{"bytes":5}',
        '{"bytes":"AP8=\\n"}', '{"decimal":"1e2"}', '{"decimal":12.5}', '{"decimal":".5"}', '{"decimal":""}',
        '{"time":"2026-11-26T18:00:00.1Z"}', '{"time":"2026-11-26T18:00:00.1234Z"}', '{"time":"2026-11-26T18:00:00"}',
        '{"time":"2026-11-26T18:00:00+00:00"}', '{"time":"2026-11-26 18:00:00Z"}', '{"time":"2026-02-30T18:00:00Z"}',
        '{"time":"0000-01-01T00:00:00Z"}', '{"time":1764180000123}', '"\\ud834"', '"a","f":"a"',
    ],
)  # fmt: skip
def test_bad_values_are_malformed(memory: Memory, bad: str) -> None:
    sent = f'{{"kind":"UpdateRequest","id":4,"serial":"1","fields":{{"f":{bad}}}}}'
    assert error(memory.bound_agent(), sent.encode()) == (1, Kind.UPDATE_REQUEST, 4)


@pytest.mark.parametrize("bad", ["null", "[]", '"x"', '{"":1}', '{"' + "n" * 65 + '":1}', '{"\\ud800":1}'])
def test_bad_fields_are_malformed(memory: Memory, bad: str) -> None:
    sent = f'{{"kind":"UpdateRequest","id":4,"serial":"1","fields":{bad}}}'
    assert error(memory.bound_agent(), sent.encode()) == (1, Kind.UPDATE_REQUEST, 4)


def test_a_repeat_is_one_however_it_is_written(memory: Memory) -> None:
    link = memory.agent("1001")
    request = {"kind": "ConnectRequest", "id": 3, "serial": "77", "agent": "1001", "service": "alpha"}
    assert answer(link, {**request, "fields": {"a": 5, "t": {"time": "2026-11-26T18:00:00Z"}}})["status"] == 0
    again = {"t": {"time": "2026-11-26T18:00:00.000Z"}, "a": {"int": "5"}}
    link.send(line({**request, "reference": "", "calling_number": "", "fields": again}))
    assert link.wait(Kind.CONNECT_REPLY)["status"] == 0
    link.send(line({**request, "fields": {"a": "5", "t": {"time": "2026-11-26T18:00:00Z"}}}))
    assert link.wait(Kind.CONNECT_REPLY)["status"] == 22


# ---------------------------------------------------------------- the limit, and lists


def test_the_limit_counts_the_bytes_before_the_line_feed(memory: Memory) -> None:
    link = memory.bound_agent()
    ping = b'{"kind":"Ping","id":4}'
    assert answer(link, ping.ljust(LIMIT)).kind is Kind.PONG
    for too_long in (ping.ljust(LIMIT + 1) + b"\n", bytes(LIMIT + 1)):
        link = memory.bound_agent()
        link.send(too_long)
        got = link.until_end()[-1]
        assert (got.outcome, got["about"], got.invoke_id) == ((Kind.ERROR, 4), 0, 0)


def test_a_list_is_a_list_of_objects(memory: Memory) -> None:
    call = fetched(memory, reference="case 9")
    call.agent.send(line({"kind": "CallQuery", "id": 4, "agent": call.number}))
    assert json.loads(call.agent.more(0)) == {
        "kind": "CallQueryReply",
        "id": 4,
        "status": 0,
        "calls": [{"serial": call.serial, "service": "alpha", "reference": "case 9", "state": 3, "since": 0}],
    }


def test_the_whole_way_of_a_call(memory: Memory) -> None:
    call = fetched(memory, features="updates", reference="case 9")
    assert call.service.data(call.serial)["fields"] == FIELDS
    assert call.agent.update(call.serial, [("area", "Bonn")]) == 0
    assert call.service.answer_change() == call.serial
    assert call.service.report(call.serial, 2**64 - 1, 0, FIELDS) == 0
    event = call.agent.event()
    assert (event["fields"], event["reference"]) == (FIELDS, "case 9")
    assert call.agent.cancel(call.serial) == 0
    assert call.service.answer_end() == (call.serial, 16)
    link = memory.link()
    assert link.bind(AGENT_ROLE, "desk", "secret")["status"] == 0
    got = link.login(call.number, 2, call.agent.epoch)
    assert (got["status"], got["first_sequence"], got["last_sequence"]) == (0, 1, 5)
    assert [each["condition"] for each in link.taken()] == [12, 0, 16]
