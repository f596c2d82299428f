"""The transfer driver on a platform in memory: it needs nothing of Asterisk, nor of any other make."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Any

from twisted.internet import reactor
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface.verify import verifyObject

from ctiex.errors import Status
from ctiex.interfaces import ISignalling, Offer
from ctiex.interfaces.telephony import ITelephonyListener, ITelephonyPlatform, TransferEvent
from ctiex.messages import Connection
from ctiex.signalling.transfer_driver import TransferSignalling
from ctiex.testing.signalling_contract import RecordingListener, SignallingContract, agent_of, make_offer

from .memory_platform import Leg, MemoryPlatform


class MemoryPlatformContract(SignallingContract, TestCase):
    """The contract of every driver."""

    clock: Any = reactor

    def make_ready(self, answer: int | None) -> None:
        self.platform = MemoryPlatform(self.clock)
        self.platform.on_sent = lambda customer: self._sent(customer, answer)
        for serial in ("0", "1", "2", "3", "4"):
            self.platform.call(agent_of(serial))

    def _sent(self, customer: Leg, answer: int | None) -> None:
        if answer == Status.OK:
            self.platform.answer(customer)
        elif answer is not None:
            self.platform.refuse(customer, Status.SERVICE_REFUSED)

    def make_driver(self) -> ISignalling:
        driver = TransferSignalling(self.platform, self.listener)
        driver.start()
        self.platform.connect()
        return driver

    def connections(self) -> Sequence[Connection]:
        return [offer.connection for offer in self.platform.sent]


class TransferDriverTests(SynchronousTestCase):
    """What becomes of the customers of an agent, and what the exchange is told of it."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.platform = MemoryPlatform(self.clock)
        self.listener = RecordingListener()
        self.start()
        self.platform.connect()

    def start(self) -> None:
        """An exchange that knows nothing yet."""
        self.driver = TransferSignalling(self.platform, self.listener)
        self.driver.start()

    def settle(self) -> None:
        """Everything that has happened is heard."""
        while self.clock.getDelayedCalls():
            self.clock.advance(0)

    def call(self, agent: str = "1001", number: str = "13800138000") -> Leg:
        """A customer and an agent talk, and that is known."""
        customer = self.platform.call(agent, number)
        self.settle()
        return customer

    def offer(self, serial: str = "7", **more: Any) -> None:
        """The agent hands the customer over."""
        access_code = more.pop("access_code", "7000")
        connection = Connection(access_code, f"13800138000**{serial}", "exchange:7301")
        self.driver.offer(Offer(serial, "bill", "13800138000", connection, inf, agent="1001", **more))
        self.settle()

    def served(self) -> Leg:
        """A customer whom a service serves."""
        customer = self.call()
        self.offer()
        self.platform.answer(customer)
        self.settle()
        return customer

    def assert_told(self, *told: str, serial: str = "7") -> None:
        """So much was told of the call, and no more."""
        self.assertEqual(list(self.listener.of(serial)), list(told))

    def assert_with(self, customer: Leg, agent: str) -> None:
        """The customer talks with this agent."""
        self.assertEqual([one.number for one in self.platform.with_whom(customer)], [agent])

    def assert_nothing_is_left(self, customer: Leg) -> None:
        """Once the customer has hung up nobody waits for anybody."""
        self.platform.hang_up(customer)
        self.settle()
        self.assertEqual((self.platform.legs, len(self.driver)), ({}, 0))

    def test_both_sides_provide_their_interfaces(self) -> None:
        self.assertTrue(verifyObject(ITelephonyPlatform, self.platform))
        self.assertTrue(verifyObject(ITelephonyListener, self.driver))
        self.assertTrue(verifyObject(ISignalling, self.driver))

    def test_the_whole_way_and_again_by_the_serial_that_was_told(self) -> None:
        customer = self.call()
        self.assertEqual(self.listener.arrivals, [("1001", "13800138000")])
        told, agent = customer.associated
        self.assertEqual((bool(told), agent), (True, "1001"))
        for serial in ("7", told):
            self.offer(serial)
            self.assert_told("offered", serial=serial)
            self.platform.answer(customer)
            self.settle()
            self.platform.finish(customer)
            self.settle()
            self.assert_told("offered", "accepted", "returned", serial=serial)
            self.assert_with(customer, "1001")
        self.assertEqual([offer.serial for offer in self.platform.sent], ["7", told])
        self.assertEqual(len(self.listener.arrivals), 1)
        self.assert_nothing_is_left(customer)

    def test_an_agent_who_logs_in_later_is_told_then_and_once(self) -> None:
        self.listener.agents_are_here = False
        self.call()
        self.listener.arrivals.clear()
        self.listener.agents_are_here = True
        for _ in range(2):
            self.driver.agent_logged_in("1001")
        self.assertEqual(len(self.listener.arrivals), 1)

    def test_a_service_that_isnt_reached_is_told_with_the_status_that_the_platform_gives(self) -> None:
        customer = self.call()
        for serial, status in (("1", Status.SERVICE_REFUSED), ("2", Status.TIMED_OUT)):
            self.offer(serial)
            self.platform.refuse(customer, status)
            self.settle()
            self.assert_told("offered", "unreachable", serial=serial)
            self.assertEqual(self.listener.statuses[-1], status)
            self.assert_with(customer, "1001")
        self.assert_nothing_is_left(customer)

    def test_an_order_that_cant_be_carried_out_or_is_refused_moves_nobody(self) -> None:
        customer = self.call()
        self.offer("1", access_code="x")
        self.assert_told("unreachable", serial="1")
        self.platform.refuses = True
        self.offer("2")
        self.assert_told("offered", "unreachable", serial="2")
        self.assert_with(customer, "1001")
        self.assert_nothing_is_left(customer)

    def test_nobody_is_moved_who_has_left_the_agent_when_the_offer_is_kept(self) -> None:
        customer = self.call()
        self.listener.keeps = False
        self.offer()
        self.platform.hang_up(self.platform.with_whom(customer)[0])
        self.settle()
        self.listener.writes.pop()()
        self.assert_told("offered", "hung_up")
        self.assertEqual((self.platform.sent, len(self.driver)), ([], 0))

    def test_a_customer_who_hangs_up_frees_the_agent(self) -> None:
        customer = self.served()
        self.platform.hang_up(customer)
        self.settle()
        self.assert_told("offered", "accepted", "hung_up")
        self.assertEqual((self.platform.legs, len(self.driver)), ({}, 0))

    def test_an_agent_who_hangs_up_meanwhile_is_lost_once_the_service_is_over(self) -> None:
        customer = self.served()
        assert customer.agent is not None
        self.platform.hang_up(customer.agent)
        self.settle()
        self.assert_told("offered", "accepted")
        self.platform.finish(customer)
        self.settle()
        self.assert_told("offered", "accepted", "agent_lost")
        self.assert_nothing_is_left(customer)

    def test_a_withdrawal_brings_the_customer_back(self) -> None:
        customer = self.call()
        self.offer()
        self.assertEqual(self.driver.withdraw("7"), Status.TIMED_OUT)
        self.settle()
        self.assert_told("offered")
        self.assert_with(customer, "1001")
        self.assert_nothing_is_left(customer)

    def test_the_customer_comes_back_to_who_has_taken_over_from_the_agent(self) -> None:
        customer = self.served()
        assert customer.agent is not None
        self.platform.take_over(customer.agent, "1005")
        self.settle()
        self.platform.finish(customer)
        self.settle()
        self.assert_with(customer, "1005")
        self.assert_told("offered", "accepted", "agent_lost")
        self.assertEqual(self.listener.arrivals[-1][0], "1005")
        self.assert_nothing_is_left(customer)

    def test_an_offer_waits_for_the_platform(self) -> None:
        self.platform.cut()
        self.assertFalse(self.driver.connected)
        customer = self.platform.call("1001")
        self.offer()
        self.assert_told()
        self.platform.connect()
        self.settle()
        self.assert_told("offered")
        self.assertEqual(customer.progress, (TransferEvent.LEFT_AGENT,))

    def test_a_move_that_was_lost_with_the_connection_is_made_once_afterwards(self) -> None:
        customer = self.call()
        self.listener.keeps = False
        self.offer()
        self.platform.cut()
        self.listener.writes.pop()()
        self.assertEqual(self.platform.sent, [])
        self.platform.connect()
        self.settle()
        self.assertEqual(len(self.platform.sent), 1)
        self.assertEqual(customer.progress, (TransferEvent.LEFT_AGENT,))

    def test_what_happens_while_the_platform_is_away_is_told_afterwards(self) -> None:
        for do, told in {
            "nothing": [],
            "finish": ["returned"],
            "hang up": ["hung_up"],
            "lose agent": ["agent_lost"],
        }.items():
            self.setUp()
            customer = self.served()
            assert customer.agent is not None
            self.platform.cut()
            if do == "lose agent":
                self.platform.hang_up(customer.agent)
            if do == "hang up":
                self.platform.hang_up(customer)
            elif do != "nothing":
                self.platform.finish(customer)
            self.platform.connect()
            self.settle()
            self.assert_told("offered", "accepted", *told)
            self.assert_nothing_is_left(customer)

    def test_a_new_exchange_goes_on_with_the_calls_of_before(self) -> None:
        for again in ("resume", "offer", "forget"):
            self.setUp()
            customer = self.served() if again != "offer" else self.call()
            if again == "offer":
                self.offer()
            self.platform.cut()
            self.start()
            if again == "resume":
                self.driver.resume("7", "1001")
            elif again == "offer":
                self.offer(resumed=True)
            self.platform.connect()
            self.settle()
            if again == "forget":  # nobody waits for this customer any more
                self.assert_told("offered", "accepted")
            else:
                self.platform.finish(customer)
                self.settle()
                self.assertEqual((self.listener.of("7")[-1], len(self.platform.sent)), ("returned", 1))
            self.assert_with(customer, "1001")
            self.assertEqual(len(self.listener.arrivals), 1, "the platform remembers who was told")
            self.assert_nothing_is_left(customer)

    def test_a_call_that_is_nowhere_to_be_found_is_lost(self) -> None:
        self.platform.cut()
        self.start()
        self.driver.resume("7", "1001")
        self.platform.connect()
        self.assert_told("agent_lost")

    def test_an_agent_who_is_still_held_for_nobody_is_freed(self) -> None:
        customer = self.served()
        self.platform.cut()
        self.platform.hang_up(customer)
        self.start()
        self.platform.connect()
        self.settle()
        self.assertEqual(self.platform.legs, {})

    def test_a_contract_offer_means_the_agents_customer(self) -> None:
        self.call(agent_of("1"))
        self.driver.offer(make_offer("1"))
        self.settle()
        self.assertEqual([offer.serial for offer in self.platform.sent], ["1"])
