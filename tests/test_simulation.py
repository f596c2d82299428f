"""The simulation of the whole system: what it reproduces, and what it survives."""

from __future__ import annotations

import sys
from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from ctiex.codecs.binary import BinaryCodec
from ctiex.core import ExchangeCore
from ctiex.fields import Fields
from ctiex.limits import Limits, Timeouts
from ctiex.lots import AT_ONCE
from ctiex.messages import AgentLogin, CancelRequest, Condition, ConnectReply, ConnectRequest, DataResult
from ctiex.processing.service import ProcessingService
from ctiex.records import Call, CallState
from ctiex.testing.fakes import FakeAgentConnection, WaitingStore
from ctiex.testing.pairs import MemoryExchange, agents
from ctiex.testing.simulation.faults import ALL, LATE_WORDS, MISHAPS, NONE, TROUBLES, Fault
from ctiex.testing.simulation.ledger import Promise, Request
from ctiex.testing.simulation.runs import run
from ctiex.testing.simulation.store import Troubles
from ctiex.testing.simulation.world import World

from .effort import examples
from .processes import finished, surroundings

REGRESSIONS = [
    # Hand-offs waited for ever for an end that lay in a gap, or that came after another link took the number over.
    17,
    # A login that timed out logged the number out again, while another login of it was under way.
    28,
    # An agent's login that timed out in the client but held at the exchange: its events moved the next login on,
    # and the ones before them were lost without a gap being told.
    29,
    # An acknowledgement that the store didn't take, or that was lost in a crash, left its event in the mailbox.
    68,
    # A repeated request was answered 22 from a close that the store then didn't keep, and the call was lost.
    132,
    # A request whose first try was lost was given the end of an earlier call with its serial, which waited behind
    # the next login.
    265556867651786,
]
"""Seeds of worlds of 250 calls with all faults that broke a promise once, and what was mended.

A world changes with the code that it runs: what can be shown without one is shown below as well.
"""


# ---------------------------------------------------------------- reproducibility


@pytest.mark.parametrize("faults", [NONE, ALL])
def test_a_seed_reproduces_a_run_exactly(faults: frozenset[Fault]) -> None:
    first, second, other = (World(seed, faults).run(80) for seed in (5, 5, 6))
    assert first == second
    assert first.digest != other.digest


@pytest.mark.gate
def test_a_seed_reproduces_a_run_in_another_process() -> None:
    program = "from ctiex.testing.simulation.world import World; print(World(5).run(80).digest)"
    digests = {
        finished([sys.executable, "-c", program], check=True, env=surroundings(PYTHONHASHSEED=seed), text=True).stdout
        for seed in ("1", "2")
    }
    assert digests == {World(5).run(80).digest + "\n"}


# ---------------------------------------------------------------- what is survived


def test_without_faults_every_call_is_acknowledged_served_and_told() -> None:
    outcome = World(1, NONE).run(200)
    assert outcome.broken is None
    assert outcome.counts["calls acknowledged"] == 200
    ends = sum(outcome.counts[f"outcome: {end}"] for end in ("completed", "failed", "abandoned"))
    assert ends == 200 and not [name for name in outcome.counts if name.startswith("fault")]


@pytest.mark.parametrize("fault", list(Fault))
def test_each_class_of_faults_alone_breaks_no_promise(fault: Fault) -> None:
    tally = run(120, 60, [fault])
    assert tally.broken is None
    assert tally.counts["calls acknowledged"] > 90
    assert fault is Fault.NETWORK or [name for name in tally.counts if name.startswith("fault: ")]


def test_all_faults_together_break_no_promise_and_all_of_them_happen() -> None:
    tally = run(800, 200)
    assert tally.broken is None
    assert tally.counts["calls acknowledged"] > 550
    happened = {name for name in tally.counts if name.startswith("fault: ")}
    assert len(happened) >= len(MISHAPS), happened


