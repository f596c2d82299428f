"""What crosses a transfer: another device of the agent, a hang-up in the middle of the move, a withdrawal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from ctiex.telephony.asterisk.ami import AmiMessage
from tests.asterisk_world import World
from tests.fake_platform import Leg


class OtherDevices(SynchronousTestCase):
    """The agent's other device takes the customer while the connection is lost; the first one talks with another."""

    def transferred_by(self, begins: Callable[[World], None], keeps: bool) -> None:
        world = World()
        world.listener.keeps = keeps
        customer = world.platform.call("1001")
        world.connect()
        world.settle()
        [first] = world.platform.others_in(customer)
        world.offer("7")
        world.cut()
        second = world.platform.hand_on(customer, "1001")
        other = world.platform.take_next(first, "13900139000")
        world.connect()
        world.settle()
        begins(world)
        world.settle()
        self.assertEqual((customer.place, second.place), ("dialling", "hold"))
        self.assertEqual(customer.variables["CTIEX_AGENT_CHANNEL"], second.name)
        self.assertEqual(world.platform.others_in(other), [first], "they talk on")

    def test_the_one_that_has_the_customer_is_held_where_the_offer_was_being_committed(self) -> None:
        self.transferred_by(lambda world: world.listener.writes[0](), keeps=False)

    def test_and_where_the_move_was_asked_for_already(self) -> None:
        self.transferred_by(lambda world: None, keeps=True)

    def test_one_that_no_dialplan_can_name_refuses_the_transfer(self) -> None:
        world = World()
        world.listener.keeps = False
        customer = world.platform.call("1001")
        world.connect()
        world.settle()
        world.offer("7")
        [agent] = world.platform.others_in(customer)
        world.driver._platform.calls.renamed(agent.uniqueid, "PJSIP/1001\n-00000001")
        world.listener.writes[0]()
        world.settle()
        self.assertEqual((world.ends("7"), customer.place), (["unreachable"], "talk"))


class GoneInTheMiddle(SynchronousTestCase):
    """The customer hangs up between the order to move both and the agent's hold."""

    def setUp(self) -> None:
        self.world = World()
        self.customer = self.world.platform.call("1001")
        self.world.connect()
        self.world.settle()
        [self.agent] = self.world.platform.others_in(self.customer)
        self.world.offer("7")
        self.asked = self.world.client.asked
        self.asked.clear()  # what the platform does with it is told below
        self.tell("BridgeLeave", self.customer, BridgeUniqueid=self.customer.bridge)
        self.tell("Hangup", self.customer, Cause="16")

    def tell(self, event: str, leg: Leg, **more: str) -> None:
        headers = {"Event": event, "Uniqueid": leg.uniqueid, "Channel": leg.name, **more}
        self.world.client.on_event(AmiMessage(tuple(headers.items())))

    def held(self) -> None:
        self.tell("BridgeLeave", self.agent, BridgeUniqueid=self.agent.bridge)
        self.tell("BridgeEnter", self.agent, BridgeUniqueid="hold-1", BridgeType="holding", BridgeName="ctiex-7")

    def redirects(self) -> list[tuple[str, str]]:
        return [(headers["Channel"], headers["Context"]) for name, headers, _ in self.asked if name == "Redirect"]

    def test_the_agent_is_released_from_the_hold_that_comes_all_the_same(self) -> None:
        self.assertEqual((self.world.ends("7"), self.redirects()), (["hung_up"], []))
        self.held()
        self.assertEqual(self.redirects(), [(self.agent.name, "ctiex-release")])

    def test_not_where_they_talk_with_another_customer_before(self) -> None:
        """A customer who was transferred under the same serial after all comes back to them."""
        another = Leg("PJSIP/trunk-0000ffff", "1795448690.99", "13900139000")
        self.tell("BridgeLeave", self.agent, BridgeUniqueid=self.agent.bridge)
        for leg in (another, self.agent):
            self.tell("BridgeEnter", leg, BridgeUniqueid="talk-2", BridgeType="basic", CallerIDNum=leg.number)
        self.agent.bridge = "talk-2"
        self.held()
        self.assertEqual(self.redirects(), [])

    def test_nothing_is_kept_of_it_once_the_agent_is_gone(self) -> None:
        self.tell("BridgeLeave", self.agent, BridgeUniqueid=self.agent.bridge)
        self.tell("Hangup", self.agent, Cause="16")
        self.assertEqual(len(self.world.driver), 0)

    def test_nor_where_they_go_while_the_connection_is_lost(self) -> None:
        self.world.cut()
        self.world.platform.legs.clear()
        self.world.connect()
        self.world.settle()
        self.assertEqual(len(self.world.driver), 0)


class DuringTheTakeUp(SynchronousTestCase):
    """The snapshot is taken up in lots, and others have their turns between."""

    def test_a_withdrawal_between_two_lots_hinders_nothing(self) -> None:
        world = World()
        world.listener.keeps = False
        for one in range(60):
            world.platform.call(str(2000 + one), f"1390000{one:04}")
        customer = world.platform.call("1001")
        world.connect()
        world.settle()
        world.offer("7")
        world.cut()
        [agent] = world.platform.others_in(customer)
        world.platform.replace(agent, "PJSIP/1002")
        world.connect()
        while world.perform() or world.hear():
            pass
        world.take_up()
        world.driver.withdraw("7")
        world.settle()
        self.assertTrue(world.driver.connected)
        conversation = world.driver._calls.conversations.of_customer(customer.uniqueid)
        assert conversation is not None
        self.assertEqual(conversation.agent, "1002")

    def test_a_fault_of_it_keeps_neither_the_next_login_nor_the_stop_from_working(self) -> None:
        world = World()
        world.platform.call("1001")
        platform: Any = world.driver._platform
        listener = platform._listener

        class Faulty:
            def take_up(self, snapshot: object) -> Iterator[None]:
                yield
                raise KeyError("1001")

        platform._listener = Faulty()
        world.client.connected = True
        taken_up: Deferred[None] = world.client.on_login()
        world.settle()
        self.failureResultOf(taken_up, KeyError)
        world.client.on_lost()
        self.successResultOf(world.driver.stop())  # type: ignore[arg-type]
        platform._listener, world.client.connected = listener, False
        world.connect()
        world.settle()
        self.assertTrue(world.driver.connected)
