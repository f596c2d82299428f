"""What ``benchmarks/call_control.py`` measures in its own process: following calls, and taking them up."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from random import Random
from statistics import median
from time import process_time

from attrs import define, frozen

from benchmarks.asterisk_words import TalkingPair
from benchmarks.call_worlds import (
    Asterisk,
    Counting,
    Simulated,
    WrongCourse,
    bring_desks,
    control_of,
    counting,
    read_away,
)
from ctiex.app.tap import COLLECT_AFTER
from ctiex.interfaces.call_platform import Leg, LegState
from ctiex.testing.simulated_platform.devices import Device

Make = Callable[[int, int], "Followed"]
"""Makes so many calls, and desks that monitor so many agents."""
PER_SECOND = 200
"""Events of the platform."""
FIRST_AGENT = 10_000


def agents(count: int) -> list[str]:
    """So many agent numbers."""
    return [str(FIRST_AGENT + number) for number in range(count)]


def as_in_earnest() -> None:
    """Collect garbage as seldom as ``twistd ctiex`` does, and none of what was before."""
    gc.set_threshold(*COLLECT_AFTER)
    gc.collect()


# ---------------------------------------------------------------- following calls


@define(eq=False)
class Followed:
    """A platform whose calls go on, a few of them those of agents who are monitored."""

    world: Simulated | Asterisk
    heard: Counting
    calls: int
    step: Callable[[Random], None]
    """Something happens to the call of one of these agents."""

    def share(self, seconds: float, random: Random) -> tuple[float, float]:
        """Which part of a core it takes at 200 events a second, the platform included; and call control alone."""
        as_in_earnest()
        first, own, told, began = self.heard.events, self.heard.seconds, 0, process_time()
        while (events := self.heard.events - first) < seconds * PER_SECOND:
            self.step(random)
            self.world.clock.advance((self.heard.events - first - events) / PER_SECOND)
            told += read_away(self.world.exchange)
        took, own = process_time() - began, self.heard.seconds - own
        if not told or len(list(control_of(self.world.exchange).calls)) != self.calls:
            raise WrongCourse("call control doesn't follow the calls")
        return took * PER_SECOND / events, own * PER_SECOND / events


def follow_simulated(calls: int, monitored: int) -> Followed:
    """On the simulated platform."""
    world, numbers = Simulated(), agents(calls)
    board, talking = world.platform.board, dict[str, Leg]()

    def call_in(agent: str, number: int) -> None:
        board.calls_in(f"138{number:08d}", agent)
        world.clock.advance(0)
        [ringing] = [leg for leg in board.legs.of_agent(agent) if leg.state is LegState.ALERTING]
        board.pick_up(ringing)
        world.clock.advance(0)
        talking[agent] = ringing

    for number, agent in enumerate(numbers):
        board.devices[agent] = Device(agent)
        call_in(agent, number)
    heard = counting(world.exchange, world.platform)
    world.platform.come()
    bring_desks(world.exchange, numbers[:monitored])

    def step(random: Random) -> None:
        agent = random.choice(numbers[:monitored])
        leg = talking[agent]
        if random.random() < 0.5:
            board.press_hold(leg, not leg.held_at_phone)
            world.clock.advance(0)
        else:
            [customer] = [one for one in board.legs.of_call(leg.call) if not one.agent]
            board.hang_up(customer)
            world.clock.advance(0)
            call_in(agent, random.randrange(10**8))

    return Followed(world, heard, calls, step)


def follow_asterisk(calls: int, monitored: int) -> Followed:
    """On an Asterisk: its events are decoded, too."""
    world, numbers = Asterisk(), agents(calls)
    talking = {agent: TalkingPair(number, agent) for number, agent in enumerate(numbers)}
    held = set[str]()
    heard = counting(world.exchange, world.platform)
    for _ in world.log_in(talking.values()):
        pass
    bring_desks(world.exchange, numbers[:monitored])

    def step(random: Random) -> None:
        agent = random.choice(numbers[:monitored])
        pair = talking[agent]
        if random.random() < 0.5:
            held.symmetric_difference_update({agent})
            world.wire.receive(pair.presses_hold(agent in held))
        else:
            held.discard(agent)
            world.wire.receive(pair.hangs_up())
            talking[agent] = TalkingPair(pair.number + calls, agent)
            world.wire.receive(talking[agent].rings())
            world.wire.receive(talking[agent].picks_up())

    return Followed(world, heard, calls, step)


# ---------------------------------------------------------------- taking calls up


@frozen
class TakenUp:
    """How the channels of an Asterisk were taken up after a login."""

    channels: int
    seconds: float
    longest: float
    """The longest turn of the reactor, in seconds."""


def logging_in(channels: int, monitored: int) -> Iterator[float]:
    """Log in to an Asterisk with so many channels, two of which talk with each other; what each turn takes."""
    world, numbers = Asterisk(), agents(channels // 2)
    bring_desks(world.exchange, numbers[:monitored])
    pairs = [TalkingPair(number, agent) for number, agent in enumerate(numbers)]
    as_in_earnest()
    yield from world.log_in(pairs)
    if len(list(control_of(world.exchange).calls)) != len(pairs):
        raise WrongCourse("not all calls were taken up")


def take_up(channels: int, monitored: int) -> TakenUp:
    """Log in, and take up so many channels."""
    turns = list(logging_in(channels, monitored))
    return TakenUp(channels, sum(turns), max(turns))


def middle(rounds: list[TakenUp]) -> TakenUp:
    """The medians of some rounds with as many channels."""
    return TakenUp(rounds[0].channels, median(one.seconds for one in rounds), median(one.longest for one in rounds))