@pytest.mark.gate
@pytest.mark.parametrize("seed", REGRESSIONS)
def test_what_was_found_once_stays_mended(seed: int) -> None:
    assert World(seed).run(250).broken is None


def test_a_repeat_is_not_answered_from_a_close_that_is_not_kept() -> None:
    store = WaitingStore()
    exchange, who, outlet = MemoryExchange(store=store), agents(), FakeAgentConnection()
    exchange.mailboxes.login(outlet, AgentLogin("1001"))
    request = ConnectRequest("7", "1001", "bill", "13800138000")
    replies: list[ConnectReply] = []
    exchange.processing.connect(who, outlet, request, replies.append)
    exchange.processing.cancel(who, CancelRequest("7"), lambda reply: None)
    exchange.processing.connect(who, outlet, request, replies.append)
    assert replies == []
    store.fail()
    assert [reply.status for reply in replies] == [50]
    store.fire()
    assert [reply.status for reply in replies] == [50, 0], "it is the first one now"


def test_an_acknowledgement_that_the_store_did_not_take_is_tried_again() -> None:
    store = WaitingStore()
    store.waits = False
    exchange, outlet = MemoryExchange(store=store), FakeAgentConnection()
    exchange.mailboxes.login(outlet, AgentLogin("1001"))
    exchange.processing.connect(agents(), outlet, ConnectRequest("7", "1001", "bill", "138"), lambda reply: None)
    exchange.clock.advance(Timeouts().rebind_grace)
    assert [event.condition for event in outlet.events] == [Condition.CONNECTING, Condition.UNREACHABLE]
    store.unavailable = True
    exchange.mailboxes.acknowledge("1001", outlet, 2)
    store.unavailable = False
    assert store.pending("1001") == 2
    exchange.clock.advance(6.0)
    assert store.pending("1001") == 0


# ---------------------------------------------------------------- many at a restart


def being_signalled(world: World, count: int) -> None:
    """Put calls on the disk that were being signalled when an exchange died, before another one reads it."""
    for number in range(count):
        serial, agent, owner = f"8{number:07d}", ("1001", "1002", "3001")[number % 3], ("", "ivr-b")[number % 2]
        fields, identity = Fields({"account": serial}), "platform-3" if agent == "3001" else "platform-1"
        data = BinaryCodec().encode_body(DataResult(0, serial, agent, serial, fields))
        state = CallState.CONNECTING if owner else CallState.REQUESTED
        world.exchange.disk.calls[serial] = Call(
            serial, agent, "bill", identity, "", b"digest", b"", state, world.clock.wall + 20.0, owner=owner
        )
        world.exchange.disk.contexts[serial] = ("13800138000", data, b"", serial)
        world.ledger.asks_for(Request(serial, agent, "bill", fields, 0.0, serial))
        world.ledger.connects[serial] = Promise(0.0, 0)
        world.ledger.acknowledged[serial] = agent


@pytest.mark.gate
def test_thousands_of_calls_that_were_being_signalled_at_a_restart_are_offered_in_lots_and_served() -> None:
    world = World(1, NONE)
    world.exchange.limits = Limits(mailbox=20_000, calls_per_agent=5_000)
    being_signalled(world, 2_000)
    for service in world.services:
        assert service.service is not None
        service.service._max_calls = 2_000
    offers: Counter[int] = Counter()
    written = world.witness.custody.written

    def written_in_turn(serial: str, identity: str) -> Any:
        offers[world.clock.turns] += 1
        return written(serial, identity)

    vars(world.witness.custody)["written"] = written_in_turn
    world.settle()
    assert world.ledger.broken is None
    assert offers.total() >= 2_000 and max(offers.values()) <= 2 * AT_ONCE
    assert set(world.ledger.outcomes()) <= {"completed", "failed", "abandoned"}


