"""What the simulation would find: known bugs that are put into the exchange and the store."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from attrs import evolve
from twisted.internet.defer import Deferred

from ctiex.messages import CallEnded, Condition, ConnectReply
from ctiex.records import Change, StoredEvent
from ctiex.testing.pairs import MemoryExchange
from ctiex.testing.simulation.faults import ALL, NONE, Fault
from ctiex.testing.simulation.store import SimulatedStore
from ctiex.testing.simulation.world import World


def found(
    make_store: Callable[..., Any] = SimulatedStore,
    spoil: Callable[[MemoryExchange], None] = lambda _: None,
    faults: frozenset[Fault] = ALL,
) -> str:
    """What a few worlds with a known bug find."""
    for seed in range(8):
        outcome = World(seed, faults, make_store, spoil).run(150)
        if outcome.broken is not None:
            return outcome.broken
    return "nothing"


class HastyStore(SimulatedStore):
    """Says that everything is kept before it is."""

    def commit(self, change: Change) -> Deferred[None] | None:
        """Don't wait."""
        waiting = super().commit(change)
        if waiting is not None:
            waiting.addErrback(lambda _: None)
        return None


def test_a_store_that_acknowledges_before_the_commit_is_found() -> None:
    assert found(HastyStore, faults=frozenset({Fault.CRASH, Fault.STORE})) != "nothing"
    assert found(HastyStore, faults=frozenset({Fault.STORE})) != "nothing"


def test_a_store_that_drops_what_was_not_acknowledged_is_found() -> None:
    class Dropping(SimulatedStore):
        def _opened(self) -> Any:
            return evolve(super()._opened(), events=())

    assert found(Dropping, faults=frozenset({Fault.CRASH, Fault.AGENT})) != "nothing"


def test_a_desk_that_forgets_an_event_is_found() -> None:
    def spoil(exchange: MemoryExchange) -> None:
        send = exchange.mailboxes.committed

        def kept(event: StoredEvent) -> None:
            if event.sequence % 50:
                send(event)
            else:
                exchange.mailboxes._committed[event.agent] = event.sequence
                login = exchange.presence._logins.get(event.agent)
                if login is not None:
                    login.sent = event.sequence

        exchange.mailboxes.committed = kept  # type: ignore[method-assign]

    told = found(spoil=spoil, faults=NONE)
    # Its application misses it at once, where another event of the mailbox is just being taken.
    assert "was acknowledged; its end was told to []" in told or "and no gap was told" in told


def test_a_reply_before_the_commit_is_found() -> None:
    def spoil(exchange: MemoryExchange) -> None:
        connect = exchange.processing.connect

        def hasty(identity: Any, outlet: Any, request: Any, reply: Callable[[Any], None]) -> None:
            answers: list[Any] = []
            connect(identity, outlet, request, answers.append if request.serial else reply)
            if answers:
                reply(answers[0])
            elif request.serial:
                reply(ConnectReply(0, request.serial))

        exchange.processing.connect = hasty  # type: ignore[method-assign]

    assert "was acknowledged; its end was told to []" in found(
        spoil=spoil, faults=frozenset({Fault.CRASH, Fault.STORE})
    )


def test_a_service_that_gets_the_data_of_others_is_found() -> None:
    def spoil(exchange: MemoryExchange) -> None:
        exchange.processing._calls.owners.owns = lambda identity, call: True  # type: ignore[method-assign]

    assert "its data goes to" in found(spoil=spoil, faults=frozenset({Fault.SERVICE}))


def test_an_event_under_another_agents_link_is_found() -> None:
    def spoil(exchange: MemoryExchange) -> None:
        def astray(agent: str) -> None:
            for other in list(exchange.presence._logins):
                send(other)
            for event in exchange.store.events(agent):
                for login in exchange.presence._logins.values():
                    login.connection.send_event(event.body)

        send = exchange.mailboxes._send
        exchange.mailboxes._send = astray  # type: ignore[method-assign]

    assert "came over another's link" in found(spoil=spoil, faults=NONE)


@pytest.mark.gate
@pytest.mark.parametrize("leaked", ["reservation", "login", "timer"])
def test_what_is_left_over_is_found(leaked: str) -> None:
    def spoil(exchange: MemoryExchange) -> None:
        if leaked == "reservation":
            exchange.context.quotas._of_agent["1001"] += 1
        elif leaked == "login":
            exchange.presence.logout = lambda agent, outlet: True  # type: ignore[method-assign]
        else:
            exchange.clock.callLater(1e9, CallEnded, "7", Condition.CANCELLED)

    assert {"reservation": "reservations", "login": "dead links", "timer": "timers are left over"}[leaked] in found(
        spoil=spoil, faults=NONE
    )
