"""Whom an offer means whose serial was told for nobody."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.asterisk_world import World


class OwnSerials(SynchronousTestCase):
    """Agent 1001 talks with two customers, one after the other; the first is with a service."""

    def setUp(self) -> None:
        self.world = World()
        self.world.connect()
        self.world.settle()
        self.first = self.world.platform.call("1001", "1")
        self.world.settle()
        self.world.offer(self.world.told_for(self.first), number="1")
        self.world.settle()
        self.second = self.world.platform.call("1001", "2")
        self.world.settle()

    def moved(self, number: str) -> list[str]:
        """Who is with a service, or on the way there, after another offer for this calling number."""
        self.world.offer("9", number=number)
        self.world.settle()
        return [leg.number for leg in self.world.dialling()]

    def test_the_customer_who_is_with_a_service_is_meant_by_their_number_and_nobody_goes_in_their_place(self) -> None:
        self.assertEqual(self.moved("1"), ["1"])
        self.assertEqual((self.world.ends("9"), self.world.listener.statuses[-1]), (["unreachable"], 31))

    def test_the_other_one_is_meant_by_theirs(self) -> None:
        self.assertEqual(self.moved("2"), ["1", "2"])

    def test_nor_in_the_place_of_one_who_waits_or_talks_with_another_agent(self) -> None:
        self.world.platform.let_wait(self.world.platform.call("1001", "3"))
        self.world.platform.call("1002", "4")
        self.world.settle()
        for number in ("3", "4"):
            with self.subTest(number):
                self.assertEqual(self.moved(number), ["1"])

    def test_who_has_hung_up_is_nobody_any_more(self) -> None:
        self.world.platform.hang_up(self.first)
        self.world.settle()
        self.assertEqual(self.moved("1"), ["2"])

    def test_a_number_that_nobody_has_means_the_one_who_is_there(self) -> None:
        for number in ("", "+86 138 0013 8000"):
            with self.subTest(number):
                self.setUp()
                self.assertEqual(self.moved(number), ["1", "2"])