def test_an_exchange_that_is_told_to_leave_does_what_the_real_one_does(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    for owner, name in (
        (ExchangeCore, "_let_replies_out"), (ProcessingService, "withdraw_offers"), (ExchangeCore, "_say_goodbye"),
    ):  # fmt: skip
        whole = getattr(owner, name)
        monkeypatch.setattr(owner, name, lambda one, name=name, whole=whole: (done.append(name), whole(one))[1])
    world = World(1)
    world.advance(30.0)
    world.leave_exchange(1.0)
    world.advance(30.0)
    assert done == ["_let_replies_out", "withdraw_offers", "_say_goodbye"]


# ---------------------------------------------------------------- faults in any order


class FaultsInAnyOrder(RuleBasedStateMachine):
    """Hypothesis chooses what goes wrong and when, and shrinks what breaks a promise."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World(0, NONE)
        self.world.advance(1.0)

    @rule(count=st.integers(1, 5))
    def customers(self, count: int) -> None:
        for _ in range(count):
            self.world.customer()

    @rule(seconds=st.sampled_from([0.001, 0.01, 0.1, 1.0, 10.0]))
    def time_passes(self, seconds: float) -> None:
        self.world.advance(seconds)
        assert self.world.ledger.broken is None, self.world.ledger.broken

    @rule(at=st.integers(0, 9))
    def connection_is_cut(self, at: int) -> None:
        self.world.cut(at)

    @rule(at=st.integers(0, 9), seconds=st.sampled_from([0.1, 5.0, 40.0]))
    def connection_stalls(self, at: int, seconds: float) -> None:
        self.world.stall(at, seconds)

    @rule(down=st.sampled_from([0.0, 3.0, 30.0]))
    def exchange_crashes(self, down: float) -> None:
        self.world.crash_exchange(down)

    @rule()
    def exchange_leaves(self) -> None:
        self.world.leave_exchange(0.5)

    @rule(seconds=st.sampled_from([0.01, 2.0]))
    def disk_is_full(self, seconds: float) -> None:
        self.world.fill_disk(seconds)

    @rule()
    def disk_is_slow(self) -> None:
        self.world.slow_disk(2.0)

    @rule(troubles=st.sampled_from(TROUBLES))
    def changes_fare_badly(self, troubles: Troubles) -> None:
        self.world.trouble_store(troubles)

    @rule(seconds=st.sampled_from([1.0, 25.0]))
    def everything_stands_still(self, seconds: float) -> None:
        self.world.pause(seconds)

    @rule(seconds=st.sampled_from([-86_400, -60, 5, 3_600]))
    def clock_is_set(self, seconds: int) -> None:
        self.world.set_clock(seconds)

    @rule(word=st.sampled_from(LATE_WORDS), at=st.integers(0, 9))
    def driver_speaks_late(self, word: str, at: int) -> None:
        self.world.speak_late(word, at)

    @rule(at=st.integers(0, 2))
    def service_crashes(self, at: int) -> None:
        self.world.crash_service(at, 1.0)

    @rule(at=st.integers(0, 2))
    def application_crashes(self, at: int) -> None:
        self.world.crash_agent(at, 1.0)

    @rule(at=st.integers(0, 2))
    def number_is_taken_over(self, at: int) -> None:
        self.world.take_over(at)

    @rule(at=st.integers(0, 4))
    def agent_goes_away(self, at: int) -> None:
        self.world.away(at, 5.0)

    @rule(at=st.integers(0, 9))
    def call_is_cancelled(self, at: int) -> None:
        self.world.cancel(at)

    @rule(at=st.integers(0, 9))
    def customer_hangs_up(self, at: int) -> None:
        self.world.hang_up(at)

    def teardown(self) -> None:
        self.world.heal()
        self.world.settle()
        assert self.world.ledger.broken is None, self.world.ledger.broken


TestFaultsInAnyOrder = FaultsInAnyOrder.TestCase
TestFaultsInAnyOrder.settings = settings(
    max_examples=examples(50), stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)
