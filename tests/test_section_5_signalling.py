"""Sections 5 and 5.1 from outside: signalling by link, and how a call ends without a result."""

from __future__ import annotations

from contextlib import suppress

import pytest

from .waiting import until
from .wire_client import Kind, Message, Peer, Silent, body, frame, message
from .wire_exchange import Clients, new_number
from .wire_requests import FIELDS, accepted, fetched, finished


def last_event(link: Peer) -> tuple[int, int]:
    """Condition and status of the first event at the end of a call."""
    while True:
        got = link.event()
        if got["condition"] not in (10, 11, 12):
            return got["condition"], got["status"]


# Signalling by link


def wait_offer(*links: Peer) -> tuple[Peer, Message]:
    """Who gets the next Connection."""

    def offered() -> tuple[Peer, Message] | None:
        for link in links:
            with suppress(Silent):
                return link, link.wait(Kind.CONNECTION, timeout=0.02)
        return None

    found = until(offered)
    assert found
    return found


def test_a_call_that_moved_on_to_another_identity_is_not_the_first_ones_any_more(clients: Clients) -> None:
    number, serial = new_number(), new_number()
    agent, first, second = clients.agent(number), clients.service(), clients.service("other-ivr")
    assert agent.connect(number, serial, "shared")["status"] == 0
    refusing, offered = wait_offer(first, second)
    refusing.send(message(Kind.CONNECTION_REPLY, offered.invoke_id, status=14, detail=""))
    other = second if refusing is first else first
    other.answer_connection()
    assert refusing.data(serial)["status"] == 20
    assert other.data(serial)["status"] == 0


@pytest.mark.parametrize("status", [1, 14, 32, 999])
def test_a_refused_connection_is_offered_to_the_next_session_in_turn(clients: Clients, status: int) -> None:
    number, serial = new_number(), new_number()
    agent, first, second = clients.agent(number), clients.service(), clients.service()
    assert agent.connect(number, serial)["status"] == 0
    refusing, offered = wait_offer(first, second)
    other = second if refusing is first else first
    assert other.unread() == [], "one session at a time"
    refusing.send(message(Kind.CONNECTION_REPLY, offered.invoke_id, status=status, detail="no"))
    assert other.answer_connection().values == offered.values
    assert agent.conditions(2) == [10, 11]
    assert other.data(serial)["status"] == 0


def test_a_connection_moves_on_when_its_session_dies(clients: Clients) -> None:
    number, serial = new_number(), new_number()
    agent, first, second = clients.agent(number), clients.service(), clients.service()
    assert agent.connect(number, serial)["status"] == 0
    dying, _ = wait_offer(first, second)
    dying.close()
    other = second if dying is first else first
    other.answer_connection()
    assert agent.conditions(2) == [10, 11]


def test_calls_go_to_the_sessions_in_turn(clients: Clients) -> None:
    number = new_number()
    agent, links = clients.agent(number), [clients.service(), clients.service(), clients.service()]
    seen = []
    for _ in range(3):
        assert agent.connect(number, new_number())["status"] == 0
        taker, offered = wait_offer(*links)
        taker.send(message(Kind.CONNECTION_REPLY, offered.invoke_id, status=0, detail=""))
        seen.append(links.index(taker))
    assert sorted(seen) == [0, 1, 2]


def test_no_bound_session_is_14_with_31_at_once(clients: Clients) -> None:
    number = new_number()
    agent = clients.agent(number)
    assert agent.connect(number, "", "nobody")["status"] == 0
    assert last_event(agent) == (14, 31)


def test_the_death_of_the_last_session_is_14_with_33_at_once(clients: Clients) -> None:
    number = new_number()
    agent, service = clients.agent(number), clients.service()
    assert agent.connect(number, "")["status"] == 0
    service.wait(Kind.CONNECTION)
    service.close()
    assert last_event(agent) == (14, 33)


def test_refused_by_every_session_is_14_with_32_at_once(clients: Clients) -> None:
    number = new_number()
    agent, links = clients.agent(number), [clients.service(), clients.service()]
    assert agent.connect(number, "")["status"] == 0
    for _ in links:
        link, offered = wait_offer(*links)
        link.send(message(Kind.CONNECTION_REPLY, offered.invoke_id, status=14, detail=""))
    assert last_event(agent) == (14, 32)
    assert [link.unread(0.1) for link in links] == [[], []], "who refused has no call that could end"


