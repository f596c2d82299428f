"""Random walks over a simulated platform: orders, telephones, and trouble, in any order; what has to hold at rest."""

from __future__ import annotations

import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from random import Random

from ctiex.call_control.allowed import allowed
from ctiex.call_control.calls import AgentCall
from ctiex.call_messages import Action, AgentStateCode, CallEvent, CallParty, MonitorSwitch, PartyRole
from ctiex.interfaces.call_platform import Leg, LegPlace, LegState
from ctiex.testing.simulated_platform.platform import Trouble

from .call_control_bench import (
    AGENTS,
    OUTSIDE,
    OUTSIDE_BUSY,
    OUTSIDE_SILENT,
    SUPERVISING,
    SUPERVISOR,
    Bench,
    Desk,
)

STEPS = 20
REST = 90.0
"""Longer than any wait: what isn't over then never is."""
TROUBLE = Trouble(latest=0.3, refuses=0.05, loses=0.02)
_LIKELY = {
    **dict.fromkeys((Action.CLEAR, Action.REJECT, Action.DEFLECT, Action.MARK, Action.DIGITS, Action.INTERCEPT), 0.1),
    **dict.fromkeys((Action.LISTEN, Action.WHISPER, Action.BARGE, Action.RECORD_START, Action.BLIND_TRANSFER), 0.3),
    **dict.fromkeys((Action.HOLD, Action.RETRIEVE), 3.0),
    **dict.fromkeys((Action.CONSULT, Action.TRANSFER, Action.CONFERENCE, Action.ALTERNATE, Action.RECONNECT), 5.0),
    Action.DROP_PARTY: 5.0,
}
"""How likely, beside the others: what ends a call leaves nothing to be done with it."""
_OF_TWO_CALLS = {Action.ALTERNATE, Action.TRANSFER, Action.CONFERENCE, Action.RECONNECT}
_TARGETS = (*AGENTS, *AGENTS, OUTSIDE, OUTSIDE, OUTSIDE_BUSY, OUTSIDE_SILENT, "0309", "sales", "999")


