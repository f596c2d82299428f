"""Sections 5 and 5.1 from outside: the flow, ConnectRequest, whose call it is, service events."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .waiting import until
from .wire_client import AGENT_ROLE, SERVICE_ROLE, Kind, Peer, message
from .wire_exchange import Clients, RunningExchange, new_number
from .wire_requests import AGENT_BIND, CONNECT, FIELDS, LIMIT, accepted, exact, fetched, finished, result_of


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningExchange]:
    running = RunningExchange(tmp_path_factory.mktemp("demo"))
    yield running
    running.finish()


# The whole flow, with the identities and services that are there without a configuration


@pytest.mark.parametrize("byte_by_byte", [False, True])
@pytest.mark.parametrize(
    ("name", "code"), [("number-broadcast", "7001"), ("bill-broadcast", "7002"), ("password-authentication", "7000")]
)
def test_a_call_goes_to_the_service_and_its_result_comes_back(
    demo: RunningExchange, name: str, code: str, byte_by_byte: bool
) -> None:
    agent, service = Peer(demo.agent_port, byte_by_byte), Peer(demo.service_port, byte_by_byte)
    assert agent.bind(AGENT_ROLE, "agent-demo", "demo")["status"] == 0
    bound = service.bind(SERVICE_ROLE, "service-demo", "demo")
    number = new_number()
    login = agent.login(number)
    assert (login["first_sequence"], login["last_sequence"]) == (1, 0)
    serial = agent.connect(number, "", name, "01012345678", FIELDS, "case 9")["serial"]
    assert 1 <= len(serial) <= 20
    offered = service.answer_connection()
    assert offered.values == {
        "access_code": code,
        "calling_number": f"01012345678**{serial}",
        "exchange_address": bound["exchange_address"],
    }
    data = service.data(serial, offered["exchange_address"])
    assert data.values == {"status": 0, "serial": serial, "agent": number, "reference": "case 9", "fields": FIELDS}
    assert service.report(serial, 1, 0, [("step", 1)], number) == 0
    assert service.report(serial, 2, 1, [("valid", True)]) == 0
    events = [agent.event() for _ in range(5)]
    assert [got["condition"] for got in events] == [10, 11, 12, 0, 1]
    assert [got["sequence"] for got in events] == [1, 2, 3, 4, 5]
    assert {(got.invoke_id, got["agent"], got["serial"], got["reference"], got["status"]) for got in events} == {
        (0, number, serial, "case 9", 0)
    }
    assert [got["fields"] for got in events[3:]] == [[("step", 1)], [("valid", True)]]
    agent.acknowledge(number, 5)
    assert agent.unread() == service.unread() == []
    agent.close()
    service.close()


def test_each_side_may_send_all_it_has_in_one_segment(clients: Clients) -> None:
    number, serial = new_number(), new_number()
    agent, service = clients.link(), clients.service()
    agent.send(
        message(Kind.BIND, 1, **AGENT_BIND),
        message(Kind.AGENT_LOGIN, 2, agent=number, epoch=0, resume_after=0),
        message(Kind.CONNECT_REQUEST, 3, **{**CONNECT, "serial": serial, "agent": number, "fields": FIELDS}),
    )
    offered = service.wait(Kind.CONNECTION)
    service.send(
        message(Kind.CONNECTION_REPLY, offered.invoke_id, status=0, detail=""),
        message(Kind.DATA_REQUEST, 1, serial=serial, exchange_address=""),
        message(Kind.SERVICE_EVENT, 2, event_id=7, serial=serial, agent="", condition=0, fields=()),
        message(Kind.SERVICE_EVENT, 3, event_id=8, serial=serial, agent=number, condition=2, fields=FIELDS),
    )
    assert {service.read().outcome for _ in range(3)} == {(Kind.DATA_RESULT, 0), (Kind.SERVICE_EVENT_REPLY, 0)}
    assert agent.conditions(5) == [10, 11, 12, 0, 2]


# ConnectRequest


def test_an_agent_that_is_not_logged_in_gets_42(clients: Clients) -> None:
    link = clients.bound_agent()
    assert link.connect(new_number(), "")["status"] == 42


def test_the_exchange_allocates_serials_that_differ_and_begin_with_its_id(clients: Clients) -> None:
    number = new_number()
    link = clients.agent(number)
    got = [link.connect(number, "", "nobody")["serial"] for _ in range(3)]
    assert len(set(got)) == 3
    assert all(serial.isdigit() and len(serial) <= 20 for serial in got)
    assert all(serial.startswith(("7", "007")) for serial in got)


def test_a_repeat_is_answered_0_and_does_nothing_more(clients: Clients) -> None:
    call = accepted(clients)
    again = call.agent.connect(call.number, call.serial, "alpha", fields=FIELDS)
    assert (again["status"], again["serial"]) == (0, call.serial)
    assert call.agent.unread(0.1) == call.service.unread() == []


def test_serials_are_strings_of_digits_and_not_numbers(clients: Clients) -> None:
    number, serial = new_number(), new_number()
    link = clients.agent(number)
    for each in (serial, "0" + serial, "00" + serial):
        got = link.connect(number, each, "nobody", number=f"{len(each)}")
        assert (got["status"], got["serial"]) == (0, each)


def test_an_unknown_service_is_30(clients: Clients) -> None:
    number = new_number()
    assert clients.agent(number).connect(number, "", "unheard-of")["status"] == 30


@pytest.mark.parametrize(
    ("calling", "status"),
    [
        ("55**66", 34),
        ("**", 34),
        ("555*", 34),
        ("*", 34),
        ("5*5", 0),
        ("", 0),
        ("5" * 69, 0),
        ("5" * 70, 34),
        ("é" * 34 + "5", 0),
        ("é" * 35, 34),
    ],
)
def test_a_calling_number_that_cannot_carry_the_serial_is_34(clients: Clients, calling: str, status: int) -> None:
    number = new_number()
    serial = new_number()
    assert len(serial) == 8, "69 bytes, the separator and this serial make 79"
    assert clients.agent(number).connect(number, serial, "nobody", calling)["status"] == status


def test_data_that_would_pass_the_frame_limit_with_its_serial_is_35(clients: Clients) -> None:
    number = new_number()
    agent, service = clients.agent(number), clients.service()
    allocated = len(agent.connect(number, "", "nobody")["serial"])
    for length, status in ((LIMIT, 35), (LIMIT - allocated + 2, 35), (LIMIT - allocated + 1, 0)):
        got = agent.ask_raw(Kind.CONNECT_REQUEST, exact(length, "", number))
        assert got.outcome == (Kind.CONNECT_REPLY, status)
    assert service.data(got["serial"]).length == LIMIT
    got = agent.ask_raw(Kind.CONNECT_REQUEST, exact(LIMIT, new_number(), number))
    assert got.outcome == (Kind.CONNECT_REPLY, 0)


def test_a_repeat_is_24_while_the_closed_call_is_kept_and_its_serial_is_free_afterwards(clients: Clients) -> None:
    call = finished(clients, "brief")
    assert call.agent.connect(call.number, call.serial, "brief", fields=FIELDS)["status"] == 24
    assert call.agent.connect(call.number, call.serial, "brief")["status"] == 22
    call.agent.acknowledge(call.number, 4)  # an event of it that waits would keep the serial, too
    until(lambda: call.agent.connect(call.number, call.serial, "nobody", fields=FIELDS)["status"] == 0)


# Whose call it is


@pytest.mark.parametrize("address", ["", "ctiex.test:7301"])
def test_data_may_be_asked_for_before_the_connection_is_answered(clients: Clients, address: str) -> None:
    number, serial = new_number(), new_number()
    agent, service = clients.agent(number), clients.service()
    assert agent.connect(number, serial, fields=FIELDS)["status"] == 0
    offered = service.wait(Kind.CONNECTION)
    assert service.data(serial, address)["fields"] == FIELDS
    service.send(message(Kind.CONNECTION_REPLY, offered.invoke_id, status=0, detail=""))
    assert service.report(serial, 1) == 0
    seen = [got["condition"] for got in agent.unread(0.1)]
    assert sorted(seen[:-1]) == [10, 11, 12] and seen[-1] == 1


@pytest.mark.parametrize("address", ["ctiex.test:7300", "ctiex.test", "other:7301"])
def test_another_exchanges_address_is_26_before_any_look_up(clients: Clients, address: str) -> None:
    call = accepted(clients)
    for serial in (call.serial, "404"):
        got = call.service.data(serial, address)
        assert (got["status"], got["agent"], got["fields"]) == (26, "", [])


def test_a_serial_nobody_used_is_20_for_everything(clients: Clients) -> None:
    service, agent = clients.service(), clients.bound_agent()
    got = service.data("404")
    assert (got["status"], got["serial"], got["agent"], got["fields"]) == (20, "404", "", [])
    assert service.report("404", 1) == 20
    assert agent.cancel("404") == 20


@pytest.mark.parametrize("service", ["alpha", "shared"])
def test_a_foreign_call_is_20_also_for_one_who_serves_the_same_service(clients: Clients, service: str) -> None:
    call = accepted(clients, service)
    other = clients.service("other-ivr")
    assert other.data(call.serial)["status"] == 20
    assert other.report(call.serial, 1) == 20
    assert call.service.data(call.serial)["status"] == 0, "and it harms nobody"
    assert other.report(call.serial, 1) == 20


def test_any_session_of_the_identity_may_fetch_and_report(clients: Clients) -> None:
    call = accepted(clients)
    second, third = clients.service(), clients.service()
    call.service.close()
    assert second.data(call.serial)["fields"] == FIELDS
    assert third.data(call.serial)["fields"] == FIELDS
    assert third.report(call.serial, 1) == 0
    assert call.agent.conditions(2) == [12, 1], "the data counts as fetched once"


def test_a_final_call_of_ones_own_is_24_for_events_and_20_for_data_then_20(clients: Clients) -> None:
    call = finished(clients, "brief")
    assert call.service.report(call.serial, 2) == 24
    assert call.service.report(call.serial, 3, 0) == 24
    assert call.service.data(call.serial)["status"] == 20
    assert clients.service("other-ivr").report(call.serial, 2) == 20
    until(lambda: call.service.report(call.serial, 1) == 20)
    assert call.service.report(call.serial, 2) == 20
    assert call.agent.cancel(call.serial) == 20


# ServiceEvent


def test_a_repeated_event_is_43_also_after_the_end(clients: Clients) -> None:
    call = fetched(clients)
    assert [call.service.report(call.serial, 5, 0) for _ in range(2)] == [0, 43]
    assert [call.service.report(call.serial, 6, 1) for _ in range(2)] == [0, 43]
    assert call.service.report(call.serial, 5, 2, FIELDS) == 25, "25 is checked before 24"
    assert call.service.report(call.serial, 7, 2) == 24
    assert call.agent.conditions(2) == [0, 1]
    assert call.agent.unread() == []


def test_an_event_id_counts_within_one_serial(clients: Clients) -> None:
    call = fetched(clients)
    other = new_number()
    call.agent.acknowledge(call.number, 3)
    assert call.agent.connect(call.number, other)["status"] == 0
    call.service.answer_connection()
    assert [call.service.report(serial, 0, 0) for serial in (call.serial, other)] == [0, 0]


def test_the_agent_of_an_event_is_empty_or_the_calls_own(clients: Clients) -> None:
    call = fetched(clients)
    other = new_number()
    bystander = clients.agent(other)
    assert call.service.report(call.serial, 1, 1, agent=other) == 20
    assert call.service.report(call.serial, 1, 1, agent=call.number) == 0
    assert call.agent.event()["condition"] == 1
    assert bystander.unread() == []


@pytest.mark.parametrize("condition", [1, 2, 3])
def test_every_final_condition_reaches_the_agent_with_its_fields(clients: Clients, condition: int) -> None:
    call = fetched(clients)
    assert call.service.report(call.serial, 1, condition, FIELDS) == 0
    got = call.agent.event()
    assert (got["condition"], got["status"], got["fields"]) == (condition, 0, FIELDS)


def test_a_result_for_an_agent_who_is_away_is_40_and_kept(clients: Clients) -> None:
    call = fetched(clients)
    assert call.agent.logout(call.number) == 0
    assert call.service.report(call.serial, 1, 0) == 40
    assert call.service.report(call.serial, 2, 1, FIELDS) == 40
    assert call.service.report(call.serial, 2, 1, FIELDS) == 43
    assert call.agent.unread() == []
    assert call.agent.login(call.number, 3)["last_sequence"] == 5
    assert call.agent.conditions(2) == [0, 1]


def test_a_result_that_would_not_fit_an_agent_event_is_35(clients: Clients) -> None:
    call = fetched(clients)
    fits = LIMIT - 2 - len(call.number) - 8 - 1
    for length, status in ((LIMIT, 35), (fits + 1, 35), (fits, 0)):
        got = call.service.ask_raw(Kind.SERVICE_EVENT, result_of(length, call.serial))
        assert got.outcome == (Kind.SERVICE_EVENT_REPLY, status)
    assert call.agent.event().length == LIMIT


# The events 10, 11 and 12, and a full mailbox


def test_a_full_mailbox_refuses_progress_and_never_the_end(clients: Clients) -> None:
    call = fetched(clients)
    statuses = [call.service.report(call.serial, event_id, 0) for event_id in range(1, 7)]
    assert statuses == [0, 0, 0, 0, 41, 41], "three events before, eight places, one of them for the end"
    call.agent.acknowledge(call.number, 1)
    assert call.agent.is_open()
    assert call.service.report(call.serial, 6, 0) == 0, "a refused event was not kept"
    assert call.service.report(call.serial, 7, 1) == 0
    assert call.agent.conditions(6) == [0, 0, 0, 0, 0, 1]


def test_without_room_for_the_end_of_a_call_its_request_is_41(clients: Clients) -> None:
    before, number = finished(clients), new_number()
    before.service.close()
    closed, link, service = before.serial, clients.agent(number), clients.service()
    serials = [new_number() for _ in range(8)]
    assert link.logout(number) == 0 and link.login(number)["status"] == 0
    statuses = [link.connect(number, serial)["status"] for serial in serials]
    assert statuses[0] == 0 and set(statuses) == {0, 41} and statuses == sorted(statuses)
    assert link.connect(number, "")["status"] == 41
    assert link.connect(number, serials[0])["status"] == 0, "a repeat needs no room"
    assert link.connect(number, "", "unheard-of")["status"] == 30
    assert link.connect(number, closed)["status"] == 22
    assert link.connect(number, "", number="*")["status"] == 34
    assert link.ask_raw(Kind.CONNECT_REQUEST, exact(LIMIT, "", number)).outcome == (Kind.CONNECT_REPLY, 35)
    service.answer_connection()
    assert service.report(serials[0], 1) == 0
    service.close()
    ends = [got["condition"] for got in link.unread(0.1) if got["condition"] not in (10, 11, 12)]
    assert ends == [1] + [14] * (statuses.count(0) - 1), "every accepted request hears its end"
