"""Signalling by Asterisk moves the customer who is meant, or nobody."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ctiex.interfaces import Signalled
from tests.asterisk_walk import OPS, Walk
from tests.asterisk_world import World
from tests.fake_platform import Leg

from .effort import examples


class Told(SynchronousTestCase):
    """A serial that an agent was ever told names that customer, or nobody."""

    def begin(self) -> World:
        """An exchange that is connected."""
        world = World()
        world.connect()
        world.settle()
        return world

    def called(self, world: World, agent: str, number: str) -> tuple[Leg, str]:
        """A customer who talks with an agent, and the serial that the agent was told."""
        customer = world.platform.call(agent, number)
        world.settle()
        return customer, world.told_for(customer)

    def hand_over(self, world: World, serial: str, number: str, agent: str = "1001") -> list[str]:
        """The numbers of the customers whom that moves."""
        world.offer(serial, agent, number=number)
        world.settle()
        return [leg.number for leg in world.dialling()]

    def test_the_serial_of_a_customer_who_was_passed_on_moves_nobody_else(self) -> None:
        world = self.begin()
        customer, serial = self.called(world, "1001", "1")
        world.platform.transfer(customer, "1002")
        self.called(world, "1001", "2")
        self.assertEqual(self.hand_over(world, serial, "1"), [])
        self.assertEqual((world.ends(serial), world.listener.statuses), (["unreachable"], [31]))

    def test_it_moves_that_customer_again_when_they_are_passed_back(self) -> None:
        world = self.begin()
        customer, serial = self.called(world, "1001", "1")
        world.platform.transfer(customer, "1002")
        world.settle()
        world.platform.transfer(customer, "1001")
        world.settle()
        self.assertNotEqual(world.told_for(customer), serial)
        self.assertEqual(self.hand_over(world, serial, "1"), ["1"])

    def test_the_agent_whom_a_customer_was_passed_to_is_told_a_serial_of_their_own(self) -> None:
        world = self.begin()
        customer, serial = self.called(world, "1001", "1")
        world.platform.transfer(customer, "1002")
        world.settle()
        self.assertEqual(self.hand_over(world, world.told_for(customer), "1", "1002"), ["1"])
        self.assertNotEqual(world.told_for(customer), serial)

    def test_a_serial_of_before_a_restart_moves_the_customer_whose_channel_is_marked_with_it(self) -> None:
        world = self.begin()
        customer, serial = self.called(world, "1001", "1")
        self.restart(world)
        self.assertEqual(world.told_for(customer), serial)
        self.assertEqual(self.hand_over(world, serial, "1"), ["1"])

    def test_a_serial_of_before_a_restart_that_no_channel_is_marked_with_moves_nobody(self) -> None:
        for other_is_told in (True, False):
            world = self.begin()
            customer, serial = self.called(world, "1001", "1")
            world.platform.hang_up(customer)
            world.settle()
            world.listener.agents_are_here = other_is_told
            other = world.platform.call("1001", "2")
            self.restart(world)
            self.assertEqual("CTIEX_TALK" in other.variables, other_is_told)
            self.assertEqual(self.hand_over(world, serial, "1"), [])
            self.assertEqual(world.ends(serial), ["unreachable"])

    def test_it_moves_nobody_who_came_while_asterisk_was_away_or_the_exchange_down(self) -> None:
        for stops in (False, True):
            world = self.begin()
            customer, serial = self.called(world, "1001", "1")
            world.cut()
            world.offer(serial, number="1")
            world.platform.hang_up(customer)
            world.platform.call("1001", "2")
            if stops:
                world.start()
                world.offer(serial, number="1", resumed=True)
            world.connect()
            world.settle()
            self.assertEqual((world.platform.dialled, world.ends(serial)), ([], ["unreachable"]))

    def test_an_agent_who_takes_a_marked_customer_while_the_exchange_is_down_is_told(self) -> None:
        world = self.begin()
        customer, serial = self.called(world, "1001", "1")
        world.cut()
        world.platform.transfer(customer, "1002")
        world.start()
        world.connect()
        world.settle()
        self.assertEqual(world.listener.arrivals, [("1001", "1"), ("1002", "1")])
        self.assertEqual((customer.variables["CTIEX_TALK_AGENT"], world.told_for(customer) == serial), ("1002", False))
        self.assertEqual(self.hand_over(world, serial, "1"), [])

    def test_an_agent_who_isnt_there_to_be_told_leaves_no_mark_of_the_one_before(self) -> None:
        world = self.begin()
        customer, serial = self.called(world, "1001", "1")
        world.listener.agents_are_here = False
        world.platform.transfer(customer, "1002")
        world.settle()
        world.listener.agents_are_here = True
        self.restart(world)
        self.assertNotIn(world.told_for(customer), ("", serial))
        self.assertEqual(customer.variables["CTIEX_TALK_AGENT"], "1002")

    def restart(self, world: World) -> None:
        """Another exchange, which has forgotten everything."""
        world.cut()
        world.start()
        world.connect()
        world.settle()


class Untold(SynchronousTestCase):
    """A serial that the application made up, or that it asked without, means the agent's only customer."""

    def test_it_moves_the_one_with_whom_the_agent_talks(self) -> None:
        for own in (True, False):
            world = World()
            world.connect()
            customer = world.platform.call("1001", "1")
            world.settle()
            serial = "7" if own else world.listener.asked_without()
            world.offer(serial, number="another")
            world.settle()
            self.assertEqual(world.dialling(), [customer])

    def test_the_customer_who_is_on_the_way_back_is_meant_and_nobody_who_comes_in_their_place(self) -> None:
        world = World()
        customer = world.forwarded(serial="7")
        world.driver.withdraw("7")
        world.offer("8")
        world.platform.hang_up(customer)
        world.platform.call("1001", "2")
        world.settle()
        self.assertEqual([serial for _, serial in world.platform.dialled], ["13800138000**7"])
        self.assertEqual(world.ends("8"), ["unreachable"])

    def test_while_asterisk_is_away_only_the_same_number_tells_that_it_is_still_the_one(self) -> None:
        for number, moved in (("1", []), ("2", ["2**7"]), ("", [])):
            world = World()
            world.connect()
            customer = world.platform.call("1001", "1")
            world.settle()
            world.cut()
            world.offer("7", number=number)
            world.platform.hang_up(customer)
            world.platform.call("1001", "2")
            world.connect()
            world.settle()
            self.assertEqual([carried for _, carried in world.platform.dialled], moved, number)
            self.assertEqual(world.ends("7"), [] if moved else ["unreachable"])

    def test_what_was_begun_before_a_restart_goes_on_with_the_customer_who_was_prepared_for_it(self) -> None:
        for stays in (True, False):
            world = World()
            world.connect()
            customer = world.platform.call("1001", "")
            world.settle()
            serial = world.listener.asked_without()
            world.offer(serial, number="")
            while world.client.asked and world.client.asked[0][0] == "Setvar":
                world.perform()
            world.cut()  # the move itself is lost
            world.start()
            world.offer(serial, number="", resumed=True)
            if not stays:
                world.platform.transfer(customer, "1002")
                world.platform.call("1001", "2")
            world.connect()
            world.settle()
            self.assertEqual(world.dialling(), [customer] if stays else [])
            self.assertEqual(world.ends(serial), [] if stays else ["unreachable"])


