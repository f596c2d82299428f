"""Section 5.1 from outside: UpdateRequest corrects the data of a call."""

from __future__ import annotations

from ctiex.limits import Limits, Timeouts
from ctiex.processing.field_rules import RuleOrganizer, RuleSettings

from .wire_client import Amount, FieldList, Kind
from .wire_exchange import new_number
from .wire_memory import Memory, MemoryPeer
from .wire_requests import FIELDS, LIMIT, accepted, fetched, finished, requested


def data(service: MemoryPeer, serial: str) -> FieldList:
    got = service.data(serial)
    assert got["status"] == 0
    fields: FieldList = got["fields"]
    return fields


# ---------------------------------------------------------------- who may, and when


def test_a_serial_that_no_call_has_is_20(memory: Memory) -> None:
    got = memory.bound_agent().ask(Kind.UPDATE_REQUEST, serial="404", fields=FIELDS)
    assert (got.outcome, got["serial"]) == ((Kind.UPDATE_REPLY, 20), "404")


def test_any_link_whose_identity_may_act_for_the_calls_agent_may_and_no_other(memory: Memory) -> None:
    call = accepted(memory)
    assert memory.bound_agent("small-desk").update(call.serial, [("area", "Bonn")]) == 20
    assert data(call.service, call.serial) == FIELDS
    assert memory.bound_agent().update(call.serial, [("area", "Bonn")]) == 0, "it needs no login"
    assert dict(data(call.service, call.serial))["area"] == "Bonn"


def test_a_call_that_is_over_is_24_for_keep_closed_then_20() -> None:
    memory = Memory(Timeouts(keep_closed=50))
    reported, cancelled = finished(memory), fetched(memory)
    assert cancelled.agent.cancel(cancelled.serial) == 0
    for call in (reported, cancelled):
        assert call.agent.update(call.serial, [("area", "Bonn")]) == 24
        assert memory.bound_agent("small-desk").update(call.serial, []) == 20
    memory.advance(51)
    for call in (reported, cancelled):
        assert call.agent.update(call.serial, [("area", "Bonn")]) == 20


def test_the_checks_go_20_24_36_35() -> None:
    memory = Memory(limits=Limits(fields_per_message=2))
    number, open_call, over = new_number(), new_number(), new_number()
    link = memory.agent(number)
    for serial in (open_call, over):
        assert link.connect(number, serial, fields=[("a", "1")])["status"] == 0
    assert link.cancel(over) == 0
    three: FieldList = [("b", bytes(32_750)), ("c", bytes(32_750))]
    long: FieldList = [("a", bytes(65_000)), ("b", bytes(500))]
    assert link.update("404", three) == 20
    assert memory.bound_agent("small-desk").update(over, three) == 20
    assert link.update(over, three) == 24
    assert link.update(open_call, three) == 36, "of what comes of it: a, b and c"
    assert link.update(open_call, long) == 35
    assert link.update(open_call, [("b", "2")]) == 0
    assert link.update(open_call, [("c", "3")]) == 36
    assert link.update(open_call, [("a", "4"), ("b", "5")]) == 0, "put over others they are no more of them"


def test_what_would_pass_the_frame_limit_is_35_and_changes_nothing(memory: Memory) -> None:
    number, serial = new_number(), new_number()
    agent, service = memory.agent(number), memory.service(features="updates")
    assert agent.connect(number, serial, fields=[("a", bytes(40_000))])["status"] == 0
    service.answer_connection()
    assert service.data(serial)["status"] == 0
    fits = LIMIT - 8 - 2 - 9 - 9 - 1 - 2 - (5 + 40_000) - 5
    assert agent.update(serial, [("b", bytes(fits + 1))]) == 35
    assert data(service, serial) == [("a", bytes(40_000))]
    assert [got for got in service.taken() if got.kind is Kind.DATA_CHANGED] == []
    assert agent.update(serial, [("b", bytes(fits))]) == 0
    assert service.data(serial).length == LIMIT


# ---------------------------------------------------------------- what comes of it


def test_the_fields_are_put_over_those_of_the_call_and_none_is_removed(memory: Memory) -> None:
    call = fetched(memory)
    assert call.agent.update(call.serial, []) == 0
    assert data(call.service, call.serial) == FIELDS
    assert call.agent.update(call.serial, [("level", "seven"), ("new", Amount("1.50")), ("raw", b"")]) == 0
    wanted = dict(FIELDS) | {"level": "seven", "new": Amount("1.50"), "raw": b""}
    for _ in range(3):
        assert dict(data(call.service, call.serial)) == wanted
    assert call.agent.update(call.serial, [("new", True)]) == 0
    assert dict(data(memory.service(), call.serial)) == wanted | {"new": True}


def test_the_rest_of_the_data_stays_as_it_is(memory: Memory) -> None:
    call = fetched(memory, reference="case 9")
    assert call.agent.update(call.serial, [("area", "Bonn")]) == 0
    got = call.service.data(call.serial)
    assert (got["serial"], got["agent"], got["reference"]) == (call.serial, call.number, "case 9")


def test_no_event_tells_of_it(memory: Memory) -> None:
    call = fetched(memory)
    assert call.agent.update(call.serial, [("area", "Bonn")]) == 0
    assert call.agent.taken() == []


def test_a_call_that_waits_for_its_service_may_be_corrected(memory: Memory) -> None:
    number, serial = new_number(), new_number()
    agent = memory.agent(number)
    assert agent.connect(number, serial, fields=[("a", "1")])["status"] == 0
    assert agent.update(serial, [("b", "2")]) == 0
    service = memory.service(features="updates")
    service.wait(Kind.CONNECTION)
    assert agent.update(serial, [("a", "3")]) == 0
    assert data(service, serial) == [("a", "3"), ("b", "2")]
    memory.advance(5)
    assert service.taken() == [], "it had fetched nothing before"


def test_it_is_organized_anew_from_the_fields_as_they_were_asked_for() -> None:
    rules = RuleSettings(
        keep=("tariff", "account"),
        rename={"account": "number"},
        map={"tariff": {"1": "low", "2": "high"}},
        constants={"country": "DE"},
    )
    memory = Memory(organizer=RuleOrganizer(rules))
    number, serial = new_number(), new_number()
    agent, service = memory.agent(number), memory.service()
    assert (
        agent.connect(number, serial, fields=[("account", "7"), ("tariff", 1), ("note", "kept for nobody")])["status"]
        == 0
    )
    service.answer_connection()
    assert dict(data(service, serial)) == {"number": "7", "tariff": "low", "country": "DE"}
    assert agent.update(serial, [("tariff", 2)]) == 0
    assert dict(data(service, serial)) == {"number": "7", "tariff": "high", "country": "DE"}
    assert agent.update(serial, [("account", "8"), ("country", "FR"), ("number", "9")]) == 0
    assert dict(data(service, serial)) == {"number": "8", "tariff": "high", "country": "DE"}
    memory = memory.restarted()
    assert memory.bound_agent().update(serial, [("tariff", 1)]) == 0
    assert dict(data(memory.service(), serial)) == {"number": "8", "tariff": "low", "country": "DE"}


def test_what_was_kept_is_there_after_a_restart(memory: Memory) -> None:
    call = requested(memory)
    assert call.agent.update(call.serial, [("area", "Bonn")]) == 0
    memory = memory.restarted()
    service = memory.service()
    memory.advance(1)
    service.answer_connection()
    assert dict(data(service, call.serial)) == dict(FIELDS) | {"area": "Bonn"}
