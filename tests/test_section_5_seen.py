"""Section 5.1 from outside: calls that a driver sees come back, and calls that are dialled."""

from __future__ import annotations

from ctiex.interfaces import BaseSignalling, Offer
from ctiex.limits import Timeouts
from ctiex.signalling.link import LinkSignalling
from ctiex.testing.fakes import WaitingStore

from .wire_client import Kind
from .wire_exchange import new_number
from .wire_memory import Memory, MemoryPeer
from .wire_requests import FIELDS, Call, accepted, fetched


class Seeing(LinkSignalling):
    """Signalling by link, by a driver that sees what becomes of the customer."""

    sees_return = True


class Dialling(BaseSignalling):
    """Has dialled every service at once, and they come for their calls."""

    def __init__(self, listener: object, sessions: object, clock: object) -> None:
        self._listener = listener

    def offer(self, offer: Offer) -> None:
        """The Connection is written to an address."""
        self._listener.offered(offer.serial, None, lambda: None)  # type: ignore[attr-defined]

    def withdraw(self, serial: str) -> int:
        """Nothing is under way."""
        return 31


def returned(memory: Memory, call: Call[MemoryPeer]) -> None:
    memory.exchange.processing.listener.returned(call.serial)


def events(agent: MemoryPeer) -> list[tuple[int, str]]:
    return [(got["condition"], got["reference"]) for got in agent.taken()]


# ---------------------------------------------------------------- a driver that sees the call


def test_a_reported_call_is_open_until_the_customer_is_back() -> None:
    memory = Memory(driver=Seeing)
    call = fetched(memory, reference="case 9")
    memory.advance(5)
    assert call.service.report(call.serial, 1, 1, [("paid", True)]) == 0
    (listed,) = call.agent.query(call.number)["calls"]
    assert (listed["serial"], listed["state"], listed["since"]) == (call.serial, 4, 5_000)
    again = call.agent.connect(call.number, call.serial, fields=FIELDS, reference="case 9")
    assert again["status"] == 0, "until the call closes"
    assert call.agent.cancel(call.serial) == call.agent.update(call.serial, []) == 24
    assert call.service.data(call.serial)["status"] == 20
    assert call.service.report(call.serial, 1, 1, [("paid", True)]) == 43
    assert [call.service.report(call.serial, 1), call.service.report(call.serial, 2)] == [25, 24]
    returned(memory, call)
    assert call.agent.query(call.number)["calls"] == []
    again = call.agent.connect(call.number, call.serial, fields=FIELDS, reference="case 9")
    assert again["status"] == 24


def test_the_reference_stands_in_the_event_of_the_return_that_closes_it() -> None:
    memory = Memory(driver=Seeing)
    call = fetched(memory, reference="case 9")
    assert call.service.report(call.serial, 1) == 0
    returned(memory, call)
    assert events(call.agent) == [(1, "case 9"), (13, "case 9")]
    assert call.service.taken() == [], "nothing more is told to a service that has reported"


def test_it_stands_in_that_of_one_that_comes_before_the_result_too() -> None:
    memory = Memory(driver=Seeing)
    call = fetched(memory, reference="case 9")
    returned(memory, call)
    assert call.service.report(call.serial, 1) == 0
    assert events(call.agent) == [(13, "case 9"), (1, "case 9")]


def test_a_customer_who_hangs_up_is_3_to_the_agent_and_to_the_service() -> None:
    memory = Memory(driver=Seeing)
    call = fetched(memory, reference="case 9")
    memory.exchange.processing.listener.hung_up(call.serial)
    assert events(call.agent) == [(3, "case 9")]
    assert call.service.answer_end() == (call.serial, 3)
    call.service.close()
    call = fetched(memory)
    call.service.close()
    memory.exchange.processing.listener.hung_up(call.serial)
    assert memory.service().answer_end() == (call.serial, 3)


def test_a_customer_who_hangs_up_after_the_result_is_told_to_nobody() -> None:
    memory = Memory(driver=Seeing)
    call = fetched(memory)
    assert call.service.report(call.serial, 1) == 0
    memory.exchange.processing.listener.hung_up(call.serial)
    assert events(call.agent) == [(1, "")]
    assert call.service.taken() == memory.service().taken() == []


def test_a_customer_who_comes_to_an_agent_is_told_under_a_serial_that_may_be_used() -> None:
    memory = Memory(driver=Seeing)
    number = new_number()
    agent, arrived = memory.agent(number), memory.exchange.processing.listener.call_arrived
    memory.advance(7)
    serial = arrived(number, "0100")
    got = agent.event()
    assert (got["serial"], got["reference"], got["condition"], got["time"]) == (serial, "", 0, 7_000)
    assert got["fields"] == [("event", "call"), ("calling_number", "0100")]
    assert agent.query(number)["calls"] == [], "it is no hand-off"
    assert agent.connect(number, serial)["status"] == 0
    assert arrived(new_number(), "0100") == "", "nobody is there to be told"


def test_link_sees_no_return(memory: Memory) -> None:
    call = accepted(memory)
    assert call.service.report(call.serial, 1) == 0
    assert call.agent.query(call.number)["calls"] == [], "closed by its result"


# ---------------------------------------------------------------- calls that are dialled


def dialled(memory: Memory) -> tuple[MemoryPeer, str]:
    number, serial = new_number(), new_number()
    agent = memory.agent(number)
    assert agent.connect(number, serial, "shared", fields=[("area", "Köln")])["status"] == 0
    return agent, serial


def test_the_first_identity_that_serves_it_and_comes_for_it_has_it() -> None:
    memory = Memory(driver=Dialling)
    agent, serial = dialled(memory)
    first, second = memory.service("other-ivr", "updates"), memory.service(features="updates")
    assert first.data(serial)["status"] == 0
    assert second.data(serial)["status"] == second.report(serial, 1) == 20
    assert agent.update(serial, [("area", "Bonn")]) == 0
    assert first.answer_change() == serial
    assert agent.cancel(serial) == 0
    assert first.answer_end() == (serial, 16)
    assert second.taken() == []


def test_nobody_is_told_of_the_end_of_one_that_nobody_came_for() -> None:
    memory = Memory(Timeouts(signalling_timeout=10), driver=Dialling)
    agent, serial = dialled(memory)
    service = memory.service()
    assert agent.cancel(serial) == 0
    assert service.taken() == memory.service().taken() == []


def test_a_change_is_told_to_the_one_whose_fetch_is_not_kept_yet() -> None:
    store = WaitingStore()
    store.waits = False
    memory = Memory(driver=Dialling, store=store)
    agent, serial = dialled(memory)
    service = memory.service(features="updates")
    store.waits = True
    assert service.data(serial)["status"] == 0
    agent.say(Kind.UPDATE_REQUEST, 70, serial=serial, fields=[("area", "Bonn")])
    while store.waiting:
        store.fire()
    assert service.answer_change() == serial


def test_a_change_is_told_to_the_one_whose_fetch_the_store_didnt_take_at_first() -> None:
    store = WaitingStore()
    store.waits = False
    memory = Memory(driver=Dialling, store=store)
    agent, serial = dialled(memory)
    service = memory.service(features="updates")
    store.unavailable = True
    assert service.data(serial)["status"] == 0
    store.unavailable = False
    assert agent.update(serial, [("area", "Bonn")]) == 0
    assert service.answer_change() == serial
    memory.advance(10)
    assert dict(service.data(serial)["fields"]) == {"area": "Bonn"}
    assert [got["condition"] for got in agent.taken()] == [10, 12]
    service.close()
    assert agent.cancel(serial) == 0
    assert memory.service().answer_end() == (serial, 16)
