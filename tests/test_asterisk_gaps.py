"""Signalling by Asterisk: links are lost, exchanges are restarted, and nobody is left hanging."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ctiex.errors import RequestTimedOut
from tests.asterisk_world import ENDS, World
from tests.fake_platform import Leg

from .effort import examples


class Gaps(SynchronousTestCase):
    """The manager interface goes away and comes back; the exchange stops and starts."""

    def test_offers_wait_for_asterisk(self) -> None:
        world = World()
        world.platform.call("1001")
        world.offer("7", resumed=True)
        self.assertEqual(world.listener.told, [])
        world.connect()
        world.settle()
        self.assertEqual(world.listener.of("7"), ["offered"])

    def test_what_happened_meanwhile_is_told_afterwards(self) -> None:
        def ends(world: World, customer: Leg, do: str) -> Sequence[str]:
            world.cut()
            agent = world.platform.legs["PJSIP/1001-00000002"]
            match do:
                case "answer":
                    world.platform.answer(customer)
                case "refuse":
                    world.platform.refuse(customer, "BUSY")
                case "finish":
                    world.platform.answer(customer)
                    world.platform.finish(customer)
                case "customer":
                    world.platform.answer(customer)
                    world.platform.hang_up(customer)
                case "agent":
                    world.platform.answer(customer)
                    world.platform.hang_up(agent)
                    world.platform.finish(customer)
            world.connect()
            world.settle()
            return world.listener.of("7")

        for do, told in {
            "nothing": ["offered"],
            "answer": ["offered", "accepted"],
            "refuse": ["offered", "unreachable"],
            "finish": ["offered", "accepted", "returned"],
            "customer": ["offered", "unreachable"],  # nobody knows any more whether they were served
            "agent": ["offered", "accepted", "agent_lost"],
        }.items():
            world = World()
            self.assertEqual(ends(world, world.forwarded(), do), told, do)
            self.assertEqual(world.platform.lost(), [])

    def test_a_move_that_was_lost_with_the_connection_is_made_afterwards(self) -> None:
        for done in (False, True):
            world = World()
            world.platform.call("1001")
            world.connect()
            world.settle()
            world.offer("7")
            world.cut(done)
            world.connect()
            world.settle()
            self.assertEqual(len(world.platform.dialled), 1)
            self.assertEqual(world.listener.of("7"), ["offered"])

    def test_a_move_that_asterisk_doesnt_answer_is_looked_at_anew(self) -> None:
        for done in (False, True):
            world = World()
            world.platform.call("1001")
            world.connect()
            world.settle()
            cut = partial(world.cut, done)
            world.client.reconnect = lambda reason, cut=cut: cut()  # type: ignore[method-assign,misc]
            world.offer("7")
            for name, _, answer in list(world.client.asked):
                if name == "Redirect":
                    answer.errback(RequestTimedOut("Asterisk didn't answer Redirect in time"))
            self.assertFalse(world.client.connected)
            world.connect()
            world.settle()
            self.assertEqual(len(world.platform.dialled), 1)
            self.assertEqual(world.listener.of("7"), ["offered"])

    def test_a_withdrawal_while_asterisk_is_away_is_made_good(self) -> None:
        world = World()
        customer = world.forwarded()
        world.platform.answer(customer)
        world.settle()
        world.cut()
        world.driver.withdraw("7")
        self.assertEqual(customer.place, "served")
        world.connect()
        world.settle()
        self.assertEqual((customer.place, world.platform.lost()), ("talk", []))

    def test_a_new_exchange_goes_on_with_a_call_that_is_offered_again(self) -> None:
        world = World()
        customer = world.forwarded()
        world.cut()
        world.start()
        world.offer("7", resumed=True)
        world.connect()
        world.settle()
        self.assertEqual(len(world.platform.dialled), 1)
        world.platform.answer(customer)
        world.platform.finish(customer)
        world.settle()
        self.assertEqual(world.listener.of("7"), ["offered", "offered", "accepted", "returned"])

    def test_a_new_exchange_goes_on_with_a_call_that_is_served(self) -> None:
        for meanwhile in (False, True):
            world = World()
            customer = world.forwarded()
            world.platform.answer(customer)
            world.settle()
            world.cut()
            world.start()
            world.driver.resume("7", "1001")
            if meanwhile:
                world.platform.finish(customer)
            world.connect()
            world.settle()
            if not meanwhile:
                world.platform.finish(customer)
                world.settle()
            self.assertEqual(world.listener.of("7"), ["offered", "accepted", "returned"])

    def test_a_call_that_is_nowhere_to_be_found_is_told_as_strayed(self) -> None:
        world = World()
        world.driver.resume("7", "1001")
        world.connect()
        world.settle()
        self.assertEqual(world.listener.of("7"), ["agent_lost"])

    def test_a_customer_of_an_exchange_that_forgot_is_brought_back(self) -> None:
        world = World()
        customer = world.forwarded()
        world.platform.answer(customer)
        world.settle()
        world.cut()
        world.start()
        world.connect()
        world.settle()
        self.assertEqual((customer.place, world.platform.lost()), ("talk", []))
        self.assertEqual(world.listener.of("7"), ["offered", "accepted"])


_AGENTS = ("1001", "1002")
_WIRE = ("perform", "hear", "connect", "cut", "cut done", "restart")
_CALLS = ("call", "offer", "answer", "answer", "refuse", "finish", "customer hangs up", "agent hangs up", "withdraw")
_OPS = st.tuples(
    st.one_of(st.tuples(st.sampled_from(_WIRE)), st.tuples(st.sampled_from(_CALLS * 2), st.sampled_from(_AGENTS))),
    st.sampled_from(["", "settle", "settle", "connect"]),
)
"""What happens, and whether everything has time to settle behind it."""


class InterspersedOptions(SynchronousTestCase):
    """Whatever happens in whatever order."""

    @settings(deadline=None, max_examples=examples(300))
    @given(st.lists(_OPS, min_size=10, max_size=30))
    def test_every_offer_has_one_end_and_nobody_is_left_hanging(self, ops: list[tuple[tuple[str, ...], str]]) -> None:
        world, customers = World(), dict[str, Leg]()
        offered, withdrawn = list[str](), set[str]()
        for agent in _AGENTS:
            customers[agent] = world.platform.call(agent)
        world.connect()
        for (op, *agents), then in ops:
            self._do(world, op, agents[0] if agents else "", customers, offered, withdrawn)
            if then:
                getattr(world, then)()
        world.connect()
        world.settle()
        for leg in world.platform.legs.values():
            if leg.place in ("dialling", "served"):
                serial = leg.variables.get("CTIEX_SERIAL", "")
                self.assertFalse(serial in withdrawn or world.ends(serial), f"{leg.name} was to be brought back")
        self._run_out(world)
        for serial in offered:
            ends = world.ends(serial)
            self.assertLessEqual(len(ends), 1, world.listener.told)
            self.assertTrue(ends or serial in withdrawn, world.listener.told)
        self.assertEqual(world.platform.lost(), [], world.listener.told)
        calls = world.driver._calls
        self.assertEqual((len(calls.transfers), len(calls.offers)), (0, 0))

    def _do(
        self, world: World, op: str, agent: str, customers: dict[str, Leg], offered: list[str], withdrawn: set[str]
    ) -> None:
        customer = customers.get(agent)
        platform = world.platform
        match op:
            case "perform" | "hear" | "connect" | "cut":
                getattr(world, op)()
            case "cut done":
                world.cut(done=True)
            case "restart":
                self._restart(world, offered, withdrawn)
            case "call" if not any(f"/{agent}-" in name for name in platform.legs):
                customers[agent] = platform.call(agent)
            case "offer":
                serial = str(len(offered) + 1)
                offered.append(serial)
                world.offer(serial, agent)
            case "withdraw" if offered:
                withdrawn.add(offered[-1])
                world.driver.withdraw(offered[-1])
            case "agent hangs up":
                for leg in list(platform.legs.values()):
                    if f"/{agent}-" in leg.name:
                        platform.hang_up(leg)
            case "answer" if customer is not None:
                platform.answer(customer)
            case "refuse" if customer is not None:
                platform.refuse(customer, "BUSY")
            case "finish" if customer is not None:
                platform.finish(customer)
            case "customer hangs up" if customer is not None:
                platform.hang_up(customer)

    def _restart(self, world: World, offered: list[str], withdrawn: set[str]) -> None:
        """A new exchange takes up what isn't closed, from a store that kept everything."""
        world.cut()
        calls = world.driver._calls
        offers = {one.offer.serial: one.offer.agent for one in calls.offers}
        agents = {one.serial: one.conversation.agent for one in calls.transfers}
        agents |= calls.resumed
        world.start()
        for serial in offered:
            told = world.listener.of(serial)
            if serial in withdrawn or ENDS & set(told):
                continue
            if "accepted" in told:
                world.driver.resume(serial, agents.get(serial, "1001"))
            else:
                world.offer(serial, offers.get(serial) or agents.get(serial, "1001"), resumed=True)

    def _run_out(self, world: World) -> None:
        """Asterisk is there again, and every service comes to an end."""
        for _ in range(10):
            world.connect()
            world.settle()
            for leg in list(world.platform.legs.values()):
                world.platform.refuse(leg, "NOANSWER")
                world.platform.finish(leg)
        world.settle()
