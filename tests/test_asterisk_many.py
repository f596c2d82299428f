"""Signalling by Asterisk with many calls: nothing is searched through, and taking them up holds nobody else up.

What is counted is how many lines of the driver run: that is the same on every machine, however busy it is.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.asterisk_world import World
from tests.fake_platform import Leg

_DRIVER = "/ctiex/signalling/", "/ctiex/telephony/"


def lines_of(do: Callable[[], Any]) -> int:
    """How many lines of the driver run; a loop counts with each of its rounds."""
    count = 0

    def count_lines(frame: FrameType, event: str, _: object) -> Any:
        nonlocal count
        count += event == "line"
        return count_lines

    def look(frame: FrameType, event: str, argument: object) -> Any:
        return count_lines if any(part in frame.f_code.co_filename for part in _DRIVER) else None

    before = sys.gettrace()
    sys.settrace(look)
    try:
        do()
    finally:
        sys.settrace(before)
    return count


def with_calls(count: int) -> World:
    """A platform with so many calls, every fourth of them with a service, and an exchange that sees none of them."""
    world = World()
    customers = [world.platform.call(str(2_000 + number), f"1{number}") for number in range(count)]
    world.connect()
    world.settle()
    for number in range(0, count, 4):
        world.offer(str(number), str(2_000 + number), number=f"1{number}")
    world.settle()
    for customer in customers[::8]:
        world.platform.answer(customer)
    world.cut()
    world.start()
    return world


class Many(SynchronousTestCase):
    """Twice as much work for twice as many calls, and none for those that nothing happens to."""

    def test_taking_up_four_times_as_many_calls_is_four_times_the_work(self) -> None:
        few, many = (self.take_up(with_calls(count)) for count in (100, 400))
        self.assertLess(many, few * 4.2)

    def take_up(self, world: World) -> int:
        """How much work it is."""
        world.connect()
        return lines_of(world.settle)

    def test_no_turn_of_the_reactor_is_longer_with_more_calls(self) -> None:
        few, many = (max(self.turns(with_calls(count))) for count in (300, 900))
        self.assertLess(many, few * 1.5, "three times as many calls")

    def turns(self, world: World) -> list[int]:
        """How much work each turn is, once the lists are there."""
        world.connect()
        while not world.clock.getDelayedCalls():
            world.perform()
            world.hear()
        turns = []
        while world.clock.getDelayedCalls():
            turns.append(lines_of(world.take_up))
        self.assertTrue(world.driver.connected)
        return turns

    def test_a_call_is_no_more_work_among_more_of_them(self) -> None:
        few, many = (self.one_more(count) for count in (20, 400))
        self.assertLess(many, few * 1.02)

    def one_more(self, count: int) -> int:
        """A call from its beginning to its end, with a hand-off."""
        world = with_calls(count)
        world.connect()
        world.settle()
        customer: list[Leg] = []

        def go() -> None:
            customer.append(world.platform.call("1001", "9"))
            world.settle()
            world.driver.agent_logged_in("1001")
            world.offer("one", number="9")
            world.settle()
            world.platform.answer(customer[0])
            world.platform.finish(customer[0])
            world.settle()
            world.platform.hang_up(customer[0])
            world.settle()

        work = lines_of(go)
        self.assertEqual(world.listener.of("one"), ["offered", "accepted", "returned"])
        return work

    def test_nothing_is_left_of_any_of_them(self) -> None:
        world = with_calls(40)
        world.connect()
        world.settle()
        for leg in list(world.platform.legs.values()):
            world.platform.hang_up(leg)
        world.settle()
        self.assertEqual((len(world.driver), world.clock.getDelayedCalls()), (0, []))
