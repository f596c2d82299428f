"""Faults that the exchange, its clients and its drivers once had, planted again to see that they are found.

``python -m tests.planted_faults`` plants each of them in as many worlds as it takes, four to a seed and 250 calls to a
world, and prints which world found it, and how. What Asterisk's driver had is planted in random walks of that driver
with a platform of the tests' own, as many as have a thousand calls together.
"""

from __future__ import annotations

import sys
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from random import Random
from typing import Any
from unittest import mock

from attrs import evolve, frozen

from ctiex.clients.agent_number import AgentNumber
from ctiex.clients.event_taking import Coming
from ctiex.clients.hand_off import AskedHandOff, HandOff
from ctiex.errors import Status
from ctiex.identities import ANY_OWNER
from ctiex.interfaces import IServiceSession, Offer
from ctiex.messages import AgentEvent, Condition, ServiceEvent
from ctiex.processing.commits import Commits
from ctiex.processing.states import TRANSITIONS, Step
from ctiex.processing.uncommitted import SignallingEvent
from ctiex.records import Call, CallState, Change
from ctiex.signalling.waiting_offers import Choice
from ctiex.testing.pairs import MemoryExchange
from ctiex.testing.simulation.faults import ALL, Fault
from ctiex.testing.simulation.runs import CALLS_OF_A_WORLD, world_seed
from ctiex.testing.simulation.world import World, WorldOutcome

from .asterisk_walk import OPS, Walk

Spoil = Callable[[MemoryExchange], None]
_RETRY_AFTER = 5.0


@frozen
class Planted:
    """A fault, and the promise that it breaks."""

    name: str
    what: str
    """What goes wrong."""
    breaks: str
    """A pattern of how it is told."""
    spoil: Spoil = lambda _: None
    """Puts it into an exchange."""
    elsewhere: Callable[[], AbstractContextManager[Any]] = nullcontext
    """Puts it into what is no part of an exchange."""
    faults: frozenset[Fault] = ALL
    of_asterisk: bool = False
    """Whether Asterisk's driver has it, which the simulation hasn't."""


def _offer_before_it_is_kept(exchange: MemoryExchange, again: bool) -> None:
    """A Connection is written at once, whatever the store says of whose call it is.

    :param again: a step that the store didn't take is taken once more after a while, whatever stands by then.
    """
    calls, store = exchange.processing._calls, exchange.store

    def take(serial: str, session: IServiceSession | None) -> None:
        call = store.get(serial)
        owner = ANY_OWNER if session is None else session.identity

        def lost() -> None:
            if again:
                exchange.clock.callLater(_RETRY_AFTER, take, serial, session)

        if call is not None and (call.state, Step.OFFER) in TRANSITIONS:
            calls.owners.offered(call, session)
            calls.step(evolve(call, owner=owner), Step.OFFER, Condition.CONNECTING, failed=lost)

    def offered(serial: str, session: IServiceSession | None, write: Callable[[], None]) -> None:
        take(serial, session)
        write()

    vars(exchange.processing.listener)["offered"] = offered


def _ends_told_once(exchange: MemoryExchange) -> None:
    """An end that a driver tells, and that the store doesn't take, is never told again."""
    uncommitted = exchange.processing._calls._uncommitted
    put_until_well = uncommitted.put_until_well

    def put(serial: str, what: SignallingEvent, tell: Callable[[], None]) -> None:
        if what is not SignallingEvent.ENDED:
            put_until_well(serial, what, tell)

    vars(uncommitted)["put_until_well"] = put


def _never_offered_when_a_cancel_fails(exchange: MemoryExchange) -> None:
    """A call that is kept while a cancel of it is under way isn't signalled, whatever comes of the cancel."""
    store, signal = exchange.store, exchange.processing._offers.signal

    def signal_now(serial: str, resumed: bool = False) -> None:
        call = store.get(serial)
        if resumed or (call is not None and call.state is CallState.REQUESTED):
            signal(serial, resumed)

    vars(exchange.processing._offers)["signal"] = signal_now


def _cancels_answered_before_they_are_kept(exchange: MemoryExchange) -> None:
    """A cancel is answered 0 at once, and undone by a store that doesn't take it, or by a crash."""
    calls, end = exchange.processing._calls, exchange.processing._calls.end

    def end_now(call: Call, condition: Condition, *rest: Any, **more: Any) -> None:
        if condition is Condition.CANCELLED and (call.state, Step.END) in TRANSITIONS:
            more.pop("answer")(Status.OK)
        end(call, condition, *rest, **more)

    vars(calls)["end"] = end_now


