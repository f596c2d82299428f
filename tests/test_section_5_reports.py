"""Section 5.1 from outside: ServiceEvent: what a repeat is, the order of checks, and what is kept of a refused one."""

from __future__ import annotations

import pytest

from ctiex.limits import Limits, SessionLimits, Timeouts

from .wire_client import Amount, FieldList, Kind, Moment
from .wire_exchange import new_number
from .wire_memory import Memory
from .wire_requests import FIELDS, LIMIT, accepted, fetched, finished, requested, result_of

# ---------------------------------------------------------------- 43 and 25


@pytest.mark.parametrize("condition", [0, 1, 2, 3])
def test_the_same_condition_and_fields_again_are_43_in_any_order(memory: Memory, condition: int) -> None:
    call = fetched(memory)
    assert call.service.report(call.serial, 5, condition, FIELDS) == 0
    for fields in (FIELDS, FIELDS[::-1], [*FIELDS[2:], *FIELDS[:2]]):
        assert call.service.report(call.serial, 5, condition, fields) == 43
    assert call.service.report(call.serial, 5, condition, FIELDS, agent=call.number) == 43
    assert memory.service().report(call.serial, 5, condition, FIELDS) == 43, "from any session of the identity"
    assert len(call.agent.taken()) == 1


def other_value(at: int, value: object) -> FieldList:
    fields = list(FIELDS)
    fields[at] = fields[at][0], value  # type: ignore[assignment]
    return fields


OTHERS: dict[str, FieldList] = {
    "none": [],
    "one more": [*FIELDS, ("more", "")],
    "one less": FIELDS[:-1],
    "another name": [("areb", "Köln"), *FIELDS[1:]],
    "text": other_value(0, "Bonn"),
    "bytes for text": other_value(0, "Köln".encode()),
    "integer": other_value(1, -(2**63) + 1),
    "integer for a boolean": other_value(2, 1),
    "decimal as it is written": other_value(4, Amount("-12.50")),
    "time": other_value(5, Moment(1_764_180_000_122)),
}


@pytest.mark.parametrize("fields", OTHERS.values(), ids=OTHERS)
def test_other_fields_under_a_used_event_id_are_25(memory: Memory, fields: FieldList) -> None:
    call = fetched(memory)
    assert call.service.report(call.serial, 5, 0, FIELDS) == 0
    assert call.service.report(call.serial, 5, 0, fields) == 25
    assert call.service.report(call.serial, 6, 1, FIELDS) == 0
    assert call.service.report(call.serial, 5, 0, fields) == 25, "also after the end"
    assert call.service.report(call.serial, 6, 1, fields) == 25
    assert [got["condition"] for got in call.agent.taken()] == [0, 1]


def test_another_condition_under_a_used_event_id_is_25(memory: Memory) -> None:
    call = fetched(memory)
    assert call.service.report(call.serial, 5, 0, FIELDS) == 0
    assert [call.service.report(call.serial, 5, condition, FIELDS) for condition in (1, 2, 3)] == [25] * 3
    assert call.service.report(call.serial, 6, 2, FIELDS) == 0
    assert [call.service.report(call.serial, 6, condition, FIELDS) for condition in (0, 1, 2, 3)] == [25, 25, 43, 25]


def test_a_service_that_counts_its_event_ids_anew_doesnt_lose_its_result_in_silence(memory: Memory) -> None:
    call = fetched(memory)
    assert call.service.report(call.serial, 1, 0, [("step", 1)]) == 0
    assert call.service.report(call.serial, 1, 1, [("paid", True)]) == 25, "and no 43"
    assert call.service.report(call.serial, 2, 1, [("paid", True)]) == 0


@pytest.mark.parametrize("event_id", [0, 1, 2**53 - 1, 2**53, 2**63, 2**64 - 1])
def test_every_event_id_is_allowed_and_counts_within_one_serial(memory: Memory, event_id: int) -> None:
    first = fetched(memory)
    first.service.close()
    second = fetched(memory)
    for call in (first, second):
        assert second.service.report(call.serial, event_id, 0) == 0
        assert second.service.report(call.serial, event_id, 0) == 43