def test_a_session_that_never_answers_is_14_with_33_and_is_told(clients: Clients) -> None:
    number, serial = new_number(), new_number()
    agent, service = clients.agent(number), clients.service()
    assert agent.connect(number, serial, "slow-answer")["status"] == 0
    offered = service.wait(Kind.CONNECTION)
    assert last_event(agent) == (14, 33)
    assert service.answer_end() == (serial, 14)
    service.send(message(Kind.CONNECTION_REPLY, offered.invoke_id, status=0, detail=""))
    assert service.data(serial)["status"] == 20
    assert service.report(serial, 1) == 24


def test_the_end_of_a_call_is_told_to_the_session_that_has_it(clients: Clients) -> None:
    number = new_number()
    agent, links = clients.agent(number), [clients.service(), clients.service()]
    for _ in links:
        serial = new_number()
        assert agent.connect(number, serial, "slow-answer")["status"] == 0
        holder, _ = wait_offer(*links)
        assert last_event(agent) == (14, 33)
        assert holder.answer_end() == (serial, 14)
    assert [link.unread(0.05) for link in links] == [[], []]


# Ends


def test_data_that_is_not_fetched_in_time_is_15_with_33(clients: Clients) -> None:
    call = accepted(clients, "slow-fetch")
    assert last_event(call.agent) == (15, 33)
    assert call.service.answer_end() == (call.serial, 15)
    assert call.service.data(call.serial)["status"] == 20


def test_a_result_that_does_not_come_in_time_is_15_with_33(clients: Clients) -> None:
    call = fetched(clients, "slow-result")
    assert last_event(call.agent) == (15, 33)
    assert call.service.answer_end() == (call.serial, 15)
    assert call.service.report(call.serial, 1) == 24


def test_cancel_is_heard_by_the_agent_and_by_the_service(clients: Clients) -> None:
    call = fetched(clients, "brief")
    assert call.agent.cancel(call.serial) == 0
    got = call.agent.event()
    assert (got["condition"], got["serial"]) == (16, call.serial)
    assert call.service.answer_end() == (call.serial, 16)
    assert call.agent.cancel(call.serial) == 24
    assert call.service.report(call.serial, 1) == 24
    assert call.service.data(call.serial)["status"] == 20
    assert call.agent.connect(call.number, call.serial, "brief", fields=FIELDS)["status"] == 24
    until(lambda: call.agent.cancel(call.serial) == 20)


def test_cancel_while_the_service_has_not_answered_tells_the_service_too(clients: Clients) -> None:
    number, serial = new_number(), new_number()
    agent, service = clients.agent(number), clients.service()
    assert agent.connect(number, serial)["status"] == 0
    service.wait(Kind.CONNECTION)
    assert agent.cancel(serial) == 0
    assert last_event(agent)[0] == 16
    assert service.answer_end() == (serial, 16)


def test_cancel_after_a_final_result_is_24_and_the_service_hears_nothing(clients: Clients) -> None:
    call = finished(clients)
    assert call.agent.cancel(call.serial) == 24
    assert call.service.unread(0.1) == call.agent.unread() == []


def test_any_link_that_may_act_for_the_agent_may_cancel_and_no_other(clients: Clients) -> None:
    call = fetched(clients)
    assert clients.bound_agent("small-desk").cancel(call.serial) == 20
    assert clients.bound_agent().cancel(call.serial) == 0
    assert call.agent.event()["condition"] == 16, "the agent hears it"
    assert clients.bound_agent("small-desk").cancel(call.serial) == 20


def test_call_ended_goes_to_another_session_when_the_first_is_gone(clients: Clients) -> None:
    call = fetched(clients)
    other = clients.service()
    call.service.close()
    assert call.agent.cancel(call.serial) == 0
    assert other.answer_end() == (call.serial, 16)


def test_an_error_as_the_answer_to_a_connection_is_not_answered(clients: Clients) -> None:
    number = new_number()
    agent, service = clients.agent(number), clients.service()
    assert agent.connect(number, "")["status"] == 0
    offered = service.wait(Kind.CONNECTION)
    service.send(frame(Kind.ERROR, body(Kind.ERROR, status=51, about=Kind.CONNECTION, detail=""), offered.invoke_id))
    assert last_event(agent)[0] == 14
    assert [got.kind for got in service.unread(0.1) if got.kind is Kind.ERROR] == []
