"""What must hold once everything is quiet: all promises kept, and nothing left over."""

from __future__ import annotations

from collections.abc import Iterator

from ctiex.clients.event_taking import Position
from ctiex.processing.calls import CallTable
from ctiex.signalling.link import LinkSignalling
from ctiex.testing.pairs import MemoryExchange
from ctiex.testing.simulation.cast import Cast
from ctiex.testing.simulation.clock import ProcessClock
from ctiex.testing.simulation.telephones import SeenSignalling


def check_quiet(world: Cast) -> None:
    """All faults are healed and every time-out is over: the clients are still bound."""
    ledger, exchange = world.ledger, world.exchange.running
    ledger.settle()
    ledger.hold(exchange is not None, "the exchange isn't running")
    if exchange is None:
        return
    for what, left in _left_in_exchange(exchange):
        ledger.hold(not left, f"left over in the exchange: {what}: {left}")
    for number, book in ledger.books.items():
        ledger.hold(exchange.presence.is_here(number), f"agent {number} isn't logged in")
        ledger.hold(book.gaps == 0, f"agent {number} has lost events: a gap was told, and nothing had expired")
        last = exchange.store.last_sequence(number)
        numbered = Position(exchange.mailboxes.epoch, last)
        ledger.hold(book.position == numbered, f"agent {number} is at {book.position}, the exchange at {numbered}")
    for service in world.services:
        left_in_service = 0 if service.service is None else service.service.calls
        ledger.hold(not left_in_service, f"left over in service {service.label}: {left_in_service} calls")
    for application in world.applications:
        for number, agent in application.agents.items():
            waiting = [*agent._hand_offs._going_on, *agent._hand_offs._asked, *agent._taking._waiting]
            ledger.hold(not waiting, f"left over in the application of agent {number}: {waiting}")
    on_the_way = world.platform.on_the_way()
    ledger.hold(not on_the_way, f"left over at the telephones: {on_the_way}")
    ledger.hold(not world.network.left_over, f"left over in the network: {world.network.left_over} bytes")


def _left_in_exchange(exchange: MemoryExchange) -> Iterator[tuple[str, object]]:
    life = exchange.processing._calls
    yield "calls", [call.serial for call in exchange.store.calls()]
    yield "open calls", exchange.processing.calls_open
    yield "reservations", dict(exchange.context.quotas._of_agent)
    pending = {agent: exchange.store.pending(agent) for agent in exchange.store.agents()}
    yield "events", {agent: count for agent, count in pending.items() if count}
    yield from _left_of_calls(life)
    for driver in life.drivers.by_name.values():
        if isinstance(driver, LinkSignalling):
            yield "attempts", list(driver._attempts)
        elif isinstance(driver, SeenSignalling):
            yield "customers", driver.going_on
    for factory in (exchange.agent_links, exchange.ivr_links):
        for link in factory.links:
            yield "buffered bytes", link.session._decoder.buffered()


def _left_of_calls(life: CallTable) -> Iterator[tuple[str, object]]:
    """Whatever processing holds of calls beside the store."""
    yield "owners", len(life.owners)
    yield "what isn't known yet", sorted(life.undecided)
    yield "what is to be told again", len(life._uncommitted)
    yield "deadlines", len(life._timers)


def check_empty(world: Cast) -> None:
    """The clients have said goodbye, and everything that could expire has expired."""
    ledger, exchange = world.ledger, world.exchange.running
    assert exchange is not None and world.exchange.process is not None
    ledger.hold(exchange.presence.logged_in == 0, f"{exchange.presence.logged_in} agents are logged in on dead links")
    links = len(exchange.agent_links.links) + len(exchange.ivr_links.links)
    ledger.hold(links == 0, f"{links} links are left over")
    ledger.hold(world.network.ends == 0, f"{world.network.ends} ends of connections are left over")
    admission = exchange.agent_links._context.admission
    ledger.hold(admission.empty, f"links are counted that aren't there: {admission}")
    ledger.hold(not exchange.sessions._identities, "sessions of services are left over")
    clients = [application.process for application in world.applications] + [one.process for one in world.services]
    for process in (world.exchange.process, *clients):
        if process is not None:
            timers = _timers(process)
            ledger.hold(not timers, f"timers are left over: {timers}")


def _timers(process: ProcessClock) -> list[str]:
    return [f"{timer.func} in {timer.getTime() - process.seconds():.3f} s" for timer in process.getDelayedCalls()]