def _serials_free_too_early(exchange: MemoryExchange) -> None:
    """A serial may be used again while an event of its last call waits in the mailbox."""
    vars(exchange.mailboxes)["awaits"] = lambda serial: False


def _one_epoch_for_ever(exchange: MemoryExchange) -> None:
    """Events are numbered in the same epoch, whatever the store has lost."""
    exchange.mailboxes.epoch = 1


def _repeats_by_event_id_alone(exchange: MemoryExchange) -> None:
    """A report under an event_id that was used before is taken for a repeat, whatever it says."""
    reports = exchange.processing._reports
    check = reports._check_new

    def check_new(call: Call, event: ServiceEvent, digest: bytes) -> None:
        check(call, event, call.reports.get(event.event_id, digest))

    vars(reports)["_check_new"] = check_new


def _ends_told_to_one_session(exchange: MemoryExchange) -> None:
    """A service whose session has ended before it could hear of a call's end is never told again."""
    notices = exchange.processing._calls._notices
    answered = notices._answered
    vars(notices)["_answered"] = lambda *about: answered(*about[:-1], True)


def _changes_not_told(exchange: MemoryExchange) -> None:
    """A service that has fetched the data of a call isn't told that it has changed."""
    notices = exchange.processing._calls._notices
    try_ = notices._try

    def try_ends(call: Call, *session: Any) -> None:
        if call.ended_as:
            try_(call, *session)

    vars(notices)["_try"] = try_ends


def _updates_answered_before_they_are_kept(exchange: MemoryExchange) -> None:
    """An update is answered 0 at once, and undone by a store that doesn't take it, or by a crash."""
    calls, update = exchange.processing._calls, exchange.processing._calls.update

    def update_now(call: Call, updated: Call, answer: Callable[[Status], None]) -> None:
        answer(Status.OK)
        update(call, updated, lambda status: None)

    vars(calls)["update"] = update_now


@contextmanager
def _epoch_kept_if_the_store_is_well() -> Iterator[None]:
    """A new epoch is kept apart from what comes behind it, which the store may take without it."""

    def commit_apart(commits: Commits, metadata: tuple[tuple[str, str], ...]) -> None:
        commits.commit(Change(metadata=metadata))

    with mock.patch.object(Commits, "commit_first", commit_apart):
        yield


@contextmanager
def _waiting_events_brought_in_another_epoch() -> Iterator[None]:
    """A client brings events that waited when another numbering began, as if they were of that one."""
    number_anew = AgentNumber._number_anew

    def keep_waiting(agent: AgentNumber, first: int) -> None:
        with mock.patch.object(agent._taking, "_waiting", deque[Coming]()):
            number_anew(agent, first)

    with mock.patch.object(AgentNumber, "_number_anew", keep_waiting):
        yield


@contextmanager
def _hand_offs_hear_every_call_of_their_serial() -> Iterator[None]:
    """A client takes whatever comes under a serial for its new call's."""

    def fits(hand_off: AskedHandOff | HandOff, event: AgentEvent) -> bool:
        return True

    with mock.patch.object(AskedHandOff, "fits", fits), mock.patch.object(HandOff, "fits", fits):
        yield


@contextmanager
def _any_serial_means_the_agents_only_customer() -> Iterator[None]:
    """A serial that isn't that of a talk of the agent who names it is taken for their only customer's."""

    def of(choice: Choice, offer: Offer) -> str:
        conversations = choice._conversations.of_agent(offer.agent)
        [customer] = [
            conversation.customer.id for conversation in conversations if offer.serial == conversation.serial
        ] or [""]
        return customer or (conversations[0].customer.id if len(conversations) == 1 else "")

    with mock.patch.object(Choice, "of", of):
        yield


