"""Random walks of desks whose links are lost, at a platform in trouble: what they show at rest is so."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from random import Random
from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred

from ctiex.call_messages import Action, CallChange
from ctiex.clients import ClientCall
from ctiex.errors import CtiexError
from ctiex.fields import Fields
from ctiex.interfaces.call_platform import LegState
from ctiex.testing.simulated_platform.platform import Trouble

from .desk_bench import AGENTS, OUTSIDE_BUSY, DeskCase, Heard

WALKS = 25
STEPS = 25
REST = 90.0
"""Longer than any wait: what isn't over then never is."""
TROUBLE = Trouble(latest=0.3, refuses=0.05, loses=0.01)


class DeskWalkTests(DeskCase):
    """Three desks on one link."""

    def test_at_rest_a_desk_shows_what_a_new_one_is_shown(self) -> None:
        for seed in range(WALKS):
            with self.subTest(seed=seed):
                self.setUp()
                self.walk(Random(seed))

    def walk(self, random: Random) -> None:
        self.random = random
        self.platform.trouble = TROUBLE
        self.heard = {agent: Heard() for agent in AGENTS}
        self.agents = {number: self.login(number, **heard.listeners) for number, heard in self.heard.items()}
        self.asked: list[Deferred[Any]] = []
        for _ in range(STEPS):
            random.choice([self.order] * 8 + [self.picks_any_up] * 6 + [self.customer] * 3
                          + [self.cut, self.platform_away, self.somebody_leaves])()  # fmt: skip
            self.pass_time(random.choice((0.25, 0.5, 2.0)))
        self.platform.trouble = Trouble()
        if not self.platform.connected:
            self.platform.come()
        self.pass_time(REST)
        self.compare()

    def compare(self) -> None:
        for deferred in self.asked:
            assert deferred.called, "an action was never answered"
        fresh, _ = self.new_client()
        for number, agent in self.agents.items():
            monitored = self.now(fresh.monitor(number))
            self.assertEqual(shown(agent.calls), shown(monitored.calls), number)
            self.assertEqual(agent.monitored.up_to_date, True)
            assert agent.state is not None and monitored.state is not None
            self.assertIs(agent.state.agent_state, monitored.state.agent_state)
            self.told_in_order(number)

    def told_in_order(self, number: str) -> None:
        """A call that is over is told nothing of, unless the agent gets it back."""
        there = {call.id for call in self.agents[number].calls}
        last: dict[str, bool] = {}
        for call, event in self.heard[number].events:
            last[event.call] = event.event != CallChange.CLEARED and any(p.agent == number for p in event.parties)
            assert call.id == event.call
        self.assertEqual({id for id, here in last.items() if here}, there)

    # -- steps

    def ask(self, work: Coroutine[Any, Any, Any]) -> None:
        self.asked.append(ensureDeferred(work).addErrback(lambda failure: failure.trap(CtiexError) and None))

    def order(self) -> None:
        agent = self.random.choice(list(self.agents.values()))
        if not agent.calls or self.random.random() < 0.1:
            self.ask(agent.make_call(self.destination()))
            return
        call = self.random.choice(agent.calls)
        ways = self.ways(call)
        ends = {Action.CLEAR, Action.REJECT} if self.random.random() < 0.9 else set[Action]()
        allowed = [action for action in call.actions if action in ways and action not in ends]
        if allowed and self.random.random() < 0.9:
            self.ask(ways[self.random.choice(allowed)]())
        else:
            self.ask(call.update(Fields({self.random.choice("abc"): self.random.randrange(9)})))

    def ways(self, call: ClientCall) -> dict[Action, Callable[[], Coroutine[Any, Any, Any]]]:
        return {
            Action.ANSWER: call.answer, Action.REJECT: call.reject, Action.HOLD: call.hold,
            Action.RETRIEVE: call.retrieve, Action.ALTERNATE: call.alternate, Action.RECONNECT: call.reconnect,
            Action.CONFERENCE: call.conference, Action.TRANSFER: call.transfer, Action.LEAVE: call.leave,
            Action.CONSULT: lambda: call.consult(self.destination(), ring=10),
            Action.BLIND_TRANSFER: lambda: call.transfer(self.destination(), ring=10),
            Action.ADD_PARTY: lambda: call.add(self.destination(), ring=10),
            Action.CLEAR: call.clear,
        }  # fmt: skip

    def destination(self) -> str:
        return self.random.choice((*AGENTS, OUTSIDE_BUSY, "999"))

    def picks_any_up(self) -> None:
        ringing = [leg for leg in self.board.legs.all() if leg.state is LegState.ALERTING]
        if ringing:
            self.board.pick_up(self.random.choice(ringing))

    def customer(self) -> None:
        self.board.calls_in(f"138{self.random.randrange(10_000)}", self.random.choice(AGENTS))

    def somebody_leaves(self) -> None:
        connected = [leg for leg in self.board.legs.all() if leg.state is LegState.CONNECTED]
        if connected:
            self.board.hang_up(self.random.choice(connected))

    def cut(self) -> None:
        if self.ends.pairs[-1].open:
            self.lose_link()

    def platform_away(self) -> None:
        if self.platform.connected:
            self.platform.go()
        else:
            self.platform.come()


def shown(calls: Any) -> list[tuple[Any, ...]]:
    return sorted(
        (call.id, call.serial, call.related, call.recording, sorted(map(repr, call.parties)), call.version,
         call.data.describe())
        for call in calls
    )  # fmt: skip
