"""Orders, telephones and the platform crossing each other: nobody is cut off, and nobody is left alone."""

from __future__ import annotations

from copy import copy
from typing import Any

import pytest
from twisted.internet.defer import Deferred, fail, succeed

from ctiex.call_control.guard import call_meant
from ctiex.call_messages import Action
from ctiex.errors import LinkLost, Status
from ctiex.interfaces.call_platform import Leg, LegPlace, LegState
from ctiex.interfaces.telephony import OrderRefused
from ctiex.telephony.leg_model import LegModel
from ctiex.testing.simulated_platform.platform import Trouble

from .call_control_bench import AGENTS, CUSTOMER, OUTSIDE, SETTINGS, SUPERVISING, SUPERVISOR, Bench, Desk
from .effort import examples

LOOKED_AFTER = 30.0
"""Long enough for everything that is done for whoever is left alone."""


def bench_and_desk(trouble: Trouble | None = None, seed: int = 0) -> tuple[Bench, Desk]:
    bench = Bench(SETTINGS, trouble=trouble, seed=seed)
    desk = Desk(bench)
    for agent in AGENTS:
        desk.monitor(agent)
    return bench, desk


def talks(bench: Bench) -> str:
    """A customer talks with an agent, on a platform that tells late; the id of the call."""
    call = bench.rings()
    bench.wait(1)
    bench.picks_up("1001")
    bench.wait(1)
    return call


@pytest.mark.parametrize("begun_for", [0.0, 0.2, 0.4, 0.6])
def test_a_call_is_made_only_when_the_agents_leg_has_come_to_the_customer(begun_for: float) -> None:
    """Half heard, a retrieve leaves the leg at the desk: it looks idle, and would be taken for the new call."""
    for seed in range(examples(40)):
        bench, desk = bench_and_desk(Trouble(latest=0.3), seed)
        call = talks(bench)
        desk.begin(Action.HOLD, "1001", call)
        bench.wait(2)
        assert bench.held() == {CUSTOMER}
        desk.begin(Action.RETRIEVE, "1001", call)
        bench.wait(begun_for)
        made = desk.begin(Action.MAKE, "1001", destination=OUTSIDE, seconds=5)
        bench.wait(LOOKED_AFTER)
        assert "established" not in desk.changes(made[0].call), seed
        assert frozenset((CUSTOMER, "1001")) in bench.together(), seed


@pytest.mark.parametrize("alternated", [False, True])
def test_whoever_was_consulted_ends_only_the_consultation(alternated: bool) -> None:
    bench, desk = bench_and_desk()
    call = bench.talks()
    other = bench.consulted(desk, call)
    if alternated:
        assert desk.ask(Action.ALTERNATE, "1001", other).status == 0
    assert desk.ask(Action.CLEAR, "1002", other).status == 0
    bench.wait(LOOKED_AFTER)
    assert not list(bench.board.legs.of_agent("1002"))
    if not alternated:
        assert desk.ask(Action.RETRIEVE, "1001", call).status == 0
    assert bench.together() == {frozenset((CUSTOMER, "1001"))}


def test_a_leg_at_its_desk_is_ended_when_whom_it_held_goes_on_elsewhere() -> None:
    bench, desk = bench_and_desk()
    call = bench.talks()
    desk.ask(Action.HOLD, "1001", call)
    bench.board.fall_back(bench.customer(call))
    bench.wait(LOOKED_AFTER)
    assert not list(bench.board.legs.of_agent("1001"))
    assert bench.customer(call).place is LegPlace.QUEUE


def test_whoever_stays_alone_in_a_conference_is_looked_after() -> None:
    bench, desk = bench_and_desk()
    call = bench.talks()
    other = bench.consulted(desk, call)
    assert desk.ask(Action.CONFERENCE, "1001", other).status == 0
    assert bench.customer(call).place is LegPlace.CONFERENCE
    for agent in ("1001", "1002"):
        bench.board.fall_back(bench.leg_of(agent))
    bench.wait(LOOKED_AFTER)
    assert bench.customer(call).place is LegPlace.QUEUE