PLANTED = (
    Planted(
        "stale owner",
        "an offer that the store didn't take is made once more, and takes the call from whoever has it by then",
        "its data goes to|there is no such call|is refused as unknown|is kept, whose call it isn't",
        partial(_offer_before_it_is_kept, again=True),
    ),
    Planted(
        "offer lost",
        "a Connection is written before it is kept whose call it is, and the store doesn't take that",
        "there is no such call|is refused as unknown|a service has accepted it",
        partial(_offer_before_it_is_kept, again=False),
    ),
    Planted(
        "hang-up lost",
        "a hang-up that the store didn't take is never told again",
        "the customer has hung up|the customer had hung up|nobody is left to try",
        _ends_told_once,
    ),
    Planted(
        "cancel undone",
        "a call whose cancel comes to nothing isn't offered any more",
        "it was acknowledged, and it is to be offered",
        _never_offered_when_a_cancel_fails,
        faults=frozenset({Fault.STORE, Fault.COMMIT, Fault.AGENT}),
    ),
    Planted(
        "cancel answered too early",
        "a cancel that was answered 0 is undone by a store that fails, or by a crash",
        "its cancel was answered 0",
        _cancels_answered_before_they_are_kept,
    ),
    Planted(
        "old result",
        "the result of an earlier call is given as that of another one with the same serial",
        "which is another call's",
        _serials_free_too_early,
        _hand_offs_hear_every_call_of_their_serial,
    ),
    Planted(
        "epoch never renewed",
        "a store that has lost something numbers agents' events on as if nothing had happened",
        "and no gap was told|now it is|follows its end|its end was told to|is at Position|told 0 times",
        _one_epoch_for_ever,
    ),
    Planted(
        "epoch comes back",
        "a new epoch that the store doesn't take is lost in a crash, and the one from before goes on",
        "and no gap was told|now it is|follows its end|its end was told to|is at Position|told 0 times",
        elsewhere=_epoch_kept_if_the_store_is_well,
        faults=frozenset({Fault.LOSS, Fault.STORE, Fault.CRASH, Fault.AGENT}),
    ),
    Planted(
        "events of another epoch",
        "a client brings events of a numbering that is over as if they were of the new one",
        "and no gap was told|now it is",
        elsewhere=_waiting_events_brought_in_another_epoch,
        faults=frozenset({Fault.LOSS, Fault.STORE, Fault.AGENT}),
    ),
    Planted(
        "report swallowed",
        "a report under an event_id that a restarted service uses again is taken for a repeat",
        "told 0 times",
        _repeats_by_event_id_alone,
        faults=frozenset({Fault.SERVICE, Fault.CRASH}),
    ),
    Planted(
        "end told once",
        "a service whose session ends before it could hear of a call's end never hears of it",
        "hasn't heard CallEnded",
        _ends_told_to_one_session,
        faults=frozenset({Fault.NETWORK, Fault.SERVICE, Fault.AGENT}),
    ),
    Planted(
        "change not told",
        "a service that has fetched the data of a call isn't told that it was updated",
        "hasn't heard DataChanged",
        _changes_not_told,
        faults=frozenset({Fault.SERVICE}),
    ),
    Planted(
        "update answered too early",
        "an update that was answered 0 is undone by a store that fails, or by a crash",
        "which isn't what it was updated to|its data isn't what it was updated to",
        _updates_answered_before_they_are_kept,
    ),
    Planted(
        "wrong party",
        "the serial of a customer who was passed on moves the one with whom the agent talks now",
        r"names \S+ and moved",
        elsewhere=_any_serial_means_the_agents_only_customer,
        of_asterisk=True,
    ),
)


def worlds(planted: Planted, seed: int, calls: int = 1_000) -> Iterator[WorldOutcome]:
    """The worlds of a run with a fault; ``customers`` counts the calls up to each one's end."""
    with planted.elsewhere():
        yield from walks(seed, calls) if planted.of_asterisk else _simulated(planted, seed, calls)


def _simulated(planted: Planted, seed: int, calls: int) -> Iterator[WorldOutcome]:
    for number in range(calls // CALLS_OF_A_WORLD):
        outcome = World(world_seed(seed, number), planted.faults, spoil=planted.spoil).run(CALLS_OF_A_WORLD)
        yield evolve(outcome, counts=Counter(customers=CALLS_OF_A_WORLD * (number + 1)))


def walks(seed: int, calls: int) -> Iterator[WorldOutcome]:
    """Random walks with Asterisk's driver that have at most so many calls together, counted as ``customers``."""
    dice, called = Random(seed), 0
    while called < calls:
        walk, broken = Walk(), None
        try:
            walk.go(dice.randrange(OPS) for _ in range(dice.randint(20, 50)))
        except AssertionError as wrong:
            broken = str(wrong)
        called += len(walk.customers)
        if called <= calls:
            yield WorldOutcome(seed, "", Counter(customers=called), broken)


def found(planted: Planted, seed: int, calls: int = 1_000) -> WorldOutcome | None:
    """The first world of a run that finds a fault; None if none does."""
    return next((outcome for outcome in worlds(planted, seed, calls) if outcome.broken is not None), None)


def main(seeds: list[int]) -> None:
    """Plant each fault with each seed."""
    for planted in PLANTED:
        for seed in seeds:
            print(f"{planted.name}, seed {seed}: {_in_words(found(planted, seed))}", flush=True)


def _in_words(outcome: WorldOutcome | None) -> str:
    if outcome is None:
        return "NOT FOUND"
    return f"within {outcome.counts['customers']} calls, world {outcome.seed}, {outcome.broken}"


if __name__ == "__main__":
    main([int(seed) for seed in sys.argv[1:]] or [1, 2, 3])
