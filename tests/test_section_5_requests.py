"""Section 5.1 from outside: ConnectRequest: the order of its checks, repeats, other uses of a serial, references."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from ctiex.limits import Limits, Timeouts

from .wire_client import Amount, FieldList, Kind, Message, Moment, body
from .wire_exchange import new_number
from .wire_memory import Memory, MemoryPeer
from .wire_requests import FIELDS, LIMIT, accepted, exact, fetched, finished

FEW = Limits(fields_per_message=2, mailbox=3, calls_per_agent=1)
THREE = [("a", "1"), ("b", "2"), ("c", "3")]


def long_fields(count: int = 2) -> FieldList:
    """Fields that fit a ConnectRequest under the limit and make its DataResult pass it, with a serial of 20 digits."""
    size = (LIMIT - 8 - 40) // 2 - 3 * (count - 2)
    return [("a", bytes(size)), ("b", bytes(size)), ("c", b"")][:count]


def statuses(link: MemoryPeer, number: str, serial: str, faults: Sequence[dict[str, object]]) -> list[int]:
    """What is answered to a request with all of these faults, then without the first one, and so on."""
    found = []
    for at in range(len(faults) + 1):
        values: dict[str, object] = {
            "serial": serial, "agent": number, "service": "alpha", "calling_number": "5", "reference": "", "fields": (),
        }  # fmt: skip
        for fault in reversed(faults[at:]):  # the one that is checked first decides what an attribute is
            values |= fault
        found.append(link.own_reply(Kind.CONNECT_REQUEST, **values)["status"])
    return found


def test_the_checks_go_42_22_30_36_34_35() -> None:
    memory = Memory(limits=Limits(fields_per_message=2))
    number, taken = new_number(), new_number()
    link = memory.agent(number)
    assert link.connect(number, taken)["status"] == 0
    faults: list[dict[str, object]] = [
        {"agent": "elsewhere"[: len(number)]},
        {"serial": taken},
        {"service": "none!"},
        {"fields": long_fields(3)},
        {"calling_number": "**"},
        {"fields": long_fields()},
    ]
    assert statuses(link, number, "", faults) == [42, 22, 30, 36, 34, 35, 0]


def test_then_41_and_14_is_the_last() -> None:
    memory, number = Memory(limits=FEW), new_number()
    link = memory.agent(number)
    assert link.connect(number, "77", "gamma")["status"] == 0
    assert link.event()["condition"] == 10
    memory.service("other-ivr").answer_connection()
    assert link.event()["condition"] == 11
    faults: list[dict[str, object]] = [{"calling_number": "**"}, {"fields": long_fields()}]
    assert statuses(link, number, "", faults) == [34, 35, 41], "full, and as many calls open as may be"
    link.acknowledge(number, 2)
    got = link.connect(number, "")
    assert (got["status"], "calls_per_agent" in got["detail"]) == (14, True)
    assert link.cancel("77") == 0
    link.acknowledge(number, 3)
    assert link.connect(number, "")["status"] == 0


def test_a_repeat_is_answered_0_whatever_else_stands_in_the_way_now() -> None:
    memory, number = Memory(limits=FEW), new_number()
    link = memory.agent(number)
    assert link.connect(number, "77", "gamma")["status"] == 0
    memory.service("other-ivr").answer_connection()
    assert link.conditions(2) == [10, 11]
    assert link.connect(number, "")["status"] == 41
    again = link.connect(number, "77", "gamma")
    assert (again["status"], again["serial"], again["retry_after"]) == (0, "77", 0)
    assert memory.bound_agent().connect(number, "77", "gamma")["status"] == 42, "but for a login on that link"


def test_more_fields_than_are_ever_allowed_are_36() -> None:
    memory, number = Memory(), new_number()
    link = memory.agent(number)
    fields: FieldList = [(f"f{at}", at) for at in range(1_025)]
    refused = link.connect(number, "", fields=fields)
    assert (refused["status"], "fields_per_message" in refused["detail"]) == (36, True)
    assert link.taken() == []
    assert link.connect(number, "", fields=fields[:1_024])["status"] == 0


def test_retry_after_is_0_where_the_status_is_not_14(memory: Memory) -> None:
    number = new_number()
    link = memory.agent(number)
    replies = [
        link.connect("nobody", ""),
        link.connect(number, "", "unheard-of"),
        link.connect(number, "", number="**"),
        link.connect(number, ""),
    ]
    assert [(got["status"], got["retry_after"]) for got in replies] == [(42, 0), (30, 0), (34, 0), (0, 0)]


def test_a_refusal_has_the_serial_of_its_request(memory: Memory) -> None:
    number = new_number()
    link = memory.agent(number)
    for serial in ("", "0", "00000000000000000000"):
        got = link.connect(number, serial, "unheard-of")
        assert (got["status"], got["serial"]) == (30, serial)


# ---------------------------------------------------------------- repeats


def again(memory: Memory, call_number: str, serial: str, **other: object) -> Message:
    """The request of a call again, on a link of its own, but for what is named."""
    values: dict[str, object] = {
        "serial": serial, "agent": call_number, "service": "alpha", "calling_number": "555", "reference": "case 9",
        "fields": FIELDS,
    }  # fmt: skip
    return memory.agent(call_number).own_reply(Kind.CONNECT_REQUEST, **{**values, **other})


def test_a_repeat_may_name_the_fields_in_any_order(memory: Memory) -> None:
    call = accepted(memory, reference="case 9")
    for fields in (FIELDS, FIELDS[::-1], [*FIELDS[3:], *FIELDS[:3]]):
        got = again(memory, call.number, call.serial, fields=fields)
        assert (got["status"], got["serial"]) == (0, call.serial)
    assert call.service.taken() == [], "and it does nothing more"
    assert memory.agent(call.number).login(call.number)["last_sequence"] == 2


def changed(at: int, value: object) -> FieldList:
    """The fields, one of them with another value."""
    fields = list(FIELDS)
    fields[at] = fields[at][0], value  # type: ignore[assignment]
    return fields


OTHERS: dict[str, dict[str, object]] = {
    "service": {"service": "shared"},
    "number": {"calling_number": "556"},
    "no reference": {"reference": ""},
    "reference": {"reference": "case 8"},
    "no fields": {"fields": []},
    "one field more": {"fields": [*FIELDS, ("more", "")]},
    "one field less": {"fields": FIELDS[1:]},
    "text": {"fields": changed(0, "Koln")},
    "bytes for text": {"fields": changed(0, "Köln".encode())},
    "integer": {"fields": changed(1, 2**63 - 1)},
    "text for an integer": {"fields": changed(1, str(-(2**63)))},
    "boolean": {"fields": changed(2, False)},
    "integer for a boolean": {"fields": changed(2, 1)},
    "decimal as it is written": {"fields": changed(4, Amount("-12.50"))},
    "decimal of other digits": {"fields": changed(4, Amount("-012.5"))},
    "text for a decimal": {"fields": changed(4, "-012.50")},
    "time": {"fields": changed(5, Moment(1_764_180_000_124))},
    "integer for a time": {"fields": changed(5, 1_764_180_000_123)},
}


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
def test_any_other_use_of_a_serial_is_22(memory: Memory, other: dict[str, object]) -> None:
    call = accepted(memory, reference="case 9")
    assert again(memory, call.number, call.serial, **other)["status"] == 22
    assert call.service.report(call.serial, 1) == 0
    assert again(memory, call.number, call.serial, **other)["status"] == 22, "also after its end"
    assert again(memory, call.number, call.serial)["status"] == 24
    assert again(memory, call.number, call.serial, agent=call.number + "1")["status"] == 42


def test_another_agents_use_of_a_serial_is_22(memory: Memory) -> None:
    call, other = accepted(memory), new_number()
    assert memory.agent(other).connect(other, call.serial, fields=FIELDS)["status"] == 22


def test_a_repeat_is_0_until_the_call_closes_and_24_for_keep_closed_after_its_end() -> None:
    memory = Memory(Timeouts(keep_closed=50))
    call = fetched(memory, reference="case 9")
    assert again(memory, call.number, call.serial)["status"] == 0
    assert call.service.report(call.serial, 1) == 0
    assert again(memory, call.number, call.serial)["status"] == 24
    memory.advance(49)
    assert again(memory, call.number, call.serial)["status"] == 24
    memory.advance(2)
    assert again(memory, call.number, call.serial)["status"] == 22, "an event under it waits in the mailbox"
    link = memory.agent(call.number)
    link.acknowledge(call.number, 4)
    got = link.connect(call.number, call.serial, fields=FIELDS, reference="case 9")
    assert got["status"] == 0 and link.login(call.number)["last_sequence"] == 5, "a new call"


@pytest.mark.parametrize("way", ["cancelled", "unreachable", "timed out"])
def test_a_repeat_of_a_call_without_a_result_is_24_too(way: str) -> None:
    memory = Memory(Timeouts(fetch_timeout=5, signalling_timeout=5, rebind_grace=0))
    call = accepted(memory, reference="case 9")
    if way == "cancelled":
        assert call.agent.cancel(call.serial) == 0
    elif way == "timed out":
        memory.advance(6)
    else:
        call.serial = new_number()
        call.service.close()
        assert again(memory, call.number, call.serial)["status"] == 0
    assert again(memory, call.number, call.serial)["status"] == 24


def test_a_repeat_after_an_update_is_still_one(memory: Memory) -> None:
    call = fetched(memory, reference="case 9")
    assert call.agent.update(call.serial, [("area", "Bonn"), ("new", 1)]) == 0
    assert again(memory, call.number, call.serial)["status"] == 0
    put_over = [("area", "Bonn"), *FIELDS[1:], ("new", 1)]
    assert again(memory, call.number, call.serial, fields=put_over)["status"] == 22, "not as it was asked for"
    assert call.service.report(call.serial, 1) == 0
    assert again(memory, call.number, call.serial)["status"] == 24


def test_repeats_are_known_after_a_restart(memory: Memory) -> None:
    call = fetched(memory, reference="case 9")
    assert call.service.report(call.serial, 1, 0, FIELDS) == 0
    memory = memory.restarted()
    assert again(memory, call.number, call.serial)["status"] == 0
    assert again(memory, call.number, call.serial, reference="")["status"] == 22
    service = memory.service()
    assert [service.report(call.serial, 1, 0, fields) for fields in (FIELDS[::-1], ())] == [43, 25]


def test_an_own_serial_needs_no_check_digits_and_an_allocated_one_is_free(memory: Memory) -> None:
    number = new_number()
    link = memory.agent(number)
    serials = [link.connect(number, serial)["serial"] for serial in ("0", "00", "7", "07", *[""] * 20)]
    assert len(set(serials)) == 24


# ---------------------------------------------------------------- reference, and the time of events


@pytest.mark.parametrize("reference", ["", "x", "é" * 127 + "x", "r" * 255, "\x00", 'a "quoted" one\\'])
def test_the_reference_stands_in_every_event_and_in_the_data(memory: Memory, reference: str) -> None:
    call = fetched(memory, reference=reference)
    data = call.service.data(call.serial)
    assert (data["reference"], data["agent"], data["fields"]) == (reference, call.number, FIELDS)
    assert call.service.report(call.serial, 1, 0) == 0
    assert call.service.report(call.serial, 2, 1) == 0
    link = memory.agent(call.number)
    got = [link.event() for _ in range(5)]
    assert [(event["condition"], event["reference"]) for event in got] == [
        (condition, reference) for condition in (10, 11, 12, 0, 1)
    ]


@pytest.mark.parametrize("end", ["cancel", "time-out", "refusal"])
def test_it_stands_in_the_event_of_an_end_too(memory: Memory, end: str) -> None:
    number, serial = new_number(), new_number()
    agent, service = memory.agent(number), memory.service()
    assert agent.connect(number, serial, reference="case 9")["status"] == 0
    if end == "cancel":
        assert agent.cancel(serial) == 0
    elif end == "refusal":
        service.answer_connection(32)
        memory.advance(3)
    else:
        memory.advance(30)
    assert {got["reference"] for got in agent.taken()} == {"case 9"}


def test_a_reference_of_256_bytes_has_no_room_in_its_attribute(memory: Memory) -> None:
    link = memory.agent("1")
    good = body(Kind.CONNECT_REQUEST, serial="", agent="1", service="alpha", calling_number="", reference="", fields=())
    assert link.ask_raw(Kind.CONNECT_REQUEST, good[:-3] + b"\xff" + b"r" * 254 + good[-2:]).outcome == (Kind.ERROR, 1)


def test_the_time_of_an_event_is_when_it_happened_and_not_when_it_is_sent() -> None:
    memory = Memory(Timeouts(fetch_timeout=1_000))
    call = accepted(memory)
    memory.advance(100)
    assert call.service.data(call.serial)["status"] == 0
    call.agent.close()
    memory.advance(100.25)
    assert call.service.report(call.serial, 1) == 40
    memory.advance(100)
    link = memory.agent(call.number)
    got = [link.event() for _ in range(4)]
    assert [(event["condition"], event["time"]) for event in got] == [(10, 0), (11, 0), (12, 100_000), (1, 200_250)]


def test_exactly_fitting_data_is_taken_and_one_byte_more_is_35(memory: Memory) -> None:
    """A DataResult has the status and its serial where the ConnectRequest has service x and the calling number."""
    number, serial = new_number(), new_number()
    link, service = memory.agent(number), memory.service()
    for length, status in ((LIMIT, 0), (LIMIT - 1, 0)):
        got = link.ask_raw(Kind.CONNECT_REQUEST, exact(length, serial, number))
        assert got.outcome == (Kind.CONNECT_REPLY, status)
        service.answer_connection()
        assert service.data(serial).length == length - 1
        serial = new_number()
    got = link.ask_raw(Kind.CONNECT_REQUEST, exact(LIMIT - 1, "", number))
    assert got.outcome == (Kind.CONNECT_REPLY, 35)


def test_a_finished_calls_serial_is_22_for_all_that_is_no_repeat(memory: Memory) -> None:
    call = finished(memory)
    link = memory.agent(call.number)
    assert link.connect(call.number, call.serial, fields=FIELDS)["status"] == 24
    assert link.connect(call.number, call.serial, "unheard-of", "**")["status"] == 22
