"""The states of agents: asked for, made by their calls, pending, and after-call work."""

from __future__ import annotations

import pytest
from attrs import evolve

from ctiex.call_messages import Action, AgentStateCode, AgentStateEvent
from ctiex.interfaces.call_platform import Function
from ctiex.testing.simulated_platform.platform import ALL_FUNCTIONS

from .call_control_bench import SETTINGS, STRANGER, SUPERVISING, Bench, Desk

READY, NOT_READY, WORK, OUT = (
    AgentStateCode.READY,
    AgentStateCode.NOT_READY,
    AgentStateCode.AFTER_CALL_WORK,
    AgentStateCode.LOGGED_OUT,
)


@pytest.fixture
def bench() -> Bench:
    return Bench(evolve(SETTINGS, not_ready_reasons=("break", "lunch"), after_call_work=20))


@pytest.fixture
def desk(bench: Bench) -> Desk:
    desk = Desk(bench)
    assert desk.monitor("1001") == 0
    return desk


def last(desk: Desk) -> AgentStateEvent:
    return [one for one in desk.told if isinstance(one, AgentStateEvent)][-1]


def paused(bench: Bench) -> dict[str, str]:
    return {name: queue.members.get("1001", "none") for name, queue in bench.board.queues.items()}


def queue_call(bench: Bench) -> str:
    leg = bench.board.calls_in("139", "sales", queue=True)
    bench.pump()
    return leg.id


def test_ready_logs_in_to_the_queues_and_not_ready_pauses_there(bench: Bench, desk: Desk) -> None:
    assert desk.state("1001", READY) == 0
    assert paused(bench) == {"sales": "", "support": ""}
    assert (last(desk).agent_state, last(desk).queues, last(desk).by) == (READY, "sales support", "desk")
    assert desk.state("1001", NOT_READY, reason="lunch") == 0
    assert paused(bench) == {"sales": "lunch", "support": "lunch"}
    assert desk.state("1001", OUT) == 0
    assert paused(bench) == {"sales": "none", "support": "none"}
    assert desk.states() == ["logged_out", "ready", "not_ready", "logged_out"]


def test_an_agent_may_log_in_to_some_queues(bench: Bench, desk: Desk) -> None:
    assert desk.state("1001", NOT_READY, queues="support") == 0
    assert paused(bench) == {"sales": "none", "support": "not ready"}
    assert desk.state("1001", READY, queues="nowhere") == 65


@pytest.mark.parametrize("state", [AgentStateCode.BUSY, AgentStateCode.RESERVED, AgentStateCode.NONE])
def test_only_four_states_are_asked_for(desk: Desk, state: AgentStateCode) -> None:
    assert desk.state("1001", state) == 1


def test_an_unknown_reason_is_refused_and_changes_nothing(bench: Bench, desk: Desk) -> None:
    assert desk.state("1001", READY) == 0
    assert desk.state("1001", NOT_READY, reason="golf") == 65
    assert last(desk).agent_state is READY


def test_calls_make_reserved_busy_and_holding(bench: Bench, desk: Desk) -> None:
    desk.state("1001", READY)
    call = bench.rings()
    assert last(desk).agent_state is AgentStateCode.RESERVED
    bench.picks_up("1001")
    assert last(desk).agent_state is AgentStateCode.BUSY
    desk.ask(Action.HOLD, "1001", call)
    assert last(desk).agent_state is AgentStateCode.HOLDING
    desk.ask(Action.RETRIEVE, "1001", call)
    bench.hangs_up(bench.customer(call))
    assert desk.states()[-4:] == ["busy", "holding", "busy", "ready"]


def test_a_state_that_is_asked_for_in_a_call_is_pending(bench: Bench, desk: Desk) -> None:
    desk.state("1001", READY)
    call = bench.talks()
    assert desk.state("1001", NOT_READY, reason="break") == 0
    assert (last(desk).agent_state, last(desk).pending_state, last(desk).pending_reason) == (
        AgentStateCode.BUSY,
        NOT_READY,
        "break",
    )
    assert paused(bench)["sales"] == "", "not before the call is over"
    bench.hangs_up(bench.customer(call))
    assert (last(desk).agent_state, last(desk).reason, last(desk).pending_state) == (
        NOT_READY,
        "break",
        AgentStateCode.NONE,
    )
    assert paused(bench)["sales"] == "break"