@pytest.mark.parametrize(("refused", "failed"), [(1, False), (2, False), (4, True), (9, True)])
def test_those_whom_a_transfer_has_connected_are_in_one_call(
    refused: int, failed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the platform says to the order that puts a leg to the other call: it is tried again, later too."""
    bench, desk = bench_and_desk()
    call = bench.talks()
    other = bench.consulted(desk, call)
    tag, left = bench.platform.tag, [refused]

    def sometimes(leg: Any, of: str) -> Deferred[None]:
        if left[0]:
            left[0] -= 1
            return fail(OrderRefused("busy"))
        return tag(leg, of)

    monkeypatch.setattr(bench.platform, "tag", sometimes)
    assert desk.ask(Action.TRANSFER, "1001", other).status == 0
    bench.wait(LOOKED_AFTER)
    assert left == [0]
    assert ("failed" in desk.changes()) is failed
    assert bench.together() == {frozenset((CUSTOMER, "1002"))}
    assert {leg.call for leg in bench.legs()} == {call}
    assert desk.parties(call) == {CUSTOMER: "connected", "1002": "connected"}


def test_whoever_has_just_answered_a_consultation_isnt_cut_off_by_a_retrieve_that_was_asked_for_before() -> None:
    """That the agent talks with somebody is heard later than that somebody has answered."""
    for seed in range(examples(40)):
        bench, desk = bench_and_desk(Trouble(latest=0.3), seed)
        call = talks(bench)
        desk.begin(Action.CONSULT, "1001", call, destination="1002")
        bench.wait(2)
        retrieved = desk.begin(Action.RETRIEVE, "1001", call)
        bench.wait(1)
        bench.picks_up("1002")
        bench.wait(LOOKED_AFTER)
        assert [int(reply.status) for reply in retrieved] == [Status.WRONG_STATE], seed
        assert bench.together() == {frozenset(("1001", "1002"))}, seed
        assert bench.held() == {CUSTOMER}, seed


def test_an_exchange_that_ends_while_a_leg_is_put_to_another_call_asks_for_nothing_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bench, desk = bench_and_desk()
    call = bench.talks()
    other = bench.consulted(desk, call)
    tagged = list[str]()
    monkeypatch.setattr(bench.platform, "tag", lambda leg, of: (tagged.append(of), succeed(None))[1])
    desk.ask(Action.TRANSFER, "1001", other)
    bench.control.stop()
    assert tagged == [call]
    assert not [one for one in bench.clock.getDelayedCalls() if "call_control" in one.func.__module__]


def test_a_call_on_another_line_is_held_while_a_consultation_rings() -> None:
    bench, desk = bench_and_desk()
    bench.board.devices["1001"].one_call = False
    call = bench.talks()
    desk.begin(Action.CONSULT, "1001", call, destination="1002")
    bench.wait(2)
    second = bench.rings("1001", "13900139000")
    bench.wait(2)
    bench.picks_up("1001")
    bench.wait(1)
    assert desk.ask(Action.HOLD, "1001", second).status == 0
    assert bench.held() == {CUSTOMER, "13900139000"}


def test_who_is_intercepted_in_a_conference_leaves_it() -> None:
    bench, desk = bench_and_desk()
    lead = Desk(bench, SUPERVISING)
    call = bench.talks()
    other = bench.consulted(desk, call)
    assert desk.ask(Action.CONFERENCE, "1001", other).status == 0
    lead.begin(Action.INTERCEPT, "1001", call, value=SUPERVISOR)
    bench.pump()
    bench.picks_up(SUPERVISOR)
    bench.wait(1)
    assert frozenset((CUSTOMER, SUPERVISOR)) in bench.together()
    assert not list(bench.board.legs.of_agent("1001"))


def test_a_leg_that_has_gone_before_it_is_looked_at_is_not_kept() -> None:
    bench, _ = bench_and_desk()
    call = bench.rings()
    customer = copy(bench.customer(call))
    bench.hangs_up(bench.customer(call))
    bench.control._guard.look([customer])
    bench.nothing_is_left()


def test_who_talks_with_two_calls_stays_in_their_own() -> None:
    """Else they would be put from one into the other for ever."""
    legs = LegModel()
    for id, call, agent in (("a", "1", ""), ("b", "2", ""), ("c", "1", "1001")):
        legs.put(Leg(id, call, agent=agent, state=LegState.CONNECTED, place=LegPlace.CONFERENCE, bridge="conference"))
    agents = legs.leg("c")
    assert agents is not None
    assert call_meant(agents, legs, "1") == ""
    agents.call = "3"
    assert call_meant(agents, legs, "3") in ("1", "2")


def test_whoever_answers_a_consultation_that_is_given_up_is_connected_with_nobody() -> None:
    """They are hung up a moment later, and who is connected with them would be cut off."""
    for seed in range(examples(40)):
        bench, desk = bench_and_desk(Trouble(latest=0.3), seed)
        call = talks(bench)
        consulting = desk.begin(Action.CONSULT, "1001", call, destination="1002")
        bench.wait(2)
        other = consulting[0].call
        desk.begin(Action.RECONNECT, "1001", other)
        bench.picks_up("1002")
        for _ in range(8):
            bench.wait(0.05)
            desk.begin(Action.TRANSFER, "1001", other)
        bench.wait(LOOKED_AFTER)
        assert not bench.board.cut_off, seed
        assert not list(bench.board.legs.of_agent("1002")), seed
        assert bench.customer(call).state is LegState.CONNECTED, seed
        assert bench.held() == {CUSTOMER} or bench.together() == {frozenset((CUSTOMER, "1001"))}, seed


@pytest.mark.parametrize("answers", [False, True])
def test_a_consultation_that_is_given_up_twice_ends_at_once(answers: bool) -> None:
    """Also where somebody has answered before the second time: nobody waits until it would have rung for long."""
    for seed in range(examples(40)):
        bench, desk = bench_and_desk(Trouble(latest=0.3), seed)
        call = talks(bench)
        consulting = desk.begin(Action.CONSULT, "1001", call, destination="1002", seconds=30)
        bench.wait(2)
        desk.begin(Action.CLEAR, "1001", consulting[0].call)
        if answers:
            bench.picks_up("1002")
        bench.wait(0.2)
        desk.begin(Action.CLEAR, "1001", consulting[0].call)
        bench.wait(3)
        assert not list(bench.board.legs.of_agent("1002")), seed
        assert desk.ask(Action.RETRIEVE, "1001", call).status == 0, seed
        bench.wait(3)
        assert bench.together() == {frozenset((CUSTOMER, "1001"))}, seed


def test_whoever_answers_a_consultation_whose_hang_up_is_refused_is_connected(monkeypatch: pytest.MonkeyPatch) -> None:
    bench, desk = bench_and_desk()
    call = bench.talks()
    [consulting] = desk.begin(Action.CONSULT, "1001", call, destination="1002", seconds=30)
    bench.wait(1)
    monkeypatch.setattr(bench.platform, "hang_up", lambda leg, cause=16: fail(LinkLost("the answer was lost")))
    assert desk.ask(Action.CLEAR, "1001", consulting.call).status == 0
    bench.picks_up("1002")
    bench.wait(1)
    assert bench.together() == {frozenset(("1001", "1002"))}
    assert {"alternate", "transfer"} <= desk.actions(consulting.call, "1001")
    monkeypatch.undo()
    assert desk.ask(Action.TRANSFER, "1001", consulting.call).status == 0
    assert bench.together() == {frozenset((CUSTOMER, "1002"))}