def test_24_is_for_a_new_report_of_a_call_that_is_over(memory: Memory) -> None:
    call = finished(memory)
    assert [call.service.report(call.serial, 9, condition) for condition in (0, 1, 2, 3)] == [24] * 4
    assert call.service.report(call.serial, 1) == 43


@pytest.mark.parametrize("agent_is_there", [True, False])
def test_0_and_40_are_both_final(memory: Memory, agent_is_there: bool) -> None:
    call = fetched(memory)
    if not agent_is_there:
        assert call.agent.logout(call.number) == 0
    assert call.service.report(call.serial, 1, 1) == (0 if agent_is_there else 40)
    assert call.service.report(call.serial, 1, 1) == 43
    assert call.service.report(call.serial, 2, 1) == 24


# ---------------------------------------------------------------- the order of checks

MANY = [("a", "1"), ("b", "2"), ("c", "3")]


def too_long(memory: Memory, length: int = LIMIT) -> FieldList:
    """Fields whose ServiceEvent fits the limit, and whose AgentEvent doesn't."""
    return [("a", bytes((length - 8 - 40) // 2)), ("b", bytes((length - 8 - 40) // 2))]


def test_the_checks_go_20_25_24_36_35_41() -> None:
    memory = Memory(limits=Limits(fields_per_message=2, mailbox=5))
    number, serial = new_number(), new_number()
    agent, service = memory.agent(number), memory.service()
    assert agent.connect(number, serial)["status"] == 0
    service.answer_connection()
    assert service.data(serial)["status"] == 0
    assert service.report(serial, 1, 0) == 0, "now the mailbox has room for the end alone"
    long = too_long(memory)
    assert service.report(serial, 1, 0, MANY, agent="another") == 20
    assert memory.service("other-ivr").report(serial, 1, 0, MANY) == 20
    assert service.report(serial, 1, 0, MANY) == 25
    assert service.report(serial, 2, 0, MANY) == 36
    assert service.report(serial, 2, 0, long) == 35
    assert service.report(serial, 2, 0) == 41
    assert service.report(serial, 2, 1, MANY) == 36
    assert service.report(serial, 2, 1, long) == 35
    assert service.report(serial, 2, 1) == 0, "41 is possible for progress only, and nothing refused was kept"
    assert service.report(serial, 3, 0, MANY) == 24
    assert service.report(serial, 3, 0, MANY, agent="another") == 20
    assert service.report(serial, 1, 0, MANY) == 25
    assert service.report(serial, 1, 0) == 43
    assert agent.login(number)["last_sequence"] == 5


def test_a_refused_report_is_not_remembered(memory: Memory) -> None:
    call = fetched(memory)
    fields: FieldList = [(f"f{at}", at) for at in range(1_025)]
    assert [call.service.report(call.serial, 1, 1, fields) for _ in range(2)] == [36, 36]
    assert [call.service.report(call.serial, 1, 1, too_long(memory)) for _ in range(2)] == [35, 35]
    assert [call.service.report(call.serial, 1, 1, [("paid", True)]) for _ in range(2)] == [0, 43]


def test_an_agent_event_of_exactly_the_limit_fits() -> None:
    """It has sequence, time, agent, reference and status where the ServiceEvent has its event_id and an empty agent."""
    memory = Memory()
    call = fetched(memory, reference="case 9")
    fits = LIMIT - (8 + 8 + 1 + 8 + 1 + 6 + 2) + (8 + 1)
    for length, status in ((LIMIT, 35), (fits + 1, 35), (fits, 0)):
        got = call.service.ask_raw(Kind.SERVICE_EVENT, result_of(length, call.serial))
        assert got.outcome == (Kind.SERVICE_EVENT_REPLY, status)
    assert call.agent.event().length == LIMIT


def test_a_result_is_taken_as_long_as_its_event_fits_the_agent_links_frames() -> None:
    memory = Memory(session_limits=SessionLimits(heartbeat=30_000, login_deadline=10_000, max_frame=2_048))
    number, serial = new_number(), new_number()
    agent, service = memory.agent(number), memory.service()
    assert agent.connect(number, serial)["status"] == 0
    service.answer_connection()
    assert service.report(serial, 1, 1, too_long(memory, 2_048)) == 35
    assert service.report(serial, 1, 1, [("a", bytes(1_800))]) == 0


# ---------------------------------------------------------------- whose, when, and how often


def test_a_final_report_needs_neither_connection_reply_nor_data_request(memory: Memory) -> None:
    call = requested(memory)
    assert call.service.report(call.serial, 0, 2, FIELDS) == 0
    assert [(got["condition"], got["status"]) for got in call.agent.taken()] == [(10, 0), (2, 0)]
    assert call.service.data(call.serial)["status"] == 20


def test_a_call_that_was_not_offered_yet_is_20(memory: Memory) -> None:
    number, serial = new_number(), new_number()
    agent, service = memory.agent(number), memory.service("other-ivr")
    assert agent.connect(number, serial)["status"] == 0
    assert service.report(serial, 1) == service.data(serial)["status"] == 20


def test_the_data_of_a_reported_call_is_20_and_reports_are_43_25_24_for_keep_closed_then_20() -> None:
    memory = Memory(Timeouts(keep_closed=50))
    call = fetched(memory)
    assert call.service.data(call.serial)["status"] == 0
    assert call.service.report(call.serial, 1, 1, [("paid", True)]) == 0
    for _ in range(2):
        assert call.service.data(call.serial)["status"] == 20
        assert call.service.report(call.serial, 1, 1, [("paid", True)]) == 43
        assert call.service.report(call.serial, 1, 1) == 25
        assert call.service.report(call.serial, 2, 1) == 24
        assert call.agent.cancel(call.serial) == call.agent.update(call.serial, []) == 24
        memory.advance(25 - 0.1)
    memory.advance(0.5)
    assert call.service.report(call.serial, 1, 1, [("paid", True)]) == 20
    assert call.service.report(call.serial, 2, 1) == call.service.data(call.serial)["status"] == 20
    assert call.agent.cancel(call.serial) == call.agent.update(call.serial, []) == 20


@pytest.mark.parametrize("end", ["cancel", "time-out"])
def test_after_an_end_without_a_result_they_are_24_and_43_for_what_was_kept(end: str) -> None:
    memory = Memory(Timeouts(service_timeout=10))
    call = fetched(memory)
    assert call.service.report(call.serial, 1, 0, FIELDS) == 0
    if end == "cancel":
        assert call.agent.cancel(call.serial) == 0
    else:
        memory.advance(10)
    assert call.service.report(call.serial, 1, 0, FIELDS) == 43
    assert call.service.report(call.serial, 1, 1, FIELDS) == 25
    assert call.service.report(call.serial, 2, 1) == 24
    assert call.service.data(call.serial)["status"] == 20
    assert memory.service("other-ivr").report(call.serial, 1, 0, FIELDS) == 20


def test_the_order_of_reports_on_one_link_is_kept(memory: Memory) -> None:
    call = accepted(memory)
    reports = [(event_id, 0, [("step", event_id)]) for event_id in range(1, 200)] + [(200, 1, [])]
    call.service.send(
        *(
            call.service.form.message(
                Kind.SERVICE_EVENT,
                event_id,
                {"event_id": event_id, "serial": call.serial, "agent": "", "condition": condition, "fields": fields},
            )
            for event_id, condition, fields in reports
        )
    )
    got = call.agent.taken()
    assert [event["condition"] for event in got] == [0] * 199 + [1]
    assert [event["fields"] for event in got[:-1]] == [[("step", event_id)] for event_id in range(1, 200)]
    assert [event["sequence"] for event in got] == list(range(3, 203))


def test_the_fields_of_a_report_arrive_as_they_are(memory: Memory) -> None:
    call = fetched(memory)
    fields: FieldList = [
        *((f"d{at}", Amount(text)) for at, text in enumerate(("0", "-0", "007.50", "1." + "0" * 9, "9" * 18))),
        *((f"t{at}", Moment(at_time)) for at, at_time in enumerate((0, -1, -62_135_596_800_000, 253_402_300_799_999))),
        ("i", 2**63 - 1),
    ]
    assert call.service.report(call.serial, 1, 1, fields) == 0
    assert call.agent.event()["fields"] == fields