class Names(SynchronousTestCase):
    """Customers whose calling number is a name of SIP, or otherwise none that a dialplan takes."""

    NAMES = ("john.doe", "alice-w", "bob_1", "13800138000;phone-context=+86", "a b", "ø", "50%", "(0)1", '"x', "$x")

    def test_they_are_handed_over_with_the_number_left_out_of_what_is_sent(self) -> None:
        for name in self.NAMES:
            world = World()
            world.connect()
            world.platform.call("1001", name)
            world.settle()
            world.offer("7", number=name)
            world.settle()
            self.assertEqual(world.platform.dialled, [("PJSIP/7000@core", "**7")], name)

    def test_so_they_are_where_the_serial_travels_in_a_header(self) -> None:
        for name in self.NAMES:
            world = World()
            world.connect()
            world.platform.call("1001", name)
            world.settle()
            world.offer("7", number=name, signalled=Signalled(name, {"X-CTIEX-Serial": "7"}))
            world.settle()
            [customer] = world.dialling()
            self.assertEqual(world.platform.dialled, [("PJSIP/7000@core", "")], name)
            self.assertEqual(customer.variables["_CTIEX_HEADER_1"], "7")

    def test_a_number_that_can_be_sent_is(self) -> None:
        for number in ("13800138000", "+8613800138000", "alice", "*21", ""):
            world = World()
            world.connect()
            world.platform.call("1001", number)
            world.settle()
            world.offer("7", number=number)
            world.settle()
            self.assertEqual(world.platform.dialled, [("PJSIP/7000@core", f"{number}**7")])


class AnyWalk(SynchronousTestCase):
    """Calls, transfers, holds, hand-offs, cuts, restarts and slow commits in any order."""

    @settings(deadline=None, max_examples=examples(300))
    @given(st.lists(st.integers(0, OPS - 1), min_size=20, max_size=50))
    def test_a_serial_moves_whom_it_names_and_nobody_else(self, ops: list[int]) -> None:
        Walk().go(ops)