class Walk:
    """One walk."""

    def __init__(self, seed: int, trouble: Trouble = TROUBLE, steps: int = STEPS) -> None:
        self.random = Random(seed)
        self.bench = Bench(trouble=trouble, seed=seed)
        self.desk, self.lead = Desk(self.bench), Desk(self.bench, SUPERVISING)
        self.steps = steps
        self.did: list[str] = []
        """What was done, for people."""
        self._cleared: set[str] = set()
        """Calls that an order was to end, or to take somebody out of."""
        self._customers: dict[str, Leg] = {}
        self._off_hook: set[str] = set()
        for agent in AGENTS:
            self.desk.monitor(agent)
            self.lead.monitor(agent)

    # ------------------------------------------------------------ steps

    def run(self) -> list[str]:
        """Go, and come to rest; what is wrong then."""
        self.go()
        self._rest()
        return [*self._wrong(), *self._left_over()]

    def ends(self) -> list[object]:
        """Go, and have the exchange end where it is; the timers of call control that are left."""
        self.go()
        self.bench.platform.go()
        self.bench.control.stop()
        return [timer for timer in self.bench.clock.getDelayedCalls() if "call_control" in timer.func.__module__]

    def go(self) -> None:
        """Some steps."""
        if self.random.random() < 0.3:
            self._off_the_hook(self.random.choice(AGENTS))
        for agent in self.random.sample(AGENTS, self.random.randrange(3)):
            self._customer_calls(agent)
            self.bench.wait(1)
            self._picks_up()
            self.bench.wait(1)
        for _ in range(self.steps):
            step = self.random.choice(self._choices())
            step()
            self.bench.wait(self.random.choice((0.0, 0.1, 0.5, 2.0)))
            self._remember()

    def _choices(self) -> list[Callable[[], None]]:
        return [
            *[self._order] * 10, *[self._picks_up] * 8, *[self._customer_calls] * 3, self._hangs_up, self._hold_key,
            self._queue_call, self._state, self._vanishes, self._refer,
            *[self._lose] * (1 if self.bench.platform.connected else 5),
        ]  # fmt: skip

    def _off_the_hook(self, agent: str) -> None:
        """An agent's phone is called once, and stays off the hook."""
        self.did.append(f"{agent} is off the hook")
        self.desk.begin_state(agent, AgentStateCode.READY, device="off-hook")
        self.bench.wait(1)
        self._picks_up()
        self.bench.wait(1)

    def _any(self, *legs: Leg) -> Leg | None:
        return self.random.choice(legs) if legs else None

    def _customer_calls(self, agent: str = "") -> None:
        leg = self.bench.board.calls_in(f"138{len(self._customers)}", agent or self.random.choice(AGENTS))
        self.did.append(f"{leg.id} calls")

    def _queue_call(self) -> None:
        leg = self.bench.board.calls_in(f"139{len(self._customers)}", "sales", queue=True)
        self.did.append(f"{leg.id} calls the queue")

    def _picks_up(self) -> None:
        leg = self._any(*(leg for leg in self.bench.legs() if leg.state is LegState.ALERTING))
        if leg is not None:
            self.did.append(f"{leg.id} ({leg.agent}) picks up")
            self.bench.board.pick_up(leg)

    def _hangs_up(self) -> None:
        leg = self._any(*(leg for leg in self.bench.legs() if leg.state is LegState.CONNECTED))
        if leg is not None:
            self.did.append(f"{leg.id} ({leg.agent}) hangs up")
            self._customers.pop(leg.id, None)
            self._cleared.add(leg.call)
            self.bench.board.hang_up(leg)

    def _vanishes(self) -> None:
        """An agent's phone is gone."""
        leg = self._any(*(leg for leg in self.bench.legs() if leg.agent))
        if leg is not None:
            self.did.append(f"{leg.id} ({leg.agent}) vanishes")
            self._cleared.add(leg.call)
            self.bench.board.hang_up(leg, 27)

    def _hold_key(self) -> None:
        leg = self._any(*(leg for leg in self.bench.legs() if leg.place is LegPlace.BRIDGE))
        if leg is not None:
            self.did.append(f"{leg.id} presses hold")
            self.bench.board.press_hold(leg, not leg.held_at_phone)

    def _refer(self) -> None:
        leg = self._any(*(leg for leg in self.bench.legs() if leg.agent and leg.place is LegPlace.BRIDGE))
        if leg is not None and not leg.at_desk:
            target = self.random.choice(AGENTS)
            self.did.append(f"{leg.id} refers to {target}")
            self.bench.board.refer(leg, target, agent=True)

    def _state(self) -> None:
        agent, state = self.random.choice(AGENTS), AgentStateCode(self.random.randrange(4))
        self.did.append(f"{agent} asks for {state.name}")
        self.desk.state(agent, state)

    def _lose(self) -> None:
        """The connection to the platform, for a while."""
        if self.bench.platform.connected:
            self.did.append("the connection is lost")
            self.bench.platform.go()
        else:
            self.did.append("the connection is back")
            self.bench.platform.come()

    def _order(self) -> None:
        choices = [choice for agent in AGENTS for choice in self._orders_of(agent)]
        if self.random.random() < 0.15 or not choices:
            agent, target = self.random.choice(AGENTS), self.random.choice(_TARGETS)
            self.did.append(f"{agent} makes a call to {target}")
            self.desk.begin(Action.MAKE, agent, destination=target, seconds=self.random.choice((3, 10)))
            return
        weights = [_LIKELY.get(action, 1.0) for _, _, action in choices]
        [(call, party, action)] = self.random.choices(choices, weights)
        self._begin(call, party, action)

    def _orders_of(self, agent: str) -> list[tuple[AgentCall, CallParty, Action]]:
        """What the agent may do now, and with what call."""
        return [
            (call, party, action)
            for call in self.bench.control.calls
            for party in call.parties
            if party.party_role is PartyRole.AGENT and party.agent == agent
            for action in self._allowed(call, party)
        ]

    def _allowed(self, call: AgentCall, party: CallParty) -> list[Action]:
        bits = allowed(call, party, None)
        pair = self.bench.control._telling.pair(call, party.agent)
        bits |= allowed(call, party, pair)
        return [action for action in Action if bits & action.bit]

    def _begin(self, call: AgentCall, party: CallParty, action: Action) -> None:
        desk, value, other = self.desk, "1", ""
        if action in (Action.LISTEN, Action.WHISPER, Action.BARGE, Action.INTERCEPT, Action.STOP_SUPERVISION):
            desk, value = self.lead, SUPERVISOR
        if action is Action.DROP_PARTY:
            other = self.random.choice(call.parties).id
        if action in (Action.CLEAR, Action.DROP_PARTY, Action.LEAVE, Action.REJECT):
            self._cleared |= {call.id, *self._calls_with(call)}
        free = [agent for agent in AGENTS if not list(self.bench.board.legs.of_agent(agent))]
        target = self.random.choice(free if free and self.random.random() < 0.7 else _TARGETS)
        self.did.append(f"{party.agent} {action.name} {call.id} {other} {target}")
        desk.begin(action, party.agent, call.id, value=value, other=other, destination=target, seconds=5)
        if action is Action.CONSULT and self.random.random() < 0.8:
            self._is_consulted(party, target)

    def _calls_with(self, call: AgentCall) -> set[str]:
        """Calls of those who talk with somebody of this one, though a transfer was cut off before it said so."""
        legs = self.bench.board.legs
        own = [leg for leg in legs.of_call(call.id) if leg.bridge and not leg.at_desk]
        return {other.call for leg in own for other in legs.in_bridge(leg.bridge) if not other.at_desk}

    def _is_consulted(self, party: CallParty, target: str) -> None:
        """Whoever is called for a consultation takes it, and often something comes of it at once."""
        self.bench.wait(self.random.choice((0.5, 1.5)))
        for leg in list(self.bench.board.legs.of_agent(target)):
            self.bench.board.pick_up(leg)
        self.bench.wait(self.random.choice((0.3, 1.0)))
        choices = [choice for choice in self._orders_of(party.agent) if choice[2] in _OF_TWO_CALLS]
        if choices:
            self._begin(*self.random.choice(choices))

    # ------------------------------------------------------------ at rest

    def _remember(self) -> None:
        for leg in self.bench.legs():
            if not leg.agent and not leg.outbound:
                self._customers.setdefault(leg.id, leg)
            if self.bench.control.is_off_hook(leg):
                self._off_hook.add(leg.id)

    def _rest(self) -> None:
        """No more trouble; everything that was begun comes to its end."""
        self.bench.platform.trouble = Trouble()
        for _ in range(3):  # what was under way may lose the connection once more
            if not self.bench.platform.connected:
                self.bench.platform.come()
            self.bench.wait(REST / 3)

    def _wrong(self) -> list[str]:
        wrong = [f"{id} was cut off" for id in self.bench.board.cut_off if not self._was_to_end(id)]
        wrong += [f"{id} was connected with one in motion" for id in self.bench.board.too_early]
        for leg in self.bench.legs():
            if not leg.agent and leg.state is LegState.CONNECTED and not self._is_looked_after(leg):
                wrong.append(f"customer {leg.id} is left alone: {leg}")
            if leg.id in self._off_hook and not self.bench.control.is_off_hook(leg):
                wrong.append(f"the phone of {leg.agent} was off the hook, and is in call {leg.call}")
            if leg.agent and self._waits_for_nobody(leg):
                wrong.append(f"agent {leg.agent} waits for nobody: {leg}")
        return [*wrong, *self._model()]

    def _was_to_end(self, id: str) -> bool:
        legs = {**self._customers}
        leg = legs.get(id)
        return leg is None or leg.call in self._cleared or leg.outbound

    def _is_looked_after(self, leg: Leg) -> bool:
        legs = self.bench.board.legs
        if leg.place is LegPlace.HOLD:
            return legs.leg(leg.desk) is not None
        if leg.place in (LegPlace.BRIDGE, LegPlace.CONFERENCE):
            return any(other is not leg for other in legs.in_bridge(leg.bridge))
        return leg.place is LegPlace.QUEUE or any(one.dialled_by == leg.id for one in legs.all())

    def _waits_for_nobody(self, leg: Leg) -> bool:
        legs = self.bench.board.legs
        is_idle = leg.place is LegPlace.DESK and not any(True for _ in legs.for_desk(leg.id))
        return is_idle and not self.bench.control.is_off_hook(leg)

    def _model(self) -> list[str]:
        """The model is the truth, and what desks were told is the model."""
        wrong = []
        for call in self.bench.control.calls:
            now = self.bench.control.watch.parties_now(call)
            if now != call.parties:
                wrong.append(f"call {call.id} was told as {call.parties}, and is {now}")
        truth = {leg.id: (leg.place, leg.bridge, leg.state, leg.call) for leg in self.bench.legs()}
        heard = {leg.id: (leg.place, leg.bridge, leg.state, leg.call) for leg in self.bench.platform.legs.all()}
        if truth != heard:
            wrong.append(f"heard {heard}, and it is {truth}")
        return [*wrong, *self._told()]

    def _told(self) -> list[str]:
        """Who monitors an agent from the beginning has the same calls as who begins now."""
        wrong = []
        for agent in AGENTS:
            known: dict[str, CallEvent] = {}
            for event in self.desk.events():
                if event.agent == agent:
                    known[event.call] = event
            mine = {id for id, event in known.items() if any(party.agent == agent for party in event.parties)}
            late = Desk(self.bench)
            late.monitor(agent)
            late.monitor(agent, MonitorSwitch.STOP)
            pages = {page.call: page for page in late.pages() if page.call}
            if mine != set(pages):
                wrong.append(f"agent {agent} was told of {sorted(mine)}, and has {sorted(pages)}")
            wrong += [
                f"agent {agent} was told of {id} as {known[id].parties}, and it is {page.parties}"
                for id, page in pages.items()
                if id in known and _shown(known[id].parties) != _shown(page.parties)
            ]
        return wrong

    def _left_over(self) -> list[str]:
        """Once everybody has hung up nothing is kept, and nothing is waited for."""
        for leg in list(self.bench.legs()):
            if self.bench.board.legs.leg(leg.id) is leg:
                self.bench.board.hang_up(leg)
        self.bench.wait(10)
        wrong = [f"left over: {len(self.bench.control)}"] if len(self.bench.control) else []
        return wrong + ([f"{len(self.bench.board.timers)} timers"] if len(self.bench.board.timers) else [])


def _shown(parties: tuple[CallParty, ...]) -> set[tuple[str, int]]:
    return {(party.id, int(party.connection_state)) for party in parties}


def walk(seed: int, trouble: Trouble = TROUBLE, steps: int = STEPS) -> tuple[list[str], list[str]]:
    """What was wrong in one walk, and what was done in it."""
    one = Walk(seed, trouble, steps)
    return one.run(), one.did


def main(count: int) -> int:
    """Walks with trouble, on all processors; 1 when a promise was broken in one of them."""
    broken, seeds = 0, range(10_000, 10_000 + count)
    with ProcessPoolExecutor() as processes:
        for seed, (wrong, did) in zip(seeds, processes.map(walk, seeds, chunksize=100), strict=True):
            if wrong:
                broken += 1
                print(f"BROKEN in walk {seed}: {wrong}, after {did}", flush=True)
    print(f"walks of call control {count:,}, each with up to {STEPS} steps and trouble, broken {broken}")
    return int(broken > 0)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
