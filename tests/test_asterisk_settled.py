"""Signalling by Asterisk: which customer goes is settled before they do, and whoever is held waits for them alone."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.asterisk_world import World


class Settled(SynchronousTestCase):
    """Which customer goes is settled, and before they do they leave the agent, whose channel lasts."""

    def setUp(self) -> None:
        self.world = World()
        self.world.connect()
        self.customer = self.world.platform.call("1001", "1")
        [self.desk] = self.world.platform.others_in(self.customer)
        self.world.settle()

    def offer(self, keeps: bool = True) -> None:
        """A hand-off is begun, by a store that is quick or slow."""
        self.world.listener.keeps = keeps
        self.world.offer("7", number="1")

    def nobody_was_moved(self) -> None:
        """Everybody talks with whom they talked, and the service is unreachable."""
        self.world.settle()
        self.assertEqual((self.world.platform.dialled, self.world.ends("7")), ([], ["unreachable"]))
        self.assertEqual(self.world.platform.lost(), [])

    def test_a_customer_who_waits_when_it_is_kept_isnt_moved_and_the_next_one_keeps_the_agent(self) -> None:
        self.offer(keeps=False)
        self.world.platform.let_wait(self.customer)
        self.world.platform.take_next(self.desk, "2")
        self.world.settle()
        self.world.listener.writes.pop()()
        self.nobody_was_moved()

    def test_nor_does_it_matter_whether_asterisk_was_away_meanwhile(self) -> None:
        for waits in (True, False):
            for kept in ("away", "while taken up", "afterwards"):
                self.setUp()
                self.offer(keeps=False)
                self.world.cut()
                if waits:
                    self.world.platform.let_wait(self.customer)
                else:
                    self.world.platform.hand_on(self.customer, "1002")
                self.world.platform.take_next(self.desk, "2")
                if kept == "away":
                    self.world.listener.writes.pop()()
                self.world.connect()
                if kept == "while taken up":
                    self.world.listener.writes.pop()()
                self.world.settle()
                if kept == "afterwards":
                    self.world.listener.writes.pop()()
                self.nobody_was_moved()

    def test_a_move_that_was_lost_isnt_asked_for_again_once_one_of_them_talks_with_others(self) -> None:
        for customer_waits, agent_has_gone in ((True, False), (False, False), (False, True)):
            self.setUp()
            self.offer()
            while self.world.client.asked[0][0] == "Setvar":
                self.world.perform()
            self.world.cut()
            if customer_waits:
                self.world.platform.let_wait(self.customer)
            else:
                self.world.platform.hand_on(self.customer, "1002")
            if agent_has_gone:
                self.world.platform.hang_up(self.desk)
            else:
                self.world.platform.take_next(self.desk, "2")
            self.world.connect()
            self.nobody_was_moved()

    def test_an_agent_who_was_replaced_in_the_bridge_while_asterisk_was_away_isnt_taken_for_there(self) -> None:
        self.offer(keeps=False)
        self.world.cut()
        self.world.platform.replace(self.desk, "PJSIP/colleague")
        self.world.connect()
        self.world.settle()
        self.world.listener.writes.pop()()
        self.nobody_was_moved()

    def test_a_customer_who_stays_is_moved_once_whenever_it_is_kept(self) -> None:
        for kept in ("away", "while taken up", "afterwards"):
            self.setUp()
            self.offer(keeps=False)
            self.world.cut()
            if kept == "away":
                self.world.listener.writes.pop()()
            self.world.connect()
            if kept == "while taken up":
                while not self.world.clock.calls:
                    self.world.perform()
                    self.world.hear()
                self.world.listener.writes.pop()()
            self.world.settle()
            if kept == "afterwards":
                self.world.listener.writes.pop()()
            self.world.settle()
            self.assertEqual((self.world.dialling(), len(self.world.platform.dialled)), ([self.customer], 1), kept)

    def test_one_that_is_withdrawn_while_the_calls_are_taken_up_leaves_nothing_behind(self) -> None:
        self.offer(keeps=False)
        self.world.cut()
        self.world.listener.writes.pop()()
        self.world.connect()
        self.world.perform()
        self.world.driver.withdraw("7")
        self.world.settle()
        self.assertEqual((self.world.platform.dialled, self.world.driver._calls.transfers.get("7")), ([], None))


class CallQuotas(SynchronousTestCase):
    """Whoever is held waits for the customer, and for nobody else."""

    def setUp(self) -> None:
        self.world = World()
        self.customer = self.world.forwarded()
        self.world.platform.answer(self.customer)
        self.agent = self.world.platform.legs["PJSIP/1001-00000002"]
        self.world.settle()

    def test_the_customer_comes_back_to_whoever_has_taken_over_from_the_agent(self) -> None:
        for away in (False, True):
            self.setUp()
            world = self.world
            if away:
                world.cut()
            other = world.platform.pass_on_hold(self.agent, "1005")
            world.connect()
            world.settle()
            world.platform.finish(self.customer)
            world.settle()
            self.assertEqual(world.platform.others_in(self.customer), [other])
            self.assertEqual(world.ends("7"), ["agent_lost"], "the result is the first agent's")
            self.assertEqual(world.listener.arrivals[-1][0], "1005")
            self.assertEqual(world.platform.lost(), [])

    def test_they_are_free_when_the_customer_hangs_up(self) -> None:
        for away in (False, True):
            self.setUp()
            world = self.world
            if away:
                world.cut()
            world.platform.pass_on_hold(self.agent, "1005")
            world.platform.hang_up(self.customer)
            world.connect()
            world.settle()
            self.assertEqual(world.platform.legs, {})

    def test_an_agent_whose_customer_was_put_elsewhere_is_free(self) -> None:
        world = self.world
        world.platform.take_away(self.customer, "1002")
        world.settle()
        self.assertEqual(world.ends("7"), ["agent_lost"])
        self.assertNotIn(self.agent.name, world.platform.legs)
        self.assertEqual(world.platform.lost(), [])

    def test_whoever_takes_over_as_the_customer_comes_back_elsewhere_is_free(self) -> None:
        self.world.platform.take_away(self.customer, "1001")
        while not self.world.client.asked:
            self.world.hear()
        self.world.platform.pass_on_hold(self.agent, "1002")
        self.world.settle()
        self.assertEqual(self.world.platform.lost(), [])

    def test_an_agent_who_was_left_on_hold_while_the_exchange_was_down_is_free_afterwards(self) -> None:
        world = self.world
        world.cut()
        world.platform._gone(self.customer)  # in the instant of returning: the dialplan releases nobody any more
        world.platform._drop_service(self.customer)
        self.assertEqual(world.platform.lost(), ["PJSIP/1001-00000002 is held for nobody"])
        world.start()
        world.connect()
        world.settle()
        self.assertEqual(world.platform.legs, {})