def test_after_call_work_follows_a_call_of_a_queue_and_ends_by_itself(bench: Bench, desk: Desk) -> None:
    desk.state("1001", READY)
    customer = queue_call(bench)
    bench.picks_up("1001")
    bench.hangs_up(bench.customer(customer))
    bench.pump()
    assert last(desk).agent_state is WORK
    assert last(desk).until - last(desk).since == 20_000
    assert paused(bench)["sales"]
    bench.wait(21)
    assert (last(desk).agent_state, paused(bench)["sales"]) == (READY, "")


def test_after_call_work_may_be_closed_early_and_asked_for_longer(bench: Bench, desk: Desk) -> None:
    desk.state("1001", READY)
    assert desk.state("1001", WORK, seconds=300) == 0
    assert last(desk).until - last(desk).since == 300_000
    assert desk.state("1001", READY) == 0
    bench.wait(400)
    assert (last(desk).agent_state, bench.control.agents.timers()) == (READY, 0)


def test_a_call_that_came_by_no_queue_has_no_work_behind_it(bench: Bench, desk: Desk) -> None:
    desk.state("1001", READY)
    bench.hangs_up(bench.customer(bench.talks()))
    assert last(desk).agent_state is READY


def test_a_supervisor_forces_a_state_and_is_named(bench: Bench, desk: Desk) -> None:
    lead = Desk(bench, SUPERVISING)
    desk.state("1001", READY)
    assert lead.state("1001", NOT_READY, reason="break") == 0
    assert (last(desk).agent_state, last(desk).by) == (NOT_READY, "team lead")
    assert Desk(bench, STRANGER).state("1001", READY) == 5


def test_what_the_queues_say_by_themselves_is_told(bench: Bench, desk: Desk) -> None:
    desk.state("1001", READY)
    bench.platform.queue_pause("1001", "lunch")
    bench.pump()
    assert (last(desk).agent_state, last(desk).reason) == (NOT_READY, "lunch")
    bench.platform.queue_log_out("1001")
    bench.pump()
    assert last(desk).agent_state is OUT


def test_behind_a_loss_of_events_the_queues_are_believed(bench: Bench, desk: Desk) -> None:
    desk.state("1001", READY)
    bench.platform.go()
    for queue in bench.board.queues.values():
        queue.members.clear()
    bench.platform.come()
    bench.pump()
    assert last(desk).agent_state is OUT


def test_a_platform_that_is_away_takes_no_state(bench: Bench, desk: Desk) -> None:
    bench.platform.go()
    assert desk.state("1001", READY) == 66
    assert last(desk).agent_state is OUT


def test_without_queues_states_are_kept_here_alone() -> None:
    bench = Bench(functions=ALL_FUNCTIONS & ~Function.QUEUES)
    desk = Desk(bench)
    desk.monitor("1001")
    assert desk.state("1001", READY) == 0
    assert last(desk).agent_state is READY


# ---------------------------------------------------------------- telephones that are off the hook


def off_hook(bench: Bench, desk: Desk, agent: str = "1001") -> None:
    answers = desk.begin_state(agent, READY, device="off-hook")
    bench.pump()
    bench.picks_up(agent)
    assert answers == [0]


@pytest.mark.parametrize("talks_for", [2.0, 20.0])
def test_an_agent_off_the_hook_takes_and_makes_calls_without_a_ring(bench: Bench, desk: Desk, talks_for: float) -> None:
    off_hook(bench, desk)
    assert (last(desk).agent_state, last(desk).device) == (READY, "off-hook")
    made = desk.ask(Action.MAKE, "1001", destination="0301")
    bench.wait(talks_for)
    assert bench.together() == {frozenset({"1001", "0301"})}
    assert desk.ask(Action.CLEAR, "1001", made.call).status == 0
    assert [leg.place.value for leg in bench.board.legs.of_agent("1001")] == ["desk"]
    assert last(desk).agent_state is READY
    assert desk.state("1001", OUT) == 0
    assert list(bench.board.legs.of_agent("1001")) == []


def test_a_telephone_off_the_hook_that_is_hung_up_makes_its_agent_not_ready(bench: Bench, desk: Desk) -> None:
    off_hook(bench, desk)
    bench.hangs_up(bench.leg_of("1001"))
    bench.pump()
    assert (last(desk).agent_state, last(desk).reason) == (NOT_READY, "the telephone is on the hook")


def test_a_telephone_that_is_not_picked_up_leaves_the_agent_logged_out(bench: Bench, desk: Desk) -> None:
    answers = desk.begin_state("1001", READY, device="off-hook")
    bench.wait(40)
    assert answers == [64]
    assert last(desk).agent_state is OUT


def test_an_unknown_device_is_refused(desk: Desk) -> None:
    assert desk.state("1001", READY, device="PJSIP/1001,60") == 65
